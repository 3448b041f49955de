//! The connection's policies: who may be provisioned, and what a return after a deletion means.

use scim::ScimError;
use serde_json::Value;
use store::Tx;
use store::repo::resource::{self, Kind, Stored};
use store::repo::user;

use super::Call;
use crate::EngineError;
use crate::directory::users::deleted_by;

/// Refuses a user whom the connection's lists leave out. Who is in already may always be deactivated.
pub(super) fn check_user(call: &Call, before: Option<&Value>, doc: &Value) -> Result<(), ScimError> {
    let leaves = before.is_some() && doc.get("active") == Some(&Value::Bool(false));
    if leaves {
        return Ok(());
    }
    match call.caller.settings.keeps_out(call.type_of(Kind::User), doc) {
        None => Ok(()),
        Some((list, filter)) => Err(ScimError::new(
            403,
            None,
            format!(
                "the connection's {list} list keeps this user out ({filter}); its admin can change the list"
            ),
        )),
    }
}

/// The deleted user whom a POST brings back: the last who carried this externalId, only by policy, and never after the
/// identity provider's own DELETE.
pub(super) fn to_restore(tx: &mut Tx<'_>, call: &Call, doc: &Value) -> Result<Option<Stored>, EngineError> {
    if !call.caller.settings.restore_on_post {
        return Ok(None);
    }
    let Some(external_id) = doc.get("externalId").and_then(Value::as_str) else { return Ok(None) };
    let tenant = &call.caller.tenant;
    let Some(id) = user::last_deleted_external_id(tx, tenant, external_id)? else { return Ok(None) };
    if deleted_by(tx, tenant, id.as_str())?.as_deref() == Some(call.caller.actor.as_str()) {
        return Ok(None);
    }
    Ok(resource::get(tx, tenant, Kind::User, id.as_str())?)
}
