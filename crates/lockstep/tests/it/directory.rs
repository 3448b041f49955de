//! The directory's commands through the real binary: presets, undo, restore, and the dry run of a mapping.

use crate::bench::{Folder, Simulated};

const ENTRA: &str = "\
userPrincipalName,displayName,surname,givenName,mail,id,accountEnabled,shoeSize
ada@acme.example,Ada Lovelace,Lovelace,Ada,ada@acme.example,id-1,True,38
zoë@acme.example,Zoë Ångström,Ångström,Zoë,,id-2,False,37
";

fn loaded() -> Folder {
    let folder = Folder::new();
    folder.ok(&["tenant", "create", "acme"]);
    folder.file("users.csv", ENTRA);
    let said = folder.ok(&["directory", "load", "users.csv", "--preset", "entra"]);
    assert!(said.out.contains("2 new"), "{}", said.out);
    assert!(said.err.contains("shoeSize") && said.err.contains("--map"), "{}", said.err);
    folder
}

#[test]
fn an_export_is_loaded_and_taken_back() {
    let folder = loaded();
    let loads = folder.ok(&["directory", "loads", "-o", "json"]).json();
    assert_eq!((loads[0]["source"].as_str(), loads[0]["changes"].as_i64()), (Some("entra"), Some(2)));
    folder.file("second.csv", "userName,title\nada@acme.example,Boss\nnew@acme.example,New\n");
    folder.ok(&["directory", "load", "second.csv"]);
    folder.ok(&["user", "edit", "ada@acme.example", "--set", "title=Chief"]);
    let dry = folder.run(&["directory", "undo", "--dry-run", "-o", "json"]).ends(4).json();
    assert_eq!((dry["users"]["delete"].as_i64(), dry["kept"].as_array().map(Vec::len)), (Some(1), Some(1)));
    let said = folder.run(&["directory", "undo"]).ends(4);
    assert!(said.err.contains("ada@acme.example") && said.err.contains("changed after"), "{}", said.err);
    assert!(said.out.contains("1 deleted"), "{}", said.out);
    folder.run(&["user", "show", "new@acme.example"]).ends(1);
    let said = folder.run(&["directory", "undo", "nothing"]).ends(1);
    assert!(said.err.contains("directory loads"), "{}", said.err);
    let said = folder.run(&["directory", "load", "users.csv", "--preset", "ldap"]).ends(2);
    assert!(said.err.contains("okta"), "{}", said.err);
}

#[test]
fn deleted_users_and_groups_are_listed_and_brought_back() {
    let folder = loaded();
    folder.ok(&["group", "add", "Team"]);
    folder.ok(&["group", "member", "add", "Team", "ada@acme.example"]);
    let said = folder.ok(&["group", "delete", "Team"]);
    assert!(said.out.contains("lockstep group restore"), "{}", said.out);
    folder.ok(&["user", "delete", "zoë@acme.example"]);
    let deleted = folder.ok(&["user", "list", "--deleted", "-o", "json"]).json();
    assert_eq!(deleted[0]["userName"], "zoë@acme.example");
    assert_eq!(folder.ok(&["group", "list", "--deleted", "-o", "json"]).json()[0]["displayName"], "Team");
    folder.ok(&["user", "restore", "zoë@acme.example"]);
    folder.ok(&["group", "restore", "Team"]);
    let team = folder.ok(&["group", "show", "Team", "-o", "json"]).json();
    assert_eq!(team["users"][0]["userName"], "ada@acme.example");
    let said = folder.run(&["group", "restore", "Nobody"]).ends(1);
    assert!(said.err.contains("--deleted"), "{}", said.err);
}

#[test]
fn a_mapping_is_tried_on_everybody() {
    let (folder, app) = (loaded(), Simulated::start());
    folder.ok(&["user", "reactivate", "zoë@acme.example"]);
    folder.file("token", "sesame");
    let url = app.base_url();
    folder.ok(&["app", "add", "crm", "--base-url", &url, "--token-file", "token", "--allow-private"]);
    let said = folder.ok(&["app", "mapping", "preview", "crm"]);
    assert!(said.out.contains("2 users active: 2 mapped, 0 fail"), "{}", said.out);
    folder.file(
        "mapping.json",
        r#"[{"target": "userName", "source": {"expression": "normalize_diacritics(user.userName)"}},
            {"target": "title", "source": {"expression": "substring_after(user.emails | map(attribute='value') | first, '@')"}}]"#,
    );
    let counts =
        folder.run(&["app", "mapping", "preview", "crm", "--file", "mapping.json", "-o", "json"]).ends(4);
    let counts = counts.json();
    assert_eq!((counts["mapped"].as_i64(), counts["failed"].as_i64()), (Some(1), Some(1)));
    assert_eq!(counts["problems"][0]["examples"][0], "zoë@acme.example");
    let rule = r#"[{"target": "userName", "source": {"expression": "user.username"}}]"#;
    folder.file("wrong.json", rule);
    let said = folder.run(&["app", "mapping", "set", "crm", "wrong.json"]).ends(1);
    assert!(said.err.contains("user.userName"), "{}", said.err);
}
