//! The SCIM log in use: whom a name in a question means.

use domain::ids::TenantId;
use store::repo::{group, user};
use store::scim_log::LogObject;

use crate::context::Engine;
use crate::error::EngineError;

/// The user that a reference (id, externalId, userName) means, deleted ones included. Where there is none, requests that
/// name it can still be found: a create that was refused made nobody.
pub async fn about_user(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<LogObject, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let found = match user::find_by_ref(tx, &tenant, &reference)? {
                Some(found) => Some(found),
                None => user::find_deleted(tx, &tenant, &reference)?.pop(),
            };
            Ok(LogObject {
                kind: "user",
                found: found.is_some(),
                id: found.as_ref().map_or_else(|| reference.clone(), |user| user.id.to_string()),
                name: found.map_or_else(|| reference.clone(), |user| user.user_name),
            })
        })
        .await
}

/// The group that a reference (id, externalId, displayName) means, deleted ones included.
pub async fn about_group(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<LogObject, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let found = match group::find_by_ref(tx, &tenant, &reference)? {
                Some(found) => Some(found),
                None => group::find_deleted(tx, &tenant, &reference)?.pop(),
            };
            Ok(LogObject {
                kind: "group",
                found: found.is_some(),
                id: found.as_ref().map_or_else(|| reference.clone(), |group| group.id.to_string()),
                name: found.map_or_else(|| reference.clone(), |group| group.display_name),
            })
        })
        .await
}
