//! PATCH as RFC 7644 section 3.5.2 gives it by example, and as Okta and Entra send it.

use scim::patch::apply;
use scim::{PatchRequest, ResourceType, urn};
use serde_json::{Value, json};

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

fn user() -> Value {
    json!({
        "schemas": [urn::USER, urn::ENTERPRISE_USER],
        "id": "u1",
        "userName": "ann",
        "active": true,
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [
            {"value": "ann@work", "type": "work", "primary": true},
            {"value": "ann@home", "type": "home"},
        ],
        "addresses": [{"type": "work", "locality": "Bonn", "primary": true}],
        (urn::ENTERPRISE_USER): {"department": "Sales"},
    })
}

fn group(members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [urn::GROUP], "id": "g1", "displayName": "G", "members": members})
}

#[track_caller]
fn patched(rt: &ResourceType, resource: &Value, operations: Value) -> Value {
    let request = PatchRequest::from_json(&json!({"schemas": [urn::PATCH_OP], "Operations": operations}))
        .expect("a request");
    let before = resource.clone();
    let changed = apply(rt, resource, &request).expect("the request applies");
    assert_eq!(*resource, before);
    assert_eq!(PatchRequest::from_json(&request.to_json()), Ok(request));
    changed
}

#[track_caller]
fn user_after(operations: Value) -> Value {
    patched(&ResourceType::user(), &user(), operations)
}

