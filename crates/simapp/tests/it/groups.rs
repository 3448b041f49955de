//! The group endpoint: member operations, and that they mean the same as PATCH on the whole resource.

use crate::client::{Client, group, patch};
use scim::{PatchRequest, ResourceType};
use serde_json::{Value, json};
use simapp::{Config, Random, UnknownMembers};
use std::collections::BTreeSet;

fn four_users(client: &mut Client) -> Vec<String> {
    ["ada", "bob", "cyd", "dan"].iter().map(|name| client.add_user(name)).collect()
}

#[test]
fn members_are_added_removed_and_replaced_in_every_written_form() {
    let mut client = Client::with_faults(&[]);
    let ids = four_users(&mut client);
    let [ada, bob, cyd, dan] = [&*ids[0], &*ids[1], &*ids[2], &*ids[3]];
    let group = client.add_group("Engines", &[ada]);
    let path = format!("/Groups/{group}");
    let steps: [(Value, &[&str]); 12] = [
        (
            json!({ "op": "Add", "path": "members", "value": [{ "value": bob, "$ref": null }, { "value": ada }] }),
            &[ada, bob],
        ),
        (json!({ "op": "add", "value": { "members": [{ "value": cyd }] } }), &[ada, bob, cyd]),
        (json!({ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }), &[bob, cyd]),
        (json!({ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }), &[bob, cyd]),
        (
            json!({ "op": "Remove", "path": "members", "value": [{ "value": cyd }, { "value": "u-999999" }] }),
            &[bob],
        ),
        (json!({ "op": "Remove", "path": "members", "value": [] }), &[bob]),
        (
            json!({ "op": "replace", "path": format!("{}:members", scim::urn::GROUP), "value": [{ "value": ada }, { "value": dan }] }),
            &[ada, dan],
        ),
        (json!({ "op": "replace", "value": { "displayName": "Motors" } }), &[ada, dan]),
        (json!({ "op": "add", "path": "members", "value": { "value": bob } }), &[ada, bob, dan]),
        (
            json!({ "op": "remove", "path": format!("members[value eq \"{ada}\" or value eq \"{dan}\"]") }),
            &[bob],
        ),
        (json!({ "op": "remove", "path": "members[type eq \"Group\"]" }), &[bob]),
        (json!({ "op": "remove", "path": "members" }), &[]),
    ];
    for (step, expected) in steps {
        let (status, body) = client.patch(&path, &json!([step]));
        assert_eq!(status, 200, "{step}: {body}");
        assert_eq!(client.held_members(&group), expected, "{step}");
    }
    assert_eq!(client.get(&path).1["displayName"], "Motors");
}

#[test]
fn a_patch_is_all_or_nothing_over_members_too() {
    let mut client = Client::with_faults(&[]);
    let ids = four_users(&mut client);
    let group = client.add_group("Engines", &[&ids[0]]);
    let path = format!("/Groups/{group}");
    let before = client.get(&path);
    let (status, body) = client.patch(
        &path,
        &json!([
            { "op": "add", "path": "members", "value": [{ "value": ids[1] }] },
            { "op": "replace", "path": "displayName", "value": "Motors" },
            { "op": "add", "path": "members", "value": [{ "value": "u-424242" }] },
        ]),
    );
    assert_eq!((status, body["scimType"].as_str()), (400, Some("invalidValue")));
    assert!(body["detail"].as_str().unwrap().contains("u-424242"), "{body}");
    assert_eq!(client.get(&path), before);
}

#[test]
fn unknown_members_are_refused_ignored_or_accepted_as_configured() {
    let unknown_members = |unknown_members, unknown_member_status| {
        let mut client = Client::new(Config { unknown_members, unknown_member_status, ..Config::default() });
        let ada = client.add_user("ada");
        let (status, body) = client.post("/Groups", &group("Engines", &[&ada, "u-777777"]));
        let held = body["members"].as_array().map(Vec::len);
        (status, held)
    };
    assert_eq!(unknown_members(UnknownMembers::Refuse, 400), (400, None));
    assert_eq!(unknown_members(UnknownMembers::Refuse, 404), (404, None));
    assert_eq!(unknown_members(UnknownMembers::Ignore, 400), (201, Some(1)));
    assert_eq!(unknown_members(UnknownMembers::Accept, 400), (201, Some(2)));
}

