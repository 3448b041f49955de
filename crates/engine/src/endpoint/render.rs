//! Resources as answers show them: the stored document with id, meta, groups or members, cut to what was asked for.

use std::collections::BTreeMap;

use scim::datetime::rfc3339;
use scim::dialect::Tolerated;
use scim::query::Projection;
use scim::{PatchRequest, ScimError};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::Tx;
use store::repo::member::{self, Containing};
use store::repo::resource::{self, Kind, Stored};

use super::reply::Object;
use super::{Call, Request, departure};
use crate::EngineError;

/// Members that are read from the database at once.
const MEMBER_PAGE: i64 = 5_000;

/// A resource ready to be sent.
pub(super) struct Shown {
    pub(super) body: Value,
    pub(super) etag: String,
    pub(super) location: String,
    pub(super) object: Object,
}

/// The object of that id; 404 if there is none or it was deleted (RFC 7644 section 3.6).
pub(super) fn live(tx: &mut Tx<'_>, call: &Call, kind: Kind, id: &str) -> Result<Stored, EngineError> {
    let found = resource::get(tx, &call.caller.tenant, kind, id)?.filter(|found| found.deleted_ms.is_none());
    let found = found.ok_or_else(|| not_found(kind, id))?;
    if departure::hidden(tx, call, kind, &found)? { Err(not_found(kind, id)) } else { Ok(found) }
}

/// [`live`] for a write: 412 if the client names another version than the present one.
pub(super) fn for_write(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    id: &str,
    request: &Request,
) -> Result<Stored, EngineError> {
    let stored = live(tx, call, kind, id)?;
    check_if_match(tx, call, kind, &stored, request)?;
    Ok(stored)
}

/// The document after a PATCH. The id is there while it is carried out: a client may repeat it.
pub(super) fn patched(
    call: &Call,
    kind: Kind,
    stored: &Stored,
    patch: &PatchRequest,
) -> Result<(Value, Vec<Tolerated>), EngineError> {
    let mut doc = stored.doc.clone();
    if let Some(fields) = doc.as_object_mut() {
        fields.insert("id".to_owned(), Value::String(stored.id.clone()));
    }
    let (mut doc, tolerated) =
        scim::dialect::apply_patch(call.type_of(kind), call.caller.dialect(), &doc, patch)?;
    if let Some(fields) = doc.as_object_mut() {
        fields.remove("id");
    }
    Ok((doc, tolerated))
}

/// The error for an id that names nothing.
pub(super) fn not_found(kind: Kind, id: &str) -> EngineError {
    ScimError::not_found(format!("there is no {} with the id {id:?}", kind.as_str())).into()
}

/// One resource.
pub(super) fn one(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    stored: Stored,
    projection: &Projection,
) -> Result<Shown, EngineError> {
    let groups = containing(tx, call, kind, std::slice::from_ref(&stored))?;
    show(tx, call, kind, stored, &groups, projection)
}

/// One resource that nothing contains: it was just made.
pub(super) fn alone(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    stored: Stored,
    projection: &Projection,
) -> Result<Shown, EngineError> {
    show(tx, call, kind, stored, &BTreeMap::new(), projection)
}

/// The resources of a page, in their order.
pub(super) fn many(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    page: Vec<Stored>,
    projection: &Projection,
) -> Result<Vec<Value>, EngineError> {
    let groups = containing(tx, call, kind, &page)?;
    let mut out = Vec::with_capacity(page.len());
    for stored in page {
        out.push(show(tx, call, kind, stored, &groups, projection)?.body);
    }
    Ok(out)
}

/// Refuses with 412 if the client's version is not the present one (RFC 7644 section 3.14).
fn check_if_match(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    stored: &Stored,
    request: &Request,
) -> Result<(), EngineError> {
    let Some(header) = request.if_match.as_deref() else { return Ok(()) };
    let groups = containing(tx, call, kind, std::slice::from_ref(stored))?;
    let present = etag(stored, groups.get(&stored.id).map_or(&[], Vec::as_slice));
    if scim::etag::matches(header, &present) {
        return Ok(());
    }
    Err(ScimError::new(
        412,
        None,
        format!("the resource has changed: its version is {present}, If-Match names {header}"),
    )
    .into())
}

