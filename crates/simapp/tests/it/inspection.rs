//! Looking and editing out of band, as methods and under `/_sim/`.

use crate::client::{Client, id};
use serde_json::{Value, json};
use simapp::{App, Config, Request};

fn sim(app: &mut App, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut request = Request::new(method, &format!("/_sim/{path}"));
    if !body.is_null() {
        request.body = body.to_string().into_bytes();
    }
    let reply = app.handle(&request, 2_000_000);
    let response = reply.response().expect("no fault applies here");
    (response.status, response.value().expect("JSON"))
}

#[test]
fn edits_by_hand_meet_no_fault_and_are_seen_by_readers() {
    let mut client = Client::with_faults(&[]);
    let (ada, bob) = (client.add_user("ada"), client.add_user("bob"));
    let group = client.add_group("Engines", &[&ada]);
    client.app.add_fault("down".parse().unwrap());
    let edits = json!([
        { "op": "rename-group", "group": "engines", "displayName": "Motors" },
        { "op": "set-user", "user": "ada", "path": "name.givenName", "value": "Augusta" },
        { "op": "set-user", "user": ada, "path": "emails", "value": null },
        { "op": "add-member", "group": "motors", "member": "BOB" },
        { "op": "remove-member", "group": group, "member": ada },
        { "op": "set-token", "token": "t" },
    ]);
    assert_eq!(sim(&mut client.app, "POST", "edit", &edits), (200, json!({ "edits": 6 })));
    let user = client.app.user(&ada).unwrap();
    assert_eq!(
        (user["name"]["givenName"].as_str(), user["name"]["familyName"].as_str()),
        (Some("Augusta"), Some("Lovelace"))
    );
    assert_eq!((user.get("emails"), user["meta"]["version"].as_str()), (None, Some("W/\"3\"")));
    assert_eq!(
        (client.held_members(&group), client.app.group_by_name("MOTORS").map(|g| id(&g))),
        (vec![bob.clone()], Some(group))
    );
    let edits = json!([{ "op": "delete-user", "user": "bob" }, { "op": "delete-group", "group": "Motors" }]);
    assert_eq!(sim(&mut client.app, "POST", "edit", &edits).0, 200);
    assert!(client.app.user(&bob).is_none() && client.app.groups().is_empty());
    assert_eq!(client.app.seen().requests, 3, "edits are not counted");
}

#[test]
fn bad_edits_say_what_is_wrong_and_change_nothing() {
    let mut client = Client::with_faults(&[]);
    client.add_user("ada");
    let before = client.app.users();
    for (edit, status, word) in [
        (json!({ "op": "delete-user", "user": "nobody" }), 404, "nobody"),
        (json!({ "op": "explode" }), 400, "explode"),
        (json!({ "op": "delete-user" }), 400, "user"),
        (json!({ "op": "set-user", "user": "ada", "path": "active", "value": 7 }), 400, "active"),
        (json!({ "op": "set-user", "user": "ada", "path": "userName", "value": null }), 400, "userName"),
        (json!({ "op": "set-user", "user": "ada", "path": "[", "value": 7 }), 400, "path"),
        (json!([{ "op": "delete-user", "user": "ada" }, { "op": "explode" }]), 400, "explode"),
    ] {
        let (got, body) = sim(&mut client.app, "POST", "edit", &edit);
        assert!(got == status && body["error"].as_str().unwrap().contains(word), "{edit}: {got} {body}");
    }
    assert_eq!(client.app.users(), before);
}

#[test]
fn faults_are_changed_at_run_time_as_a_whole_or_not_at_all() {
    let mut client = Client::with_faults(&["latency=1"]);
    let app = &mut client.app;
    let (status, body) = sim(app, "POST", "faults", &json!({ "set": ["down", "lag=5"], "off": ["down"] }));
    assert_eq!(
        (status, body[0]["on"].as_bool(), body[1]["text"].as_str()),
        (200, Some(false), Some("lag=5"))
    );
    let (status, body) = sim(app, "POST", "faults", &json!({ "set": ["nonsense"] }));
    assert!(status == 400 && body["error"].as_str().unwrap().contains("nonsense"));
    assert_eq!(sim(app, "POST", "faults", &json!({ "sett": [] })).0, 400);
    assert_eq!(sim(app, "POST", "faults", &json!({ "on": ["seats"] })).0, 404);
    let (_, body) = sim(app, "GET", "faults", &Value::Null);
    assert_eq!(body.as_array().map(Vec::len), Some(2));
    assert_eq!(
        sim(app, "POST", "faults", &json!({ "add": ["seats=3"], "remove": ["down", "lag"] })).1[0]["name"],
        "seats"
    );
}

#[test]
fn state_seen_and_log_are_readable_and_the_log_is_bounded() {
    let mut client = Client::with_faults(&[]);
    client.add_user("ada");
    client.get("/Users?filter=userName+eq+%22ada%22");
    let (_, state) = sim(&mut client.app, "GET", "state", &Value::Null);
    assert_eq!(
        (state["users"][0]["userName"].as_str(), state["groups"].as_array().map(Vec::len)),
        (Some("ada"), Some(0))
    );
    let (_, seen) = sim(&mut client.app, "GET", "seen", &Value::Null);
    assert_eq!(
        (seen["requests"].as_u64(), seen["by_operation"]["GET /Users?filter"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!((seen["by_status"]["201"].as_u64(), seen["writes"].as_u64()), (Some(1), Some(1)));
    let (_, log) = sim(&mut client.app, "GET", "log", &Value::Null);
    assert_eq!((log[0]["method"].as_str(), log[0]["now_ms"].as_i64()), (Some("POST"), Some(1_000_000)));
    for _ in 0..10_050 {
        client.app.handle(&Request::new("GET", "/scim/v2/None"), 0);
    }
    assert_eq!((client.app.recent_requests().count(), client.app.seen().requests), (10_000, 10_052));
    assert_eq!(sim(&mut client.app, "POST", "reset", &Value::Null).0, 200);
    assert_eq!(client.app.seen().requests, 0);
    assert_eq!(sim(&mut client.app, "GET", "nothing", &Value::Null).0, 404);
}

#[test]
fn a_configuration_survives_being_written_and_read() {
    let config =
        Config::from_json(r#"{"token":"t","faults":["post-users:lost-answer-after=0.1*3"]}"#).unwrap();
    let text = serde_json::to_string(&config).unwrap();
    let again = Config::from_json(&text).unwrap();
    assert_eq!(again.faults[0].text(), "post-users:lost-answer-after=0.1*3");
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(App::new(again).faults()[0].name, "lost-answer-after");
}
