//! Input that nobody should send: always an answer, never a panic, and nothing changed by a refusal.

use crate::client::{Client, group, patch, user};
use serde_json::{Value, json};
use simapp::{Random, Request};

#[test]
fn hostile_paths_queries_and_bodies_get_an_answer() {
    let mut client = Client::with_faults(&["members-cap=3", "members-no-replace", "members-hidden"]);
    let ada = client.add_user("ada");
    let group = client.add_group("Engines", &[]);
    let before = (client.app.users(), client.app.groups());
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        "null".to_owned(),
        "[]".to_owned(),
        "\"x\"".to_owned(),
        "{\"userName\":{}}".to_owned(),
        "{\"userName\":null}".to_owned(),
        "{\"Operations\":[{\"op\":\"add\",\"path\":\"members\",\"value\":[1,null,{}]}]}".to_owned(),
        "{\"Operations\":[{\"op\":\"remove\",\"path\":\"members[value eq 1].value[\"}]}".to_owned(),
        "{\"Operations\":[{\"op\":\"replace\",\"value\":7}]}".to_owned(),
        "{\"displayName\":[],\"members\":{\"value\":5}}".to_owned(),
        "{\"displayName\":\"x\",\"members\":\"u-000001\"}".to_owned(),
        "\u{0}".to_owned(),
    ];
    let paths = [
        "/scim/v2/Users".to_owned(),
        "/scim/v2/Groups".to_owned(),
        format!("/scim/v2/Users/{ada}"),
        format!("/scim/v2/Groups/{group}"),
        format!("/scim/v2/Users?filter={}", "(".repeat(100_000)),
        format!("/scim/v2/Users?filter={}", "not%20(".repeat(50_000)),
        "/scim/v2/Users?attributes=,,%00,[&excludedAttributes=%ff".to_owned(),
        "/scim/v2/Users/%00%ff/../..//".to_owned(),
        "/scim/v2/Users/.search".to_owned(),
        "/_sim/edit".to_owned(),
        "/_sim/faults".to_owned(),
        "?".to_owned(),
        String::new(),
        "\u{1F600}".to_owned(),
    ];
    for path in &paths {
        for body in &bodies {
            for method in ["GET", "POST", "PUT", "PATCH", "", "Ünknown"] {
                let mut request = Request::new(method, path);
                request.body = body.clone().into_bytes();
                let reply = client.app.handle(&request, i64::MAX);
                let status = reply.response().expect("no fault resets").status;
                let reads = method == "GET" || path.contains(".search") || path.starts_with("/_sim/");
                let shown = reads && status == 200;
                assert!(shown || (400..600).contains(&status), "{method} {path:.60} {body:.60}: {status}");
            }
        }
    }
    assert_eq!((client.app.users(), client.app.groups()), before);
}

#[test]
fn mutated_valid_requests_never_panic_and_answers_are_scim() {
    let mut random = Random::new(99);
    let mut client =
        Client::with_faults(&["lag=10", "delete-soft", "lost-answer-after=0.1", "throttle=300/5"]);
    let group_patch = patch(&json!([
        { "op": "add", "path": "members", "value": [{ "value": "u-000002" }] },
        { "op": "remove", "path": "members[value eq \"u-000001\"]" },
        { "op": "replace", "value": { "displayName": "y", "members": [] } },
    ]));
    let user_patch = patch(&json!([
        { "op": "replace", "value": { "displayName": "x", "active": true } },
        { "op": "add", "path": "emails[type eq \"home\"].value", "value": "a@example.com" },
    ]));
    for round in 0..5_000 {
        // Few ids, so that many requests meet something; few names, so that some collide.
        let id = random.below(30) + 1;
        let name = format!("name{}", random.below(40));
        let (one_user, one_group) =
            (format!("/scim/v2/Users/u-{id:06}"), format!("/scim/v2/Groups/g-{id:06}"));
        let (method, path, body) = match random.below(7) {
            0 => ("POST", "/scim/v2/Users".to_owned(), user(&name)),
            1 => ("POST", "/scim/v2/Groups".to_owned(), group(&name, &["u-000001"])),
            2 => ("PATCH", one_user, user_patch.clone()),
            3 => ("PATCH", one_group, group_patch.clone()),
            4 => ("PUT", one_user, user(&name)),
            5 => ("PUT", one_group, group(&name, &[])),
            _ => ("DELETE", if random.chance(0.5) { one_user } else { one_group }, Value::Null),
        };
        let mut body = body.to_string().into_bytes();
        for _ in 0..random.below(3) {
            let at = random.below(body.len() as u64) as usize;
            match random.below(3) {
                0 => body[at] = random.next_u64() as u8,
                1 => drop(body.remove(at)),
                _ => body.truncate(at + 1),
            }
        }
        let mut request = Request::new(method, &path);
        request.body = body;
        client.now_ms += 3;
        let reply = client.app.handle(&request, client.now_ms);
        if let Some(response) = reply.response().filter(|response| !response.body.is_empty()) {
            let body = response.value().unwrap_or_else(|| panic!("round {round}: no JSON"));
            assert!(body["schemas"].as_array().is_some_and(|list| !list.is_empty()), "round {round}: {body}");
            if response.status >= 400 {
                assert_eq!(body["status"], Value::from(response.status.to_string()));
            }
        }
    }
    let seen = client.app.seen();
    assert!(
        seen.committed > 100 && seen.resets > 10 && seen.throttled > 10,
        "some of it was valid: {seen:?}"
    );
}
