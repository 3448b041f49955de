//! Every route and verb, who may use it, discovery, `/Me`, and what is nowhere.

use domain::connection::TokenScope;
use engine::tokens::TokenRequest;
use serde_json::json;

use crate::client::Client;
use crate::server::{group, on_both, on_sqlite, user};

#[test]
fn discovery_says_what_is_there() {
    on_both(async |world| {
        let config = world.get("/ServiceProviderConfig").await.expect(200);
        for name in ["patch", "bulk", "filter", "sort", "etag"] {
            assert_eq!(config.body[name]["supported"], true, "{name}: {}", config.text);
        }
        assert_eq!(config.body["changePassword"]["supported"], false);
        assert!(config.body["authenticationSchemes"][0]["type"].is_string());
        let types = world.get("/ResourceTypes").await.expect(200);
        assert_eq!(types.list("name"), ["User", "Group"]);
        let schemas = world.get("/Schemas").await.expect(200);
        assert_eq!(schemas.list("id"), [scim::urn::USER, scim::urn::ENTERPRISE_USER, scim::urn::GROUP]);
        for (path, list) in [("/ResourceTypes", &types), ("/Schemas", &schemas)] {
            for found in list.resources() {
                let id = found["id"].as_str().unwrap();
                let one = world.get(&format!("{path}/{id}")).await.expect(200);
                assert_eq!(&one.body, found);
                let location = one.body["meta"]["location"].as_str().unwrap();
                assert_eq!(location, format!("{}/scim/v2{path}/{id}", world.running.url));
            }
            world.get(&format!("{path}/none")).await.expect(404);
            world.get(&format!("{path}?filter=id%20pr")).await.expect(403);
            world.post(path, json!({})).await.expect(405);
        }
        let group_type = &types.resources()[1];
        assert_eq!(
            (&group_type["endpoint"], &group_type["schema"]),
            (&json!("/Groups"), &json!(scim::urn::GROUP))
        );
    });
}

#[test]
fn methods_that_are_not_offered() {
    on_both(async |world| {
        let id = world.user("ada").await;
        for (path, refused) in [
            ("".to_owned(), &["POST", "PUT", "PATCH", "DELETE"][..]),
            ("/Users".to_owned(), &["PUT", "PATCH", "DELETE"]),
            ("/Groups".to_owned(), &["PUT", "PATCH", "DELETE", "OPTIONS"]),
            (format!("/Users/{id}"), &["POST", "TRACE"]),
            ("/Users/.search".to_owned(), &["GET", "PUT", "DELETE"]),
            ("/.search".to_owned(), &["GET", "PATCH"]),
            ("/Bulk".to_owned(), &["GET", "PUT", "PATCH", "DELETE"]),
            ("/Schemas".to_owned(), &["PUT", "DELETE"]),
            ("/ServiceProviderConfig".to_owned(), &["POST", "DELETE"]),
        ] {
            for method in refused {
                let answer = world.ask(method, &path).send().await.expect(405);
                let allowed = answer.header("allow").to_owned();
                assert!(
                    !allowed.is_empty() && !allowed.split(", ").any(|other| other == *method),
                    "{allowed}"
                );
            }
        }
        for nowhere in
            ["/users", "/Devices", "/Users/a/b", "//Users", "/Users//", "/Me/x", "/Users/.search/x"]
        {
            world.get(nowhere).await.expect(404);
        }
        world.get("/Users/?filter=userName%20eq%20%22ada%22&").await.expect(200);
        let page = world.client.ask("GET", "").whole_path("/elsewhere").send().await;
        assert_eq!(page.status, 404);
        for open in ["/healthz", "/readyz", "/metrics"] {
            let answer =
                world.client.ask("GET", "").whole_path(open).header("authorization", "").send().await;
            assert_eq!(answer.status, 200, "{open}: {}", answer.text);
        }
    });
}

#[test]
fn who_is_not_known_sees_nothing() {
    on_both(async |world| {
        let id = world.user("zoe").await;
        let good = world.client.token.clone();
        let cut = good[..good.len() - 1].to_owned();
        for header in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Bearer {cut}"),
            format!("Bearer {good}x"),
            format!("Bearer {}", good.to_uppercase()),
            format!("Basic {good}"),
            good.clone(),
        ] {
            for path in
                [format!("/Users/{id}"), "/Users/none".to_owned(), "/Schemas".to_owned(), "/x".to_owned()]
            {
                let refused =
                    world.ask("GET", &path).header("authorization", &header).send().await.expect(401);
                assert!(refused.header("www-authenticate").starts_with("Bearer"), "{header}");
                assert!(!refused.text.contains("zoe"));
            }
        }
        let lower =
            world.ask("GET", "/Users").header("authorization", &format!("bearer {good}")).send().await;
        lower.expect(200);
        let reader = world.with_scope(TokenScope::ScimRead).await;
        reader.get(&format!("/Users/{id}")).await.expect(200);
        reader.post("/Users/.search", json!({"schemas": [scim::urn::SEARCH_REQUEST]})).await.expect(200);
        reader.post("/Users", user("bob")).await.expect(403);
        reader.put(&format!("/Users/{id}"), user("bob")).await.expect(403);
        reader.patch(&format!("/Users/{id}"), json!([{"op": "remove", "path": "title"}])).await.expect(403);
        reader.delete(&format!("/Users/{id}")).await.expect(403);
        let bulk = json!({"schemas": [scim::urn::BULK_REQUEST], "Operations": [
            {"method": "DELETE", "path": format!("/Users/{id}")}]});
        reader.post("/Bulk", bulk).await.expect(403);
        world.with_scope(TokenScope::Signin).await.get("/Users").await.expect(403);
        assert_eq!(world.get(&format!("/Users/{id}")).await.expect(200).body["userName"], "zoe");
    });
}

