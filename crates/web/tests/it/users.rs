//! Users over HTTP: create, read, replace, change, delete.

use serde_json::{Value, json};
use store::scim_log::LogFilter;

use crate::server::{on_both, user};

#[test]
fn a_user_is_made_read_changed_and_deleted() {
    on_both(async |world| {
        let made = world.post("/Users", user("ada")).await.expect(201);
        let id = made.id();
        let location = format!("{}/scim/v2/Users/{id}", world.running.url);
        assert_eq!(made.header("location"), location);
        assert_eq!(made.body["meta"]["location"], location);
        assert_eq!(made.body["meta"]["resourceType"], "User");
        assert_eq!(made.body["active"], true, "nobody said otherwise");
        assert_eq!(made.header("content-type"), "application/scim+json");
        let read = world.get(&format!("/Users/{id}")).await.expect(200);
        assert_eq!(read.body, made.body, "a reading shows what the answer to the POST showed");
        assert_eq!(read.version(), made.version());

        let path = format!("/Users/{id}");
        let changed = world
            .patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}]))
            .await
            .expect(200);
        assert_eq!(changed.body["title"], "Countess");
        assert_eq!(changed.body["emails"], made.body["emails"]);
        assert_eq!(world.get(&path).await.body, changed.body);

        world.delete(&path).await.expect(204);
        let gone = world.get(&path).await.expect(404);
        assert!(gone.detail().contains(&id), "{}", gone.detail());
        world.delete(&path).await.expect(404);
        world.put(&path, user("ada")).await.expect(404);
        world.patch(&path, json!([{"op": "replace", "path": "title", "value": "x"}])).await.expect(404);
        assert_eq!(world.names("/Users", "userName eq \"ada\"").await, Vec::<String>::new());
        let again = world.post("/Users", user("ada")).await.expect(201);
        assert_ne!(again.id(), id, "a deleted id is never given again");
    });
}

#[test]
fn put_clears_what_it_leaves_out_but_never_active() {
    on_both(async |world| {
        let mut body = user("ada");
        body["title"] = json!("Countess");
        body["active"] = json!(false);
        body["externalId"] = json!("e1");
        let id = world.post("/Users", body).await.expect(201).id();
        let path = format!("/Users/{id}");
        let replaced =
            world.put(&path, json!({"schemas": [scim::urn::USER], "userName": "ada"})).await.expect(200);
        assert_eq!(replaced.body["active"], false, "active changes only when it is named");
        for name in ["title", "emails", "externalId"] {
            assert!(replaced.body.get(name).is_none(), "{name}: {}", replaced.text);
        }
        assert_eq!(replaced.id(), id);
        let refused = world.put(&path, json!({"schemas": [scim::urn::USER], "title": "x"})).await;
        refused.expect_error(400, "invalidValue");
        assert_eq!(world.get(&path).await.body, replaced.body, "a failed request changes nothing");
        let kept =
            world.put(&path, json!({"userName": "ada", "id": "other", "meta": {"version": "x"}})).await;
        assert_eq!(kept.expect(200).id(), id, "readOnly attributes are ignored");
    });
}

#[test]
fn put_keeps_what_another_source_wrote() {
    on_both(async |world| {
        let mut body = user("ada");
        body["title"] = json!("Countess");
        let id = world.post("/Users", body).await.expect(201).id();
        let path = format!("/Users/{id}");
        let other = world.connection("okta", Default::default()).await;
        let replaced = other.put(&path, json!({"userName": "ada", "displayName": "Ada"})).await.expect(200);
        assert_eq!(replaced.body["title"], "Countess", "another source wrote it");
        assert_eq!(replaced.body["displayName"], "Ada");
        let cleared = other.put(&path, json!({"userName": "ada", "title": null})).await.expect(200);
        assert_eq!(cleared.body.get("title"), None, "a null says so");
    });
}

#[test]
fn keys_are_unique_in_any_letter_case() {
    on_both(async |world| {
        let mut first = user("Ada");
        first["externalId"] = json!("e1");
        let id = world.post("/Users", first).await.expect(201).id();
        world.post("/Users", user("aDA")).await.expect_error(409, "uniqueness");
        let mut same_external = user("bob");
        same_external["externalId"] = json!("e1");
        world.post("/Users", same_external).await.expect_error(409, "uniqueness");
        let bob = world.user("bob").await;
        let rename = json!([{"op": "replace", "path": "userName", "value": "ADA"}]);
        let refused = world.patch(&format!("/Users/{bob}"), rename).await.expect_error(409, "uniqueness");
        assert!(refused.detail().contains("userName"), "{}", refused.detail());
        world.put(&format!("/Users/{bob}"), user("ada")).await.expect_error(409, "uniqueness");
        // Another case of one's own name is no conflict.
        let own = json!([{"op": "replace", "path": "userName", "value": "ADA"}]);
        let renamed = world.patch(&format!("/Users/{id}"), own).await.expect(200);
        assert_eq!(renamed.body["userName"], "ADA");
    });
}