/// The groups that contain each user of a page; nothing for groups.
pub(super) fn containing(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    page: &[Stored],
) -> Result<BTreeMap<String, Vec<Containing>>, EngineError> {
    if kind == Kind::Group || page.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<&str> = page.iter().map(|stored| stored.id.as_str()).collect();
    Ok(member::containing(tx, &call.caller.tenant, &ids)?)
}

fn show(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    stored: Stored,
    groups: &BTreeMap<String, Vec<Containing>>,
    projection: &Projection,
) -> Result<Shown, EngineError> {
    let groups = groups.get(&stored.id).map_or(&[][..], Vec::as_slice);
    let object = Object::of(kind, &stored);
    let etag = etag(&stored, groups);
    let members = if kind == Kind::Group && projection.wants(call.type_of(kind), "members") {
        members_of(tx, call, &stored.id)?
    } else {
        vec![]
    };
    let (body, location) = assemble(call, kind, stored, groups, members, &etag);
    let paths = (&projection.attributes, &projection.excluded);
    let body = scim::into_projection(call.type_of(kind), body, paths.0, paths.1);
    Ok(Shown { body, etag, location, object })
}

/// The whole resource, as filters see it.
pub(super) fn assemble(
    call: &Call,
    kind: Kind,
    stored: Stored,
    groups: &[Containing],
    members: Vec<Value>,
    etag: &str,
) -> (Value, String) {
    let (name, endpoint) = (&call.type_of(kind).name, &call.type_of(kind).endpoint);
    let base = &call.caller.base;
    let location = format!("{base}{endpoint}/{}", stored.id);
    let mut object = match stored.doc {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.retain(|_, value| !value.is_null());
    object.insert(
        "meta".to_owned(),
        json!({
            "resourceType": name,
            "created": rfc3339(stored.created_ms),
            "lastModified": rfc3339(stored.modified_ms),
            "location": location,
            "version": etag,
        }),
    );
    object.insert("id".to_owned(), Value::String(stored.id));
    if !groups.is_empty() {
        let groups = groups.iter().map(|group| group_reference(base, group));
        object.insert("groups".to_owned(), Value::Array(groups.collect()));
    }
    if !members.is_empty() {
        object.insert("members".to_owned(), Value::Array(members));
    }
    (Value::Object(object), location)
}

fn group_reference(base: &str, group: &Containing) -> Value {
    json!({
        "value": group.group.as_str(),
        "$ref": format!("{base}/Groups/{}", group.group),
        "display": group.display_name,
        "type": if group.direct { "direct" } else { "indirect" },
    })
}

/// The direct members of a group that are not deleted, as the caller sees them.
pub(super) fn members_of(tx: &mut Tx<'_>, call: &Call, group: &str) -> Result<Vec<Value>, EngineError> {
    let (base, group) = (&call.caller.base, domain::ids::GroupId::new(group));
    let mut out: Vec<Value> = vec![];
    let mut after = String::new();
    loop {
        let page = member::direct_departed(tx, &call.caller.tenant, &group, &after, MEMBER_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(out) };
        last.id().clone_into(&mut after);
        for (member, departed) in page {
            if departed && departure::hides(tx, call, member.id())? {
                continue;
            }
            let (endpoint, kind) = match member {
                domain::directory::Member::User(_) => ("Users", "User"),
                domain::directory::Member::Group(_) => ("Groups", "Group"),
            };
            out.push(json!({"value": member.id(), "$ref": format!("{base}/{endpoint}/{}", member.id()), "type": kind}));
        }
    }
}

/// The version that an answer shows: it changes exactly when the representation does (RFC 7644 section 3.14). What a user
/// shows of its groups is part of it.
pub(super) fn etag(stored: &Stored, groups: &[Containing]) -> String {
    if groups.is_empty() {
        return match stored.members_version {
            0 => format!("W/\"{}\"", stored.version),
            members => format!("W/\"{}.{members}\"", stored.version),
        };
    }
    let mut hash = Sha256::new();
    for group in groups {
        hash.update(group.group.as_str());
        hash.update([0, u8::from(group.direct)]);
        hash.update(&group.display_name);
        hash.update([0]);
    }
    let digest = domain::audit::hex(&hash.finalize()[..6]);
    format!("W/\"{}-{digest}\"", stored.version)
}
