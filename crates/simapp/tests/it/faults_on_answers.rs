//! Faults on the way: what is answered, when, and whether the change was made all the same.

use crate::client::{Client, fault, user};
use serde_json::json;
use simapp::{Config, Reply, Request};

#[test]
fn latency_delays_every_answer() {
    let mut client = Client::with_faults(&["latency=50", "get:latency=5..9"]);
    assert_eq!(client.send("POST", "/Users", Some(&user("ada"))).delay_ms(), 50);
    let delays: Vec<u64> = (0..50).map(|_| client.send("GET", "/Users", None).delay_ms()).collect();
    assert!(
        delays.iter().all(|delay| (55..=59).contains(delay)) && delays.contains(&55) && delays.contains(&59)
    );
}

#[test]
fn throttle_follows_its_bucket_and_counts_who_comes_too_early() {
    let mut client = Client::with_faults(&["throttle=2/3"]);
    let status = |client: &mut Client| client.answer("GET", "/Users", None);
    for _ in 0..3 {
        assert_eq!(status(&mut client).status, 200);
    }
    let refused = status(&mut client);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    // Two tokens a second: one after 500 ms, although Retry-After in whole seconds asked for more.
    client.now_ms += 499;
    assert_eq!(status(&mut client).status, 429);
    client.now_ms += 1;
    assert_eq!(status(&mut client).status, 200);
    assert_eq!(client.app.seen().early_retries, 2);
    client.now_ms += 10_000;
    for expected in [200, 200, 200, 429] {
        assert_eq!(status(&mut client).status, expected);
    }
    let seen = client.app.seen();
    assert_eq!((seen.throttled, seen.faults["throttle"], seen.early_retries), (3, 3, 2));
}

#[test]
fn requests_sent_before_the_client_could_know_are_not_early() {
    let mut client = Client::with_faults(&["throttle=1/1", "latency=100"]);
    for _ in 0..3 {
        client.send("GET", "/Users", None);
    }
    client.now_ms += 100;
    client.send("GET", "/Users", None);
    assert_eq!(client.app.seen().early_retries, 0);
    client.now_ms += 1;
    client.send("GET", "/Users", None);
    assert_eq!(client.app.seen().early_retries, 1);
}

#[test]
fn throttle_date_names_a_moment_at_which_there_is_a_token() {
    let mut client = Client::with_faults(&["throttle-date=0.1/1"]);
    client.now_ms = 784_111_777_500;
    assert_eq!(client.answer("GET", "/Users", None).status, 200);
    let refused = client.answer("GET", "/Users", None);
    assert_eq!((refused.status, refused.header("Retry-After")), (429, Some("Sun, 06 Nov 1994 08:49:48 GMT")));
    client.now_ms = 784_111_788_000;
    assert_eq!(client.answer("GET", "/Users", None).status, 200);
    assert_eq!(client.app.seen().early_retries, 0);
}

#[test]
fn lost_answers_differ_in_whether_the_change_was_made() {
    let mut client = Client::with_faults(&["lost-answer-before=#1", "lost-answer-after=#1"]);
    assert_eq!(client.send("POST", "/Users", Some(&user("ada"))), Reply::Reset { delay_ms: 0 });
    assert!(client.app.users().is_empty(), "lost before the commit");
    assert_eq!(client.send("POST", "/Users", Some(&user("ada"))), Reply::Reset { delay_ms: 0 });
    assert_eq!(client.app.users().len(), 1, "lost after the commit");
    assert_eq!(client.post("/Users", &user("ada")).0, 409, "a blind second POST meets its own user");
    let seen = client.app.seen();
    assert_eq!((seen.resets, seen.committed, seen.writes), (2, 1, 3));
    let log: Vec<_> = client.app.recent_requests().map(|entry| (entry.status, entry.committed)).collect();
    assert_eq!(log, [(None, false), (None, true), (Some(409), false)]);
}

#[test]
fn lost_answer_after_counts_changes_and_strikes_with_its_probability() {
    let mut client = Client::with_faults(&["lost-answer-after=#3"]);
    let mut resets = Vec::new();
    for name in ["a", "a", "b", "c", "d"] {
        resets.push(client.send("POST", "/Users", Some(&user(name))).response().is_none());
    }
    assert_eq!(resets, [false, false, false, true, false], "the refused second a is no write made");
    let lost = |seed| {
        let faults = vec![fault("lost-answer-after=0.2")];
        let mut client = Client::new(Config { faults, seed, ..Config::default() });
        (0..500)
            .map(|n| client.send("POST", "/Users", Some(&user(&n.to_string()))).response().is_none())
            .collect::<Vec<_>>()
    };
    assert_eq!(lost(1), lost(1), "the same seed repeats");
    assert_ne!(lost(1), lost(2));
    let count = lost(1).into_iter().filter(|lost| *lost).count();
    assert!((70..130).contains(&count), "{count} of 500 at 20 %");
}

