//! Bad input: each a message with its place, its rule and a next step, an exit code that is not 0, and nothing changed.

use std::path::Path;

use serde_json::Value;

use crate::bench::{Folder, Simulated, with_directory};

/// Runs it; it must fail with this code and one JSON error on stderr that has a next step.
#[track_caller]
fn refused(folder: &Folder, arguments: &[&str], code: &str) -> Value {
    let said = folder.run(&[arguments, &["-o", "json"]].concat());
    assert!(![0, 2].contains(&said.code), "{arguments:?} must fail: {}{}", said.out, said.err);
    assert_eq!(said.out, "", "{arguments:?}");
    let json = said.err.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{}", said.err));
    let error = serde_json::from_str::<Value>(json).unwrap()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    assert!(
        error["next"].as_str().is_some_and(|next| next.len() > 8),
        "{arguments:?} says what to do next: {error}"
    );
    error
}

/// Everything the directory and the apps hold, for "nothing was changed".
fn state(folder: &Folder) -> [Value; 3] {
    [&["user", "list"][..], &["group", "list"], &["app", "list"]]
        .map(|arguments| folder.ok(&[arguments, &["-o", "json"]].concat()).json())
}

#[test]
fn an_address_or_token_that_does_not_work_is_refused_and_no_app_is_added() {
    let mut app = Simulated::start();
    let folder = with_directory();
    let before = state(&folder);
    folder.file("wrong", "wrong\n");
    folder.file("empty", "\n");
    folder.file("two-lines", "a\nb\n");
    let (good, host) = (app.base_url(), app.base_url().replace("/scim/v2", ""));
    let add = |url: &str, token: &str, code: &str| {
        refused(
            &folder,
            &["app", "add", "crm", "--base-url", url, "--token-file", token, "--allow-private"],
            code,
        )
    };
    add("nonsense", "token", "invalid");
    add("ftp://127.0.0.1/", "token", "invalid");
    let error =
        refused(&folder, &["app", "add", "crm", "--base-url", &good, "--token-file", "token"], "invalid");
    assert!(error.to_string().contains("--allow-private"), "{error}");
    add(&host, "token", "app.not_scim");
    add(&good, "wrong", "credentials.refused");
    add(&good, "empty", "token");
    add(&good, "two-lines", "token");
    add(&good, "no-such-file", "cannot-read");
    app.add_fault("down");
    let error = add(&good, "token", "app.unavailable");
    assert!(error["why"].as_str().unwrap().contains("503"), "{error}");
    app.stop_and_keep_address();
    add(&good, "token", "app.unavailable");
    assert_eq!(state(&folder), before);
    assert!(!folder.path().join("lockstep.db.key").exists(), "no key is made before an app is taken");
}

#[test]
fn an_address_that_answers_with_a_web_page_is_named_as_such() {
    let page = crate::bench::web_page();
    let folder = with_directory();
    let url = format!("http://{}/scim/v2", page.address());
    let arguments = ["app", "add", "crm", "--base-url", &url, "--token-file", "token", "--allow-private"];
    let error = refused(&folder, &arguments, "app.not_scim");
    assert!(error["next"].as_str().unwrap().contains("base URL"), "{error}");
}

#[test]
fn new_credentials_are_tested_before_they_replace_the_old_ones() {
    let app = Simulated::start();
    let folder = crate::bench::with_app(&app);
    folder.file("wrong", "wrong\n");
    refused(&folder, &["app", "credentials", "crm", "--token-file", "wrong"], "credentials.refused");
    folder.ok(&["app", "test", "crm"]);
}

#[test]
fn a_wrong_key_says_which_key_is_missing() {
    let app = Simulated::start();
    let folder = crate::bench::with_app(&app);
    let other = folder.file("other.key", "ab".repeat(32));
    let error = refused(&folder, &["sync", "--key-file", other.to_str().unwrap()], "invalid");
    assert!(error.to_string().contains("sealed with key"), "{error}");
    let short = folder.file("short.key", "abc");
    refused(&folder, &["sync", "--key-file", short.to_str().unwrap()], "invalid");
    std::fs::remove_file(folder.path().join("lockstep.db.key")).unwrap();
    refused(&folder, &["sync"], "no_key");
    refused(&folder, &["app", "credentials", "crm", "--token-file", "token"], "no_key");
}

#[test]
fn databases_that_cannot_be_used_say_why() {
    let folder = with_directory();
    refused(&folder, &["status", "--database", "elsewhere.db"], "no_database");
    refused(&folder, &["tenant", "create", "acme"], "conflict");
    refused(&folder, &["tenant", "create", "a_b"], "invalid");
    refused(&folder, &["status", "--tenant", "nobody"], "not_found");
    folder.file("text.db", "this is no database, but long enough to be looked at as one. ".repeat(100));
    refused(&folder, &["status", "--database", "text.db"], "not-a-database");
    // A file where a folder should be cannot be written into, not even by root.
    let said =
        folder.run(&["tenant", "create", "acme", "--database", "text.db/lockstep.db", "-o", "json"]).ends(1);
    assert!(said.err.contains("cannot-open"), "{}", said.err);
    refused(&folder, &["status", "--database", "mysql://u:secret@h/d"], "cannot-open");

    make_newer(&folder.path().join("lockstep.db"));
    let error = refused(&folder, &["status"], "newer-schema");
    assert!(error.to_string().contains("newer"), "{error}");
}

