//! The user endpoint: the rules that every app enforces.

use crate::client::{Client, id, patch, user};
use serde_json::{Value, json};
use simapp::{Config, Request};

#[test]
fn a_created_user_is_shown_with_id_meta_and_location() {
    let mut client = Client::with_faults(&[]);
    let response = client.answer("POST", "/Users", Some(&user("ada")));
    assert_eq!((response.status, response.header("location")), (201, Some("/scim/v2/Users/u-000001")));
    assert_eq!(
        (response.header("etag"), response.header("content-type")),
        (Some("W/\"1\""), Some("application/scim+json"))
    );
    let body = response.value().unwrap();
    assert_eq!((body["id"].as_str(), body["userName"].as_str()), (Some("u-000001"), Some("ada")));
    assert_eq!(body["meta"]["created"], "1970-01-01T00:16:40.000Z");
    assert_eq!(body["meta"]["resourceType"], "User");
    assert_eq!(client.get("/Users/u-000001"), (200, body));
}

#[test]
fn names_are_unique_without_case_and_the_error_says_uniqueness() {
    let mut client = Client::with_faults(&[]);
    let ada = client.add_user("Ada");
    let (status, body) = client.post("/Users", &user("aDA"));
    assert_eq!(
        (status, body["scimType"].as_str(), body["status"].as_str()),
        (409, Some("uniqueness"), Some("409"))
    );
    let bob = client.add_user("bob");
    let rename = json!([{ "op": "replace", "path": "userName", "value": "ADA" }]);
    assert_eq!(client.patch(&format!("/Users/{bob}"), &rename).0, 409);
    // The own name in another case is no conflict, and the case is kept as sent.
    let (status, body) = client.patch(&format!("/Users/{ada}"), &rename);
    assert_eq!((status, body["userName"].as_str()), (200, Some("ADA")));
    // A name that was given up is free again.
    let other = json!([{ "op": "replace", "path": "userName", "value": "augusta" }]);
    assert_eq!(client.patch(&format!("/Users/{ada}"), &other).0, 200);
    assert_eq!(client.patch(&format!("/Users/{bob}"), &rename).0, 200);
}

#[test]
fn uniqueness_is_a_matter_of_configuration() {
    let mut client = Client::new(Config { enforce_user_name_unique: false, ..Config::default() });
    assert_ne!(client.add_user("ada"), client.add_user("ada"));
    let mut client = Client::new(Config { enforce_external_id_unique: true, ..Config::default() });
    client.add_user("ada");
    let mut twin = user("bob");
    twin["externalId"] = json!("ext-ada");
    assert_eq!(client.post("/Users", &twin).0, 409);
}

#[test]
fn patch_changes_what_it_names_and_the_version_only_then() {
    let mut client = Client::with_faults(&[]);
    let path = format!("/Users/{}", client.add_user("ada"));
    client.now_ms += 5_000;
    let operations = json!([
        { "op": "replace", "path": "active", "value": false },
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@example.com" },
        { "op": "add", "path": format!("{}:department", scim::urn::ENTERPRISE_USER), "value": "Engines" },
    ]);
    let (status, body) = client.patch(&path, &operations);
    assert_eq!(
        (status, body["active"].as_bool(), body["meta"]["version"].as_str()),
        (200, Some(false), Some("W/\"2\""))
    );
    assert_eq!(body["emails"][0]["value"], "new@example.com");
    assert_eq!(body[scim::urn::ENTERPRISE_USER]["department"], "Engines");
    assert!(body["schemas"].as_array().unwrap().contains(&json!(scim::urn::ENTERPRISE_USER)));
    assert_eq!(body["meta"]["lastModified"], "1970-01-01T00:16:45.000Z");
    client.now_ms += 5_000;
    assert_eq!(client.patch(&path, &operations), (200, body), "the same again changes nothing");
}

#[test]
fn a_refused_patch_changes_nothing() {
    let mut client = Client::with_faults(&[]);
    let path = format!("/Users/{}", client.add_user("ada"));
    let before = client.get(&path);
    let operations = json!([
        { "op": "replace", "path": "active", "value": false },
        { "op": "replace", "path": "noSuchThing", "value": 1 },
    ]);
    let (status, body) = client.patch(&path, &operations);
    assert_eq!((status, body["scimType"].as_str()), (400, Some("invalidPath")));
    assert_eq!(client.get(&path), before);
}

#[test]
fn put_replaces_but_does_not_bring_a_leaver_back() {
    let mut client = Client::with_faults(&[]);
    let path = format!("/Users/{}", client.add_user("ada"));
    client.patch(&path, &json!([{ "op": "replace", "value": { "active": false } }]));
    let body =
        json!({ "schemas": [scim::urn::USER], "userName": "ada", "id": "ignored", "displayName": "Ada" });
    let (status, body) = client.call("PUT", &path, Some(&body));
    assert_eq!(
        (status, body["active"].as_bool(), body["displayName"].as_str()),
        (200, Some(false), Some("Ada"))
    );
    assert_eq!((body.get("emails"), id(&body)), (None, "u-000001".to_owned()));
}