#[track_caller]
fn members_after(members: &[&str], operations: Value) -> Vec<String> {
    let changed = patched(&ResourceType::group(), &group(members), operations);
    let list = changed.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().map(|member| member["value"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn add_sets_merges_and_unites() {
    let changed = user_after(json!([
        {"op": "add", "path": "title", "value": "Dr"},
        {"op": "add", "path": "name", "value": {"middleName": "B"}},
        {"op": "add", "path": "name.honorificPrefix", "value": "Ms"},
        {"op": "add", "path": "emails", "value": [{"value": "ann@new", "type": "other"}, {"value": "ANN@home", "type": "home", "display": "h"}]},
        {"op": "add", "path": "roles", "value": {"value": "admin"}},
        {"op": "add", "path": MANAGER, "value": {"value": "m1"}},
        {"op": "add", "value": {"nickName": "A", "name": {"givenName": "Anna"}}},
    ]));
    assert_eq!(changed["title"], "Dr");
    assert_eq!(
        changed["name"],
        json!({"givenName": "Anna", "familyName": "Lee", "middleName": "B", "honorificPrefix": "Ms"})
    );
    assert_eq!(
        changed["emails"],
        json!([
            {"value": "ann@work", "type": "work", "primary": true},
            {"value": "ANN@home", "type": "home", "display": "h"},
            {"value": "ann@new", "type": "other"},
        ])
    );
    assert_eq!(changed["roles"], json!([{"value": "admin"}]));
    assert_eq!(changed[urn::ENTERPRISE_USER], json!({"department": "Sales", "manager": {"value": "m1"}}));
    assert_eq!(changed["nickName"], "A");
}

#[test]
fn a_new_primary_clears_the_others() {
    let changed = user_after(
        json!([{"op": "add", "path": "emails", "value": [{"value": "n", "type": "other", "primary": true}]}]),
    );
    assert_eq!(changed["emails"][0]["primary"], false);
    assert_eq!(changed["emails"][2]["primary"], true);
    let changed =
        user_after(json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]));
    assert_eq!(
        (&changed["emails"][0]["primary"], &changed["emails"][1]["primary"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn replace_sets_merges_and_puts_lists_in_place() {
    let changed = user_after(json!([
        {"op": "Replace", "path": "userName", "value": "anna"},
        {"op": "replace", "path": "name", "value": {"familyName": "Li", "givenName": null}},
        {"op": "replace", "path": "emails", "value": [{"value": "only"}]},
        {"op": "replace", "path": "addresses[type eq \"work\"]", "value": {"type": "work", "country": "DE"}},
        {"op": "replace", "value": {"active": false, (format!("{}:department", urn::ENTERPRISE_USER)): "Legal"}},
    ]));
    assert_eq!(changed["userName"], "anna");
    assert_eq!(changed["name"], json!({"familyName": "Li"}));
    assert_eq!(changed["emails"], json!([{"value": "only"}]));
    assert_eq!(changed["addresses"], json!([{"type": "work", "country": "DE"}]));
    assert_eq!(changed["active"], false);
    assert_eq!(changed[urn::ENTERPRISE_USER]["department"], "Legal");
}

#[test]
fn selected_elements_are_written_one_sub_attribute_at_a_time() {
    let changed = user_after(json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@work"},
        {"op": "add", "path": "emails[type eq \"other\"].value", "value": "new@other"},
        {"op": "add", "path": "emails[type eq \"other\"].display", "value": "O"},
        {"op": "remove", "path": "emails[type eq \"home\"].type"},
        {"op": "add", "path": "emails[value eq \"ann@home\"]", "value": {"display": "H"}},
    ]));
    assert_eq!(
        changed["emails"],
        json!([
            {"value": "new@work", "type": "work", "primary": true},
            {"value": "ann@home", "display": "H"},
            {"type": "other", "value": "new@other", "display": "O"},
        ])
    );
}

#[test]
fn remove_takes_attributes_elements_and_empty_parents() {
    let changed = user_after(json!([
        {"op": "remove", "path": "name.givenName"},
        {"op": "remove", "path": "name.familyName"},
        {"op": "remove", "path": "emails[type eq \"work\" and value ew \"work\"]"},
        {"op": "remove", "path": "addresses"},
        {"op": "remove", "path": "title"},
        {"op": "remove", "path": format!("{}:department", urn::ENTERPRISE_USER)},
    ]));
    assert_eq!(
        changed,
        json!({
            "schemas": [urn::USER], "id": "u1", "userName": "ann", "active": true,
            "emails": [{"value": "ann@home", "type": "home"}],
        })
    );
}

#[test]
fn null_means_unassigned() {
    let changed = user_after(json!([
        {"op": "replace", "path": "name", "value": null},
        {"op": "replace", "path": "emails", "value": null},
        {"op": "add", "path": "active", "value": null},
        {"op": "replace", "path": "addresses", "value": []},
        {"op": "replace", "value": {(urn::ENTERPRISE_USER): null}},
        {"op": "add", "path": "emails[type eq \"work\"].value", "value": null},
    ]));
    assert_eq!(changed, json!({"schemas": [urn::USER], "id": "u1", "userName": "ann", "active": true}));
}

#[test]
fn extensions_as_a_whole_and_with_nested_keys() {
    let extension = urn::ENTERPRISE_USER;
    let changed = user_after(json!([
        {"op": "add", "value": {(extension): {"costCenter": "7", "manager.value": "m1"}}},
        {"op": "replace", "path": extension, "value": {"division": "D"}},
        {"op": "replace", "value": {"name.givenName": "A", "schemas": ["ignored"]}},
    ]));
    assert_eq!(
        changed[extension],
        json!({"department": "Sales", "costCenter": "7", "division": "D", "manager": {"value": "m1"}})
    );
    assert_eq!(changed["name"]["givenName"], "A");
    assert_eq!(changed["schemas"], json!([urn::USER, extension]));
    let changed = user_after(json!([{"op": "remove", "path": extension}]));
    assert_eq!((changed.get(extension), &changed["schemas"]), (None, &json!([urn::USER])));
    let back = patched(
        &ResourceType::user(),
        &changed,
        json!([{"op": "add", "path": MANAGER, "value": {"value": "m", "displayName": "readOnly"}}]),
    );
    assert_eq!(back[extension], json!({"manager": {"value": "m"}}));
    assert_eq!(back["schemas"], json!([urn::USER, extension]));
}

#[test]
fn read_only_values_may_be_repeated_but_not_changed() {
    // Okta renames a group with its id inside the value.
    let changed = patched(
        &ResourceType::group(),
        &group(&["a"]),
        json!([{"op": "replace", "value": {"id": "g1", "displayName": "New"}}]),
    );
    assert_eq!((&changed["displayName"], &changed["members"]), (&json!("New"), &json!([{"value": "a"}])));
}

#[test]
fn members_are_a_set_by_value() {
    assert_eq!(
        members_after(
            &["a", "b"],
            json!([{"op": "add", "path": "members", "value": [{"value": "b", "display": "B"}, {"value": "c"}, {"value": "c"}]}])
        ),
        ["a", "b", "c"]
    );
    assert_eq!(
        members_after(
            &["a"],
            json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "A"}]}])
        ),
        ["a", "A"]
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "remove", "path": "members[value eq \"a\"]"}])),
        ["b"]
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "remove", "path": "members[value eq \"zz\"]"}])),
        ["a", "b"]
    );
    assert_eq!(
        members_after(
            &["a", "b"],
            json!([{"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}])
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "replace", "path": "members", "value": [{"value": "c"}]}])),
        ["c"]
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "replace", "path": "members", "value": []}])),
        Vec::<String>::new()
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "remove", "path": "members"}])),
        Vec::<String>::new()
    );
    // Okta's membership change, and one that names a member twice in opposite directions.
    assert_eq!(
        members_after(
            &["a", "b"],
            json!([
                {"op": "remove", "path": "members[value eq \"a\"]"},
                {"op": "add", "path": "members", "value": [{"value": "c", "display": "C"}]},
                {"op": "remove", "path": "members[value eq \"c\"]"},
                {"op": "add", "path": "members", "value": [{"value": "a"}]},
            ])
        ),
        ["b", "a"]
    );
}

#[test]
fn remove_with_a_list_removes_exactly_those() {
    assert_eq!(
        members_after(
            &["a", "b", "c"],
            json!([{"op": "Remove", "path": "members", "value": [{"value": "b"}, {"value": "zz"}]}])
        ),
        ["a", "c"]
    );
    assert_eq!(
        members_after(&["a", "b"], json!([{"op": "Remove", "path": "members", "value": []}])),
        ["a", "b"]
    );
    let changed = user_after(
        json!([{"op": "remove", "path": "emails", "value": [{"value": "ann@work"}, {"value": "ann@home", "type": "work"}]}]),
    );
    assert_eq!(changed["emails"], json!([{"value": "ann@home", "type": "home"}]));
}

#[test]
fn lists_that_no_operation_changed_stay_as_they_are() {
    let odd = json!({"userName": "a", "emails": [], "roles": {"value": "single"}, "phoneNumbers": null});
    let changed = patched(
        &ResourceType::user(),
        &odd,
        json!([
            {"op": "remove", "path": "emails", "value": []},
            {"op": "remove", "path": "roles", "value": [{"value": "other"}]},
            {"op": "add", "path": "phoneNumbers", "value": []},
        ]),
    );
    assert_eq!(changed, odd);
}