/// Writes down a migration that this program does not know, as a newer one would.
fn make_newer(database: &Path) {
    let location = store::Location::Sqlite(database.to_owned());
    let future = ("from the future", "CREATE TABLE from_the_future(a BIGINT)");
    let more: Vec<store::Migration> = store::MIGRATIONS.iter().copied().chain([future]).collect();
    let options =
        store::OpenOptions { migrations: Box::leak(more.into_boxed_slice()), ..store::OpenOptions::new(1) };
    drop(store::Store::open(&location, options).unwrap());
}

#[test]
fn times_and_sizes_of_logs_that_make_no_sense_are_refused_before_anything_is_served() {
    let folder = with_directory();
    for (option, value, rule) in [
        ("--scim-log-days", "0", "0 is not in 1..=36500"),
        ("--scim-log-days", "a month", "invalid digit"),
        ("--signin-log-days", "0", "0 is not in 1..=36500"),
        ("--signin-log-days", "-1", "-1 is not in 1..=36500"),
        ("--signin-log-days", "99999999999999999999", "too large"),
        ("--scim-log-bytes", "1GB", "64KiB, 500MiB or 1GiB"),
        ("--scim-log-bytes", "1048575", "1MiB is the least"),
        ("--scim-log-bytes", "1023KiB", "1MiB is the least"),
        ("--scim-log-bytes", "9999999999GiB", "8589934591GiB is the most"),
    ] {
        let given = format!("{option}={value}");
        let said = folder.run(&["serve", "--listen", "127.0.0.1:0", &given]).ends(2);
        for part in [option, value, rule] {
            assert!(said.err.contains(part), "{given}: {}", said.err);
        }
        assert_eq!(said.out, "", "{given}");
    }
}

#[test]
fn bad_files_name_place_and_rule_and_change_nothing() {
    let folder = with_directory();
    let before = state(&folder);
    folder.file("open-quote.csv", "userName,title\na@x,\"never closed\nb@x,y\n");
    folder.file("columns.csv", "userName,title\na@x,y,z\n");
    folder.file("latin1.csv", b"userName,title\na@x,Stra\xdfe\n");
    folder.file("double.csv", "userName,title\nA@x,1\na@X,2\n");
    folder.file("unknown.csv", "userName,shoeSize\na@x,42\n");
    folder.file("cut.jsonl", "{\"userName\":\"a@x\"}\n{\"userName\":\"b@\n");
    folder.file("stranger.csv", "group,member\nG-ALL,NOBODY\n");
    folder.file("circle.csv", "group,member\nG-PLAT,G-ENG\n");
    for (file, place) in [
        ("open-quote.csv", "open-quote.csv"),
        ("columns.csv", "columns.csv:2"),
        ("latin1.csv", "UTF-8"),
        ("double.csv", "double.csv"),
        ("unknown.csv", "shoeSize"),
        ("cut.jsonl", "cut.jsonl:2"),
    ] {
        let error = refused(&folder, &["directory", "load", file], "invalid");
        assert!(error.to_string().contains(place), "{file}: {error}");
    }
    for (file, word) in [("stranger.csv", "NOBODY"), ("circle.csv", "circle.csv")] {
        let error = refused(&folder, &["directory", "load", "--members", file], "invalid");
        assert!(error.to_string().contains(word), "{file}: {error}");
    }
    refused(&folder, &["directory", "load", "no-such.csv"], "cannot-read");
    assert_eq!(state(&folder), before);
}

#[test]
fn expressions_and_filters_that_do_not_work_are_refused() {
    let app = Simulated::start();
    let folder = crate::bench::with_app(&app);
    let before = state(&folder);
    let user_name = r#"{"target": "userName", "source": {"attribute": "userName"}}"#;
    for (rule, word) in [
        (r#"{"target": "title", "source": {"expression": "user."}}"#, "title"),
        (r#"{"target": "shoeSize", "source": {"constant": 1}}"#, "shoeSize"),
        (r#"{"target": "title", "source": {"constant": 1}}"#, "title"),
    ] {
        folder.file("mapping.json", format!("[{user_name}, {rule}]"));
        let error = refused(&folder, &["app", "mapping", "set", "crm", "mapping.json"], "mapping");
        assert!(error.to_string().contains(word), "{error}");
    }
    folder.file("mapping.json", "{");
    refused(&folder, &["app", "mapping", "set", "crm", "mapping.json"], "mapping_file");
    refused(&folder, &["app", "scope", "crm", "userType eq"], "filter");
    refused(&folder, &["app", "set", "crm", "--matching", "shoeSize"], "invalid");
    refused(&folder, &["app", "set", "crm"], "nothing_to_set");
    refused(&folder, &["why", "nobody", "--app", "crm"], "not_found");
    refused(&folder, &["why", "ada@acme.example", "--app", "nothing"], "not_found");
    assert_eq!(state(&folder), before);

    // Expressions that loop or give the wrong type are stopped when they are evaluated, and the user is named in a task.
    for expression in ["range(99999999) | map('upper') | list | length", "user.userName | length"] {
        let rule = format!(r#"{{"target": "title", "source": {{"expression": "{expression}"}}}}"#);
        folder.file("mapping.json", format!("[{user_name}, {rule}]"));
        folder.ok(&["app", "mapping", "set", "crm", "mapping.json"]);
        let error = refused(&folder, &["app", "mapping", "crm", "--user", "E-1"], "mapping.failed");
        assert!(error["what"].as_str().unwrap().starts_with("title: "), "{error}");
        folder.run(&["sync"]).ends(4);
        let tasks = folder.run(&["tasks"]).ends(4).out;
        assert!(tasks.contains("[mapping.failed] user ada@acme.example"), "{tasks}");
        assert_eq!(app.lock().users().len(), 0);
    }
}