#[test]
fn passwords_are_accepted_and_never_shown() {
    let mut client = Client::with_faults(&[]);
    let mut body = user("ada");
    body["password"] = json!("correct horse");
    let (status, body) = client.post("/Users", &body);
    assert_eq!((status, body.get("password")), (201, None));
    assert!(!format!("{:?}", client.app.users()).contains("horse"));
}

#[test]
fn deleting_answers_404_afterwards_and_frees_the_name() {
    let mut client = Client::with_faults(&[]);
    let ada = client.add_user("ada");
    let group = client.add_group("Engines", &[&ada]);
    let path = format!("/Users/{ada}");
    assert_eq!(client.get(&path).1["groups"][0]["value"], json!(group));
    assert_eq!(client.call("DELETE", &path, None), (204, Value::Null));
    assert_eq!(client.get(&path).0, 404);
    assert_eq!(client.call("DELETE", &path, None).0, 404);
    assert_eq!(client.patch(&path, &json!([{ "op": "replace", "path": "active", "value": true }])).0, 404);
    assert!(client.held_members(&group).is_empty());
    assert_eq!(client.add_user("ada"), "u-000002", "a new account has a new id");
}

#[test]
fn if_match_guards_a_write() {
    let mut client = Client::with_faults(&[]);
    let ada = client.add_user("ada");
    let write = |tag: &str, value: bool| {
        let body = patch(&json!([{ "op": "replace", "path": "active", "value": value }]));
        Request::new("PATCH", &format!("/scim/v2/Users/{ada}")).with_json(&body).with_header("If-Match", tag)
    };
    let mut status =
        |tag: &str, value: bool| client.app.handle(&write(tag, value), 0).response().unwrap().status;
    assert_eq!(status("W/\"1\"", false), 200);
    assert_eq!(status("W/\"1\"", true), 412);
    assert_eq!(status("W/\"1\", W/\"2\"", true), 200);
    assert_eq!(status("*", false), 200);
}

#[test]
fn credentials_methods_and_sizes_are_checked() {
    let config = Config { token: Some("s3cret".to_owned()), max_body_bytes: 2_000, ..Config::default() };
    let mut client = Client::new(config);
    let (status, body) = client.get("/Users");
    assert_eq!((status, body["status"].as_str()), (401, Some("401")));
    let mut status = |method: &str, path: &str, token: &str, body: Vec<u8>| {
        let request = Request { body, ..Request::new(method, path) }.with_header("Authorization", token);
        client.app.handle(&request, 0).response().unwrap().status
    };
    assert_eq!(status("GET", "/scim/v2/Users", "Bearer wrong", Vec::new()), 401);
    assert_eq!(status("GET", "/scim/v2/Users", "Basic s3cret", Vec::new()), 401);
    assert_eq!(status("GET", "/scim/v2/Users", "bearer s3cret", Vec::new()), 200);
    assert_eq!(status("POST", "/scim/v2/Users", "Bearer s3cret", vec![b'x'; 2_001]), 413);
    assert_eq!(status("POST", "/scim/v2/Users", "Bearer s3cret", b"{\"userName\":".to_vec()), 400);
    assert_eq!(status("PUT", "/scim/v2/Users", "Bearer s3cret", Vec::new()), 405);
    assert_eq!(status("BREW", "/scim/v2/Users/u-1", "Bearer s3cret", Vec::new()), 405);
    assert_eq!(status("GET", "/scim/v2/Teapots", "Bearer s3cret", Vec::new()), 404);
    assert_eq!(status("POST", "/scim/v2/Bulk", "Bearer s3cret", Vec::new()), 501);
    client.app.set_token(Some("other".to_owned()));
    let request = Request::new("GET", "/scim/v2/Users").with_header("authorization", "Bearer s3cret");
    assert_eq!(client.app.handle(&request, 0).response().unwrap().status, 401);
}

#[test]
fn discovery_is_complete() {
    let mut client = Client::with_faults(&[]);
    let (status, body) = client.get("/ServiceProviderConfig");
    assert_eq!(
        (status, body["patch"]["supported"].as_bool(), body["filter"]["maxResults"].as_u64()),
        (200, Some(true), Some(200))
    );
    let (_, body) = client.get("/Schemas");
    assert_eq!(body["totalResults"], 3);
    let (status, body) = client.get(&format!("/Schemas/{}", scim::urn::ENTERPRISE_USER));
    assert_eq!((status, body["id"].as_str()), (200, Some(scim::urn::ENTERPRISE_USER)));
    assert_eq!(client.get("/Schemas/urn:none").0, 404);
    let (_, body) = client.get("/ResourceTypes/User");
    assert_eq!(
        (body["endpoint"].as_str(), body["schemaExtensions"][0]["schema"].as_str()),
        (Some("/Users"), Some(scim::urn::ENTERPRISE_USER))
    );
}

#[test]
fn patch_204_and_id_prefix_are_configuration() {
    let config = Config { patch_204: true, id_prefix: "acme-".to_owned(), ..Config::default() };
    let mut client = Client::new(config);
    let ada = client.add_user("ada");
    assert_eq!(ada, "acme-u-000001");
    let reply = client
        .patch(&format!("/Users/{ada}"), &json!([{ "op": "replace", "path": "active", "value": false }]));
    assert_eq!(reply, (204, Value::Null));
}
