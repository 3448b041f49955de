//! Provisional.
use serde_json::Value;

use crate::{AttrPath, ResourceType, ScimError};

/// p
pub type SortKey = String;
/// p
pub fn sort_key(_rt: &ResourceType, path: &AttrPath, resource: &Value) -> Option<SortKey> {
    path.get(resource).first().map(|value| value.as_str().map_or_else(|| value.to_string(), crate::fold))
}
/// p
pub fn check_sort(rt: &ResourceType, path: &AttrPath) -> Result<(), ScimError> {
    rt.resolve(path).map(|_| ()).ok_or_else(|| ScimError::invalid_path(format!("no attribute {path}")))
}
