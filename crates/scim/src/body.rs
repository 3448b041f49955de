//! Provisional.
use serde_json::Value;

use crate::ScimError;

/// Provisional.
pub fn read_body(bytes: &[u8]) -> Result<Value, ScimError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ScimError::invalid_syntax(format!("the body is no JSON: {error}")))
}
