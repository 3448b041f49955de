//! Bulk over HTTP (RFC 7644 section 3.7): references, circles, failOnErrors, and what one failure leaves alone.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::server::{World, group, on_both, user};

async fn bulk(world: &World, operations: Value) -> Answer {
    let body = json!({"schemas": [scim::urn::BULK_REQUEST], "Operations": operations});
    let answer = world.post("/Bulk", body).await.expect(200);
    assert_eq!(answer.body["schemas"], json!([scim::urn::BULK_RESPONSE]));
    answer
}

fn statuses(answer: &Answer) -> Vec<String> {
    let list = answer.body["Operations"].as_array().unwrap();
    list.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
}

/// The id at the end of an operation's location.
fn id_of(answer: &Answer, at: usize) -> String {
    let location = answer.body["Operations"][at]["location"].as_str().expect("it has a location");
    location.rsplit('/').next().unwrap().to_owned()
}

fn post(path: &str, id: &str, data: Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": id, "data": data})
}

#[test]
fn every_method_and_references() {
    on_both(async |world| {
        let old = world.user("old").await;
        let changed = world.user("changed").await;
        let made = bulk(
            &world,
            json!([
                post("/Groups", "g", group("g", &["bulkId:u"])),
                post("/Users", "u", user("new")),
                {"method": "PATCH", "path": format!("/Users/{changed}"), "data": {"schemas": [scim::urn::PATCH_OP], "Operations": [
                    {"op": "replace", "path": "title", "value": "t"}]}},
                {"method": "PUT", "path": format!("/Users/{changed}"), "data": user("renamed")},
                {"method": "DELETE", "path": format!("/Users/{old}")},
                {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"schemas": [scim::urn::PATCH_OP], "Operations": [
                    {"op": "add", "path": "members", "value": [{"value": changed}]}]}},
            ]),
        )
        .await;
        assert_eq!(statuses(&made), ["201", "201", "200", "200", "204", "200"], "{}", made.text);
        let (g, u) = (id_of(&made, 0), id_of(&made, 1));
        assert_eq!(made.body["Operations"][1]["bulkId"], "u");
        let shown = world.get(&format!("/Groups/{g}")).await.expect(200);
        let mut both = vec![u.clone(), changed.clone()];
        both.sort();
        assert_eq!(shown.values("members"), both);
        assert_eq!(world.get(&format!("/Users/{changed}")).await.body["userName"], "renamed");
        world.get(&format!("/Users/{old}")).await.expect(404);
        let version = world.get(&format!("/Users/{u}")).await.version();
        let stale = bulk(
            &world,
            json!([
                {"method": "PUT", "path": format!("/Users/{u}"), "version": "W/\"99\"", "data": user("new")},
                {"method": "DELETE", "path": format!("/Users/{u}"), "version": version},
            ]),
        )
        .await;
        assert_eq!(statuses(&stale), ["412", "204"], "{}", stale.text);
    });
}

#[test]
fn managers_may_be_circular_and_groups_may_not() {
    on_both(async |world| {
        let with_manager = |name: &str, manager: &str| {
            let mut body = user(name);
            body["schemas"] = json!([scim::urn::USER, scim::urn::ENTERPRISE_USER]);
            body[scim::urn::ENTERPRISE_USER] = json!({"manager": {"value": format!("bulkId:{manager}")}});
            body
        };
        let made = bulk(
            &world,
            json!([
                post("/Users", "a", with_manager("a", "b")),
                post("/Users", "b", with_manager("b", "c")),
                post("/Users", "c", with_manager("c", "a")),
            ]),
        )
        .await;
        assert_eq!(statuses(&made), ["201", "201", "201"], "{}", made.text);
        for (at, manager) in [(0, 1), (1, 2), (2, 0)] {
            let shown = world.get(&format!("/Users/{}", id_of(&made, at))).await.expect(200);
            assert_eq!(shown.body[scim::urn::ENTERPRISE_USER]["manager"]["value"], id_of(&made, manager));
            assert_eq!(
                made.body["Operations"][at]["version"],
                shown.version(),
                "the version is the present one"
            );
        }
        let refused = bulk(
            &world,
            json!([
                post("/Groups", "x", group("x", &["bulkId:y"])),
                post("/Groups", "y", group("y", &["bulkId:x"])),
                post("/Users", "z", user("z")),
            ]),
        )
        .await;
        let statuses = statuses(&refused);
        assert_eq!(statuses.iter().filter(|status| *status == "400").count(), 1, "{}", refused.text);
        assert_eq!(statuses[2], "201", "others go on");
        let left = world.get("/Groups").await.expect(200);
        let nested = left.resources().iter().filter(|group| group.get("members").is_some()).count();
        assert!(nested <= 1, "no group contains itself: {}", left.text);
    });
}

