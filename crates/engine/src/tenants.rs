//! Tenants: creating them, and finding the one that is meant.

use domain::audit::Entry;
use domain::ids::TenantId;
use store::StoreError;
use store::repo::tenant::Tenant;
use store::repo::{audit, tenant};

use crate::context::Engine;
use crate::error::EngineError;

/// Creates a tenant. Its name may be part of an address: letters, digits and hyphens (Okta refuses underscores there).
pub async fn create(engine: &Engine, name: &str) -> Result<Tenant, EngineError> {
    let name = name.trim().to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) || name.starts_with('-') {
        return Err(EngineError::Invalid(format!(
            "'{name}' cannot be a tenant's name: use 1 to 63 letters, digits and hyphens, for example acme"
        )));
    }
    let scratch = engine.context(&TenantId::new(""));
    engine
        .store
        .write(move |tx| {
            let mut context = scratch.clone();
            let new = Tenant {
                id: TenantId::new(context.ids.uuid()),
                name: name.clone(),
                created_ms: context.now_ms,
            };
            tenant::create(tx, &new).map_err(|error| match error {
                StoreError::Conflict { .. } => EngineError::Conflict(format!(
                    "a tenant named '{}' exists already; see lockstep tenant list",
                    new.name
                )),
                other => other.into(),
            })?;
            let entry = Entry {
                id: context.ids.uuid(),
                at_ms: context.now_ms,
                actor: context.actor.clone(),
                action: "tenant.create".into(),
                object_kind: "tenant".into(),
                object: new.id.to_string(),
                app: String::new(),
                trace: context.trace.clone(),
                before: None,
                after: Some(serde_json::json!({"name": new.name}).to_string()),
                salt: context.ids.uuid(),
            };
            audit::append(tx, &new.id, &entry)?;
            Ok(new)
        })
        .await
}

/// All tenants by name.
pub async fn list(engine: &Engine) -> Result<Vec<Tenant>, EngineError> {
    engine.read(|tx| Ok(tenant::list(tx)?)).await
}

/// The tenant of this name; without a name the only one there is.
pub async fn resolve(engine: &Engine, name: Option<&str>) -> Result<Tenant, EngineError> {
    let mut all = list(engine).await?;
    match name {
        Some(name) => {
            let folded = scim::fold(name);
            all.into_iter().find(|tenant| scim::fold(&tenant.name) == folded).ok_or_else(|| {
                EngineError::NotFound {
                    kind: "tenant",
                    name: name.to_owned(),
                    next: "create it with lockstep tenant create NAME".into(),
                }
            })
        }
        None if all.len() == 1 => Ok(all.remove(0)),
        None if all.is_empty() => Err(EngineError::Invalid(
            "there is no tenant yet; create one: lockstep tenant create NAME".into(),
        )),
        None => {
            let names: Vec<&str> = all.iter().map(|tenant| tenant.name.as_str()).collect();
            Err(EngineError::Invalid(format!(
                "there are several tenants; name one with --tenant: {}",
                names.join(", ")
            )))
        }
    }
}
