//! Writes of groups: create, replace, patch. Members are rows, and only the rows that are named change.

use domain::directory::Change;
use domain::ids::GroupId;
use scim::PatchRequest;
use serde_json::Value;
use store::Tx;
use store::repo::member;
use store::repo::resource::{Kind, Stored};

use super::members::Edits;
use super::reply::{Object, Reply};
use super::settle::{self, Basis};
use super::{Call, Operation, Request, render, required};
use crate::{Context, EngineError};

/// Members that an answer to a PATCH shows at most.
const SHOWN_MEMBERS: i64 = 200;

/// POST: 201 with the new group.
pub(super) fn create(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    body: &Value,
) -> Result<Reply, EngineError> {
    let mut doc = scim::validate(call.type_of(Kind::Group), body)?;
    let members = take_members(&mut doc);
    let id = GroupId::new(ctx.ids.uuid());
    let members = match members {
        Some(list) => Edits::exactly(&list)?.changes(tx, call, id.as_str())?,
        None => vec![],
    };
    let mut batch = vec![Change::CreateGroup { id: id.clone(), source: call.caller.source.clone(), doc }];
    batch.extend(members);
    settle::apply_known(tx, ctx, &batch)?;
    required::arrive(tx, call, ctx, &batch)?;
    let stored = render::live(tx, call, Kind::Group, id.as_str())?;
    shown(tx, call, request, 201, stored)
}

/// PUT: the document is replaced; members only if the body names them.
pub(super) fn replace(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    id: &str,
    body: &Value,
) -> Result<Reply, EngineError> {
    let stored = render::for_write(tx, call, Kind::Group, id, request)?;
    let mut doc = scim::validate(call.type_of(Kind::Group), body)?;
    // An empty list is dropped by the validation, and yet it says that nobody shall be a member.
    let named = || {
        let named = body.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("members"));
        named.map(|(_, list)| list.clone())
    };
    let members = take_members(&mut doc).or_else(named);
    if stored.source != call.caller.source
        && let (Some(fields), Some(external_id)) = (doc.as_object_mut(), stored.doc.get("externalId"))
    {
        fields.entry("externalId").or_insert_with(|| external_id.clone());
    }
    let looked = members.is_some();
    let members = match members {
        Some(list) => Edits::exactly(&list)?.changes(tx, call, id)?,
        None => vec![],
    };
    update(tx, call, ctx, request, &stored, (doc, members, looked))
}

/// PATCH: all operations or none. Attributes and members do not touch each other.
pub(super) fn patch(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    id: &str,
    patch: &PatchRequest,
) -> Result<Reply, EngineError> {
    let stored = render::for_write(tx, call, Kind::Group, id, request)?;
    // A normalised operation always has a path.
    let (of_members, of_document): (Vec<_>, Vec<_>) = patch.operations.iter().partition(|operation| {
        operation.path.as_ref().is_some_and(|path| path.attr.eq_ignore_ascii_case("members"))
    });
    let mut edits = Edits::default();
    for operation in of_members {
        edits.operation(tx, call, id, operation)?;
    }
    let (mut doc, mut tolerated) = (stored.doc.clone(), vec![]);
    if !of_document.is_empty() {
        let rest = PatchRequest { operations: of_document.into_iter().cloned().collect() };
        (doc, tolerated) = render::patched(call, Kind::Group, &stored, &rest)?;
    }
    let looked = edits.looked();
    let members = edits.changes(tx, call, id)?;
    let mut reply = update(tx, call, ctx, request, &stored, (doc, members, looked))?;
    reply.tolerated.append(&mut tolerated);
    Ok(reply)
}

fn update(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    stored: &Stored,
    (doc, members, looked): (Value, Vec<Change>, bool),
) -> Result<Reply, EngineError> {
    let mut batch = vec![];
    let basis = Basis { kind: Kind::Group, stored, members: looked || request.if_match.is_some() };
    if doc != stored.doc {
        batch.push(Change::UpdateGroup { id: GroupId::new(stored.id.as_str()), doc });
    }
    batch.extend(members);
    let stored = settle::apply_to(tx, ctx, &basis, &batch)?;
    required::arrive(tx, call, ctx, &batch)?;
    shown(tx, call, request, 200, stored)
}

/// A PATCH of a group with many members is answered 204 (RFC 7644 section 3.5.2), unless the client says what it wants to see:
/// the cost follows the change.
fn is_large(tx: &mut Tx<'_>, call: &Call, request: &Request, id: &str) -> Result<bool, EngineError> {
    let projection = &request.projection;
    if !projection.attributes.is_empty() || !projection.wants(call.type_of(Kind::Group), "members") {
        return Ok(false);
    }
    let some = member::direct(tx, &call.caller.tenant, &GroupId::new(id), "", SHOWN_MEMBERS + 1)?;
    Ok(i64::try_from(some.len()).is_ok_and(|count| count > SHOWN_MEMBERS))
}

fn shown(
    tx: &mut Tx<'_>,
    call: &Call,
    request: &Request,
    status: u16,
    stored: Stored,
) -> Result<Reply, EngineError> {
    if matches!(request.operation, Operation::Patch(..)) && is_large(tx, call, request, &stored.id)? {
        let object = Object::of(Kind::Group, &stored);
        let etag = render::etag(&stored, &[]);
        return Ok(Reply { status: 204, object: Some(object), etag: Some(etag), ..Reply::default() });
    }
    Ok(Reply::resource(status, render::one(tx, call, Kind::Group, stored, &request.projection)?))
}

fn take_members(doc: &mut Value) -> Option<Value> {
    doc.as_object_mut()?.remove("members")
}
