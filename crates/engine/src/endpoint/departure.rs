//! Users whom the connection's policy keeps after a DELETE or `active: false`: hidden from its callers, and brought back by a POST.

use domain::connection::{OnDeactivate, OnDelete};
use domain::departure::{Departure, DepartureState};
use domain::directory::Change;
use domain::ids::{ConnectionId, UserId};
use serde_json::{Value, json};
use store::Tx;
use store::repo::resource::{self, Kind, Stored};
use store::repo::{departure, member, user};

use super::Call;
use super::settle::{self, Basis};
use crate::audit_log::{Changed, record};
use crate::{Context, EngineError, departures};

/// A DELETE where the policy keeps the user: inactive, and gone for this connection's callers. False where it does not.
pub(super) fn depart(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    stored: &Stored,
) -> Result<bool, EngineError> {
    let settings = &call.caller.settings;
    let Some(connection) = call.connection().filter(|_| settings.on_delete != OnDelete::Delete) else {
        return Ok(false);
    };
    let id = UserId::new(stored.id.as_str());
    let mut doc = stored.doc.clone();
    if let Some(fields) = doc.as_object_mut() {
        fields.insert("active".to_owned(), Value::Bool(false));
    }
    let basis = Basis { kind: Kind::User, stored, members: false };
    settle::apply_to(tx, ctx, &basis, &[Change::UpdateUser { id: id.clone(), doc }])?;
    departures::arrived(tx, ctx, &connection, &id)?;
    let state = DepartureState::Deleted;
    put(tx, call, ctx, &connection, &id, state)?;
    // What the groups show this connection's callers is another list now.
    member::touch_groups_of(tx, &ctx.tenant, id.as_str(), ctx.now_ms)?;
    note(tx, ctx, "user.depart", &id, &connection)?;
    Ok(true)
}

/// After an update: `active: false` is the beginning of the days until the deletion, if the policy has any.
pub(super) fn updated(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    before: &Stored,
    after: &Value,
) -> Result<(), EngineError> {
    let inactive = |doc: &Value| doc.get("active") == Some(&Value::Bool(false));
    let deletes = matches!(call.caller.settings.on_deactivate, OnDeactivate::DeleteAfterDays(_));
    let Some(connection) = call.connection().filter(|_| deletes) else { return Ok(()) };
    if inactive(&before.doc) || !inactive(after) {
        return Ok(());
    }
    put(tx, call, ctx, &connection, &UserId::new(before.id.as_str()), DepartureState::Deactivated)
}

/// The user whom a POST brings back: this connection had deleted the user, whom the policy kept, and the externalId or the
/// userName is the same.
pub(super) fn returning(tx: &mut Tx<'_>, call: &Call, doc: &Value) -> Result<Option<Stored>, EngineError> {
    let (tenant, text) = (&call.caller.tenant, |name: &str| doc.get(name).and_then(Value::as_str));
    let by_external_id = match text("externalId") {
        Some(external_id) => user::find_by_external_id(tx, tenant, external_id)?,
        None => None,
    };
    let found = match (by_external_id, text("userName")) {
        (Some(found), _) => Some(found),
        (None, Some(name)) => user::find_by_user_name(tx, tenant, name)?,
        (None, None) => None,
    };
    let Some(found) = found.filter(|found| !found.active) else { return Ok(None) };
    if !hides(tx, call, found.id.as_str())? {
        return Ok(None);
    }
    Ok(resource::get(tx, tenant, Kind::User, found.id.as_str())?)
}

/// Shows a user to this connection's callers again.
pub(super) fn show_again(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    id: &UserId,
) -> Result<(), EngineError> {
    let Some(connection) = call.connection() else { return Ok(()) };
    departure::remove(tx, &ctx.tenant, &connection, id)?;
    member::touch_groups_of(tx, &ctx.tenant, id.as_str(), ctx.now_ms)?;
    note(tx, ctx, "user.return", id, &connection)
}

/// Whether this connection's callers do not see a stored user any more.
pub(super) fn hidden(tx: &mut Tx<'_>, call: &Call, kind: Kind, stored: &Stored) -> Result<bool, EngineError> {
    Ok(kind == Kind::User && stored.departed && hides(tx, call, &stored.id)?)
}

/// The same by id alone, with a read.
pub(super) fn hides(tx: &mut Tx<'_>, call: &Call, id: &str) -> Result<bool, EngineError> {
    let Some(connection) = call.connection() else { return Ok(false) };
    let found = departure::get(tx, &call.caller.tenant, &connection, &UserId::new(id))?;
    Ok(found.is_some_and(|found| found.state == DepartureState::Deleted))
}

/// How many users this connection's callers do not see any more.
pub(super) fn count_hidden(tx: &mut Tx<'_>, call: &Call, kind: Kind) -> Result<u64, EngineError> {
    let Some(connection) = call.connection().filter(|_| kind == Kind::User) else { return Ok(0) };
    let count = departure::count(tx, &call.caller.tenant, &connection, DepartureState::Deleted)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn put(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &Context,
    connection: &ConnectionId,
    user: &UserId,
    state: DepartureState,
) -> Result<(), EngineError> {
    let new = Departure {
        connection: connection.clone(),
        user: user.clone(),
        state,
        since_ms: ctx.now_ms,
        delete_at_ms: state.delete_at_ms(&call.caller.settings, ctx.now_ms),
    };
    Ok(departure::put(tx, &ctx.tenant, &new)?)
}

fn note(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    action: &'static str,
    id: &UserId,
    connection: &ConnectionId,
) -> Result<(), EngineError> {
    let after = Some(json!({"connection": connection.as_str()}));
    record(tx, ctx, action, Changed { kind: "user", id: id.as_str(), before: None, after })
}
