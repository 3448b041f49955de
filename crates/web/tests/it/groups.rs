//! Groups over HTTP: members as rows, nesting, parked members, and what users show of it.

use domain::directory::Change;
use domain::ids::UserId;
use engine::Context;
use scim::dialect::Dialect;
use serde_json::{Value, json};
use store::Tx;

use crate::client::Answer;
use crate::server::{World, group, on_both, on_sqlite};

async fn members(world: &World, id: &str) -> Vec<String> {
    world.get(&format!("/Groups/{id}")).await.expect(200).values("members")
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[test]
fn members_are_added_removed_and_replaced() {
    on_both(async |world| {
        let (a, b, c) = (world.user("a").await, world.user("b").await, world.user("c").await);
        let id = world.group("g", &[&a]).await;
        let path = format!("/Groups/{id}");
        let shown = world.get(&path).await.expect(200);
        assert_eq!(shown.body["members"][0]["type"], "User");
        assert_eq!(shown.body["members"][0]["$ref"], format!("{}/scim/v2/Users/{a}", world.running.url));
        let steps = [
            (json!([{"op": "add", "path": "members", "value": [{"value": b}, {"value": a}]}]), vec![&a, &b]),
            (json!([{"op": "Add", "path": "members", "value": {"value": c}}]), vec![&a, &b, &c]),
            (json!([{"op": "remove", "path": format!("members[value eq \"{b}\"]")}]), vec![&a, &c]),
            (json!([{"op": "Remove", "path": "members", "value": [{"value": c}]}]), vec![&a]),
            (json!([{"op": "remove", "path": "members", "value": []}]), vec![&a]),
            (
                json!([{"op": "replace", "path": "members", "value": [{"value": b}, {"value": c}]}]),
                vec![&b, &c],
            ),
            (json!([{"op": "replace", "value": {"members": [{"value": a}]}}]), vec![&a]),
            (
                json!([
                    {"op": "remove", "path": format!("members[value eq \"{a}\"]")},
                    {"op": "add", "path": "members", "value": [{"value": a}, {"value": b}]},
                    {"op": "remove", "path": format!("members[value eq \"{b}\"]")},
                    {"op": "replace", "path": "displayName", "value": "renamed"},
                ]),
                vec![&a],
            ),
            (json!([{"op": "remove", "path": "members"}]), vec![]),
        ];
        for (operations, expected) in steps {
            world.patch(&path, operations.clone()).await.expect(200);
            assert_eq!(members(&world, &id).await, sorted(&expected), "{operations}");
        }
        assert_eq!(world.get(&path).await.body["displayName"], "renamed");
    });
}

#[test]
fn put_of_a_group_replaces_members_only_if_it_names_them() {
    on_both(async |world| {
        let (a, b) = (world.user("a").await, world.user("b").await);
        let id = world.group("g", &[&a]).await;
        let path = format!("/Groups/{id}");
        world.put(&path, json!({"displayName": "h"})).await.expect(200);
        assert_eq!(members(&world, &id).await, sorted(&[&a]), "absent members are no statement");
        world.put(&path, group("h", &[&b])).await.expect(200);
        assert_eq!(members(&world, &id).await, sorted(&[&b]));
        world.put(&path, group("h", &[])).await.expect(200);
        assert_eq!(members(&world, &id).await, Vec::<String>::new());
        world.put(&path, json!({"members": []})).await.expect_error(400, "invalidValue");
    });
}

#[test]
fn unknown_members_are_refused_and_deleted_ones_parked() {
    on_both(async |world| {
        let (a, gone) = (world.user("a").await, world.user("gone").await);
        let id = world.group("g", &[]).await;
        let path = format!("/Groups/{id}");
        world.delete(&format!("/Users/{gone}")).await.expect(204);
        let before = world.get(&path).await;
        let with = |ids: &[&str]| -> Value {
            let list: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
            json!([{"op": "add", "path": "members", "value": list}])
        };
        let refused = world.patch(&path, with(&[&a, "never-issued"])).await.expect_error(400, "invalidValue");
        assert!(refused.detail().contains("never-issued"), "{}", refused.detail());
        assert_eq!(world.get(&path).await.body, before.body, "nothing was applied");
        world.post("/Groups", group("h", &["never-issued"])).await.expect_error(400, "invalidValue");
        assert_eq!(world.names("/Groups", "displayName eq \"h\"").await, Vec::<String>::new());
        world.put(&path, group("g", &[&a, "never-issued"])).await.expect_error(400, "invalidValue");

        let strict =
            domain::connection::ConnectionSettings { dialect: Dialect::Strict, ..Default::default() };
        let strict = world.connection("strict", strict).await;
        strict.patch(&path, with(&[&a, &gone])).await.expect_error(400, "invalidValue");
        assert_eq!(members(&world, &id).await, Vec::<String>::new());

        world.patch(&path, with(&[&a, &gone])).await.expect(200);
        assert_eq!(members(&world, &id).await, sorted(&[&a]), "the deleted one is parked and not shown");
        let stranger = world.stranger().await;
        let theirs = stranger.post("/Groups", group("g", &[])).await.expect(201).id();
        stranger.patch(&format!("/Groups/{theirs}"), with(&[&a])).await.expect_error(400, "invalidValue");
    });
}

#[test]
fn users_show_their_groups_direct_and_nested() {
    on_both(async |world| {
        let a = world.user("a").await;
        let inner = world.group("inner", &[&a]).await;
        let outer = world.group("outer", &[&inner]).await;
        let groups = |answer: &Answer| -> Vec<(String, String, String)> {
            let list = answer.body["groups"].as_array().cloned().unwrap_or_default();
            let text = |group: &Value, name: &str| group[name].as_str().unwrap_or_default().to_owned();
            let mut found: Vec<_> = list
                .iter()
                .map(|group| (text(group, "display"), text(group, "type"), text(group, "value")))
                .collect();
            found.sort();
            found
        };
        let shown = world.get(&format!("/Users/{a}")).await.expect(200);
        let both = vec![
            ("inner".to_owned(), "direct".to_owned(), inner.clone()),
            ("outer".to_owned(), "indirect".to_owned(), outer.clone()),
        ];
        assert_eq!(groups(&shown), both, "{}", shown.text);
        let nested = world.get(&format!("/Groups/{outer}")).await;
        assert_eq!(nested.body["members"][0]["type"], "Group");
        // A user's groups are changed at the group.
        let refused = world
            .patch(
                &format!("/Users/{a}"),
                json!([{"op": "add", "path": "groups", "value": [{"value": outer}]}]),
            )
            .await;
        refused.expect_error(400, "mutability");

        world.delete(&format!("/Groups/{inner}")).await.expect(204);
        let shown = world.get(&format!("/Users/{a}")).await.expect(200);
        assert_eq!(groups(&shown), vec![], "the way through the deleted group is closed");
        assert_eq!(members(&world, &outer).await, Vec::<String>::new());
    });
}

#[test]
fn deletion_removes_memberships() {
    on_both(async |world| {
        let (a, b) = (world.user("a").await, world.user("b").await);
        let id = world.group("g", &[&a, &b]).await;
        let before = world.get(&format!("/Groups/{id}")).await.version();
        world.delete(&format!("/Users/{a}")).await.expect(204);
        let after = world.get(&format!("/Groups/{id}")).await;
        assert_eq!(after.values("members"), sorted(&[&b]));
        assert_ne!(after.version(), before, "what the group shows has changed");
        assert_eq!(world.names("/Groups", &format!("members eq \"{a}\"")).await, Vec::<String>::new());
        assert_eq!(world.names("/Groups", &format!("members.value eq \"{b}\"")).await, ["g"]);
    });
}

#[test]
fn circles_are_refused_with_their_way() {
    on_both(async |world| {
        let inner = world.group("inner", &[]).await;
        let middle = world.group("middle", &[&inner]).await;
        let outer = world.group("outer", &[&middle]).await;
        let close = json!([{"op": "add", "path": "members", "value": [{"value": outer}]}]);
        let refused = world.patch(&format!("/Groups/{inner}"), close).await.expect_error(400, "invalidValue");
        assert!(
            refused.detail().contains("outer > middle > inner") || refused.detail().contains("inner > outer"),
            "{}",
            refused.detail()
        );
        let own = json!([{"op": "add", "path": "members", "value": [{"value": inner}]}]);
        world.patch(&format!("/Groups/{inner}"), own).await.expect_error(400, "invalidValue");
        assert_eq!(members(&world, &inner).await, Vec::<String>::new());
    });
}

#[test]
fn a_large_group_answers_a_patch_without_its_members() {
    on_both(async |world| {
        let mut ids = vec![];
        for number in 0..12 {
            ids.push(world.user(&format!("u{number}")).await);
        }
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        let id = world.group("g", &members).await;
        let path = format!("/Groups/{id}");
        let seen = world.get(&format!("{path}?excludedAttributes=members")).await.expect(200);
        assert!(seen.body.get("members").is_none());
        assert_eq!(seen.version(), world.get(&path).await.version());
        let patched = world
            .ask("PATCH", &format!("{path}?excludedAttributes=members"))
            .body(&json!({"schemas": [scim::urn::PATCH_OP], "Operations": [
                {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])}]}))
            .send()
            .await
            .expect(200);
        assert!(patched.body.get("members").is_none() && patched.version() != seen.version());
    });
}

