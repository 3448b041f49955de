//! PATCH of a group: member operations cost what they name, everything else goes through `scim::patch`.

use crate::call::Verb;
use crate::members::MemberEdit;
use crate::state::{Group, Id};
use crate::turn::View;
use scim::{
    AttrPath, CompareOp, Filter, Literal, PatchOp, PatchOperation, PatchPath, PatchRequest, ScimError, urn,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Decides about a member id: stored, dropped without a word, or refused.
pub(crate) type Judge<'a> = dyn Fn(&str) -> Result<bool, ScimError> + 'a;

/// Works out what a PATCH makes of a group without changing it: the new document and the edit of its members.
pub(crate) fn plan(
    view: View<'_>,
    group: &Group,
    request: &PatchRequest,
    judge: &Judge<'_>,
) -> Result<(Value, MemberEdit), ScimError> {
    let mut doc = group.doc.clone();
    let mut edit = MemberEdit::default();
    for operation in &request.operations {
        let split = split(operation);
        if let Some(step) = &split.members {
            apply_step(view, &group.members, &mut edit, step, judge)?;
        }
        if let Some(operation) = split.rest {
            let request = PatchRequest { operations: vec![operation] };
            doc = scim::patch::apply(&view.types.group, &doc, &request)?;
        }
    }
    Ok((doc, edit))
}

/// The ids in a value of `members`: a list of objects with `value`, one such object, or null for nobody.
pub(crate) fn member_ids(value: &Value) -> Result<Vec<&str>, ScimError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.iter().map(member_id).collect(),
        one => Ok(vec![member_id(one)?]),
    }
}

/// Takes `members` out of a group's body, whatever the case of its name.
pub(crate) fn take_members(body: &mut Value) -> Option<Value> {
    take(body.as_object_mut()?)
}

/// How many members a write of a group names.
pub(crate) fn count_members(verb: Verb, body: &Value) -> usize {
    let listed = |value: &Value| value.as_array().map_or(1, Vec::len);
    if verb != Verb::Patch {
        return body.as_object().and_then(find).map_or(0, listed);
    }
    member_steps(body)
        .iter()
        .map(|step| match (&step.filter, &step.value) {
            (Some(filter), _) => wanted_ids(filter).map_or(1, |ids| ids.len()),
            (None, value) => value.as_ref().map_or(0, listed),
        })
        .sum()
}

/// Whether a write of a group sets or removes its members as a whole.
pub(crate) fn replaces_members(verb: Verb, body: &Value) -> bool {
    if verb != Verb::Patch {
        return body.as_object().and_then(find).is_some();
    }
    member_steps(body).iter().any(|step| match step.op {
        PatchOp::Replace => step.filter.is_none(),
        PatchOp::Remove => step.filter.is_none() && step.value.is_none(),
        PatchOp::Add => false,
    })
}

/// The part of an operation that is about members.
struct Step {
    op: PatchOp,
    filter: Option<Filter>,
    sub: Option<String>,
    value: Option<Value>,
}

/// An operation in two parts; a value without a path can hold both.
#[derive(Default)]
struct Split {
    members: Option<Step>,
    rest: Option<PatchOperation>,
}

fn split(operation: &PatchOperation) -> Split {
    let PatchOperation { op, path, value } = operation;
    match (path, value) {
        (Some(path), value) if names_members(path) => {
            let step =
                Step { op: *op, filter: path.filter.clone(), sub: path.sub.clone(), value: value.clone() };
            Split { members: Some(step), rest: None }
        }
        (None, Some(Value::Object(object))) if *op != PatchOp::Remove => {
            let mut object = object.clone();
            let named = take(&mut object);
            let members = named.map(|value| Step { op: *op, filter: None, sub: None, value: Some(value) });
            let empty = object.is_empty() && members.is_some();
            let value = Some(Value::Object(object));
            let rest = (!empty).then_some(PatchOperation { op: *op, path: None, value });
            Split { members, rest }
        }
        _ => Split { members: None, rest: Some(operation.clone()) },
    }
}

