//! The required group of a connection: only its members may be active. Who comes before the membership is kept inactive, and
//! activated with it.

use std::collections::BTreeSet;

use domain::departure::DepartureState;
use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use scim::dialect::Tolerated;
use serde_json::Value;
use store::Tx;
use store::repo::departure;
use store::repo::member;
use store::repo::resource::Stored;

use super::Call;
use crate::{Context, EngineError, departures};

/// New members that are looked at one by one.
const ASKED_MAX: usize = 32;
/// Who waits that one write looks at; the rest is found within a minute.
const WAITING_MAX: i64 = 5_000;

/// A user who shall be active and is not in the group.
pub(super) struct Held {
    group: GroupId,
}

/// Whose document it is.
#[derive(Clone, Copy)]
pub(super) enum Whose<'s> {
    /// Somebody new, who joins these groups.
    New(&'s [GroupId]),
    /// Somebody who comes back, with the memberships of before.
    Returning(&'s Stored),
    /// Somebody who is there.
    Known(&'s Stored),
}

/// Makes a document inactive that says that somebody outside of the required group is to be active from now on.
pub(super) fn hold_back(
    tx: &mut Tx<'_>,
    call: &Call,
    whose: Whose<'_>,
    doc: &mut Value,
) -> Result<Option<Held>, EngineError> {
    let settings = &call.caller.settings;
    let (Some(group), Some(_)) = (&settings.required_group, call.connection()) else { return Ok(None) };
    let active = Some(&Value::Bool(true));
    let becomes = match whose {
        Whose::New(_) | Whose::Returning(_) => doc.get("active") != Some(&Value::Bool(false)),
        Whose::Known(before) => doc.get("active") == active && before.doc.get("active") != active,
    };
    if !becomes {
        return Ok(None);
    }
    let tenant = &call.caller.tenant;
    let inside = match whose {
        Whose::Known(stored) | Whose::Returning(stored) => {
            member::ancestors(tx, tenant, &stored.id)?.contains(group)
        }
        Whose::New(joined) => {
            let mut inside = joined.contains(group);
            for joined in joined {
                inside = inside || member::ancestors(tx, tenant, joined.as_str())?.contains(group);
            }
            inside
        }
    };
    if inside {
        return Ok(None);
    }
    if let Some(fields) = doc.as_object_mut() {
        fields.insert("active".to_owned(), Value::Bool(false));
    }
    Ok(Some(Held { group: group.clone() }))
}

/// Notes that the user waits: a task, and a line in the SCIM log. Call it after the user is written.
pub(super) fn wait(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    held: Option<Held>,
    user: &Stored,
) -> Result<Option<Tolerated>, EngineError> {
    let (Some(held), Some(connection)) = (held, call.connection()) else { return Ok(None) };
    let name = user.doc.get("userName").and_then(Value::as_str).unwrap_or_default();
    departures::wait(tx, ctx, &connection, &held.group, (&UserId::new(user.id.as_str()), name))?;
    Ok(Some(Tolerated {
        quirk: "required_group",
        place: "active".to_owned(),
        note: "kept inactive: the user is not in the required group of the connection".to_owned(),
    }))
}

/// Who may have waited does not any more: active by now, or not meant to be.
pub(super) fn give_up(tx: &mut Tx<'_>, call: &Call, ctx: &Context, id: &UserId) -> Result<(), EngineError> {
    let (Some(_), Some(connection)) = (&call.caller.settings.required_group, call.connection()) else {
        return Ok(());
    };
    let known = departure::get(tx, &ctx.tenant, &connection, id)?;
    if known.is_some_and(|known| known.state == DepartureState::Waiting) {
        departure::remove(tx, &ctx.tenant, &connection, id)?;
    }
    departures::arrived(tx, ctx, &connection, id)
}

/// After memberships were written: activates who waited for one of them.
pub(super) fn arrive(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    batch: &[Change],
) -> Result<(), EngineError> {
    let (Some(group), Some(connection)) = (&call.caller.settings.required_group, call.connection()) else {
        return Ok(());
    };
    let (mut users, mut nested) = (BTreeSet::new(), false);
    for change in batch {
        match change {
            Change::AddMember { member: Member::User(id), .. } => drop(users.insert(id.clone())),
            Change::AddMember { member: Member::Group(_), .. } => nested = true,
            _ => {}
        }
    }
    // Few are asked for one by one; of many only those who wait are looked at.
    let users: Vec<UserId> = if nested || users.len() > ASKED_MAX {
        let waiting =
            departure::of_state(tx, &ctx.tenant, &connection, DepartureState::Waiting, "", WAITING_MAX)?;
        let waiting = waiting.into_iter().map(|found| found.user);
        waiting.filter(|user| nested || users.contains(user)).collect()
    } else {
        users.into_iter().collect()
    };
    departures::activate(tx, ctx, &connection, Some(group), &users)?;
    Ok(())
}
