//! s15 and s17 with the real server: users who were deleted and come back, by hand, by policy, or as somebody new.

use serde_json::{Value, json};
use store::Location;

use crate::bench::{Folder, Said};
use crate::endpoint_logs::until;
use crate::serving::{Client, Serving};

/// A server with one user in one group.
pub(crate) struct Scene {
    folder: Folder,
    database: String,
    pub(crate) serving: Serving,
    pub(crate) client: Client,
    pub(crate) ada: String,
    sales: String,
}

fn ada(active: bool) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@acme.example",
        "externalId": "00u1", "active": active})
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

impl Scene {
    pub(crate) fn new(database: &str) -> Self {
        let folder = Folder::new();
        let serving = Serving::start(&folder, database, "okta");
        let mut client = serving.client();
        let user = id(&client.expect(201, "POST", "/Users", &ada(true)));
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales",
            "members": [{"value": user}]});
        let sales = id(&client.expect(201, "POST", "/Groups", &group));
        Self { folder, database: database.to_owned(), serving, client, ada: user, sales }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.folder.run(&[&["--database", &self.database], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Said {
        self.run(arguments).ends(0)
    }

    /// Whether the user is active, and the names of its groups, as the identity provider sees them.
    fn seen(&mut self, id: &str) -> (bool, Vec<String>) {
        let user = self.client.expect(200, "GET", &format!("/Users/{id}"), &Value::Null);
        let groups = user["groups"].as_array().cloned().unwrap_or_default();
        let names = groups.iter().map(|group| group["display"].as_str().unwrap().to_owned());
        (user["active"] == true, names.collect())
    }

    fn delete_by_provider(&mut self, id: &str) {
        self.client.expect(204, "DELETE", &format!("/Users/{id}"), &Value::Null);
    }

    fn task(&self, cause: &str) -> Option<Value> {
        let tasks = self.run(&["tasks", "-o", "json"]).json();
        tasks.as_array().unwrap().iter().find(|task| task["cause"] == cause).cloned()
    }
}

pub(crate) fn on_both(test: impl Fn(&str)) {
    test("lockstep.db");
    let Location::Postgres(url) = store::testing::postgres() else { unreachable!("it gives a URL") };
    test(&url);
}

fn in_sales(active: bool) -> (bool, Vec<String>) {
    (active, vec!["Sales".to_owned()])
}

#[test]
fn s15_a_restored_user_has_its_groups_and_is_active_only_if_the_provider_did_not_delete_it() {
    on_both(|database| {
        let mut scene = Scene::new(database);
        let old = scene.ada.clone();
        // Deleted here by mistake: as before.
        scene.ok(&["user", "delete", &old, "--yes"]);
        scene.client.expect(404, "GET", &format!("/Users/{old}"), &Value::Null);
        scene.ok(&["user", "restore", &old, "--yes"]);
        assert_eq!(scene.seen(&old), in_sales(true));
        // Deleted by the identity provider: back with its groups, and inactive until it says active.
        scene.delete_by_provider(&old);
        let said = scene.ok(&["user", "restore", "ada@acme.example", "--yes"]);
        assert!(said.out.contains("inactive") && said.out.contains("'okta'"), "{}", said.out);
        assert_eq!(scene.seen(&old), in_sales(false));
        scene.client.expect(200, "PUT", &format!("/Users/{old}"), &ada(true));
        assert_eq!(scene.seen(&old), in_sales(true));
        scene.serving.stop();
    });
}

#[test]
fn s15_s17_who_returns_as_new_is_a_task_whose_fix_joins_the_two() {
    on_both(|database| {
        let mut scene = Scene::new(database);
        let old = scene.ada.clone();
        scene.ok(&["user", "delete", &old, "--yes"]);
        let new = id(&scene.client.expect(201, "POST", "/Users", &ada(true)));
        assert_ne!(new, old);
        assert_eq!(scene.seen(&new), (true, vec![]));
        until("the task", || scene.task("endpoint.returned_as_new").is_some());
        let fix = scene.task("endpoint.returned_as_new").unwrap()["fix"].as_str().unwrap().to_owned();
        assert!(fix.contains(&format!("lockstep user merge {new} {old} --preview")), "{fix}");
        let shown = scene.ok(&["user", "merge", &new, &old, "--preview"]).out;
        assert!(
            shown.contains("joins") && shown.contains("Sales") && shown.contains("was deleted before"),
            "{shown}"
        );
        assert_eq!(scene.seen(&new), (true, vec![]));
        let said = scene.ok(&["user", "merge", &new, &old]).out;
        assert!(said.contains(&format!("lockstep user merge {new} {old} --undo")), "{said}");
        assert_eq!(scene.seen(&new), in_sales(true));
        assert!(scene.task("endpoint.returned_as_new").is_none());
        scene.ok(&["user", "merge", &new, &old, "--undo"]);
        assert_eq!(scene.seen(&new), (true, vec![]));
        let log = scene.ok(&["log", "audit", "--user", &new]).out;
        assert!(log.contains("user.merge") && log.contains("user.unmerge"), "{log}");
        scene.serving.stop();
    });
}

#[test]
fn s15_restore_on_post_brings_the_same_user_back_but_never_after_the_providers_own_delete() {
    on_both(|database| {
        let mut scene = Scene::new(database);
        let old = scene.ada.clone();
        scene.ok(&["connection", "set", "okta", "--restore-on-post", "on"]);
        for active in [true, false, true] {
            scene.ok(&["user", "delete", &old, "--yes"]);
            let back = scene.client.expect(201, "POST", "/Users", &ada(active));
            assert_eq!((id(&back), &back["active"]), (old.clone(), &json!(active)));
            assert_eq!(scene.seen(&old), in_sales(active));
        }
        let group = scene.client.expect(200, "GET", &format!("/Groups/{}", scene.sales), &Value::Null);
        assert_eq!(group["members"][0]["value"], json!(old));
        assert!(scene.task("endpoint.returned_as_new").is_none());
        // The identity provider deleted it itself: whoever comes now is new.
        scene.delete_by_provider(&old);
        let new = id(&scene.client.expect(201, "POST", "/Users", &ada(true)));
        assert_ne!(new, old);
        assert_eq!(scene.seen(&new), (true, vec![]));
        until("the task", || scene.task("endpoint.returned_as_new").is_some());
        scene.serving.stop();
    });
}

#[test]
fn s17_a_doubtful_merge_says_why_and_what_next() {
    let folder = Folder::new();
    folder.ok(&["tenant", "create", "acme"]);
    folder.ok(&["user", "add", "ada@x", "--external-id", "e-1"]);
    folder.ok(&["user", "add", "ada.old@x", "--external-id", "e-2"]);
    folder.ok(&["user", "deactivate", "ada.old@x"]);
    let said = folder.run(&["user", "merge", "ada@x", "ada.old@x"]).ends(1);
    assert!(said.err.contains("not_confirmed") && said.err.contains("is inactive"), "{}", said.err);
    let next = said.err.lines().find_map(|line| line.trim().strip_prefix("next: lockstep ")).unwrap();
    let dry = folder.ok(&["user", "merge", "ada@x", "ada.old@x", "--preview", "-o", "json"]).json();
    assert_eq!((&dry["done"], dry["needs_yes"].as_array().map(Vec::len)), (&json!(false), Some(1)));
    folder.ok(&next.split(' ').collect::<Vec<_>>());
    assert_eq!(folder.ok(&["user", "list", "-o", "json"]).json().as_array().map(Vec::len), Some(1));
    let back = folder.ok(&["user", "merge", "ada@x", "ada.old@x", "--undo", "-o", "json"]).json();
    assert_eq!((&back["active"], &back["deleted"]), (&json!(false), &json!(false)));
    folder.run(&["user", "merge", "ada@x", "ada.old@x", "--undo"]).ends(1);
    folder.run(&["user", "merge", "ada@x", "ada.old@x", "--undo", "--yes"]).ends(2);
}
