//! A tenant's own schemas on the command line, and what a running server makes of them.

use serde_json::{Value, json};

use crate::bench::Folder;
use crate::serving::Serving;

const URN: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
const DEFINITION: &str = r#"{
  "id": "urn:ietf:params:scim:schemas:extension:acme:2.0:User", "name": "AcmeUser",
  "attributes": [{"name": "badge", "type": "string"}, {"name": "floor", "type": "integer"}]
}"#;

fn refused(folder: &Folder, arguments: &[&str], words: &str) {
    let said = folder.run(arguments);
    assert!(said.code != 0 && said.err.contains(words), "{arguments:?}: {said:?}");
}

#[test]
fn a_running_server_publishes_takes_and_logs_own_attributes() {
    let folder = Folder::new();
    folder.file("acme.json", DEFINITION);
    let serving = Serving::start(&folder, "lockstep.db", "okta");
    let mut client = serving.client();
    let user =
        json!({"schemas": [scim::urn::USER, URN], "userName": "ann@x", URN: {"badge": "B-17", "floor": 2}});
    let before = client.expect(201, "POST", "/Users", &user);
    assert_eq!(before.get(URN), None, "unknown yet, so it is dropped");
    client.expect(404, "GET", &format!("/Schemas/{URN}"), &Value::Null);

    folder.ok(&["schema", "add", "acme.json"]);
    let shown = client.expect(200, "GET", &format!("/Schemas/{URN}"), &Value::Null);
    assert_eq!(shown["attributes"][1]["type"], json!("integer"));
    let types = client.expect(200, "GET", "/ResourceTypes/User", &Value::Null);
    assert_eq!(types["schemaExtensions"][1], json!({"schema": URN, "required": false}));
    let place = format!("/Users/{}", before["id"].as_str().unwrap());
    let put = client.expect(200, "PUT", &place, &user);
    assert_eq!(put[URN], json!({"badge": "B-17", "floor": 2}));
    let found = client.expect(200, "GET", &format!("/Users?filter={URN}:floor%20eq%202"), &Value::Null);
    assert_eq!(found["totalResults"], json!(1));
    serving.stop();

    let log = folder.ok(&["log", "scim", "-o", "json"]).out;
    assert_eq!(
        log.matches("\"B-17\"").count(),
        3,
        "request and answer of the PUT, and the list; unknown values are not kept: {log}"
    );
}

#[test]
fn schemas_are_added_listed_shown_and_removed() {
    let folder = Folder::new();
    folder.ok(&["tenant", "create", "acme"]);
    folder.file("acme.json", DEFINITION);
    folder.file("bad.json", DEFINITION.replace("extension:acme", "core"));
    assert!(folder.ok(&["schema", "add", "acme.json"]).out.contains("2 attributes of users"));
    let again = folder.ok(&["schema", "add", "acme.json", "-o", "json"]).json();
    assert_eq!(again["changed"], json!(false));
    refused(&folder, &["schema", "add", "bad.json"], "schema of the RFCs");
    refused(&folder, &["schema", "add", "acme.json", "--group"], "already");
    refused(&folder, &["schema", "add", "none.json"], "none.json");
    folder.ok(&["user", "add", "ann@x", "--set", &format!("{URN}:floor=3")]);
    let listed = folder.ok(&["schema", "list", "-o", "json"]).json();
    assert_eq!((&listed[0]["urn"], &listed[0]["used_by"]), (&json!(URN), &json!(1)));
    // What is shown can be added again.
    let shown = folder.ok(&["schema", "show", URN]).out;
    folder.file("shown.json", shown);
    assert!(folder.ok(&["schema", "add", "shown.json"]).out.contains("as it is"));
    assert!(folder.ok(&["schema", "show", scim::urn::USER]).out.contains("userName"));
    refused(&folder, &["schema", "remove", URN], "1 users hold data");
    assert!(folder.ok(&["schema", "remove", URN, "--yes"]).out.contains("1 users or groups"));
    refused(&folder, &["schema", "show", URN], "schema list");
    assert!(!folder.ok(&["user", "show", "ann@x", "-o", "json"]).out.contains(URN));
}
