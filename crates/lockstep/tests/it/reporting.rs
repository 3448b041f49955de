//! s19 with the real server: what an identity provider reads, looks up and writes confirms the user, and the report goes to a
//! spreadsheet.

use serde_json::{Value, json};
use store::Location;

use crate::bench::Folder;
use crate::endpoint_logs::until;
use crate::serving::Serving;

fn report(database: &str) {
    let folder = Folder::new();
    let serving = Serving::start(&folder, database, "okta");
    let run = |arguments: &[&str]| folder.ok(&[&["--database", database], arguments].concat());
    let who = |name: &str| {
        let all = run(&["user", "report", "--unconfirmed-for", "0s", "-o", "json"]).json();
        all.as_array().unwrap().iter().find(|user| user["userName"] == name).unwrap()["confirmed_by"].clone()
    };
    let names = ["read@x", "looked-up@x", "patched@x", "listed@x", "=cmd()@x"];
    for name in names {
        run(&["user", "add", name]);
    }
    let mut client = serving.client();
    let id = |name: &str| {
        let shown = run(&["user", "show", name, "-o", "json"]).json();
        shown["id"].as_str().unwrap().to_owned()
    };
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "Boss"}]});
    client.expect(200, "GET", &format!("/Users/{}", id("read@x")), &Value::Null);
    client.expect(200, "GET", "/Users?filter=userName%20eq%20%22looked-up@x%22", &Value::Null);
    client.expect(200, "GET", "/Users", &Value::Null);
    client.expect(200, "GET", "/Users?filter=active%20eq%20true", &Value::Null);
    client.expect(200, "PATCH", &format!("/Users/{}", id("patched@x")), &patch);
    for name in ["read@x", "looked-up@x", "patched@x"] {
        until(name, || who(name) == "connection:okta");
    }
    // A list of everybody says nothing about one of them.
    assert_eq!((who("listed@x"), who("=cmd()@x")), (Value::Null, Value::Null));
    run(&["user", "report", "--unconfirmed-for", "0s", "--csv", "stale.csv"]);
    let text = std::fs::read_to_string(folder.path().join("stale.csv")).unwrap();
    assert!(text.lines().count() == names.len() + 1 && text.contains("\n'=cmd()@x,"), "{text}");
    let said = run(&["user", "report", "--unconfirmed-for", "90d"]);
    assert_eq!(said.out, "(none)\n");
    let said = run(&["user", "report", "--unconfirmed-for", "0s", "--csv", "-"]);
    assert!(
        said.out.starts_with("userName,displayName,state,source,created,confirmed,confirmed by,id\n"),
        "{}",
        said.out
    );
    folder.run(&["user", "report", "--unconfirmed-for", "long"]).ends(2);
    serving.stop();
}

#[test]
fn s19_what_a_provider_asks_for_is_confirmed_on_sqlite() {
    report("lockstep.db");
}

#[test]
fn s19_what_a_provider_asks_for_is_confirmed_on_postgresql() {
    let Location::Postgres(url) = store::testing::postgres() else { unreachable!("it gives a URL") };
    report(&url);
}
