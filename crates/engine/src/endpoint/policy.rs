//! The connection's policies: who may be provisioned, and what a return after a deletion means.

use scim::{Filter, ScimError};
use serde_json::Value;
use store::Tx;
use store::repo::resource::{self, Kind, Stored};
use store::repo::user;

use super::{Call, type_of};
use crate::EngineError;
use crate::directory::users::deleted_by;

/// Refuses a user whom the connection's lists leave out. Who is in already may always be deactivated.
pub(super) fn check_user(
    _tx: &mut Tx<'_>,
    call: &Call,
    before: Option<&Value>,
    doc: &Value,
) -> Result<(), EngineError> {
    let leaves = before.is_some() && doc.get("active") == Some(&Value::Bool(false));
    if leaves {
        return Ok(());
    }
    let matches = |text: &Option<String>| -> Result<Option<bool>, EngineError> {
        let Some(text) = text else { return Ok(None) };
        let filter = Filter::parse(text).map_err(ScimError::from)?;
        Ok(Some(filter.matches(type_of(Kind::User), doc)))
    };
    let settings = &call.caller.settings;
    if matches(&settings.exclude)? == Some(true) {
        return Err(refused("exclude", settings.exclude.as_deref()).into());
    }
    if matches(&settings.include)? == Some(false) {
        return Err(refused("include", settings.include.as_deref()).into());
    }
    Ok(())
}

fn refused(list: &str, filter: Option<&str>) -> ScimError {
    ScimError::new(
        403,
        None,
        format!(
            "the connection's {list} list keeps this user out ({}); its admin can change the list",
            filter.unwrap_or_default()
        ),
    )
}

/// The user who carried this externalId and was deleted last.
pub(super) fn deleted_with_external_id(
    tx: &mut Tx<'_>,
    call: &Call,
    doc: &Value,
) -> Result<Option<Stored>, EngineError> {
    let Some(external_id) = doc.get("externalId").and_then(Value::as_str) else { return Ok(None) };
    let tenant = &call.caller.tenant;
    let Some(id) = user::last_deleted_external_id(tx, tenant, external_id)? else { return Ok(None) };
    Ok(resource::get(tx, tenant, Kind::User, id.as_str())?)
}

/// Whether a POST restores this deleted user: only by policy, and never after the identity provider's own DELETE.
pub(super) fn may_restore(tx: &mut Tx<'_>, call: &Call, before: &Stored) -> Result<bool, EngineError> {
    if !call.caller.settings.restore_on_post {
        return Ok(false);
    }
    let deleted_by = deleted_by(tx, &call.caller.tenant, &before.id)?;
    Ok(deleted_by.as_deref() != Some(call.caller.actor.as_str()))
}
