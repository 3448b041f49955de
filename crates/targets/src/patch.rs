//! PATCH: a request survives the wire, and what it leaves of a valid resource is a valid resource.

use scim::patch::{MAX_OPERATIONS, apply};
use scim::{PatchRequest, ResourceType, validate};
use serde_json::Value;

use crate::parts::{GROUP, USER, fields, group, json_field, names_are_distinct, user};

/// Fields: a PATCH body as JSON; optionally a resource as JSON.
pub fn patch(data: &[u8]) {
    let fields = fields(data);
    let Some(body) = json_field(&fields, 0) else { return };
    let request = match PatchRequest::from_json(&body) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(error.status, 400 | 413) && !error.detail.is_empty(), "{error}");
            return;
        }
    };
    assert!((1..=MAX_OPERATIONS).contains(&request.operations.len()));
    assert_eq!(PatchRequest::from_json(&request.to_json()).as_ref(), Ok(&request), "it survives the wire");
    let given = json_field(&fields, 1);
    for (rt, usual) in [(&*USER, user()), (&*GROUP, group())] {
        let resource = given.as_ref().and_then(|given| stored(rt, given)).unwrap_or(usual);
        carry_out(rt, &resource, &request);
    }
}

/// A resource as a server would keep it, if it is one.
fn stored(rt: &ResourceType, given: &Value) -> Option<Value> {
    let mut resource = validate(rt, given).ok()?;
    resource["id"] = Value::from("2819c223");
    Some(resource)
}

fn carry_out(rt: &ResourceType, resource: &Value, request: &PatchRequest) {
    let before = resource.clone();
    let result = apply(rt, resource, request);
    assert_eq!(&before, resource, "the resource given is only read");
    assert_eq!(apply(rt, resource, request), result, "the same request does the same");
    let changed = match result {
        Ok(changed) => changed,
        Err(error) => {
            assert!(matches!(error.status, 400 | 409 | 413), "{error}");
            assert!(
                error.detail.starts_with("Operations[") || error.status == 413,
                "it names the operation: {error}"
            );
            return;
        }
    };
    let valid = validate(rt, &changed);
    assert!(valid.is_ok(), "{valid:?}: {changed} after {}", request.to_json());
    for name in ["id", "meta", "groups"] {
        assert_eq!(changed.get(name), before.get(name), "{name} is readOnly");
    }
    assert!(names_are_distinct(&changed), "every attribute stands there once: {changed}");
}