#[test]
fn a_tenant_sees_its_own() {
    on_both(async |world| {
        let (id, members) = (world.user("ada").await, world.group("g", &[]).await);
        let stranger = world.stranger().await;
        for path in [format!("/Users/{id}"), format!("/Groups/{members}")] {
            stranger.get(&path).await.expect(404);
            stranger.delete(&path).await.expect(404);
            stranger
                .patch(&path, json!([{"op": "replace", "path": "displayName", "value": "x"}]))
                .await
                .expect(404);
            stranger.put(&path, user("x")).await.expect(404);
            world.get(&path).await.expect(200);
        }
        assert_eq!(stranger.get("").await.expect(200).body["totalResults"], 0);
        stranger.post("/Users", user("ada")).await.expect(201);
        let named = Client { base: "/t/acme/scim/v2".to_owned(), ..world.client.clone() };
        let shown = named.get(&format!("/Users/{id}")).await.expect(200);
        assert!(shown.header("location").contains("/t/acme/scim/v2/Users/"), "{:?}", shown.headers);
        let wrong = Client { base: "/t/acme/scim/v2".to_owned(), ..stranger.clone() };
        let refused = wrong.get("/Users").await;
        assert!(matches!(refused.status, 401 | 403 | 404), "{}", refused.text);
        let unknown = Client { base: "/t/none/scim/v2".to_owned(), ..world.client.clone() };
        assert_eq!(unknown.get("/Users").await.status, refused.status, "an unknown tenant looks the same");
    });
}

#[test]
fn me_is_the_user_of_the_token() {
    on_both(async |world| {
        world.get("/Me").await.expect(501);
        let id = world.user("ada").await;
        let request = TokenRequest {
            name: None,
            scope: TokenScope::Scim,
            connection: None,
            user: Some("ada".to_owned()),
            expires_ms: None,
        };
        let made = engine::tokens::create(&world.engine, &world.tenant, request).await.unwrap();
        let me = Client { token: made.text.expose().to_owned(), ..world.client.clone() };
        let shown = me.get("/Me").await.expect(200);
        assert_eq!(shown.id(), id);
        assert_eq!(shown.header("location"), format!("{}/scim/v2/Users/{id}", world.running.url));
        let changed =
            me.patch("/Me", json!([{"op": "replace", "path": "title", "value": "t"}])).await.expect(200);
        assert_eq!(changed.body["title"], "t");
        me.post("/Me", user("x")).await.expect(405);
    });
}

#[test]
fn both_content_types_and_no_user_agent() {
    on_sqlite(async |world| {
        for (number, kind) in
            ["application/scim+json", "application/json", "APPLICATION/SCIM+JSON; charset=utf-8", ""]
                .iter()
                .enumerate()
        {
            let body = user(&format!("u{number}")).to_string();
            world.ask("POST", "/Users").bytes(body).header("content-type", kind).send().await.expect(201);
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
            let ask = world.ask("POST", "/Users").bytes(user("x").to_string()).header("content-type", kind);
            ask.send().await.expect(415);
        }
        for (body, what) in [
            ("", "empty"),
            ("{", "broken"),
            ("[]", "no object"),
            ("{} {}", "two"),
            ("\u{feff}{}", "marked"),
            ("{\"userName\":\"a\",\"userName\":\"b\"}", "twice"),
            ("{\"userName\":\"a\",\"USERNAME\":\"b\"}", "twice in another case"),
            ("{\"userName\":\"a\\ud800\"}", "half a pair"),
        ] {
            let refused = world.ask("POST", "/Users").bytes(body).send().await;
            assert_eq!(refused.status, 400, "{what}: {}", refused.text);
            refused.expect(400);
        }
        let refused = world.ask("POST", "/Users").bytes(b"{\"userName\":\"\xff\"}".to_vec()).send().await;
        refused.expect(400);
        world.post("/Groups", group("", &[])).await.expect_error(400, "invalidValue");
        assert_eq!(world.get("/Users").await.expect(200).body["totalResults"], 4);
    });
}
