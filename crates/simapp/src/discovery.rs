//! What the app says about itself: `/ServiceProviderConfig`, `/Schemas`, `/ResourceTypes` (RFC 7644 section 4).

use crate::turn::View;
use crate::wire::Response;
use scim::{ListResponse, ScimError, urn};
use serde_json::{Value, json};

pub(crate) fn service_provider_config(view: View<'_>) -> Response {
    let config = view.config;
    let location = format!("{}{}/ServiceProviderConfig", config.public_url, config.base_path);
    let body = json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": config.max_page_size },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A fixed bearer token (RFC 6750)",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": location },
    });
    Response::json(200, &body)
}

pub(crate) fn schemas(view: View<'_>, id: Option<&str>) -> Result<Response, Response> {
    let (types, base) = ([&view.types.user, &view.types.group], base(view));
    let all = types.iter().flat_map(|rt| std::iter::once(&rt.schema).chain(&rt.extensions));
    let found: Vec<Value> = all
        .filter(|schema| id.is_none_or(|id| schema.id.eq_ignore_ascii_case(id)))
        .map(|schema| scim::discovery::schema(&base, schema))
        .collect();
    answer(found, id)
}

pub(crate) fn resource_types(view: View<'_>, name: Option<&str>) -> Result<Response, Response> {
    let (types, base) = ([&view.types.user, &view.types.group], base(view));
    let found: Vec<Value> = types
        .iter()
        .filter(|rt| name.is_none_or(|name| rt.name == name))
        .map(|rt| scim::discovery::resource_type(&base, rt))
        .collect();
    answer(found, name)
}

/// A list of all, or the one that was asked for.
fn answer(mut found: Vec<Value>, asked: Option<&str>) -> Result<Response, Response> {
    match asked {
        None => Ok(Response::json(200, &ListResponse::new(found.len() as u64, 1, found).to_json())),
        Some(asked) => match found.pop() {
            Some(one) => Ok(Response::json(200, &one)),
            None => Err(ScimError::not_found(format!("there is no {asked:?} here")).into()),
        },
    }
}

fn base(view: View<'_>) -> String {
    format!("{}{}", view.config.public_url, view.config.base_path)
}
