//! Writes of users: create, replace, patch.

use domain::directory::{Change, Member};
use domain::ids::UserId;
use scim::PatchRequest;
use serde_json::{Map, Value};
use store::Tx;
use store::repo::resource::{Kind, Stored};

use super::reply::Reply;
use super::required::{Held, Whose};
use super::settle::{self, Basis};
use super::{Call, Request, departure, policy, render, required};
use crate::connections::live_groups;
use crate::directory::apply;
use crate::{Context, EngineError};

/// POST: 201 with the new user.
pub(super) fn create(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    doc: &Value,
) -> Result<Reply, EngineError> {
    let mut doc = scim::validate(call.type_of(Kind::User), doc)?;
    drop_password(&mut doc);
    policy::check_user(call, None, &doc)?;
    if let Some(before) = policy::to_restore(tx, call, &doc)? {
        return restore(tx, call, ctx, request, &before, doc);
    }
    let posted = doc.clone();
    let groups = live_groups(tx, &call.caller.tenant, &call.caller.settings.default_groups)?;
    let held = required::hold_back(tx, call, Whose::New(&groups), &mut doc)?;
    let alone = groups.is_empty() && held.is_none();
    let id = UserId::new(ctx.ids.uuid());
    let mut batch = vec![Change::CreateUser { id: id.clone(), source: call.caller.source.clone(), doc }];
    let member = |group| Change::AddMember { group, member: Member::User(id.clone()) };
    batch.extend(groups.into_iter().map(member));
    if let Err(error) = settle::apply_known(tx, ctx, &batch) {
        // Keys are looked at before anything is written, so the transaction goes on.
        let conflict = matches!(error, EngineError::Conflict(_));
        let returning = if conflict { departure::returning(tx, call, &posted)? } else { None };
        return match returning {
            Some(kept) => bring_back(tx, call, ctx, request, &kept, posted),
            None => Err(error),
        };
    }
    let stored = render::live(tx, call, Kind::User, id.as_str())?;
    if alone {
        return Ok(Reply::resource(201, render::alone(tx, call, Kind::User, stored, &request.projection)?));
    }
    settled(tx, call, ctx, (request, 201), stored, held)
}

/// Shows a user again whom this connection had deleted and the policy kept: the same id, `active` as posted.
fn bring_back(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    kept: &Stored,
    mut doc: Value,
) -> Result<Reply, EngineError> {
    let (id, body) = (UserId::new(kept.id.as_str()), doc.clone());
    if let (Some(fields), Some(old)) = (doc.as_object_mut(), kept.doc.as_object()) {
        fields.entry("active").or_insert(Value::Bool(true));
        if kept.source != call.caller.source {
            merge(fields, old, &body);
        }
    }
    let held = required::hold_back(tx, call, Whose::Returning(kept), &mut doc)?;
    departure::show_again(tx, call, ctx, &id)?;
    let basis = Basis { kind: Kind::User, stored: kept, members: false };
    let after = settle::apply_to(tx, ctx, &basis, &[Change::UpdateUser { id, doc }])?;
    settled(tx, call, ctx, (request, 201), after, held)
}

/// Brings a deleted user back under its id, with its groups and `active` as posted.
fn restore(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    before: &Stored,
    mut doc: Value,
) -> Result<Reply, EngineError> {
    if let Some(fields) = doc.as_object_mut() {
        fields.entry("active").or_insert(Value::Bool(true));
    }
    let id = UserId::new(before.id.as_str());
    let held = required::hold_back(tx, call, Whose::Returning(before), &mut doc)?;
    apply(tx, ctx, &[Change::RestoreUser { id: id.clone() }, Change::UpdateUser { id: id.clone(), doc }])?;
    let stored = render::live(tx, call, Kind::User, id.as_str())?;
    settled(tx, call, ctx, (request, 201), stored, held)
}

/// PUT: what the body does not name is cleared, but for `active`; of a user whom somebody else created, only what is named
/// changes.
pub(super) fn replace(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    id: &str,
    body: &Value,
) -> Result<Reply, EngineError> {
    let stored = render::for_write(tx, call, Kind::User, id, request)?;
    let mut doc = scim::validate(call.type_of(Kind::User), body)?;
    drop_password(&mut doc);
    if let (Some(fields), Some(old)) = (doc.as_object_mut(), stored.doc.as_object()) {
        keep(fields, old, "active");
        if stored.source != call.caller.source {
            merge(fields, old, body);
        }
    }
    let named = named(body, "active");
    update(tx, call, ctx, request, &stored, (doc, named))
}

/// PATCH: all operations or none.
pub(super) fn patch(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    id: &str,
    patch: &PatchRequest,
) -> Result<Reply, EngineError> {
    let stored = render::for_write(tx, call, Kind::User, id, request)?;
    let (mut doc, mut tolerated) = render::patched(call, Kind::User, &stored, patch)?;
    drop_password(&mut doc);
    if let Some(fields) = doc.as_object_mut() {
        // Taken away, it is not shown any more; the user stays as active as before.
        fields.entry("active").or_insert(Value::Null);
    }
    // A normalised operation always has a path.
    let named = patch.operations.iter().any(|operation| {
        operation.path.as_ref().is_some_and(|path| path.attr.eq_ignore_ascii_case("active"))
    });
    let mut reply = update(tx, call, ctx, request, &stored, (doc, named))?;
    reply.tolerated.append(&mut tolerated);
    Ok(reply)
}

fn update(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    stored: &Stored,
    (mut doc, names_active): (Value, bool),
) -> Result<Reply, EngineError> {
    policy::check_user(call, Some(&stored.doc), &doc)?;
    let id = UserId::new(stored.id.as_str());
    let held = required::hold_back(tx, call, Whose::Known(stored), &mut doc)?;
    let basis = Basis { kind: Kind::User, stored, members: false };
    let after = settle::apply_to(tx, ctx, &basis, &[Change::UpdateUser { id: id.clone(), doc }])?;
    departure::updated(tx, call, ctx, stored, &after.doc)?;
    if names_active && held.is_none() {
        required::give_up(tx, call, ctx, &id)?;
    }
    settled(tx, call, ctx, (request, 200), after, held)
}

/// The answer with a user as it is stored now, who waits for the required group if `held` says so.
fn settled(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    (request, status): (&Request, u16),
    stored: Stored,
    held: Option<Held>,
) -> Result<Reply, EngineError> {
    let waits = required::wait(tx, call, ctx, held, &stored)?;
    let mut reply = Reply::resource(status, render::one(tx, call, Kind::User, stored, &request.projection)?);
    reply.tolerated.extend(waits);
    Ok(reply)
}

/// A password that is pushed is accepted and forgotten: it is no part of the directory.
fn drop_password(doc: &mut Value) {
    if let Some(fields) = doc.as_object_mut() {
        fields.remove("password");
    }
}

fn keep(fields: &mut Map<String, Value>, old: &Map<String, Value>, name: &str) {
    if !fields.contains_key(name)
        && let Some(value) = old.get(name)
    {
        fields.insert(name.to_owned(), value.clone());
    }
}

/// Keeps what the body does not name: absent is no statement about what others wrote. A null in the body clears.
fn merge(fields: &mut Map<String, Value>, old: &Map<String, Value>, body: &Value) {
    for name in old.keys().filter(|name| *name != "schemas" && !named(body, name)) {
        keep(fields, old, name);
    }
}

fn named(body: &Value, name: &str) -> bool {
    body.as_object().is_some_and(|body| body.keys().any(|key| key.eq_ignore_ascii_case(name)))
}
