//! From a planned write to the call that carries it out: documents, PATCH operations and merged replacements.

use scim::{PatchOp, PatchOperation, PatchPath, PatchRequest};
use serde_json::{Value, json};

use crate::mapping::Attributes;
use crate::plan::{EdgeChange, Write};
use crate::plan_group::group_document;
use crate::remote::{Call, Remote, RemoteKind};

/// The call for a write, for apps with PATCH.
pub fn call_for(write: &Write) -> Call {
    match write {
        Write::Create { kind, attributes, .. } => {
            Call::Create { kind: *kind, doc: document(*kind, attributes) }
        }
        Write::Update { kind, remote_id, changes, before, after, .. } => Call::Patch {
            kind: *kind,
            remote_id: remote_id.clone(),
            request: PatchRequest { operations: patch_operations(changes, before, after) },
        },
        Write::Deactivate { remote_id, .. } => Call::Patch {
            kind: RemoteKind::User,
            remote_id: remote_id.clone(),
            request: PatchRequest {
                operations: vec![operation(PatchOp::Replace, "active", Some(json!(false)))],
            },
        },
        Write::Delete { kind, remote_id } => Call::Delete { kind: *kind, remote_id: remote_id.clone() },
        Write::Members { remote_id, add, remove, .. } => {
            Call::Members { remote_id: remote_id.clone(), add: accounts(add), remove: accounts(remove) }
        }
    }
}

/// The read that comes before a replacement, for apps without PATCH.
pub fn read_before_replace(write: &Write) -> Call {
    let (kind, remote_id, members) = match write {
        Write::Update { kind, remote_id, .. } => (*kind, remote_id, *kind == RemoteKind::Group),
        Write::Members { remote_id, .. } => (RemoteKind::Group, remote_id, true),
        Write::Deactivate { remote_id, .. } => (RemoteKind::User, remote_id, false),
        Write::Delete { kind, remote_id } => (*kind, remote_id, false),
        Write::Create { .. } => return Call::Probe,
    };
    Call::Read { kind, remote_id: remote_id.clone(), members }
}

/// The replacement: what was just read with only the changed attributes merged in, guarded by its ETag.
pub fn replace_for(write: &Write, read: &Remote) -> Call {
    let mut doc = read.doc.clone();
    let kind = match write {
        Write::Update { kind, changes, .. } => {
            merge(&mut doc, changes);
            *kind
        }
        Write::Deactivate { .. } => {
            merge(&mut doc, &Attributes::from([("active".to_owned(), json!(false))]));
            RemoteKind::User
        }
        Write::Members { add, remove, .. } => {
            merge_members(&mut doc, &accounts(add), &accounts(remove));
            RemoteKind::Group
        }
        Write::Create { .. } | Write::Delete { .. } => return call_for(write),
    };
    if let Some(fields) = doc.as_object_mut() {
        fields.remove("meta");
    }
    Call::Replace { kind, remote_id: read.id.clone(), doc, version: read.version.clone() }
}

/// The document of a new object.
pub fn document(kind: RemoteKind, attributes: &Attributes) -> Value {
    if kind == RemoteKind::Group {
        return group_document(attributes);
    }
    let mut doc = json!({});
    merge(&mut doc, attributes);
    let mut schemas = vec![json!(scim::urn::USER)];
    if let Some(fields) = doc.as_object_mut() {
        let extensions: Vec<Value> =
            fields.keys().filter(|key| key.starts_with("urn:")).map(|key| json!(key)).collect();
        schemas.extend(extensions);
        fields.insert("schemas".into(), Value::Array(schemas));
    }
    doc
}

fn merge(doc: &mut Value, changes: &Attributes) {
    for (text, value) in changes {
        let Ok(path) = PatchPath::parse(text) else { continue };
        if value.is_null() {
            path.unset(doc);
        } else {
            // A path that does not fit what the app holds leaves the document as it is; the app then answers.
            let _ = path.set(doc, value.clone());
        }
    }
}

fn merge_members(doc: &mut Value, add: &[String], remove: &[String]) {
    let mut members: std::collections::BTreeMap<String, Value> = doc
        .get("members")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|member| Some((member.get("value")?.as_str()?.to_owned(), member.clone())))
        .collect();
    members.retain(|id, _| !remove.contains(id));
    for id in add {
        members.entry(id.clone()).or_insert_with(|| json!({"value": id}));
    }
    if let Some(fields) = doc.as_object_mut() {
        fields.insert("members".into(), members.into_values().collect());
    }
}

/// PATCH operations for changed attributes only. An element that is not there yet (`emails[type eq "work"]`) is added as a
/// whole, because a filter without a match is an error (RFC 7644 section 3.5.2.3).
fn patch_operations(changes: &Attributes, before: &Attributes, after: &Attributes) -> Vec<PatchOperation> {
    let mut operations: Vec<PatchOperation> = vec![];
    for (text, value) in changes {
        let Ok(path) = PatchPath::parse(text) else { continue };
        let next = match (path.filter.is_some(), value.is_null()) {
            (true, true) if path.sub.as_deref() == Some("value") => PatchOperation {
                op: PatchOp::Remove,
                path: Some(PatchPath { sub: None, ..path }),
                value: None,
            },
            (_, true) => PatchOperation { op: PatchOp::Remove, path: Some(path), value: None },
            (true, false) if !holds_element(before, &path) => added_element(&path, after),
            _ => PatchOperation { op: PatchOp::Replace, path: Some(path), value: Some(value.clone()) },
        };
        if !operations.contains(&next) {
            operations.push(next);
        }
    }
    operations
}

fn same_element(text: &str, path: &PatchPath) -> Option<PatchPath> {
    let other = PatchPath::parse(text).ok()?;
    (other.urn == path.urn && other.attr == path.attr && other.filter == path.filter).then_some(other)
}

fn holds_element(before: &Attributes, path: &PatchPath) -> bool {
    before.iter().any(|(text, value)| !value.is_null() && same_element(text, path).is_some())
}

fn added_element(path: &PatchPath, after: &Attributes) -> PatchOperation {
    let mut scratch = json!({});
    for (text, value) in after {
        if let Some(other) = same_element(text, path) {
            let _ = other.set(&mut scratch, value.clone());
        }
    }
    let attribute = PatchPath { urn: path.urn.clone(), attr: path.attr.clone(), filter: None, sub: None };
    let elements = attribute.get(&scratch).into_iter().cloned().collect();
    PatchOperation { op: PatchOp::Add, path: Some(attribute), value: Some(Value::Array(elements)) }
}

fn operation(op: PatchOp, path: &str, value: Option<Value>) -> PatchOperation {
    PatchOperation { op, path: PatchPath::parse(path).ok(), value }
}

fn accounts(edges: &[EdgeChange]) -> Vec<String> {
    edges.iter().map(|edge| edge.account.clone()).collect()
}
