//! Versions (I19): `meta.version` changes exactly when the representation does, and If-Match never loses an update.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::server::{World, group, on_both, user};

/// What is shown, without what always changes with it.
fn shown(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body["meta"]["version"] = Value::Null;
    body["meta"]["lastModified"] = Value::Null;
    body
}

async fn look(world: &World, path: &str) -> Answer {
    world.get(path).await.expect(200)
}

#[test]
fn the_version_of_a_user_changes_exactly_with_what_is_shown() {
    on_both(async |world| {
        let id = world.user("ada").await;
        let path = format!("/Users/{id}");
        let steps = [
            json!([{"op": "replace", "path": "title", "value": "t"}]),
            json!([{"op": "replace", "path": "title", "value": "t"}]),
            json!([{"op": "replace", "path": "active", "value": true}]),
            json!([{"op": "replace", "path": "active", "value": "False"}]),
            json!([{"op": "replace", "path": "password", "value": "p"}]),
            json!([{"op": "add", "path": "emails", "value": [{"value": "ada@example.com", "type": "work", "primary": true}]}]),
            json!([{"op": "add", "path": "emails", "value": [{"value": "b@example.com", "type": "home"}]}]),
            json!([{"op": "remove", "path": "emails[value eq \"none\"]"}]),
            json!([{"op": "remove", "path": "title"}]),
            json!([{"op": "remove", "path": "title"}]),
            json!([{"op": "replace", "path": "shoeSize", "value": 44}]),
            json!([{"op": "replace", "value": {"nickName": "A", "name.givenName": "Ada"}}]),
            json!([{"op": "remove", "path": "active"}]),
            json!([{"op": "replace", "path": "externalId", "value": "e"}]),
        ];
        let mut before = look(&world, &path).await;
        for operations in steps {
            let answer = world.patch(&path, operations.clone()).await;
            assert!(answer.status < 500, "{}", answer.text);
            let after = look(&world, &path).await;
            assert_eq!(
                shown(&before) == shown(&after),
                before.version() == after.version(),
                "{operations}: {} {}",
                before.text,
                after.text
            );
            before = after;
        }
        let same = world.put(&path, before.body.clone()).await.expect(200);
        assert_eq!((same.version(), same.body), (before.version(), before.body));
    });
}

#[test]
fn the_version_of_a_user_follows_its_groups() {
    on_both(async |world| {
        let (id, other) = (world.user("ada").await, world.user("bob").await);
        let path = format!("/Users/{id}");
        let inner = world.group("inner", &[]).await;
        let outer = world.group("outer", &[&inner]).await;
        let add = |id: &str| json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        let remove = |id: &str| json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
        let name = |name: &str| json!([{"op": "replace", "path": "displayName", "value": name}]);
        let (inner, outer) = (format!("/Groups/{inner}"), format!("/Groups/{outer}"));
        let mut before = look(&world, &path).await;
        for (group, operations) in [
            (&inner, add(&id)),
            (&inner, add(&id)),
            (&inner, add(&other)),
            (&outer, add(&id)),
            (&outer, remove(&id)),
            (&inner, name("renamed")),
            (&inner, name("renamed")),
            (&outer, json!([{"op": "remove", "path": "members"}])),
            (&inner, remove(&other)),
            (&inner, remove(&id)),
        ] {
            world.patch(group, operations.clone()).await.expect(200);
            let after = look(&world, &path).await;
            assert_eq!(
                shown(&before) == shown(&after),
                before.version() == after.version(),
                "{operations}: {} {}",
                before.text,
                after.text
            );
            before = after;
        }
    });
}

#[test]
fn the_version_of_a_group_follows_its_members() {
    on_both(async |world| {
        let (a, b, gone) = (world.user("a").await, world.user("b").await, world.user("gone").await);
        world.delete(&format!("/Users/{gone}")).await.expect(204);
        let id = world.group("g", &[&a]).await;
        let path = format!("/Groups/{id}");
        let add = |id: &str| json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        let remove = |id: &str| json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
        let mut before = look(&world, &path).await;
        for operations in [
            add(&a),
            add(&b),
            remove(&b),
            remove(&b),
            remove("never-issued"),
            add(&gone),
            remove(&gone),
            json!([{"op": "replace", "path": "members", "value": [{"value": a}]}]),
            json!([{"op": "replace", "path": "members", "value": [{"value": b}]}]),
            json!([{"op": "remove", "path": "members", "value": []}]),
            json!([{"op": "replace", "path": "displayName", "value": "g"}]),
            json!([{"op": "replace", "path": "displayName", "value": "h"}]),
            json!([{"op": "add", "path": "externalId", "value": "e"}]),
        ] {
            let answer = world.patch(&path, operations.clone()).await;
            assert!(answer.status < 500, "{}", answer.text);
            let after = look(&world, &path).await;
            assert_eq!(
                shown(&before) == shown(&after),
                before.version() == after.version(),
                "{operations}: {} {}",
                before.text,
                after.text
            );
            before = after;
        }
        let same = world.put(&path, group("h", &[&b])).await.expect(200);
        assert!(same.version() != before.version(), "the PUT took externalId away");
        // What a member is called does not stand in the group.
        let rename = json!([{"op": "replace", "path": "userName", "value": "c"}]);
        world.patch(&format!("/Users/{b}"), rename).await.expect(200);
        let after = look(&world, &path).await;
        assert_eq!(shown(&same) == shown(&after), same.version() == after.version());
    });
}

#[test]
fn stale_versions_are_refused() {
    on_both(async |world| {
        let made = world.post("/Users", user("ada")).await.expect(201);
        let path = format!("/Users/{}", made.id());
        let title = |value: &str| json!({"schemas": [scim::urn::PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": value}]});
        let with = |method: &str, version: &str, body: Option<Value>| {
            let ask = world.client.ask(method, &path).header("if-match", version);
            match body {
                Some(body) => ask.body(&body),
                None => ask,
            }
        };
        let first = made.version();
        let second = with("PATCH", &first, Some(title("1"))).send().await.expect(200).version();
        assert_ne!(first, second);
        with("PATCH", &first, Some(title("2"))).send().await.expect(412);
        with("PUT", &first, Some(user("ada"))).send().await.expect(412);
        with("DELETE", &first, None).send().await.expect(412);
        assert_eq!(look(&world, &path).await.version(), second);
        with("PATCH", "*", Some(title("3"))).send().await.expect(200);
        let third = look(&world, &path).await.version();
        let list = format!("\"x\", {third}");
        with("PATCH", &list, Some(title("4"))).send().await.expect(200);
        let last = look(&world, &path).await;
        world.ask("GET", &path).header("if-none-match", &third).send().await.expect(200);
        let unchanged =
            world.ask("GET", &path).header("if-none-match", &last.version()).send().await.expect(304);
        assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", last.version().as_str()));
        world.ask("GET", &path).header("if-none-match", "*").send().await.expect(304);
        with("DELETE", &last.version(), None).send().await.expect(204);
        with("PATCH", &last.version(), Some(title("5"))).send().await.expect(404);
    });
}
