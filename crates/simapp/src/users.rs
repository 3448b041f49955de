//! The `/Users` endpoint.

use crate::call::Kind;
use crate::faults::{Change, Rules};
use crate::render::etag;
use crate::state::{User, is_active};
use crate::turn::Turn;
use crate::wire::Response;
use scim::{PatchRequest, Projection, ScimError, urn};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn create(turn: &mut Turn<'_>, rules: &mut Rules) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let body = turn.take_body()?;
    let mut doc = scim::validate(&turn.types.user, &body)?;
    tidy(&mut doc, true);
    check_unique(turn, &doc, None)?;
    rules.check(turn, &Change::CreateUser { after: &doc })?;
    let id = turn.state.create_user(doc, turn.now_ms);
    turn.committed = true;
    let location = turn.view().location(Kind::Users, &id);
    Ok(show(turn, 201, &id, &projection)?.with_header("location", &location))
}

pub(crate) fn read(turn: &Turn<'_>, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let user = turn.state.user_at(id, turn.as_of_ms).ok_or_else(|| not_found(id))?;
    let body = turn.view().user(&user, &projection);
    Ok(Response::json(200, &body).with_header("etag", &etag(user.version)))
}

pub(crate) fn put(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let before = find(turn, id)?;
    let body = turn.take_body()?;
    let mut doc = scim::validate(&turn.types.user, &body)?;
    // A PUT that does not name `active` must not bring a leaver back.
    tidy(&mut doc, is_active(&before.doc));
    update(turn, rules, id, &before, doc)?;
    Ok(show(turn, 200, id, &projection)?)
}

pub(crate) fn patch(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    let projection = Projection::from_parameters(&turn.call.query)?;
    let before = find(turn, id)?;
    let body = turn.take_body()?;
    let request = PatchRequest::from_json(&body)?;
    let mut doc = scim::patch::apply(&turn.types.user, &before.doc, &request)?;
    tidy(&mut doc, is_active(&before.doc));
    update(turn, rules, id, &before, doc)?;
    if turn.config.patch_204 { Ok(Response::empty(204)) } else { Ok(show(turn, 200, id, &projection)?) }
}

pub(crate) fn delete(turn: &mut Turn<'_>, rules: &mut Rules, id: &str) -> Result<Response, Response> {
    let before = find(turn, id)?;
    rules.check(turn, &Change::DeleteUser { id, before: &before.doc })?;
    turn.state.delete_user(id, turn.now_ms);
    turn.committed = true;
    Ok(Response::empty(204))
}

fn update(
    turn: &mut Turn<'_>,
    rules: &mut Rules,
    id: &str,
    before: &User,
    doc: Value,
) -> Result<(), Response> {
    check_unique(turn, &doc, Some(id))?;
    rules.check(turn, &Change::UpdateUser { id, before: &before.doc, after: &doc })?;
    turn.state.update_user(id, doc, turn.now_ms);
    turn.committed = true;
    Ok(())
}

/// The present user for a write, whose `If-Match` is checked here.
fn find(turn: &Turn<'_>, id: &str) -> Result<Arc<User>, Response> {
    let user = turn.state.user(id).cloned().ok_or_else(|| not_found(id))?;
    check_if_match(turn, user.version)?;
    Ok(user)
}

fn show(turn: &Turn<'_>, status: u16, id: &str, projection: &Projection) -> Result<Response, ScimError> {
    let user = turn.state.user(id).ok_or_else(|| not_found(id))?;
    let body = turn.view().user(user, projection);
    Ok(Response::json(status, &body).with_header("etag", &etag(user.version)))
}

fn check_unique(turn: &Turn<'_>, doc: &Value, own_id: Option<&str>) -> Result<(), ScimError> {
    let value = |name: &str| doc.get(name).and_then(Value::as_str);
    if turn.config.enforce_user_name_unique
        && let Some(name) = value("userName")
        && turn.state.user_names.ids(&scim::fold(name)).any(|id| Some(&**id) != own_id)
    {
        return Err(ScimError::uniqueness(format!("a user with the userName {name:?} already exists")));
    }
    if turn.config.enforce_external_id_unique
        && let Some(external_id) = value("externalId")
        && turn.state.user_external_ids.ids(external_id).any(|id| Some(&**id) != own_id)
    {
        return Err(ScimError::uniqueness(format!(
            "a user with the externalId {external_id:?} already exists"
        )));
    }
    Ok(())
}

/// Drops what is never shown, sets `active` where the client said nothing, and lists the schemas in use.
pub(crate) fn tidy(doc: &mut Value, active: bool) {
    let Some(members) = doc.as_object_mut() else { return };
    members.remove("password");
    if !members.get("active").is_some_and(Value::is_boolean) {
        members.insert("active".to_owned(), Value::Bool(active));
    }
    let extensions = members.keys().filter(|key| key.contains(':'));
    let schemas: Vec<String> = std::iter::once(urn::USER.to_owned()).chain(extensions.cloned()).collect();
    members.insert("schemas".to_owned(), json!(schemas));
}

/// RFC 7644 section 3.14: a write with `If-Match` needs the present version.
pub(crate) fn check_if_match(turn: &Turn<'_>, version: u64) -> Result<(), Response> {
    let Some(wanted) = turn.request.header("if-match") else { return Ok(()) };
    let present = etag(version);
    if scim::etag::matches(wanted, &present) {
        return Ok(());
    }
    Err(Response::error(412, &format!("the version is {present}, not {wanted}")))
}

fn not_found(id: &str) -> ScimError {
    ScimError::not_found(format!("there is no user with the id {id:?}"))
}
