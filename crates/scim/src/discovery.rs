//! Provisional.
use serde_json::{Value, json};

use crate::{ResourceType, Schema, urn};

/// p
#[derive(Clone, Debug)]
pub struct Limits {
    /// p
    pub bulk_operations: u64,
    /// p
    pub bulk_bytes: u64,
    /// p
    pub page_max: u64,
    /// p
    pub page_default: u64,
    /// p
    pub cursor_timeout_s: Option<u64>,
}
/// p
pub fn service_provider_config(base: &str, limits: &Limits) -> Value {
    json!({"schemas": [urn::SERVICE_PROVIDER_CONFIG], "base": base, "max": limits.page_max})
}
/// p
pub fn schema(base: &str, schema: &Schema) -> Value {
    json!({"id": schema.id, "base": base})
}
/// p
pub fn resource_type(base: &str, rt: &ResourceType) -> Value {
    json!({"id": rt.name, "base": base})
}
