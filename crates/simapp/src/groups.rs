//! The `/Groups` endpoint; cost of a change is what changes, not what the group holds.

use crate::call::Kind;
use crate::config::{Config, UnknownMembers};
use crate::faults::{Change, Rules};
use crate::group_patch::{self, member_ids};
use crate::members::MemberEdit;
use crate::render::etag;
use crate::state::{Id, State};
use crate::turn::Turn;
use crate::users::check_if_match;
use crate::wire::Response;
use scim::{PatchRequest, Projection, ScimError, urn};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn create(turn: &mut Turn<'_>, rules: &mut Rules) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let body = turn.take_body()?;
    let (doc, members) = read_group(turn, body, None)?;
    check_unique(turn, &doc, None)?;
    let edit = MemberEdit::replace(members.clone());
    rules.check(turn, &Change::CreateGroup { after: &doc, members: &edit })?;
    let id = turn.state.create_group(doc, members, turn.now_ms);
    turn.committed = true;
    let location = turn.view().location(Kind::Groups, &id);
    Ok(show(turn, 201, &id, &projection)?.with_header("location", &location))
}

pub(crate) fn read(turn: &Turn<'_>, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let group = turn.state.group_at(id, turn.as_of_ms).ok_or_else(|| not_found(id))?;
    let body = turn.view().group(&group, &projection);
    Ok(Response::json(200, &body).with_header("etag", &etag(group.version)))
}

pub(crate) fn put(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    find(turn, id)?;
    let body = turn.take_body()?;
    let (doc, members) = read_group(turn, body, Some(id))?;
    update(turn, rules, id, doc, MemberEdit::replace(members))?;
    Ok(show(turn, 200, id, &projection)?)
}

pub(crate) fn patch(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    find(turn, id)?;
    let body = turn.take_body()?;
    let request = PatchRequest::from_json(&body)?;
    let judge = |member: &str| judge(turn.config, turn.state, Some(id), member);
    let (mut doc, edit) = {
        let group = turn.state.group(id).ok_or_else(|| not_found(id))?;
        group_patch::plan(turn.view(), group, &request, &judge)?
    };
    tidy(&mut doc);
    update(turn, rules, id, doc, edit)?;
    if turn.config.patch_204 { Ok(Response::empty(204)) } else { Ok(show(turn, 200, id, &projection)?) }
}

pub(crate) fn delete(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    find(turn, id)?;
    rules.check(turn, &Change::DeleteGroup { id })?;
    turn.state.delete_group(id, turn.now_ms);
    turn.committed = true;
    Ok(Response::empty(204))
}

/// Whether a group may have this member: yes, no but say nothing, or a refusal that names the id.
fn judge(config: &Config, state: &State, group: Option<&str>, member: &str) -> Result<bool, ScimError> {
    if group == Some(member) {
        return Err(ScimError::invalid_value(format!("the group {member:?} cannot be a member of itself")));
    }
    if state.exists(member) {
        return Ok(true);
    }
    match config.unknown_members {
        UnknownMembers::Accept => Ok(true),
        UnknownMembers::Ignore => Ok(false),
        UnknownMembers::Refuse => {
            let detail = format!("the member {member:?} does not exist");
            let mut error = ScimError::invalid_value(detail);
            if config.unknown_member_status != 400 {
                error = ScimError::new(config.unknown_member_status, None, error.detail);
            }
            Err(error)
        }
    }
}

fn update(
    turn: &mut Turn<'_>,
    rules: &mut Rules,
    id: &str,
    doc: Value,
    edit: MemberEdit,
) -> Result<(), Response> {
    check_unique(turn, &doc, Some(id))?;
    rules.check(turn, &Change::UpdateGroup { id, after: &doc, members: &edit })?;
    turn.state.update_group(id, doc, edit, turn.now_ms);
    turn.committed = true;
    Ok(())
}

/// The document without members, and the members, of a POST or PUT body; a body without members means none.
fn read_group(
    turn: &Turn<'_>,
    mut body: Value,
    own_id: Option<&str>,
) -> Result<(Value, BTreeSet<Id>), ScimError> {
    let named = group_patch::take_members(&mut body);
    let mut doc = scim::validate(&turn.types.group, &body)?;
    tidy(&mut doc);
    let mut members = BTreeSet::new();
    for member in named.as_ref().map(member_ids).transpose()?.unwrap_or_default() {
        if judge(turn.config, turn.state, own_id, member)? {
            members.insert(Id::from(member));
        }
    }
    Ok((doc, members))
}

/// Checks that the group is there for a write, and its `If-Match`.
fn find(turn: &Turn<'_>, id: &str) -> Result<(), Response> {
    let group = turn.state.group(id).ok_or_else(|| not_found(id))?;
    check_if_match(turn, group.version)
}

fn show(turn: &Turn<'_>, status: u16, id: &str, projection: &Projection) -> Result<Response, ScimError> {
    let group = turn.state.group(id).ok_or_else(|| not_found(id))?;
    let body = turn.view().group(group, projection);
    Ok(Response::json(status, &body).with_header("etag", &etag(group.version)))
}

fn check_unique(turn: &Turn<'_>, doc: &Value, own_id: Option<&str>) -> Result<(), ScimError> {
    let value = |name: &str| doc.get(name).and_then(Value::as_str);
    if turn.config.enforce_group_name_unique
        && let Some(name) = value("displayName")
        && turn.state.group_names.ids(&scim::fold(name)).any(|id| Some(&**id) != own_id)
    {
        return Err(ScimError::uniqueness(format!("a group with the displayName {name:?} already exists")));
    }
    if turn.config.enforce_external_id_unique
        && let Some(external_id) = value("externalId")
        && turn.state.group_external_ids.ids(external_id).any(|id| Some(&**id) != own_id)
    {
        return Err(ScimError::uniqueness(format!(
            "a group with the externalId {external_id:?} already exists"
        )));
    }
    Ok(())
}

fn tidy(doc: &mut Value) {
    if let Some(members) = doc.as_object_mut() {
        members.insert("schemas".to_owned(), json!([urn::GROUP]));
    }
}

fn not_found(id: &str) -> ScimError {
    ScimError::not_found(format!("there is no group with the id {id:?}"))
}
