//! Exit codes mean what `lockstep --help` says.

use crate::bench::{Folder, Simulated, with_app, with_directory};

#[test]
fn a_wrong_command_line_is_2_and_an_error_is_1() {
    let folder = Folder::new();
    folder.run(&["no-such-command"]).ends(2);
    folder.run(&["app", "set", "crm", "--in-flight-window", "soon"]).ends(2);
    folder.run(&["status"]).ends(1);
    folder.run(&["--version"]).ends(0);
}

#[test]
fn waiting_for_a_time_is_3_and_waiting_for_a_person_is_4() {
    let app = Simulated::start();
    let folder = with_app(&app);
    // The answer of one create is lost: it may have happened, so it is waited for.
    folder.ok(&["app", "set", "crm", "--in-flight-window", "1h"]);
    app.add_fault("post-users:lost-answer-before=#1");
    let said = folder.run(&["sync", "-o", "json"]).ends(3);
    assert!(said.json()[0]["report"]["next_due_ms"].is_i64(), "{}", said.out);
    folder.ok(&["app", "set", "crm", "--in-flight-window", "100ms"]);
    folder.ok(&["retry", "crm"]);
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts().len(), 3);
    assert_eq!(app.lock().users().len(), 3, "no duplicate");

    // The guard holds more leavers than five.
    for number in 0..12 {
        let name = format!("temp{number}@acme.example");
        folder.ok(&["user", "add", &name]);
        folder.ok(&["group", "member", "add", "Everyone", &name]);
    }
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts().len(), 15);
    folder.ok(&["app", "unassign", "crm", "--group", "Everyone"]);
    folder.run(&["sync"]).ends(4);
    assert_eq!(app.accounts().len(), 15, "nobody is deactivated before somebody agrees");
    folder.run(&["tasks"]).ends(4);
    folder.run(&["plan", "crm"]).ends(4);
    folder.ok(&["plan", "crm", "--approve"]);
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts().len(), 0);
    folder.ok(&["tasks"]);
}

#[test]
fn an_app_that_another_process_synchronises_is_5() {
    let app = Simulated::start();
    let folder = with_app(&app);
    app.add_fault("latency=400");
    let mut first = folder.command().arg("sync").stdout(std::process::Stdio::null()).spawn().unwrap();
    while app.lock().seen().requests < 2 {
        assert!(first.try_wait().unwrap().is_none(), "the first sync ended too early");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    folder.run(&["sync"]).ends(5);
    // A killed owner is recognised as dead: nobody has to wait for its lease.
    first.kill().unwrap();
    first.wait().unwrap();
    app.lock().remove_fault("latency").unwrap();
    folder.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts().len(), 3);
    assert_eq!(app.lock().users().len(), 3, "no duplicate");
}

#[test]
fn an_app_is_not_activated_without_agreement() {
    let app = Simulated::start();
    let folder = with_directory();
    folder.ok(&[
        "app",
        "add",
        "crm",
        "--base-url",
        &app.base_url(),
        "--token-file",
        "token",
        "--allow-private",
    ]);
    folder.ok(&["app", "assign", "crm", "--group", "Everyone"]);
    let said = folder.run(&["app", "activate", "crm"]).ends(1);
    assert!(said.out.contains("3 create") && said.err.contains("--yes"), "{}{}", said.out, said.err);
    folder.run(&["sync"]).ends(1);
    assert_eq!(app.lock().seen().writes, 0, "nothing is sent in preview");
}
