//! Resources: validation reaches a fixed point, and a projection holds nothing but what was there and may be shown.

use scim::resource::{check_type, validate};
use scim::{AttrPath, ResourceType, Returned, project};
use serde_json::Value;

use crate::parts::{both, fields, json_field};

/// Fields: a resource as JSON; optionally `attributes` and `excludedAttributes`, paths separated by commas.
pub fn resource(data: &[u8]) {
    let fields = fields(data);
    let Some(body) = json_field(&fields, 0) else { return };
    let paths = |at: usize| -> Vec<AttrPath> {
        let texts = fields.get(at).map(String::as_str).unwrap_or_default().split(',');
        texts.take(50).filter_map(|text| AttrPath::parse(text.trim()).ok()).collect()
    };
    let (attributes, excluded) = (paths(1), paths(2));
    for (rt, body) in both(Some(&body)) {
        show(rt, &body, &attributes, &excluded);
        match validate(rt, &body) {
            Ok(valid) => {
                check(rt, &valid);
                show(rt, &valid, &attributes, &excluded);
            }
            Err(error) => assert!(error.status == 400 && !error.detail.is_empty(), "{error}"),
        }
    }
}

fn check(rt: &ResourceType, valid: &Value) {
    assert_eq!(validate(rt, valid).as_ref(), Ok(valid), "what is valid stays as it is");
    for (name, value) in valid.as_object().into_iter().flatten() {
        assert!(!value.is_null(), "{name}: nulls are left out");
        assert!(!["id", "meta", "groups"].contains(&name.as_str()), "{name} is readOnly");
        let Some(attribute) = rt.top_level(name) else {
            assert!(rt.extensions.iter().any(|extension| &extension.id == name), "{name} is known");
            continue;
        };
        assert_eq!(&attribute.name, name, "in the schema's letter case");
        assert_eq!(check_type(attribute, value), Ok(()), "{name}");
        assert_eq!(value.is_array(), attribute.multi_valued, "{name}");
    }
}

fn show(rt: &ResourceType, resource: &Value, attributes: &[AttrPath], excluded: &[AttrPath]) {
    let shown = project(rt, resource, attributes, excluded);
    assert!(is_part(&shown, resource), "{shown} is part of {resource}");
    assert_eq!(project(rt, &shown, attributes, excluded), shown, "showing it again leaves it as it is");
    for (name, value) in resource.as_object().into_iter().flatten() {
        let returned = rt.top_level(name).map(|attribute| attribute.returned);
        if returned == Some(Returned::Never) {
            assert!(shown.get(name).is_none(), "{name} is never shown");
        } else if returned == Some(Returned::Always) && !value.is_object() && !value.is_array() {
            assert_eq!(shown.get(name), Some(value), "{name} is always shown");
        }
    }
}

/// Whether a value can be had from another by leaving things out.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_part(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            part.iter().all(|value| rest.any(|whole| is_part(value, whole)))
        }
        (part, whole) => part == whole,
    }
}
