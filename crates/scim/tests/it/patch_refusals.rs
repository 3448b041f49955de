//! PATCH requests that must be refused, each with its keyword and place, changing nothing.

use scim::ScimType::{InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget};
use scim::patch::{MAX_OPERATIONS, apply};
use scim::{PatchRequest, ResourceType, Schema, ScimError, ScimType, urn};
use serde_json::{Value, json};

fn user() -> Value {
    json!({"id": "u1", "userName": "ann", "emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "home"}], "groups": [{"value": "g"}]})
}

fn outcome(rt: &ResourceType, resource: &Value, operations: &Value) -> Result<Value, ScimError> {
    apply(rt, resource, &PatchRequest::from_json(&json!({"Operations": operations}))?)
}

#[track_caller]
fn refused(rt: &ResourceType, resource: &Value, operation: Value, kind: ScimType, detail: &str) {
    // A good operation first: what it did must not survive.
    let operations = json!([{"op": "add", "path": "externalId", "value": "x"}, operation]);
    let before = resource.clone();
    let error = outcome(rt, resource, &operations).expect_err(&operation.to_string());
    assert_eq!((error.status, error.scim_type), (400, Some(kind)), "{operation}: {error}");
    assert_eq!(error.detail, format!("Operations[1]: {detail}"));
    assert_eq!(*resource, before);
}

#[test]
fn paths_that_name_nothing() {
    let extension = urn::ENTERPRISE_USER;
    for (operation, kind, detail) in [
        (json!({"op": "remove"}), NoTarget, "\"remove\" needs a path"),
        (json!({"op": "add", "path": "shoe", "value": 1}), InvalidPath, "a User has no attribute shoe"),
        (
            json!({"op": "add", "path": "name.shoe", "value": 1}),
            InvalidPath,
            "a User has no attribute name.shoe",
        ),
        (
            json!({"op": "remove", "path": "urn:x:y:shoe"}),
            InvalidPath,
            "a User has no attribute urn:x:y:shoe",
        ),
        (json!({"op": "add", "value": {"shoe": 1}}), InvalidPath, "a User has no attribute shoe"),
        (
            json!({"op": "add", "value": {(extension): {"shoe": 1}}}),
            InvalidPath,
            &format!("a User has no attribute {extension}:shoe"),
        ),
        (
            json!({"op": "add", "path": "emails.value", "value": "c"}),
            InvalidPath,
            "emails.value: select which value of emails with \"emails[…]\"",
        ),
        (
            json!({"op": "remove", "path": "emails.value"}),
            InvalidPath,
            "emails.value: select which value of emails with \"emails[…]\"",
        ),
        (
            json!({"op": "remove", "path": "name[givenName pr]"}),
            InvalidPath,
            "name[givenName pr]: name has one value, nothing can be selected",
        ),
        (
            json!({"op": "remove", "path": "emails[shoe eq 1]"}),
            InvalidFilter,
            "emails has no sub-attribute shoe",
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"other\"]"}),
            NoTarget,
            "emails[type eq \"other\"]: no value matches the selection",
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"other\"].value"}),
            NoTarget,
            "emails[type eq \"other\"].value: no value matches the selection",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"other\"].value", "value": "c"}),
            NoTarget,
            "emails[type eq \"other\"].value: no value matches the selection",
        ),
        (
            json!({"op": "add", "path": "emails[type co \"oth\"].value", "value": "c"}),
            NoTarget,
            "emails[type co \"oth\"].value: no value matches the selection",
        ),
    ] {
        refused(&ResourceType::user(), &user(), operation, kind, detail);
    }
}