#[test]
fn answers_leave_members_out_when_asked_to() {
    let mut client = Client::with_faults(&[]);
    let ids = four_users(&mut client);
    let group = client.add_group("Engines", &[&ids[0]]);
    let add = patch(&json!([{ "op": "add", "path": "members", "value": [{ "value": ids[1] }] }]));
    let (status, body) =
        client.call("PATCH", &format!("/Groups/{group}?excludedAttributes=members"), Some(&add));
    assert_eq!((status, body.get("members"), body["displayName"].as_str()), (200, None, Some("Engines")));
    let (_, body) = client.get(&format!("/Groups/{group}?attributes=displayName"));
    assert_eq!(
        (body.get("members"), body.get("externalId"), body["id"].as_str()),
        (None, None, Some(&*group))
    );
    let (_, body) = client.get(&format!("/Groups/{group}?attributes=members"));
    assert_eq!(body["members"].as_array().map(Vec::len), Some(2));
}

#[test]
fn put_sets_the_members_and_without_them_empties_the_group() {
    let mut client = Client::with_faults(&[]);
    let ids = four_users(&mut client);
    let id = client.add_group("Engines", &[&ids[0], &ids[1]]);
    let path = format!("/Groups/{id}");
    let (status, _) = client.call("PUT", &path, Some(&group("Engines", &[&ids[1], &ids[2]])));
    assert_eq!((status, client.held_members(&id)), (200, vec![ids[1].clone(), ids[2].clone()]));
    let (status, _) =
        client.call("PUT", &path, Some(&json!({ "displayName": "Engines", "schemas": [scim::urn::GROUP] })));
    assert_eq!((status, client.held_members(&id)), (200, vec![]));
}

#[test]
fn groups_can_be_members_but_not_of_themselves() {
    let mut client = Client::with_faults(&[]);
    let (inner, outer) = (client.add_group("Inner", &[]), client.add_group("Outer", &[]));
    let add = |id: &str| json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
    let (status, body) = client.patch(&format!("/Groups/{outer}"), &add(&inner));
    assert_eq!((status, body["members"][0]["type"].as_str()), (200, Some("Group")));
    assert_eq!(client.patch(&format!("/Groups/{outer}"), &add(&outer)).0, 400);
    assert_eq!(client.call("DELETE", &format!("/Groups/{inner}"), None).0, 204);
    assert!(client.held_members(&outer).is_empty());
}

#[test]
fn random_member_operations_equal_the_patch_of_the_whole_resource() {
    let mut random = Random::new(11);
    let rt = ResourceType::group();
    for round in 0..200 {
        let mut client = Client::with_faults(&[]);
        let ids = four_users(&mut client);
        let start: Vec<&str> = ids.iter().map(String::as_str).filter(|_| random.chance(0.5)).collect();
        let id = client.add_group("Engines", &start);
        let mut model = group("Engines", &start);
        for _ in 0..4 {
            let operations = json!([operation(&mut random, &ids), operation(&mut random, &ids)]);
            let (status, body) = client.patch(&format!("/Groups/{id}"), &operations);
            let request = PatchRequest::from_json(&patch(&operations)).unwrap();
            match scim::patch::apply(&rt, &model, &request) {
                Ok(next) => {
                    assert_eq!(status, 200, "round {round}: {operations}: {body}");
                    model = next;
                }
                Err(error) => assert_eq!(status, error.status, "round {round}: {operations}: {body}"),
            }
            let held: BTreeSet<String> = client.held_members(&id).into_iter().collect();
            assert_eq!(held, values(&model), "round {round}: {operations}");
            assert_eq!(client.app.group(&id).unwrap()["displayName"], model["displayName"]);
        }
    }
}

fn operation(random: &mut Random, ids: &[String]) -> Value {
    let some: Vec<Value> =
        ids.iter().filter(|_| random.chance(0.4)).map(|id| json!({ "value": id })).collect();
    let one = &ids[random.below(4) as usize];
    match random.below(12) {
        8 => json!({ "op": "remove", "path": "members", "value": null }),
        9 => json!({ "op": "replace", "path": "members", "value": null }),
        10 => json!({ "op": "add", "path": "members", "value": null }),
        11 => json!({ "op": "REPLACE", "value": { "MEMBERS": some } }),
        0 => json!({ "op": "add", "path": "members", "value": some }),
        1 => json!({ "op": "replace", "path": "members", "value": some }),
        2 => json!({ "op": "remove", "path": "members", "value": some }),
        3 => json!({ "op": "remove", "path": format!("members[value eq \"{one}\"]") }),
        4 => json!({ "op": "remove", "path": "members" }),
        5 => json!({ "op": "add", "value": { "members": some, "displayName": format!("Named {one}") } }),
        6 => json!({ "op": "replace", "value": { "displayName": "Motors" } }),
        _ => {
            json!({ "op": "replace", "path": format!("members[value eq \"{one}\"]"), "value": { "value": one } })
        }
    }
}

fn values(group: &Value) -> BTreeSet<String> {
    let members = group.get("members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}
