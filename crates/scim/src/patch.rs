//! PATCH requests as values (RFC 7644 section 3.5.2); `apply` carries one out.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::error::ScimError;
use crate::filter_lexer::shorten;
pub use crate::patch_apply::{MAX_WORK, apply};
use crate::patch_path::PatchPath;
use crate::path::member;
use crate::urn;

/// The largest number of operations in one request.
pub const MAX_OPERATIONS: usize = 1000;

/// What a PATCH operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchOp {
    /// Adds values, or sets a single one.
    Add,
    /// Removes values.
    Remove,
    /// Puts values in the place of others.
    Replace,
}

/// One operation of a PATCH request.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchOperation {
    /// What to do.
    pub op: PatchOp,
    /// Where; without it `value` is an object of attributes.
    pub path: Option<PatchPath>,
    /// With what. `Some(Value::Null)` is an explicit null.
    pub value: Option<Value>,
}

/// A PATCH request: operations in order, all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatchRequest {
    /// The operations.
    pub operations: Vec<PatchOperation>,
}

impl PatchRequest {
    /// Reads a request body: `op` and member names in any case, `schemas` may be missing, unknown members of an
    /// operation are ignored. At least one and at most [`MAX_OPERATIONS`] operations.
    pub fn from_json(body: &Value) -> Result<Self, ScimError> {
        let object = request_object(body)?;
        if member(object, "schemas").is_some() {
            check_schemas(object)?;
        }
        let operations = written_operations(object)?
            .iter()
            .enumerate()
            .map(|(index, operation)| {
                let parsed = WrittenOperation::read(operation).and_then(WrittenOperation::parse);
                parsed.map_err(|error| at_operation(error, index))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { operations })
    }

    /// The request body.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [urn::PATCH_OP],
            "Operations": self.operations.iter().map(PatchOperation::to_json).collect::<Vec<_>>(),
        })
    }
}

impl PatchOperation {
    /// `add` of a value at a path.
    pub fn add(path: PatchPath, value: Value) -> Self {
        Self { op: PatchOp::Add, path: Some(path), value: Some(value) }
    }

    /// `replace` of what stands at a path.
    pub fn replace(path: PatchPath, value: Value) -> Self {
        Self { op: PatchOp::Replace, path: Some(path), value: Some(value) }
    }

    /// `remove` of what stands at a path.
    pub fn remove(path: PatchPath) -> Self {
        Self { op: PatchOp::Remove, path: Some(path), value: None }
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("op".to_owned(), Value::from(self.op.as_str()));
        if let Some(path) = &self.path {
            object.insert("path".to_owned(), Value::from(path.to_string()));
        }
        if let Some(value) = &self.value {
            object.insert("value".to_owned(), value.clone());
        }
        Value::Object(object)
    }
}

impl PatchOp {
    /// The name on the wire, in lower case as the RFC has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

impl fmt::Display for PatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The same error, with the operation it is about (counted from 0, as JSON does).
pub(crate) fn at_operation(error: ScimError, index: usize) -> ScimError {
    ScimError { detail: format!("Operations[{index}]: {}", error.detail), ..error }
}

pub(crate) fn request_object(body: &Value) -> Result<&Map<String, Value>, ScimError> {
    body.as_object().ok_or_else(|| ScimError::invalid_syntax("a PATCH request must be a JSON object"))
}

/// Refuses a request whose `schemas` does not say that it is one.
pub(crate) fn check_schemas(object: &Map<String, Value>) -> Result<(), ScimError> {
    let named = |id: &Value| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(urn::PATCH_OP));
    let schemas = member(object, "schemas").and_then(Value::as_array);
    if schemas.is_some_and(|list| list.iter().any(named)) {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!("schemas of a PATCH request must be [\"{}\"]", urn::PATCH_OP)))
}

/// The operations as sent: at least one, at most [`MAX_OPERATIONS`].
pub(crate) fn written_operations(object: &Map<String, Value>) -> Result<&[Value], ScimError> {
    let operations =
        member(object, "Operations").and_then(Value::as_array).filter(|list| !list.is_empty()).ok_or_else(
            || ScimError::invalid_syntax("a PATCH request needs a list \"Operations\" with one operation"),
        )?;
    if operations.len() > MAX_OPERATIONS {
        return Err(too_many_operations());
    }
    Ok(operations)
}

pub(crate) fn too_many_operations() -> ScimError {
    ScimError::new(413, None, format!("more than {MAX_OPERATIONS} operations in one PATCH request"))
}

/// An operation whose path is still text.
pub(crate) struct WrittenOperation<'v> {
    pub(crate) op: PatchOp,
    /// `None` means the resource, as an empty path does.
    pub(crate) path: Option<&'v str>,
    pub(crate) value: Option<&'v Value>,
}

impl<'v> WrittenOperation<'v> {
    pub(crate) fn read(operation: &'v Value) -> Result<Self, ScimError> {
        let object = operation
            .as_object()
            .ok_or_else(|| ScimError::invalid_syntax("an operation must be an object"))?;
        let name = member(object, "op")
            .and_then(Value::as_str)
            .ok_or_else(|| ScimError::invalid_syntax("\"op\" must be \"add\", \"remove\" or \"replace\""))?;
        let op = [PatchOp::Add, PatchOp::Remove, PatchOp::Replace]
            .into_iter()
            .find(|op| op.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let found = shorten(name);
                ScimError::invalid_syntax(format!(
                    "\"op\" must be \"add\", \"remove\" or \"replace\", not {found:?}"
                ))
            })?;
        let path = match member(object, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Some(_) => return Err(ScimError::invalid_path("\"path\" must be a string")),
        };
        Ok(Self { op, path, value: member(object, "value") })
    }

    fn parse(self) -> Result<PatchOperation, ScimError> {
        let path = self.path.map(PatchPath::parse).transpose()?;
        Ok(PatchOperation { op: self.op, path, value: self.value.cloned() })
    }
}
