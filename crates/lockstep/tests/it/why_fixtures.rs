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
fn creating_switched_off_an_app_that_is_down_and_a_user_out_of_scope_have_three_codes() {
    let app = Simulated::start();
    let folder = with_app(&app);

    folder.ok(&["app", "set", "crm", "--create", "off"]);
    folder.run(&["sync"]).ends(4);
    let off = decided(&why(&folder, "ada@acme.example"));
    assert_eq!(off.0, "switch.create_off");
    assert!(off.1.contains("lockstep app set crm --create on"), "{}", off.1);

    folder.ok(&["app", "set", "crm", "--create", "on"]);
    app.add_fault("down");
    let said = folder.run(&["sync"]).ends(3);
    assert!(said.out.contains("app.unavailable"), "{}", said.out);
    let down = decided(&why(&folder, "ada@acme.example"));
    assert_eq!(down.0, "app.unavailable");
    assert!(down.1.contains("lockstep app test crm"), "{}", down.1);

    app.lock().remove_fault("down").unwrap();
    folder.ok(&["app", "scope", "crm", "userType eq \"Employee\""]);
    folder.ok(&["sync", "--wait"]);
    let outside = why(&folder, "linus@acme.example");
    let (code, next) = decided(&outside);
    assert_eq!(code, "out_of_scope");
    assert!(next.contains("lockstep app scope crm"), "{next}");
    assert_eq!(outside["scope"][0]["holds"], false, "{outside}");
    assert_eq!(app.accounts(), ["ada@acme.example", "grace@acme.example"]);
    assert_eq!(decided(&why(&folder, "ada@acme.example")).0, "converged");
}
