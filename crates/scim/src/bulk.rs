//! Bulk requests (RFC 7644 section 3.7): operations, references between them, and an order that satisfies these.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::bulk_order;
use crate::error::ScimError;
use crate::filter_lexer::shorten;
use crate::path::member;
use crate::urn;

/// A bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    /// After how many failed operations the rest is not tried; at least 1.
    pub fail_on_errors: Option<u64>,
    /// The operations as sent.
    pub operations: Vec<BulkOperation>,
}

/// One operation of a bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    /// What to do.
    pub method: BulkMethod,
    /// The endpoint of a POST (`/Users`), else the resource (`/Users/1`), below the base URL.
    pub path: String,
    /// The name under which other operations refer to what this one creates.
    pub bulk_id: Option<String>,
    /// The version that the resource must have.
    pub version: Option<String>,
    /// The body; there unless the method is DELETE.
    pub data: Option<Value>,
}

/// The method of a bulk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BulkMethod {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes parts.
    Patch,
    /// Deletes.
    Delete,
}

/// Operations that are carried out together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Positions in the request, in its order; more than one only if they refer to each other in a circle.
    pub operations: Vec<usize>,
    /// Whether they refer to each other, or one to itself: then [`postpone`] says what to create first.
    pub circular: bool,
    /// What no operation of the request creates: these operations fail.
    pub unknown: BTreeMap<usize, BTreeSet<String>>,
}

impl BulkRequest {
    /// Reads a body: names and methods in any case, `schemas` may be missing. 413 for more than `max_operations`.
    pub fn from_json(body: &Value, max_operations: usize) -> Result<Self, ScimError> {
        let object = body
            .as_object()
            .ok_or_else(|| ScimError::invalid_syntax("a bulk request must be a JSON object"))?;
        if let Some(schemas) = member(object, "schemas") {
            let named = |id: &Value| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(urn::BULK_REQUEST));
            if !schemas.as_array().is_some_and(|list| list.iter().any(named)) {
                let wanted = urn::BULK_REQUEST;
                return Err(ScimError::invalid_syntax(format!(
                    "schemas of a bulk request must be [\"{wanted}\"]"
                )));
            }
        }
        let fail_on_errors = match member(object, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_u64().filter(|count| *count > 0).ok_or_else(|| {
                ScimError::invalid_value(
                    "failOnErrors must be a whole number from 1; leave it out for no limit",
                )
            })?),
        };
        let operations = member(object, "Operations")
            .and_then(Value::as_array)
            .filter(|list| !list.is_empty())
            .ok_or_else(|| {
                ScimError::invalid_syntax("a bulk request needs a list \"Operations\" with one operation")
            })?;
        if operations.len() > max_operations {
            let detail = format!(
                "{} operations in one bulk request; the most are {max_operations}: send several requests",
                operations.len()
            );
            return Err(ScimError::new(413, None, detail));
        }
        let operations: Vec<BulkOperation> = operations
            .iter()
            .enumerate()
            .map(|(index, operation)| read_operation(operation).map_err(|error| at(index, error)))
            .collect::<Result<_, _>>()?;
        bulk_order::creators(&operations)?;
        Ok(Self { fail_on_errors, operations })
    }
}

impl BulkOperation {
    /// The bulk ids that the operation refers to, in its path and its body.
    pub fn references(&self) -> BTreeSet<String> {
        self.referred().into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn referred(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        if let Some(data) = &self.data {
            collect(data, &mut found);
        }
        found.extend(reference_in(&self.path).map(|(_, id)| id));
        found
    }

    /// The same with the references that have an id replaced by it.
    pub fn resolved(&self, ids: &BTreeMap<String, String>) -> Self {
        let data = self.data.as_ref().map(|data| resolve(data, ids));
        Self { path: resolve_text(&self.path, ids), data, ..self.clone() }
    }
}

impl BulkMethod {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Every bulk id that a body refers to: texts that are `bulkId:xyz`, or end in `/bulkId:xyz` as addresses do.
pub fn references(data: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(data, &mut found);
    found.into_iter().map(str::to_owned).collect()
}

/// The body with the references that have an id replaced by it.
pub fn resolve(data: &Value, ids: &BTreeMap<String, String>) -> Value {
    match data {
        Value::String(text) => Value::String(resolve_text(text, ids)),
        Value::Array(list) => list.iter().map(|item| resolve(item, ids)).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.clone(), resolve(value, ids))).collect()
        }
        other => other.clone(),
    }
}

/// The operations in an order in which everything referred to is created before it is needed. Nobody is moved
/// without need: an operation waits until what it refers to exists, the others keep their order, and so do
/// operations on the same resource. Fails only if two operations create the same bulk id.
pub fn order(operations: &[BulkOperation]) -> Result<Vec<Group>, ScimError> {
    bulk_order::order(operations)
}

