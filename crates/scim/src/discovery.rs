//! What a service provider says about itself (RFC 7643 sections 5 to 7, RFC 9865 section 4), as documents.

use serde_json::{Value, json};

use crate::resource_type::ResourceType;
use crate::schema::Schema;
use crate::urn;

/// The numbers that a service provider announces and holds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most operations in one bulk request.
    pub bulk_operations: u64,
    /// The largest bulk request, in bytes.
    pub bulk_bytes: u64,
    /// The most resources on one page.
    pub page_max: u64,
    /// How many resources a page has if the client does not say.
    pub page_default: u64,
    /// How many seconds a cursor stays valid; `None` if it does not expire.
    pub cursor_timeout_s: Option<u64>,
}

/// The ServiceProviderConfig below a base URL. Every number is there: clients take a missing one for "not supported".
pub fn service_provider_config(base: &str, limits: &Limits) -> Value {
    let mut pagination = json!({
        "cursor": true,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": limits.page_default,
        "maxPageSize": limits.page_max,
    });
    if let Some(seconds) = limits.cursor_timeout_s {
        pagination["cursorTimeout"] = json!(seconds);
    }
    json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {
            "supported": limits.bulk_operations > 0,
            "maxOperations": limits.bulk_operations,
            "maxPayloadSize": limits.bulk_bytes,
        },
        "filter": {"supported": true, "maxResults": limits.page_max},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": pagination,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A bearer token in the Authorization header (RFC 6750)",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": meta("ServiceProviderConfig", base, "ServiceProviderConfig"),
    })
}

/// A schema as `/Schemas` shows it.
pub fn schema(base: &str, schema: &Schema) -> Value {
    let mut shown = serde_json::to_value(schema).expect("a schema holds only strings, flags and lists");
    shown["schemas"] = json!([urn::SCHEMA]);
    shown["meta"] = meta("Schema", base, &format!("Schemas/{}", schema.id));
    shown
}

/// A resource type as `/ResourceTypes` shows it.
pub fn resource_type(base: &str, rt: &ResourceType) -> Value {
    let extensions: Vec<Value> =
        rt.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false})).collect();
    json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": rt.name,
        "name": rt.name,
        "endpoint": rt.endpoint,
        "description": rt.schema.description,
        "schema": rt.schema.id,
        "schemaExtensions": extensions,
        "meta": meta("ResourceType", base, &format!("ResourceTypes/{}", rt.name)),
    })
}

fn meta(kind: &str, base: &str, path: &str) -> Value {
    json!({"resourceType": kind, "location": format!("{}/{path}", base.trim_end_matches('/'))})
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bulk_operations: 1000,
        bulk_bytes: 1_048_576,
        page_max: 500,
        page_default: 100,
        cursor_timeout_s: Some(3600),
    };

    #[test]
    fn the_configuration_has_every_number() {
        let shown = service_provider_config("https://x.example/scim/v2/", &LIMITS);
        for (pointer, value) in [
            ("/bulk/maxOperations", json!(1000)),
            ("/bulk/maxPayloadSize", json!(1_048_576)),
            ("/filter/maxResults", json!(500)),
            ("/pagination/defaultPageSize", json!(100)),
            ("/pagination/maxPageSize", json!(500)),
            ("/pagination/cursorTimeout", json!(3600)),
            ("/pagination/cursor", json!(true)),
            ("/changePassword/supported", json!(false)),
            ("/meta/location", json!("https://x.example/scim/v2/ServiceProviderConfig")),
        ] {
            assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}");
        }
        let without = Limits { bulk_operations: 0, cursor_timeout_s: None, ..LIMITS };
        let shown = service_provider_config("", &without);
        assert_eq!(shown.pointer("/bulk/supported"), Some(&json!(false)));
        assert_eq!(shown.pointer("/pagination/cursorTimeout"), None);
    }

    #[test]
    fn schemas_and_resource_types_name_themselves() {
        let shown = schema("https://x.example/scim", &Schema::user());
        assert_eq!(shown["id"], json!(urn::USER));
        assert_eq!(shown["meta"]["location"], json!(format!("https://x.example/scim/Schemas/{}", urn::USER)));
        assert_eq!(shown["attributes"][0]["uniqueness"], json!("server"));
        let shown = resource_type("https://x.example/scim", &ResourceType::user());
        assert_eq!(shown["schemaExtensions"], json!([{"schema": urn::ENTERPRISE_USER, "required": false}]));
        assert_eq!(shown["endpoint"], json!("/Users"));
    }
}