#[test]
fn commit_then_5xx_makes_the_change() {
    let mut client = Client::with_faults(&["post-users:commit-then-5xx=502"]);
    assert_eq!(client.post("/Users", &user("ada")).0, 502);
    assert!(client.app.user_by_name("ADA").is_some());
    assert_eq!(client.post("/Users", &user("ada")).0, 409, "only changes that were made are hidden");
    client.add_group("Engines", &[]);
}

#[test]
fn read_5xx_leaves_writes_alone() {
    let mut client = Client::with_faults(&["read-5xx=500"]);
    let ada = client.add_user("ada");
    for path in ["/Users".to_owned(), format!("/Users/{ada}"), "/Groups?filter=x".to_owned()] {
        assert_eq!(client.get(&path).0, 500);
    }
}

#[test]
fn down_answers_html_until_it_is_switched_off() {
    let mut client = Client::with_faults(&["down"]);
    let answer = client.answer("POST", "/Users", Some(&user("ada")));
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("text/html; charset=utf-8")));
    assert!(answer.value().is_none() && client.app.users().is_empty());
    client.app.switch_fault("down", false).unwrap();
    client.add_user("ada");
    client.app.switch_fault("down", true).unwrap();
    assert_eq!(client.get("/Users").0, 503);
    client.app.remove_fault("down").unwrap();
    assert_eq!(client.get("/Users").0, 200);
    assert!(client.app.switch_fault("down", true).is_err());
}

#[test]
fn an_expired_token_stays_expired_and_a_new_one_works() {
    let faults = vec![fault("token-expires-after=2")];
    let mut client = Client::new(Config { token: Some("old".to_owned()), faults, ..Config::default() });
    let status = |client: &mut Client, token: &str| {
        let request =
            Request::new("GET", "/scim/v2/Users").with_header("Authorization", &format!("Bearer {token}"));
        let reply = client.app.handle(&request, 0);
        let response = reply.response().unwrap();
        (response.status, response.body.is_empty())
    };
    assert_eq!(status(&mut client, "old"), (200, false));
    assert_eq!(status(&mut client, "old"), (200, false));
    assert_eq!(status(&mut client, "old"), (401, true));
    assert_eq!(status(&mut client, "old"), (401, true));
    client.app.set_token(Some("new".to_owned()));
    assert_eq!(status(&mut client, "new"), (200, false));
    assert_eq!(status(&mut client, "old"), (401, false));
}

#[test]
fn limits_by_method_resource_and_number_of_times_hold() {
    let mut client = Client::with_faults(&["patch-groups:down", "post-users:commit-then-5xx*2"]);
    let statuses: Vec<u16> =
        ["a", "b", "c"].iter().map(|name| client.post("/Users", &user(name)).0).collect();
    assert_eq!(statuses, [503, 503, 201]);
    let group = client.add_group("Engines", &[]);
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "Motors" }]);
    assert_eq!(client.patch(&format!("/Groups/{group}"), &rename).0, 503);
    assert_eq!(client.get(&format!("/Groups/{group}")).0, 200);
    let faults = client.app.faults();
    assert_eq!((faults[1].hits, faults[1].on, faults[0].hits, faults[0].on), (2, false, 1, true));
}

#[test]
fn writes_to_one_resource_that_overlap_are_seen() {
    let mut client = Client::with_faults(&["latency=100"]);
    let ada = client.add_user("ada");
    let off = json!([{ "op": "replace", "path": "active", "value": false }]);
    client.now_ms += 100;
    client.patch(&format!("/Users/{ada}"), &off);
    client.now_ms += 100;
    client.patch(&format!("/Users/{ada}"), &off);
    client.get(&format!("/Users/{ada}"));
    client.add_user("bob");
    assert_eq!(client.app.seen().max_in_flight_same_resource, 1, "one after the other, and others beside");
    client.now_ms += 99;
    client.patch(&format!("/Users/{ada}"), &off);
    assert_eq!(client.app.seen().max_in_flight_same_resource, 2);
}
