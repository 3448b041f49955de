//! What targets share: how an input is cut into fields, and resources to try things on.

use std::sync::LazyLock;

use scim::ResourceType;
use serde_json::{Map, Value, json};

pub(crate) static USER: LazyLock<ResourceType> = LazyLock::new(ResourceType::user);
pub(crate) static GROUP: LazyLock<ResourceType> = LazyLock::new(ResourceType::group);

/// The fields of an input: text between NULs. What is no UTF-8 becomes replacement characters.
pub(crate) fn fields(data: &[u8]) -> Vec<String> {
    data.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).collect()
}

/// A field that should be JSON.
pub(crate) fn json_field(fields: &[String], at: usize) -> Option<Value> {
    serde_json::from_str(fields.get(at)?).ok()
}

/// A stored user with attributes of every shape.
pub(crate) fn user() -> Value {
    json!({
        "schemas": [scim::urn::USER, scim::urn::ENTERPRISE_USER],
        "id": "2819c223",
        "externalId": "701984",
        "userName": "bjensen@example.com",
        "name": {"formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara"},
        "displayName": "Babs Jensen",
        "title": "Tour Guide",
        "active": true,
        "emails": [
            {"value": "bjensen@example.com", "type": "work", "primary": true},
            {"value": "babs@jensen.org", "type": "home"},
        ],
        "phoneNumbers": [{"value": "555-555-5555", "type": "work"}, {"value": "555-555-4444", "type": "mobile"}],
        "addresses": [{"type": "work", "streetAddress": "100 Universal City Plaza", "country": "US", "primary": true}],
        "roles": [{"value": "Straße"}],
        "groups": [{"value": "e9e30dba", "display": "Tour Guides"}],
        (scim::urn::ENTERPRISE_USER): {"employeeNumber": "701984", "manager": {"value": "26118915"}},
        "meta": {"resourceType": "User", "created": "2010-01-23T04:56:22Z", "lastModified": "2011-05-13T04:42:34Z"},
    })
}

/// A stored group.
pub(crate) fn group() -> Value {
    json!({
        "schemas": [scim::urn::GROUP],
        "id": "e9e30dba",
        "displayName": "Tour Guides",
        "members": [
            {"value": "2819c223", "display": "Babs Jensen"},
            {"value": "902c246b", "display": "Mandy Pepperidge", "type": "User"},
        ],
        "meta": {"resourceType": "Group"},
    })
}

/// Both types of resource, each with a value: the given one, else a usual one.
pub(crate) fn both(given: Option<&Value>) -> [(&'static ResourceType, Value); 2] {
    let or = |usual: fn() -> Value| given.cloned().unwrap_or_else(usual);
    [(&USER, or(user)), (&GROUP, or(group))]
}

/// Whether no object has two names that differ in letter case only; which of them is meant would be a guess.
pub(crate) fn names_are_distinct(value: &Value) -> bool {
    let distinct = |object: &Map<String, Value>| {
        let mut names: Vec<String> = object.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    };
    match value {
        Value::Object(object) => distinct(object) && object.values().all(names_are_distinct),
        Value::Array(list) => list.iter().all(names_are_distinct),
        _ => true,
    }
}
