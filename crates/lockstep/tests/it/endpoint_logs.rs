//! The SCIM log and findings with the real server: what is sent over HTTP is what the commands show.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use store::Location;

use crate::bench::{Folder, now_ms};
use crate::serving::Serving;

/// Asks until it holds; half a minute at most.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = now_ms();
    while !holds() {
        assert!(now_ms() - begun < 30_000, "{what} does not come");
        std::thread::yield_now();
    }
}

/// A follower in a process of its own prints each of 1,000 requests that 8 clients send at once.
fn follow_1000(database: &str) {
    let folder = Folder::new();
    let serving = Serving::start(&folder, database, "okta");
    let mut follower = folder
        .command()
        .args(["--database", database, "-o", "json", "log", "scim", "--follow", "--since", "1h"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let mut client = serving.client();
            scope.spawn(move || {
                for number in 0..125 {
                    let path = format!("/Users?filter=userName%20eq%20%22n{}%22", thread * 125 + number);
                    client.expect(200, "GET", &path, &Value::Null);
                }
            });
        }
    });
    let mut counts = vec![0; 1_000];
    for (at, line) in lines.take(1_000).enumerate() {
        let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(record["seq"], at + 1, "in order, none left out, none twice");
        let path = record["path"].as_str().unwrap();
        let number =
            path.strip_prefix("/Users?filter=userName eq \"n").and_then(|rest| rest.strip_suffix('"'));
        counts[number.unwrap().parse::<usize>().unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| *count == 1));
    follower.kill().unwrap();
    follower.wait().unwrap();
    serving.stop();
}

#[test]
fn follow_prints_each_of_1000_requests_to_the_server_once_on_sqlite() {
    follow_1000("lockstep.db");
}

#[test]
fn follow_prints_each_of_1000_requests_to_the_server_once_on_postgresql() {
    let Location::Postgres(url) = store::testing::postgres() else { unreachable!("it gives a URL") };
    follow_1000(&url);
}

#[test]
fn s36_the_code_in_an_error_finds_the_request_and_no_password_is_anywhere() {
    let folder = Folder::new();
    let serving = Serving::start(&folder, "lockstep.db", "okta");
    let mut client = serving.client();
    let ada = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@acme.example",
        "password": "canary-password", "pin": "canary-pin"});
    client.expect(201, "POST", "/Users", &ada);
    let refused = client.expect(409, "POST", "/Users?token=canary-query", &ada);
    let detail = refused["detail"].as_str().unwrap();
    let code = detail
        .split(|c: char| !c.is_ascii_hexdigit())
        .rfind(|word| word.len() == 12)
        .expect("the detail ends with the code");
    until("the record", || folder.ok(&["log", "scim", "--trace", code]).out.contains("409 uniqueness"));
    let shown = folder.ok(&["log", "scim", "--trace", code]).out;
    assert!(shown.contains("\"userName\": \"ada@acme.example\"") && shown.contains("[redacted]"), "{shown}");
    let accepted = folder.ok(&["-o", "json", "log", "scim", "--status", "201"]).json();
    let trace = accepted[0]["trace"].as_str().unwrap();
    let caused = folder.ok(&["-o", "json", "log", "audit", "--trace", trace]).json();
    assert!(caused.to_string().contains("user.create"), "{caused}");
    assert_eq!(caused[0]["actor"], "connection:okta");
    serving.stop();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(7).any(|window| window == b"canary-");
        assert!(!found, "{} holds what must not be written down", path.display());
    }
}

#[test]
fn s01_s15_s25_what_an_identity_provider_does_wrong_becomes_a_task_with_its_step() {
    let folder = Folder::new();
    let serving = Serving::start(&folder, "lockstep.db", "okta");
    let mut client = serving.client();
    let causes = || -> Vec<String> {
        let said = folder.run(&["-o", "json", "tasks", "--connection", "okta"]).json();
        said.as_array().unwrap().iter().map(|task| task["cause"].as_str().unwrap().to_owned()).collect()
    };
    let user = |name: &str, external_id: &str| {
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": external_id,
            "active": true})
    };
    let group = |name: &str, members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members})
    };
    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    let ada = id(&client.expect(201, "POST", "/Users", &user("ada@acme.example", "00u1")));
    // s15: deleted here by hand, still written there, created anew.
    folder.ok(&["user", "delete", "ada@acme.example", "--yes"]);
    client.expect(404, "PUT", &format!("/Users/{ada}"), &user("ada@acme.example", "00u1"));
    until("deleted_written", || causes() == ["endpoint.deleted_written"]);
    let task = folder.run(&["tasks", "--connection", "okta"]).out;
    assert!(
        task.contains("in 'okta'") && task.contains("In Okta") && task.contains("user restore"),
        "{task}"
    );
    // s21: a group with a member that was deleted here: the rest is applied.
    let sales = id(&client.expect(201, "POST", "/Groups", &group("Sales", &[&ada])));
    until("member_deleted", || causes().contains(&"endpoint.member_deleted".to_owned()));
    client.expect(201, "POST", "/Users", &user("ada@acme.example", "00u1"));
    until("returned_as_new", || causes().contains(&"endpoint.returned_as_new".to_owned()));
    // s01: a member that was never created.
    let ghost = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": "never-created"}]}]});
    client.expect(400, "PATCH", &format!("/Groups/{sales}"), &ghost);
    until("member_unknown", || causes().contains(&"endpoint.member_unknown".to_owned()));
    // s25: names that cannot be.
    client.expect(400, "POST", "/Groups", &group(" ", &[]));
    client.expect(409, "POST", "/Groups", &group("SALES", &[]));
    until("name_taken", || {
        let found = causes();
        ["group.name_empty", "group.name_taken"].iter().all(|cause| found.contains(&(*cause).to_owned()))
    });
    // The same 409 again and again.
    for _ in 0..3 {
        client.expect(409, "POST", "/Users", &user("ada@acme.example", "00u9"));
    }
    until("conflict_repeated", || causes().contains(&"endpoint.conflict_repeated".to_owned()));
    // The group is accepted: what was wrong with it is over at once.
    client.send("PUT", &format!("/Groups/{sales}"), &group("Sales", &[]));
    until("the end of member_unknown", || !causes().contains(&"endpoint.member_unknown".to_owned()));
    serving.stop();
}
