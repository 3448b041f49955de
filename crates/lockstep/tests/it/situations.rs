//! Situations of real life, end to end: the real binary, real HTTP, and what the app holds in the end.

use crate::bench::{Folder, Simulated, with_app};

const ALL: [&str; 3] = ["ada@acme.example", "grace@acme.example", "linus@acme.example"];

fn synced(app: &Simulated) -> Folder {
    let folder = with_app(app);
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts(), ALL);
    assert_eq!(app.members("Everyone"), ALL);
    assert_eq!(app.members("Engineering"), ["ada@acme.example", "grace@acme.example"]);
    folder
}

#[test]
fn s01_a_new_user_in_a_group_that_assigns_and_is_pushed_gets_the_account_before_the_membership() {
    let app = Simulated::start();
    let folder = synced(&app);
    app.add_fault("lag=300");
    let before = app.lock().recent_requests().count();
    folder.ok(&["user", "add", "nova@acme.example", "--display-name", "Nova"]);
    folder.ok(&["group", "member", "add", "Everyone", "nova@acme.example"]);
    folder.ok(&["sync", "--wait"]);
    assert!(app.members("Everyone").contains(&"nova@acme.example".to_owned()));
    let writes: Vec<(String, String, Option<u16>)> = app
        .lock()
        .recent_requests()
        .skip(before)
        .filter(|request| request.method != "GET")
        .map(|request| (request.method.clone(), request.path.clone(), request.status))
        .collect();
    assert_eq!(writes.len(), 2, "one create and one membership, none refused or repeated: {writes:?}");
    assert!(
        writes[0].0 == "POST" && writes[0].1.ends_with("/Users") && writes[0].2 == Some(201),
        "{writes:?}"
    );
    assert!(
        writes[1].0 == "PATCH" && writes[1].1.contains("/Groups/") && writes[1].2 == Some(200),
        "{writes:?}"
    );
}

#[test]
fn s09_a_push_group_that_was_deleted_in_the_app_is_found_and_created_again_with_its_members() {
    let app = Simulated::start();
    let folder = synced(&app);
    let old_id = app.lock().group_by_name("Engineering").unwrap()["id"].clone();
    app.lock().delete_group("Engineering", crate::bench::now_ms()).unwrap();
    let reported = folder.ok(&["app", "compare", "crm", "--report-only", "-o", "json"]).json();
    assert!(
        reported["repaired"].is_null() && app.lock().group_by_name("Engineering").is_none(),
        "{reported}"
    );
    let found = folder.ok(&["app", "compare", "crm", "-o", "json"]).json();
    assert_eq!(found["comparison"]["findings"], reported["comparison"]["findings"]);
    assert_eq!(found["comparison"]["findings"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(
        (&found["comparison"]["findings"][0]["kind"], &found["comparison"]["findings"][0]["subject"]),
        (&"missing".into(), &"group".into())
    );
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.members("Engineering"), ["ada@acme.example", "grace@acme.example"]);
    assert_ne!(app.lock().group_by_name("Engineering").unwrap()["id"], old_id);
    assert_eq!(app.lock().groups().len(), 3, "created once");
    nothing_is_left_to_do(&app, &folder);
}

#[test]
fn s15_a_user_that_was_deleted_in_the_app_is_found_and_gets_account_and_memberships_back() {
    let app = Simulated::start();
    let folder = synced(&app);
    app.lock().delete_user("ada@acme.example", crate::bench::now_ms()).unwrap();
    assert_eq!(app.members("Platform"), ["grace@acme.example"]);
    let found = folder.ok(&["app", "compare", "crm", "-o", "json"]).json();
    let kinds: Vec<&str> = found["comparison"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "missing").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "member_missing").count(), 3, "{kinds:?}");
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts(), ALL);
    assert_eq!(app.members("Everyone"), ALL);
    assert_eq!(app.members("Engineering"), ["ada@acme.example", "grace@acme.example"]);
    assert_eq!(app.members("Platform"), ["ada@acme.example", "grace@acme.example"]);
    nothing_is_left_to_do(&app, &folder);
}

#[test]
fn a_leaver_is_deactivated_and_a_returner_reactivated() {
    let app = Simulated::start();
    let folder = synced(&app);
    folder.ok(&["user", "deactivate", "grace@acme.example"]);
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts(), ["ada@acme.example", "linus@acme.example"]);
    folder.ok(&["user", "reactivate", "grace@acme.example"]);
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts(), ALL);
    assert_eq!(app.lock().users().len(), 3, "the same account came back");
    assert_eq!(app.members("Platform"), ["ada@acme.example", "grace@acme.example"]);
    let log = folder.ok(&["log", "audit", "--user", "grace@acme.example", "-o", "json"]).json();
    let actions: Vec<&str> =
        log.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"account.deactivate"), "{actions:?}");
    assert!(folder.ok(&["log", "check", "-o", "json"]).json()["broken"].is_null());
}

/// A further comparison finds nothing, and a further sync sends nothing that writes.
#[track_caller]
fn nothing_is_left_to_do(app: &Simulated, folder: &Folder) {
    let found = folder.ok(&["app", "compare", "crm", "-o", "json"]).json();
    assert_eq!(found["comparison"]["findings"].as_array().unwrap().len(), 0, "{found}");
    let writes = app.lock().seen().writes;
    folder.ok(&["sync"]);
    assert_eq!(app.lock().seen().writes, writes);
}
