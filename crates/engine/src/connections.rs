//! Connections: adding, finding, changing and removing the identity providers that push into a tenant.

use domain::connection::{Connection, ConnectionSettings, IdentityProvider};
use domain::ids::{AppId, ConnectionId, GroupId, TenantId};
use serde_json::{Value, json};
use store::repo::resource::Kind;
use store::repo::{connection, group, task, token};
use store::{StoreError, Tx};

use crate::audit_log::{Changed, record};
use crate::context::{Context, Engine};
use crate::error::EngineError;

/// Adds a connection. Nothing can use it before it has a token: see [`crate::tokens::create`].
pub async fn add(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    provider: IdentityProvider,
    settings: ConnectionSettings,
) -> Result<Connection, EngineError> {
    let name = name.trim().to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
        return Err(EngineError::Invalid(format!(
            "'{name}' cannot be a connection's name: use 1 to 63 letters, digits, hyphens, underscores and dots, for example okta"
        )));
    }
    engine
        .write(tenant, move |tx, context| {
            check(tx, context, &settings)?;
            let new = Connection {
                id: ConnectionId::new(context.ids.uuid()),
                name: name.clone(),
                provider,
                settings: settings.clone(),
                created_ms: context.now_ms,
                version: 1,
            };
            connection::insert(tx, &context.tenant, &new).map_err(|error| taken(error, &new))?;
            save_record(tx, context, "connection.add", &new, None, Some(describe(&new)))?;
            Ok(new)
        })
        .await
}

/// The connection of this name or id.
pub async fn find(engine: &Engine, tenant: &TenantId, name: &str) -> Result<Connection, EngineError> {
    let (tenant, name) = (tenant.clone(), name.to_owned());
    engine.read(move |tx| find_in(tx, &tenant, &name)).await
}

/// The connection of this name or id, inside a transaction.
pub fn find_in(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Connection, EngineError> {
    let found = match connection::by_name(tx, tenant, name)? {
        Some(found) => Some(found),
        None => connection::get(tx, tenant, &ConnectionId::new(name))?,
    };
    found.ok_or_else(|| EngineError::NotFound {
        kind: "connection",
        name: name.to_owned(),
        next: "see lockstep connection list, or make it with lockstep connection add".into(),
    })
}

/// All connections by name.
pub async fn list(engine: &Engine, tenant: &TenantId) -> Result<Vec<Connection>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(connection::list(tx, &tenant)?)).await
}

/// Changes the settings of a connection. The edit may look things up, for example a group by its name with [`group_id`].
pub async fn change<F>(
    engine: &Engine,
    tenant: &TenantId,
    name: &str,
    edit: F,
) -> Result<Connection, EngineError>
where
    F: Fn(&mut Tx<'_>, &TenantId, &mut ConnectionSettings) -> Result<(), EngineError> + Send + 'static,
{
    let name = name.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let before = find_in(tx, &context.tenant, &name)?;
            let mut after = before.clone();
            edit(tx, &context.tenant, &mut after.settings)?;
            if after == before {
                return Ok(before);
            }
            check(tx, context, &after.settings)?;
            let saved =
                connection::update(tx, &context.tenant, &after).map_err(|error| taken(error, &after))?;
            if !saved {
                return Err(EngineError::Busy(
                    "somebody else changed the connection at the same time; try again".into(),
                ));
            }
            let (old, new) = (describe(&before), describe(&after));
            save_record(tx, context, "connection.set", &after, Some(old), Some(new))?;
            after.version += 1;
            Ok(after)
        })
        .await
}

/// Removes a connection and revokes its tokens; gives how many. What it pushed stays in the directory, as it is.
pub async fn remove(engine: &Engine, tenant: &TenantId, name: &str) -> Result<usize, EngineError> {
    let name = name.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let found = find_in(tx, &context.tenant, &name)?;
            let mut revoked = 0;
            for one in token::list(tx, &context.tenant)? {
                if one.connection.as_ref() == Some(&found.id)
                    && token::revoke(tx, &context.tenant, &one.id, context.now_ms)?
                {
                    crate::tokens::save_record(tx, context, "token.revoke", Some(&one), None)?;
                    revoked += 1;
                }
            }
            connection::delete(tx, &context.tenant, &found.id)?;
            let place = AppId::new(found.id.as_str());
            task::close_all(tx, &context.tenant, &place, context.now_ms)?;
            save_record(tx, context, "connection.remove", &found, Some(describe(&found)), None)?;
            Ok(revoked)
        })
        .await
}

/// The group that a person means, by id, externalId or displayName.
pub fn group_id(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<GroupId, EngineError> {
    group::find_by_ref(tx, tenant, reference)?.map(|found| found.id).ok_or_else(|| EngineError::NotFound {
        kind: "group",
        name: reference.to_owned(),
        next: "name a group by id, externalId or displayName; lockstep group list shows all".into(),
    })
}

/// Of the groups that settings name those that are not deleted. One that was deleted since stops nobody from being created.
pub(crate) fn live_groups(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    named: &[GroupId],
) -> Result<Vec<GroupId>, StoreError> {
    if named.is_empty() {
        return Ok(vec![]);
    }
    let found = group::versions(tx, tenant, named)?;
    let live = |id: &&GroupId| found.iter().any(|(known, _, deleted)| known == *id && !deleted);
    Ok(named.iter().filter(live).cloned().collect())
}

fn check(tx: &mut Tx<'_>, context: &Context, settings: &ConnectionSettings) -> Result<(), EngineError> {
    let types = context.schemas.get(tx, &context.tenant)?;
    settings.check_for(types.of(Kind::User)).map_err(EngineError::Invalid)
}

fn taken(error: StoreError, new: &Connection) -> EngineError {
    match error {
        StoreError::Conflict { key } if key == "issuer" => EngineError::Conflict(format!(
            "the issuer '{}' belongs to another connection of this tenant; a sign-in could not be told apart",
            new.settings.issuer.as_deref().unwrap_or_default()
        )),
        StoreError::Conflict { .. } => EngineError::Conflict(format!(
            "a connection named '{}' exists already; see lockstep connection list",
            new.name
        )),
        other => other.into(),
    }
}

fn describe(found: &Connection) -> Value {
    json!({"name": found.name, "provider": found.provider, "settings": found.settings})
}

fn save_record(
    tx: &mut Tx<'_>,
    context: &mut Context,
    action: &'static str,
    found: &Connection,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), EngineError> {
    let object = Changed { kind: "connection", id: found.id.as_str(), before, after };
    record(tx, context, action, object)
}