#[test]
fn what_may_not_change() {
    for (operation, kind, detail) in [
        (json!({"op": "replace", "path": "id", "value": "u2"}), Mutability, "id is readOnly"),
        (json!({"op": "replace", "value": {"id": "u2"}}), Mutability, "id is readOnly"),
        (json!({"op": "remove", "path": "groups"}), Mutability, "groups is readOnly"),
        (json!({"op": "remove", "path": "meta.created"}), Mutability, "meta.created is readOnly"),
        (
            json!({"op": "add", "path": "schemas", "value": ["x"]}),
            Mutability,
            "schemas follows from the attributes present and cannot be patched",
        ),
    ] {
        refused(&ResourceType::user(), &user(), operation, kind, detail);
    }
}

#[test]
fn values_that_do_not_suit() {
    for (operation, kind, detail) in [
        (json!({"op": "add", "path": "title"}), InvalidValue, "\"add\" needs a value"),
        (
            json!({"op": "add", "value": [1]}),
            InvalidValue,
            "without a path the value must be an object of attributes",
        ),
        (json!({"op": "remove", "path": "userName"}), InvalidValue, "userName is required"),
        (json!({"op": "replace", "path": "userName", "value": null}), InvalidValue, "userName is required"),
        (json!({"op": "replace", "path": "userName", "value": " "}), InvalidValue, "userName is required"),
        (
            json!({"op": "replace", "path": "active", "value": "False"}),
            InvalidValue,
            "active must be a boolean, not a text of 5 characters",
        ),
        (
            json!({"op": "replace", "path": "title", "value": ["x"]}),
            InvalidValue,
            "title must be a string, not a list",
        ),
        (
            json!({"op": "add", "path": "name", "value": "Ann"}),
            InvalidValue,
            "name must be an object, not a text of 3 characters",
        ),
        (
            json!({"op": "add", "path": "name", "value": {"shoe": 1}}),
            InvalidValue,
            "name.shoe is unknown to the schema",
        ),
        (
            json!({"op": "add", "path": "emails", "value": [{"value": "c"}, "d"]}),
            InvalidValue,
            "emails[1] must be an object, not a text of 1 characters",
        ),
        (
            json!({"op": "replace", "path": "emails", "value": {"value": "c"}}),
            InvalidValue,
            "emails must be a list",
        ),
        (
            json!({"op": "remove", "path": "emails", "value": null}),
            InvalidValue,
            "\"remove\" of emails with a null value: name the values, or leave value out to remove all",
        ),
        (
            json!({"op": "replace", "path": "emails[value pr].primary", "value": true}),
            InvalidValue,
            "emails can have only one primary value",
        ),
        (
            json!({"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}, {"value": "d", "primary": true}]}),
            InvalidValue,
            "emails has more than one primary value",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": {"a": 1}}),
            InvalidValue,
            "emails[type eq \"work\"].value must be a string, not an object",
        ),
    ] {
        refused(&ResourceType::user(), &user(), operation, kind, detail);
    }
}

#[test]
fn groups() {
    let group = json!({"id": "g", "displayName": "G", "members": [{"value": "a", "type": "User"}]});
    for (operation, kind, detail) in [
        (json!({"op": "remove", "path": "displayName"}), InvalidValue, "displayName is required"),
        (
            json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
            Mutability,
            "members[value eq \"a\"].value: value is immutable and has a value",
        ),
        (
            json!({"op": "add", "path": "members[value eq \"a\"]", "value": {"type": "Group"}}),
            Mutability,
            "members[value eq \"a\"]: type is immutable and has a value",
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"b\"]", "value": {"value": "c"}}),
            NoTarget,
            "members[value eq \"b\"]: no value matches the selection",
        ),
        (
            json!({"op": "add", "path": "members", "value": [{"display": "nobody"}]}),
            InvalidValue,
            "members[0].value is required",
        ),
        (
            json!({"op": "add", "path": "members[display eq \"x\"].type", "value": "User"}),
            InvalidValue,
            "members[display eq \"x\"].type: value is required",
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{"value": 7}]}),
            InvalidValue,
            "members[0].value must be a string, not the number 7",
        ),
        (
            json!({"op": "remove", "path": "members", "value": null}),
            InvalidValue,
            "\"remove\" of members with a null value: name the values, or leave value out to remove all",
        ),
    ] {
        refused(&ResourceType::group(), &group, operation, kind, detail);
    }
}

