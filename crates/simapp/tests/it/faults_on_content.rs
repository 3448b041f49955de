//! Faults in the app's rules and memory: what it refuses, forgets, ignores or shows too late.

use crate::client::{Client, group, user};
use serde_json::{Value, json};

fn add(ids: &[String]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "add", "path": "members", "value": members }])
}

#[test]
fn lag_shows_the_past_to_readers_and_the_present_to_writers() {
    let mut client = Client::with_faults(&["lag=2000"]);
    let ada = client.add_user("ada");
    let path = format!("/Users/{ada}");
    let by_name = "/Users?filter=userName+eq+%22ada%22";
    let total = |client: &mut Client, path: &str| client.get(path).1["totalResults"].as_u64();
    assert_eq!(client.get(&path).0, 404);
    assert_eq!((total(&mut client, by_name), total(&mut client, "/Users")), (Some(0), Some(0)));
    assert_eq!(
        client.post("/Users", &user("ada")).0,
        409,
        "a look-up that finds nobody, and then a conflict"
    );
    client.now_ms += 1_999;
    assert_eq!(client.get(&path).0, 404);
    client.now_ms += 1;
    assert_eq!(client.get(&path).0, 200);
    assert_eq!((total(&mut client, by_name), total(&mut client, "/Users")), (Some(1), Some(1)));

    let rename = json!([{ "op": "replace", "path": "userName", "value": "augusta" }]);
    assert_eq!(client.patch(&path, &rename).1["userName"], "augusta", "the answer to a write is the present");
    assert_eq!(client.get(&path).1["userName"], "ada");
    assert_eq!(total(&mut client, by_name), Some(1), "found under the old name");
    assert_eq!(total(&mut client, "/Users?filter=userName+eq+%22augusta%22"), Some(0));
    client.now_ms += 1_000;
    assert_eq!(client.call("DELETE", &path, None).0, 204);
    assert_eq!(client.get(&path).1["userName"], "ada");
    client.now_ms += 1_000;
    assert_eq!(client.get(&path).1["userName"], "augusta", "between the rename and the deletion");
    client.now_ms += 1_000;
    assert_eq!(client.get(&path).0, 404);
    assert_eq!(total(&mut client, "/Users"), Some(0));
}

#[test]
fn lag_hides_new_members_and_stops_when_switched_off() {
    let mut client = Client::with_faults(&[]);
    let ids: Vec<String> = ["ada", "bob"].iter().map(|name| client.add_user(name)).collect();
    let group = client.add_group("Engines", &[&ids[0]]);
    let path = format!("/Groups/{group}");
    client.app.add_fault("groups:lag=500".parse().unwrap());
    client.patch(&path, &add(&ids));
    let shown = |client: &mut Client| client.get(&path).1["members"].as_array().map(Vec::len);
    let by_member = format!("/Groups?filter=members+eq+%22{}%22", ids[1]);
    assert_eq!((shown(&mut client), client.held_members(&group).len()), (Some(1), 2));
    assert_eq!(client.get(&by_member).1["totalResults"], 0);
    assert_eq!(client.get(&format!("/Users/{}", ids[0])).0, 200, "only groups lag");
    client.app.switch_fault("lag", false).unwrap();
    assert_eq!(shown(&mut client), Some(2));
    assert_eq!(client.get(&by_member).1["totalResults"], 1);
}

#[test]
fn lag_refs_refuses_young_members_only() {
    let mut client = Client::with_faults(&["lag-refs=1000"]);
    let old = client.add_user("ada");
    client.now_ms += 1_000;
    let group = client.add_group("Engines", &[&old]);
    let young = client.add_user("bob");
    let path = format!("/Groups/{group}");
    let (status, body) = client.patch(&path, &add(std::slice::from_ref(&young)));
    assert!(status == 404 && body["detail"].as_str().unwrap().contains(&young), "{body}");
    client.now_ms += 1_000;
    assert_eq!(client.patch(&path, &add(&[young])).0, 200);
}

#[test]
fn seats_limit_creation_and_reactivation_but_not_deactivation() {
    let mut client = Client::with_faults(&["seats=2"]);
    let ada = client.add_user("ada");
    client.add_user("bob");
    let (status, body) = client.post("/Users", &user("cyd"));
    assert!(status == 403 && body["detail"].as_str().unwrap().contains("2 seats"), "{body}");
    let mut inactive = user("dan");
    inactive["active"] = json!(false);
    let (status, dan) = client.post("/Users", &inactive);
    assert_eq!(status, 201);
    let active = |value: bool| json!([{ "op": "replace", "path": "active", "value": value }]);
    let dan = format!("/Users/{}", dan["id"].as_str().unwrap());
    assert_eq!(client.patch(&dan, &active(true)).0, 403);
    assert_eq!(client.patch(&format!("/Users/{ada}"), &active(false)).0, 200);
    assert_eq!(client.patch(&dan, &active(true)).0, 200);
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "Dan" }]);
    assert_eq!(client.patch(&dan, &rename).0, 200, "who has a seat can be changed");
}