#[test]
fn twenty_thousand_members_come_in_one_put() {
    on_sqlite(async |world| {
        let ids: Vec<String> = (0..20_000).map(|number| format!("u{number:05}")).collect();
        for some in ids.chunks(1_000) {
            let batch: Vec<Change> = some
                .iter()
                .map(|id| Change::CreateUser {
                    id: UserId::new(id.as_str()),
                    source: "test".to_owned(),
                    doc: json!({"userName": id}),
                })
                .collect();
            let apply = move |tx: &mut Tx<'_>, ctx: &mut Context| engine::directory::apply(tx, ctx, &batch);
            world.engine.write(&world.tenant, apply).await.unwrap();
        }
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        let path = format!("/Groups/{}", world.group("Everybody", &[]).await);
        world.put(&path, group("Everybody", &members)).await.expect(200);
        assert_eq!(world.get(&path).await.expect(200).values("members"), ids);
        // One that nobody knows, among all of them: refused, and nothing changed.
        let mut wrong = members.clone();
        wrong[15_000] = "stranger";
        let refused = world.put(&path, group("Everybody", &wrong)).await.expect_error(400, "invalidValue");
        assert!(refused.detail().contains("stranger"), "{}", refused.detail());
        world.put(&path, group("Everybody", &members[..2])).await.expect(200);
        assert_eq!(world.get(&path).await.expect(200).values("members"), ids[..2]);
    });
}