#[test]
fn immutable_and_required_attributes_of_an_extension() {
    let schema: Schema = serde_json::from_value(json!({"id": "urn:example:Badge", "attributes": [
        {"name": "number", "mutability": "immutable"},
        {"name": "cards", "multiValued": true, "required": true},
        {"name": "seals", "multiValued": true, "mutability": "immutable"},
    ]}))
    .unwrap();
    let rt = ResourceType::user().with_extension(schema);
    let user =
        json!({"userName": "ann", "urn:example:Badge": {"number": "7", "cards": ["x"], "seals": ["s"]}});
    for (operation, kind, detail) in [
        (
            json!({"op": "remove", "path": "urn:example:Badge:seals[value eq \"s\"]"}),
            Mutability,
            "urn:example:Badge:seals[value eq \"s\"]: seals is immutable and has a value",
        ),
        (
            json!({"op": "replace", "path": "urn:example:Badge:number", "value": "8"}),
            Mutability,
            "urn:example:Badge:number: number is immutable and has a value",
        ),
        (
            json!({"op": "remove", "path": "urn:example:Badge:number"}),
            Mutability,
            "urn:example:Badge:number: number is immutable and has a value",
        ),
        (json!({"op": "remove", "path": "urn:example:Badge:cards"}), InvalidValue, "cards is required"),
        (
            json!({"op": "remove", "path": "urn:example:Badge:cards[value eq \"X\"]"}),
            InvalidValue,
            "cards is required",
        ),
        (json!({"op": "remove", "path": "urn:example:Badge"}), InvalidValue, "cards is required"),
    ] {
        refused(&rt, &user, operation, kind, detail);
    }
    let same = json!([{"op": "replace", "path": "urn:example:Badge:number", "value": "7"}, {"op": "add", "path": "urn:example:Badge:cards", "value": "y"}]);
    assert_eq!(
        outcome(&rt, &user, &same).unwrap()["urn:example:Badge"],
        json!({"number": "7", "cards": ["x", "y"], "seals": ["s"]})
    );
}

#[test]
fn requests_that_are_none() {
    let operation = json!({"op": "remove", "path": "title"});
    for (body, kind) in [
        (json!([]), Some(InvalidSyntax)),
        (json!({}), Some(InvalidSyntax)),
        (json!({"Operations": []}), Some(InvalidSyntax)),
        (json!({"Operations": {}}), Some(InvalidSyntax)),
        (json!({"schemas": [urn::USER], "Operations": [operation]}), Some(InvalidSyntax)),
        (json!({"Operations": ["add"]}), Some(InvalidSyntax)),
        (json!({"Operations": [{"path": "title"}]}), Some(InvalidSyntax)),
        (json!({"Operations": [{"op": "move", "path": "title"}]}), Some(InvalidSyntax)),
        (json!({"Operations": [{"op": "add", "path": 7, "value": 1}]}), Some(InvalidPath)),
        (json!({"Operations": [{"op": "add", "path": "emails[", "value": 1}]}), Some(InvalidPath)),
        (json!({"Operations": vec![operation.clone(); MAX_OPERATIONS + 1]}), None),
    ] {
        let error = PatchRequest::from_json(&body).expect_err("no request");
        assert_eq!(error.scim_type, kind, "{error}");
    }
    let tolerated = json!({"operations": [{"OP": "ReMove", "Path": "title", "name": "extra"}]});
    assert_eq!(PatchRequest::from_json(&tolerated).unwrap().operations.len(), 1);
    assert!(PatchRequest::from_json(&json!({"Operations": vec![operation; MAX_OPERATIONS]})).is_ok());
}