#[test]
fn a_soft_deleted_user_is_gone_but_keeps_the_name() {
    let mut client = Client::with_faults(&["delete-soft"]);
    let ada = client.add_user("ada");
    let group = client.add_group("Engines", &[&ada]);
    assert_eq!(client.call("DELETE", &format!("/Users/{ada}"), None).0, 204);
    assert_eq!(client.get(&format!("/Users/{ada}")).0, 404);
    assert_eq!(client.get("/Users?filter=userName+eq+%22ada%22").1["totalResults"], 0);
    assert_eq!(client.post("/Users", &user("ada")).0, 409);
    assert!(client.held_members(&group).is_empty());
    assert_eq!(client.call("DELETE", &format!("/Users/{ada}"), None).0, 404);

    let mut client = Client::with_faults(&["delete-soft=visible"]);
    let ada = client.add_user("ada");
    assert_eq!(client.call("DELETE", &format!("/Users/{ada}"), None).0, 204);
    let (status, body) = client.get(&format!("/Users/{ada}"));
    assert_eq!((status, body["active"].as_bool()), (200, Some(false)));
}

#[test]
fn conflict_plain_leaves_the_type_out() {
    let mut client = Client::with_faults(&["conflict-plain"]);
    client.add_user("ada");
    let (status, body) = client.post("/Users", &user("ada"));
    assert_eq!((status, body.get("scimType"), body["status"].as_u64()), (409, None, Some(409)));
}

#[test]
fn no_patch_is_501_and_says_so_unless_it_lies() {
    for (text, claim) in [("no-patch", false), ("no-patch=liar", true)] {
        let mut client = Client::with_faults(&[text]);
        let ada = client.add_user("ada");
        let off = json!([{ "op": "replace", "path": "active", "value": false }]);
        assert_eq!(client.patch(&format!("/Users/{ada}"), &off).0, 501);
        assert_eq!(client.get("/ServiceProviderConfig").1["patch"]["supported"], claim);
        assert_eq!(client.call("PUT", &format!("/Users/{ada}"), Some(&user("ada"))).0, 200);
    }
}

#[test]
fn filter_none_returns_everybody() {
    let mut client = Client::with_faults(&["filter-none"]);
    client.add_user("ada");
    client.add_user("bob");
    assert_eq!(client.get("/Users?filter=userName+eq+%22ada%22&count=1").1["totalResults"], 2);
    assert_eq!(
        client.post("/Users/.search", &json!({ "filter": "userName eq \"ada\"" })).1["totalResults"],
        2
    );
    assert_eq!(client.app.seen().faults["filter-none"], 2);
}

#[test]
fn members_cap_counts_what_a_request_names() {
    let mut client = Client::with_faults(&["members-cap=2"]);
    let ids: Vec<String> = ["ada", "bob", "cyd"].iter().map(|name| client.add_user(name)).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(client.post("/Groups", &group("Engines", &all)).0, 400);
    let id = client.add_group("Engines", &all[..2]);
    let path = format!("/Groups/{id}");
    assert_eq!(client.patch(&path, &add(&ids)).0, 400);
    let remove = |id: &str| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") });
    let three = json!([remove(all[0]), remove(all[1]), remove(all[2])]);
    assert_eq!(client.patch(&path, &three).0, 400);
    assert_eq!(client.held_members(&id).len(), 2);
    assert_eq!(client.patch(&path, &add(&ids[2..])).0, 200);
    assert_eq!(client.patch(&path, &json!([remove(all[0]), remove(all[1])])).0, 200);
    assert_eq!(client.held_members(&id), [all[2]]);
}

#[test]
fn members_no_replace_allows_single_changes_only() {
    let mut client = Client::with_faults(&["members-no-replace"]);
    let ada = client.add_user("ada");
    let id = client.add_group("Engines", &[&ada]);
    let path = format!("/Groups/{id}");
    for refused in [
        json!({ "op": "replace", "path": "members", "value": [] }),
        json!({ "op": "replace", "value": { "members": [] } }),
        json!({ "op": "remove", "path": "members" }),
    ] {
        assert_eq!(client.patch(&path, &json!([refused])).0, 400);
    }
    assert_eq!(client.call("PUT", &path, Some(&group("Engines", &[]))).0, 400);
    assert_eq!(client.held_members(&id), [&*ada]);
    let rename = json!([{ "op": "replace", "value": { "displayName": "Motors" } }]);
    assert_eq!(client.patch(&path, &rename).0, 200);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }]);
    assert_eq!(client.patch(&path, &remove).0, 200);
    assert!(client.held_members(&id).is_empty());
}

#[test]
fn members_hidden_holds_them_but_never_shows_them() {
    let mut client = Client::with_faults(&["members-hidden"]);
    let ada = client.add_user("ada");
    let id = client.add_group("Engines", &[&ada]);
    let (_, body) = client.get(&format!("/Groups/{id}"));
    assert_eq!((body.get("members"), body["displayName"].as_str()), (None, Some("Engines")));
    assert!(client.get("/Groups").1["Resources"][0].get("members").is_none());
    assert_eq!(client.held_members(&id), [ada]);
}

#[test]
fn put_ignores_members_but_succeeds() {
    let mut client = Client::with_faults(&["put-ignores-members"]);
    let (ada, bob) = (client.add_user("ada"), client.add_user("bob"));
    let id = client.add_group("Engines", &[&ada]);
    assert!(client.held_members(&id).is_empty(), "dropped from the POST");
    client.patch(&format!("/Groups/{id}"), &add(std::slice::from_ref(&ada)));
    let (status, _) = client.call("PUT", &format!("/Groups/{id}"), Some(&group("Motors", &[&bob])));
    assert_eq!((status, client.held_members(&id)), (200, vec![ada]));
    assert_eq!(client.app.group(&id).unwrap()["displayName"], "Motors");
}
