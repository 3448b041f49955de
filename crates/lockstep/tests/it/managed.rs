//! What a connection manages is marked, and changed elsewhere only by somebody who was warned.

use serde_json::Value;

use crate::returning::{Scene, on_both};

#[test]
fn what_a_connection_manages_is_marked_and_needs_a_yes() {
    on_both(|database| {
        let mut scene = Scene::new(database);
        scene.ok(&["user", "add", "hand@x"]);
        scene.ok(&["group", "add", "Hand"]);
        // Marked where it is shown.
        for command in [["user", "show", "ada@acme.example"], ["group", "show", "Sales"]] {
            let shown = scene.ok(&command).out;
            assert!(shown.contains("managed by connection okta (Okta)"), "{shown}");
            let json = scene.ok(&[&command[..], &["-o", "json"]].concat()).json();
            assert_eq!(
                (&json["managed_by"]["connection"], &json["managed_by"]["provider"]),
                (&"okta".into(), &"okta".into())
            );
        }
        let list = scene.ok(&["user", "list"]).out;
        let row = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert!(
            row("ada@acme.example").contains("connection okta (Okta)") && !row("hand@x").contains("okta"),
            "{list}"
        );
        assert_eq!(scene.ok(&["user", "show", "hand@x", "-o", "json"]).json()["managed_by"], Value::Null);
        // Refused with why and what next, and nothing is changed.
        let id = scene.ada.clone();
        let commands: [&[&str]; 8] = [
            &["user", "edit", "ada@acme.example", "--set", "title=Boss"],
            &["user", "deactivate", &id],
            &["user", "reactivate", &id],
            &["user", "delete", "ada@acme.example"],
            &["group", "edit", "Sales", "--display-name", "SALES"],
            &["group", "delete", "Sales"],
            &["group", "member", "add", "Sales", "hand@x"],
            &["group", "member", "remove", "Sales", "ada@acme.example"],
        ];
        let entries = || scene.ok(&["log", "audit", "-o", "json"]).json().as_array().map(Vec::len);
        let before = entries();
        for command in commands {
            let said = scene.run(command).ends(1).err;
            assert!(
                said.contains("managed by connection okta (Okta)") && said.contains("Okta is not told"),
                "{said}"
            );
            assert!(
                said.contains("not_confirmed") && said.contains("--yes") && said.contains("in Okta"),
                "{said}"
            );
        }
        assert_eq!(entries(), before);
        // What nobody else manages changes as before, and a yes is a yes.
        scene.ok(&["group", "member", "add", "Hand", "ada@acme.example"]);
        scene.ok(&["user", "deactivate", "hand@x"]);
        for command in commands.into_iter().filter(|command| command[1] != "delete") {
            scene.ok(&[command, &["--yes"]].concat());
        }
        let said = scene.run(&["user", "delete", &id]).ends(1).err;
        let next = said.split("lockstep ").last().unwrap().trim().to_owned();
        scene.ok(&next.split(' ').collect::<Vec<_>>());
        scene.client.expect(404, "GET", &format!("/Users/{id}"), &Value::Null);
        let said = scene.run(&["user", "restore", &id]).ends(1).err;
        assert!(
            said.contains("is not restored") && said.contains(&format!("lockstep user restore {id} --yes")),
            "{said}"
        );
        scene.ok(&["user", "restore", &id, "--yes"]);
        // Without its connection it is nobody's.
        scene.ok(&["connection", "remove", "okta", "--yes"]);
        scene.ok(&["user", "delete", &id]);
        scene.serving.stop();
    });
}