fn apply_step(
    view: View<'_>,
    base: &BTreeSet<Id>,
    edit: &mut MemberEdit,
    step: &Step,
    judge: &Judge<'_>,
) -> Result<(), ScimError> {
    if let Some(sub) = &step.sub {
        return Err(ScimError::mutability(format!(
            "members.{sub} cannot be changed; add or remove the member"
        )));
    }
    let named = step.value.as_ref().map(member_ids).transpose()?;
    match (step.op, &step.filter) {
        (PatchOp::Add, Some(_)) => {
            Err(ScimError::invalid_path("a member is added without a filter in the path"))
        }
        (PatchOp::Add | PatchOp::Replace, _) if named.is_none() => {
            Err(ScimError::invalid_value(format!("{} of members needs a value", step.op.as_str())))
        }
        (PatchOp::Add, None) => add(base, edit, &named.unwrap_or_default(), judge),
        (PatchOp::Replace, None) => {
            edit.clear();
            add(base, edit, &named.unwrap_or_default(), judge)
        }
        (PatchOp::Replace, Some(filter)) => {
            let found = matching(view, base, edit, filter);
            if found.is_empty() {
                return Err(ScimError::no_target("the filter of the path matches no member"));
            }
            found.iter().for_each(|id| edit.remove(base, id));
            add(base, edit, &named.unwrap_or_default(), judge)
        }
        (PatchOp::Remove, Some(filter)) => {
            // Removing an absent member succeeds, else a repeated removal would never end.
            matching(view, base, edit, filter).iter().for_each(|id| edit.remove(base, id));
            Ok(())
        }
        // An explicit null neither names members nor asks for all of them.
        (PatchOp::Remove, None) if step.value.as_ref().is_some_and(Value::is_null) => Err(
            ScimError::invalid_value("remove of members with a null value: name them, or leave value out"),
        ),
        (PatchOp::Remove, None) => {
            match named {
                // Exactly those listed; an empty list removes nobody.
                Some(ids) => ids.iter().for_each(|id| edit.remove(base, id)),
                None => edit.clear(),
            }
            Ok(())
        }
    }
}

fn add(base: &BTreeSet<Id>, edit: &mut MemberEdit, ids: &[&str], judge: &Judge<'_>) -> Result<(), ScimError> {
    for id in ids {
        if judge(id)? {
            edit.add(base, Id::from(*id));
        }
    }
    Ok(())
}

/// The members that a filter selects: a look-up where it names ids, else a walk over all.
fn matching(view: View<'_>, base: &BTreeSet<Id>, edit: &MemberEdit, filter: &Filter) -> Vec<Id> {
    if let Some(ids) = wanted_ids(filter) {
        return ids.into_iter().filter(|id| edit.contains(base, id)).map(Id::from).collect();
    }
    let path = AttrPath { urn: None, attr: "members".to_owned(), sub: None };
    let filter = Filter::ValuePath { path, filter: Box::new(filter.clone()) };
    let holds = |id: &Id| filter.matches(&view.types.group, &json!({ "members": [view.member(id)] }));
    edit.result(base).into_iter().filter(holds).collect()
}

/// The ids of `value eq "x"`, alone or joined by `or`; `None` for any other filter.
fn wanted_ids(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(id) }
            if path.sub.is_none() && path.attr.eq_ignore_ascii_case("value") =>
        {
            Some(vec![id])
        }
        Filter::Or(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(wanted_ids).collect();
            parts.map(|parts| parts.concat())
        }
        _ => None,
    }
}

/// The member parts of a PATCH body; empty when the body is no PATCH, which the endpoint then says.
fn member_steps(body: &Value) -> Vec<Step> {
    let operations = PatchRequest::from_json(body).map(|request| request.operations).unwrap_or_default();
    operations.iter().filter_map(|operation| split(operation).members).collect()
}

fn names_members(path: &PatchPath) -> bool {
    path.attr.eq_ignore_ascii_case("members")
        && path.urn.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(urn::GROUP))
}

fn is_members_key(key: &str) -> bool {
    let (head, name) = key.rsplit_once(':').unwrap_or((urn::GROUP, key));
    name.eq_ignore_ascii_case("members") && head.eq_ignore_ascii_case(urn::GROUP)
}

fn find(object: &Map<String, Value>) -> Option<&Value> {
    object.iter().find(|(key, _)| is_members_key(key)).map(|(_, value)| value)
}

fn take(object: &mut Map<String, Value>) -> Option<Value> {
    let key = object.keys().find(|key| is_members_key(key))?.clone();
    object.remove(&key)
}

fn member_id(element: &Value) -> Result<&str, ScimError> {
    let object = element.as_object();
    let value = object.and_then(|object| object.iter().find(|(key, _)| key.eq_ignore_ascii_case("value")));
    let id = value.and_then(|(_, value)| value.as_str()).filter(|id| !id.is_empty());
    id.ok_or_else(|| {
        ScimError::invalid_value("every element of members needs a \"value\", the id as a string")
    })
}