#[test]
fn a_failed_patch_changes_nothing() {
    on_both(async |world| {
        let id = world.user("ada").await;
        let path = format!("/Users/{id}");
        let before = world.get(&path).await;
        for (operations, scim_type) in [
            (json!([{"op": "remove", "path": "userName"}]), "invalidValue"),
            (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
            (json!([{"op": "replace", "path": "emails[type eq \"fax\"", "value": "x"}]), "invalidPath"),
            (json!([{"op": "replace", "path": "phoneNumbers[type eq \"fax\"].type", "value": 5}]), ""),
            (json!([{"op": "jump", "path": "title", "value": "x"}]), "invalidSyntax"),
            (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
            (json!([{"op": "remove"}]), "noTarget"),
        ] {
            let mut all = vec![json!({"op": "replace", "path": "title", "value": "changed"})];
            all.extend(operations.as_array().unwrap().iter().cloned());
            let refused = world.patch(&path, Value::Array(all)).await;
            assert!((400..500).contains(&refused.status), "{operations}: {}", refused.text);
            if !scim_type.is_empty() {
                assert_eq!(refused.body["scimType"], scim_type, "{operations}: {}", refused.text);
            }
            refused.clone().expect(refused.status);
            let after = world.get(&path).await;
            assert_eq!(after.body, before.body, "{operations}");
        }
    });
}

#[test]
fn attributes_can_be_chosen_everywhere() {
    on_both(async |world| {
        let made = world.post("/Users?attributes=userName", user("ada")).await.expect(201);
        let keys = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&made.body), ["id", "schemas", "userName"], "{}", made.text);
        let path = format!("/Users/{}", made.id());
        let some = world.get(&format!("{path}?attributes=emails.value,meta.version")).await.expect(200);
        assert_eq!(some.body["emails"][0], json!({"value": "ada@example.com"}));
        assert!(some.body["meta"].get("location").is_none() && some.body["meta"]["version"].is_string());
        let fewer = world.get(&format!("{path}?excludedAttributes=emails,id,meta")).await.expect(200);
        assert_eq!(fewer.id(), made.id(), "the id is always returned");
        assert!(fewer.body.get("emails").is_none() && fewer.body.get("meta").is_none());
        world
            .get(&format!("{path}?attributes=id&excludedAttributes=id"))
            .await
            .expect_error(400, "invalidValue");
        let list = world.get("/Users?attributes=userName").await.expect(200);
        assert_eq!(keys(&list.resources()[0]), ["id", "schemas", "userName"]);
        let search = json!({"schemas": [scim::urn::SEARCH_REQUEST], "attributes": ["userName"]});
        assert_eq!(world.post("/Users/.search", search).await.expect(200).body, list.body);
        let patched = world
            .ask("PATCH", &format!("{path}?attributes=title"))
            .body(&json!({"schemas": [scim::urn::PATCH_OP], "Operations": [{"op": "add", "path": "title", "value": "t"}]}))
            .send()
            .await
            .expect(200);
        assert_eq!(keys(&patched.body), ["id", "schemas", "title"]);
    });
}

#[test]
fn passwords_are_taken_and_never_shown() {
    on_both(async |world| {
        let mut body = user("ada");
        body["password"] = json!("correct horse");
        let made = world.post("/Users", body).await.expect(201);
        let path = format!("/Users/{}", made.id());
        let changed =
            world.patch(&path, json!([{"op": "replace", "path": "password", "value": "battery"}])).await;
        let listed = world.get("/Users?attributes=password").await;
        for answer in [&made, &changed.expect(200), &listed.expect(200)] {
            assert!(!answer.text.contains("password"), "{}", answer.text);
        }
        let asked = world.filter("/Users", "password eq \"battery\"", "").await;
        assert!(asked.status == 400 || asked.status == 403, "{}", asked.text);
        world.log.flush().await;
        let every = LogFilter { bodies: true, ..LogFilter::of(&world.tenant) };
        let kept = world.log.reader().after(&every, 0, 100).await.unwrap();
        assert!(kept.records.len() >= 4, "{kept:?}");
        assert!(!format!("{kept:?}").contains("horse"), "no secret reaches the log");
    });
}