/// What to create before the other half of a circle exists: the body without the values that refer to anything not
/// in `ids`, and the PATCH body that adds these afterwards. Resolve both with the ids known at their time. `None` if
/// nothing had to wait.
pub fn postpone(data: &Value, ids: &BTreeMap<String, String>) -> (Value, Option<Value>) {
    let waits = |value: &Value| references(value).iter().any(|id| !ids.contains_key(id));
    let Some(object) = data.as_object().filter(|_| waits(data)) else { return (data.clone(), None) };
    let (mut now, mut later) = (Map::new(), Vec::new());
    for (name, value) in object {
        // An extension's URN: its attributes wait one by one.
        if let Some(extension) = value.as_object().filter(|_| name.contains(':')) {
            let mut kept = Map::new();
            for (attribute, value) in extension {
                let path = format!("{name}:{attribute}");
                kept.extend(split(value, &path, &waits, &mut later).map(|value| (attribute.clone(), value)));
            }
            now.insert(name.clone(), Value::Object(kept));
        } else if let Some(value) = split(value, name, &waits, &mut later) {
            now.insert(name.clone(), value);
        }
    }
    let patch = json!({"schemas": [urn::PATCH_OP], "Operations": later});
    (Value::Object(now), Some(patch))
}

/// What of a value need not wait; the rest becomes an `add`.
fn split(
    value: &Value,
    path: &str,
    waits: &impl Fn(&Value) -> bool,
    later: &mut Vec<Value>,
) -> Option<Value> {
    let (waiting, ready) = match value {
        value if !waits(value) => return Some(value.clone()),
        Value::Array(list) => {
            let (waiting, ready): (Vec<Value>, Vec<Value>) =
                list.iter().cloned().partition(|item| waits(item));
            (Value::Array(waiting), (!ready.is_empty()).then_some(Value::Array(ready)))
        }
        single => (single.clone(), None),
    };
    later.push(json!({"op": "add", "path": path, "value": waiting}));
    ready
}

fn read_operation(operation: &Value) -> Result<BulkOperation, ScimError> {
    let object =
        operation.as_object().ok_or_else(|| ScimError::invalid_syntax("an operation must be an object"))?;
    let text = |name: &str| match member(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ScimError::invalid_syntax(format!("\"{name}\" must be a string"))),
    };
    let method = text("method")?.unwrap_or_default();
    let method = [BulkMethod::Post, BulkMethod::Put, BulkMethod::Patch, BulkMethod::Delete]
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(&method))
        .ok_or_else(|| {
            let found = shorten(&method);
            ScimError::invalid_syntax(format!("\"method\" must be POST, PUT, PATCH or DELETE, not {found:?}"))
        })?;
    let path = text("path")?.filter(|path| path.starts_with('/')).ok_or_else(|| {
        ScimError::invalid_path("\"path\" must begin with \"/\", such as \"/Users\" or \"/Users/2819c223\"")
    })?;
    let bulk_id = text("bulkId")?.filter(|id| !id.is_empty());
    if method == BulkMethod::Post && bulk_id.is_none() {
        return Err(ScimError::invalid_value("a POST needs a \"bulkId\""));
    }
    let data = member(object, "data").filter(|data| !data.is_null() && method != BulkMethod::Delete).cloned();
    if data.is_none() && method != BulkMethod::Delete {
        return Err(ScimError::invalid_value(format!("a {} needs \"data\"", method.as_str())));
    }
    Ok(BulkOperation { method, path, bulk_id, version: text("version")?, data })
}

pub(crate) fn at(index: usize, error: ScimError) -> ScimError {
    ScimError { detail: format!("Operations[{index}]: {}", error.detail), ..error }
}

fn collect<'d>(data: &'d Value, found: &mut BTreeSet<&'d str>) {
    match data {
        Value::String(text) => found.extend(reference_in(text).map(|(_, id)| id)),
        Value::Array(list) => list.iter().for_each(|item| collect(item, found)),
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// What stands before a reference, and the bulk id.
fn reference_in(text: &str) -> Option<(&str, &str)> {
    const PREFIX: &str = "bulkId:";
    let start = text.rfind('/').map_or(0, |slash| slash + 1);
    let id = text.get(start..start + PREFIX.len()).filter(|word| word.eq_ignore_ascii_case(PREFIX))?;
    let id = &text[start + id.len()..];
    (!id.is_empty()).then_some((&text[..start], id))
}

fn resolve_text(text: &str, ids: &BTreeMap<String, String>) -> String {
    let resolved = reference_in(text).and_then(|(before, id)| Some(format!("{before}{}", ids.get(id)?)));
    resolved.unwrap_or_else(|| text.to_owned())
}
