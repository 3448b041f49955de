//! Writes of users: create, replace, patch.

use domain::directory::{Change, Member};
use domain::ids::UserId;
use scim::PatchRequest;
use scim::dialect::Tolerated;
use serde_json::{Map, Value};
use store::Tx;
use store::repo::resource::{Kind, Stored};

use super::reply::{Note, Reply};
use super::settle::{self, Basis};
use super::{Call, Request, policy, render, type_of};
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
    let mut doc = scim::validate(type_of(Kind::User), doc)?;
    drop_password(&mut doc);
    policy::check_user(tx, call, None, &doc)?;
    let before = policy::deleted_with_external_id(tx, call, &doc)?;
    if let Some(before) = &before
        && policy::may_restore(tx, call, before)?
    {
        return restore(tx, call, ctx, request, before, doc);
    }
    let id = UserId::new(ctx.ids.uuid());
    let mut batch = vec![Change::CreateUser { id: id.clone(), source: call.caller.source.clone(), doc }];
    batch.extend(
        call.caller
            .settings
            .default_groups
            .iter()
            .map(|group| Change::AddMember { group: group.clone(), member: Member::User(id.clone()) }),
    );
    apply(tx, ctx, &batch)?;
    let stored = render::live(tx, call, Kind::User, id.as_str())?;
    let mut reply = shown(tx, call, request, 201, stored)?;
    if let Some(before) = before {
        reply.notes.push(Note::ReturnedAsNew { id: id.to_string(), before: before.id });
    }
    Ok(reply)
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
    apply(tx, ctx, &[Change::RestoreUser { id: id.clone() }, Change::UpdateUser { id: id.clone(), doc }])?;
    let stored = render::live(tx, call, Kind::User, id.as_str())?;
    shown(tx, call, request, 201, stored)
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
    let stored = render::live(tx, call, Kind::User, id)?;
    render::check_if_match(tx, call, Kind::User, &stored, request)?;
    let mut doc = scim::validate(type_of(Kind::User), body)?;
    drop_password(&mut doc);
    if let (Some(fields), Some(old)) = (doc.as_object_mut(), stored.doc.as_object()) {
        keep(fields, old, "active");
        if stored.source != call.caller.source {
            merge(fields, old, body);
        }
    }
    update(tx, call, ctx, request, &stored, doc)
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
    let stored = render::live(tx, call, Kind::User, id)?;
    render::check_if_match(tx, call, Kind::User, &stored, request)?;
    let (doc, mut tolerated) = patched(call, &stored, patch)?;
    let mut reply = update(tx, call, ctx, request, &stored, doc)?;
    reply.tolerated.append(&mut tolerated);
    Ok(reply)
}

/// The document after a PATCH. The id is there while it is carried out: a client may repeat it.
fn patched(
    call: &Call,
    stored: &Stored,
    patch: &PatchRequest,
) -> Result<(Value, Vec<Tolerated>), EngineError> {
    let mut doc = stored.doc.clone();
    if let Some(fields) = doc.as_object_mut() {
        fields.insert("id".to_owned(), Value::String(stored.id.clone()));
    }
    let (mut doc, tolerated) =
        scim::dialect::apply_patch(type_of(Kind::User), call.caller.dialect(), &doc, patch)?;
    drop_password(&mut doc);
    if let Some(fields) = doc.as_object_mut() {
        fields.remove("id");
        // Taken away, it is not shown any more; the user stays as active as before.
        fields.entry("active").or_insert(Value::Null);
    }
    Ok((doc, tolerated))
}

fn update(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    stored: &Stored,
    doc: Value,
) -> Result<Reply, EngineError> {
    policy::check_user(tx, call, Some(&stored.doc), &doc)?;
    let basis = Basis { kind: Kind::User, stored, members: false };
    let change = Change::UpdateUser { id: UserId::new(stored.id.as_str()), doc };
    let stored = settle::apply_to(tx, ctx, &basis, &[change])?;
    shown(tx, call, request, 200, stored)
}

fn shown(
    tx: &mut Tx<'_>,
    call: &Call,
    request: &Request,
    status: u16,
    stored: Stored,
) -> Result<Reply, EngineError> {
    Ok(Reply::resource(status, render::one(tx, call, Kind::User, stored, &request.projection)?))
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
    let named = |name: &str| {
        body.as_object().is_some_and(|body| body.keys().any(|key| key.eq_ignore_ascii_case(name)))
    };
    for name in old.keys().filter(|name| *name != "schemas" && !named(name)) {
        keep(fields, old, name);
    }
}
