//! Provisional.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ScimError;

/// p
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkMethod {
    /// p
    Post,
    /// p
    Put,
    /// p
    Patch,
    /// p
    Delete,
}
impl BulkMethod {
    /// p
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}
/// p
#[derive(Clone, Debug)]
pub struct BulkOperation {
    /// p
    pub method: BulkMethod,
    /// p
    pub path: String,
    /// p
    pub bulk_id: Option<String>,
    /// p
    pub version: Option<String>,
    /// p
    pub data: Option<Value>,
}
/// p
#[derive(Clone, Debug)]
pub struct BulkRequest {
    /// p
    pub fail_on_errors: Option<u64>,
    /// p
    pub operations: Vec<BulkOperation>,
}
impl BulkRequest {
    /// p
    pub fn from_json(body: &Value, _max: usize) -> Result<Self, ScimError> {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let operations = body.get("Operations").and_then(Value::as_array).cloned().unwrap_or_default();
        let operations = operations
            .iter()
            .map(|op| {
                Ok(BulkOperation {
                    method: match text(op, "method").unwrap_or_default().to_ascii_uppercase().as_str() {
                        "POST" => BulkMethod::Post,
                        "PUT" => BulkMethod::Put,
                        "PATCH" => BulkMethod::Patch,
                        "DELETE" => BulkMethod::Delete,
                        _ => return Err(ScimError::invalid_syntax("method")),
                    },
                    path: text(op, "path").unwrap_or_default(),
                    bulk_id: text(op, "bulkId"),
                    version: text(op, "version"),
                    data: op.get("data").cloned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { fail_on_errors: body.get("failOnErrors").and_then(Value::as_u64), operations })
    }
}
/// p
pub fn references(data: &Value) -> BTreeSet<String> {
    match data {
        Value::String(text) => text.strip_prefix("bulkId:").map(str::to_owned).into_iter().collect(),
        Value::Array(list) => list.iter().flat_map(references).collect(),
        Value::Object(fields) => fields.values().flat_map(references).collect(),
        _ => BTreeSet::new(),
    }
}
/// p
pub fn resolve(data: &Value, ids: &BTreeMap<String, String>) -> Value {
    match data {
        Value::String(text) => match text.strip_prefix("bulkId:").and_then(|id| ids.get(id)) {
            Some(id) => Value::from(id.as_str()),
            None => data.clone(),
        },
        Value::Array(list) => Value::Array(list.iter().map(|item| resolve(item, ids)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), resolve(value, ids))).collect())
        }
        other => other.clone(),
    }
}
/// p
pub fn order(operations: &[BulkOperation]) -> Result<Vec<Vec<usize>>, ScimError> {
    Ok((0..operations.len()).map(|at| vec![at]).collect())
}