#[test]
fn errors_stop_when_asked_and_name_their_reason() {
    on_both(async |world| {
        let operations = json!([
            post("/Users", "1", user("one")),
            post("/Users", "2", user("one")),
            post("/Users", "3", json!({"title": "nameless"})),
            post("/Users", "4", user("four")),
            post("/Groups", "5", group("five", &["bulkId:2"])),
        ]);
        let body = |limit: Option<u64>| {
            let mut body = json!({"schemas": [scim::urn::BULK_REQUEST], "Operations": operations});
            if let Some(limit) = limit {
                body["failOnErrors"] = json!(limit);
            }
            body
        };
        let stopped = world.post("/Bulk", body(Some(1))).await.expect(200);
        assert_eq!(statuses(&stopped), ["201", "409"], "{}", stopped.text);
        assert_eq!(world.names("/Users", "userName pr").await, ["one"]);
        let all = world.post("/Bulk", body(None)).await.expect(200);
        assert_eq!(statuses(&all), ["409", "409", "400", "201", "409"], "{}", all.text);
        for at in [0, 1, 2, 4] {
            let error = &all.body["Operations"][at]["response"];
            assert_eq!(error["schemas"][0], scim::urn::ERROR, "{error}");
            let detail = error["detail"].as_str().unwrap();
            assert!(detail.ends_with(&format!("[trace {}]", all.header("x-request-id"))), "{detail}");
        }
        assert_eq!(all.body["Operations"][0]["response"]["scimType"], "uniqueness");
    });
}

#[test]
fn wrong_bulk_requests_are_refused_as_a_whole() {
    on_both(async |world| {
        let config = world.get("/ServiceProviderConfig").await.expect(200);
        let most = config.body["bulk"]["maxOperations"].as_u64().unwrap() as usize;
        let many: Vec<Value> =
            (0..=most).map(|at| post("/Users", &at.to_string(), user(&format!("u{at}")))).collect();
        let whole =
            |operations: Value| json!({"schemas": [scim::urn::BULK_REQUEST], "Operations": operations});
        for (body, status) in [
            (whole(Value::Array(many)), 413),
            (whole(json!("none")), 400),
            (json!({"schemas": [scim::urn::BULK_REQUEST]}), 400),
            (whole(json!([{"method": "POST", "path": "/Users", "data": user("x")}])), 400),
            (whole(json!([post("/Users", "a", user("x")), post("/Users", "a", user("y"))])), 400),
            (whole(json!([{"method": "JUMP", "path": "/Users"}])), 400),
        ] {
            let refused = world.post("/Bulk", body.clone()).await;
            let inside = refused.body["Operations"][0]["status"].as_str().map(str::to_owned);
            let found = inside.map_or(refused.status, |status| status.parse().unwrap());
            let shown: String = body.to_string().chars().take(120).collect();
            assert_eq!(found, status, "{shown}: {}", refused.text);
        }
        assert_eq!(world.names("/Users", "userName sw \"u\"").await, Vec::<String>::new());
        let inside = bulk(
            &world,
            json!([
                post("/Devices", "a", user("x")),
                {"method": "DELETE", "path": "/Users"},
                {"method": "DELETE", "path": "/Users/none"},
                {"method": "PUT", "path": "/Users/a/b", "data": {}},
                post("/Groups", "g", group("g", &["bulkId:nobody"])),
            ]),
        )
        .await;
        assert!(statuses(&inside).iter().all(|status| status.starts_with('4')), "{}", inside.text);
    });
}
