//! `why -o json`: three reasons, three codes, each with a next step that names a command.

use serde_json::Value;

use crate::bench::{Folder, Simulated, with_app};

fn why(folder: &Folder, user: &str) -> Value {
    folder.ok(&["why", user, "--app", "crm", "-o", "json"]).json()
}

fn decided(answer: &Value) -> (String, String) {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("next_step"))
}

#[test]
fn creating_is_switched_off() {
    let app = Simulated::start();
    let folder = with_app(&app);
    folder.ok(&["app", "set", "crm", "--create", "off"]);
    folder.run(&["sync"]).ends(4);
    let (code, next) = decided(&why(&folder, "ada@acme.example"));
    assert_eq!(code, "switch.create_off");
    assert!(next.contains("lockstep app set crm --create on"), "{next}");
    assert_eq!(app.lock().users().len(), 0);
}

#[test]
fn the_app_answers_503() {
    let app = Simulated::start();
    let folder = with_app(&app);
    app.add_fault("down");
    let said = folder.run(&["sync"]).ends(3);
    assert!(said.out.contains("app.unavailable"), "{}", said.out);
    let (code, next) = decided(&why(&folder, "ada@acme.example"));
    assert_eq!(code, "app.unavailable");
    assert!(next.contains("lockstep app test crm"), "{next}");
    let tasks = folder.run(&["tasks", "-o", "json"]).ends(4).json();
    assert_eq!(tasks.as_array().unwrap().len(), 1, "one task, not one per user: {tasks}");
    // Back again, held work goes out by itself.
    app.lock().remove_fault("down").unwrap();
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts().len(), 3);
    assert_eq!(decided(&why(&folder, "ada@acme.example")).0, "converged");
}

#[test]
fn the_user_is_out_of_scope() {
    let app = Simulated::start();
    let folder = with_app(&app);
    folder.ok(&["app", "scope", "crm", "userType eq \"Employee\""]);
    folder.ok(&["sync", "--wait"]);
    let answer = why(&folder, "linus@acme.example");
    let (code, next) = decided(&answer);
    assert_eq!(code, "out_of_scope");
    assert!(next.contains("lockstep app scope crm"), "{next}");
    assert_eq!(answer["scope"][0]["holds"], false, "{answer}");
    assert_eq!(app.accounts(), ["ada@acme.example", "grace@acme.example"]);
}
