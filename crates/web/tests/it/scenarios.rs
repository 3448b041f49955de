//! The endpoint's half of the situations that this product exists to end, over HTTP.

use domain::connection::{ConnectionSettings, TokenScope};
use engine::tasks::{self, Task};
use serde_json::{Value, json};
use store::repo::audit;
use store::scim_log::{LogFilter, LogObject, Recorded};

use crate::client::Client;
use crate::server::{World, group, on_both, token, user};

/// The first open task that fits; what an answer causes is found a moment after it.
async fn task(world: &World, fits: impl Fn(&Task) -> bool) -> Task {
    loop {
        let open = tasks::list(&world.engine, &world.tenant, None, 100).await.unwrap();
        if let Some(found) = open.into_iter().find(&fits) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn logged(world: &World, filter: LogFilter) -> Vec<Recorded> {
    world.log.flush().await;
    world.log.reader().after(&filter, 0, 1_000).await.unwrap().records
}

/// A connection whose first logins are tied by `oid` and `externalId`, and the client of the app that asks who signs in.
async fn with_logins(world: &World) -> (Client, Client) {
    let settings = ConnectionSettings {
        issuer: Some("https://idp.example".to_owned()),
        subject_claim: Some("oid".to_owned()),
        subject_attribute: Some("externalId".to_owned()),
        ..Default::default()
    };
    let idp = world.connection("entra", settings).await;
    let app = token(&world.engine, &world.tenant, TokenScope::Signin, Some("entra")).await;
    (idp.clone(), Client { token: app, base: "/api/v1".to_owned(), ..idp })
}

fn login(subject: &str, oid: &str, name: &str) -> Value {
    json!({"issuer": "https://idp.example", "subject": subject, "claims": {"oid": oid, "preferred_username": name}})
}

#[test]
fn s04_a_new_name_signs_in_before_the_rename_arrives() {
    on_both(async |world| {
        let (idp, app) = with_logins(&world).await;
        let mut body = user("old@x.example");
        body["externalId"] = json!("oid-1");
        let id = idp.post("/Users", body).await.expect(201).id();
        let first = app.post("/signin", login("s1", "oid-1", "old@x.example")).await.expect(200);
        assert_eq!((&first.body["outcome"], &first.body["user"]["id"]), (&json!("linked"), &json!(id)));
        assert!(first.body.get("pendingRename").is_none(), "{}", first.text);
        let renamed = app.post("/signin", login("s1", "oid-1", "new@x.example")).await.expect(200);
        assert_eq!((&renamed.body["outcome"], &renamed.body["user"]["id"]), (&json!("known"), &json!(id)));
        assert!(renamed.body["pendingRename"].to_string().contains("new@x.example"), "{}", renamed.text);
        // What is pending is no name: nobody is found by it, and it lets nobody else in.
        assert_eq!(idp.names("/Users", "userName eq \"new@x.example\"").await, Vec::<String>::new());
        let other = app.post("/signin", login("s2", "oid-2", "old@x.example")).await.expect(200);
        assert_eq!((&other.body["outcome"], other.body.get("user")), (&json!("refused"), None));

        let rename = json!([{"op": "replace", "path": "userName", "value": "new@x.example"}]);
        idp.patch(&format!("/Users/{id}"), rename).await.expect(200);
        let after = app.post("/signin", login("s1", "oid-1", "new@x.example")).await.expect(200);
        assert!(after.body.get("pendingRename").is_none(), "{}", after.text);
        assert_eq!(idp.names("/Users", "userName eq \"old@x.example\"").await, Vec::<String>::new());
    });
}

#[test]
fn s16_who_exists_already_is_named_found_and_taken_over() {
    on_both(async |world| {
        let id = world.user("ada@x.example").await;
        let idp = world.connection("okta", Default::default()).await;
        let mut body = user("Ada@X.example");
        body["externalId"] = json!("00u1");
        let refused = idp.post("/Users", body.clone()).await.expect_error(409, "uniqueness");
        assert!(refused.detail().contains(&id), "it says who has the name: {}", refused.detail());
        let found = idp.filter("/Users", "userName eq \"Ada@X.example\"", "").await.expect(200);
        assert_eq!(found.list("id"), std::slice::from_ref(&id));
        let linked = idp.put(&format!("/Users/{id}"), body).await.expect(200);
        assert_eq!((linked.id(), &linked.body["externalId"]), (id, &json!("00u1")));
        assert_eq!(idp.get("/Users").await.expect(200).body["totalResults"], 1);
    });
}

#[test]
fn s18_an_unknown_name_is_told_nothing_but_a_code() {
    on_both(async |world| {
        let (_, app) = with_logins(&world).await;
        world.user("ada@x.example").await;
        let refused = app.post("/signin", login("s9", "oid-9", "ada@x.example")).await.expect(200);
        assert_eq!(refused.body["outcome"], "refused");
        let trace = refused.body["trace"].as_str().unwrap();
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains(trace) && !message.contains("ada"), "{message}");
        let found = task(&world, |task| task.evidence.to_string().contains("ada@x.example")).await;
        assert!(found.fix.len() > 20 && found.evidence.to_string().contains(trace), "{found:?}");
        assert_eq!(world.get("/Users").await.expect(200).body["totalResults"], 1, "nobody was made");
    });
}

#[test]
fn s21_a_group_that_was_deleted_here_is_missed_and_comes_back_as_posted() {
    on_both(async |world| {
        let idp = world.connection("okta", Default::default()).await;
        let a = idp.post("/Users", user("a")).await.expect(201).id();
        let id = idp.post("/Groups", group("Sales", &[&a])).await.expect(201).id();
        engine::directory::delete_group(&world.engine, &world.tenant, "Sales").await.unwrap();
        let add = json!([{"op": "add", "path": "members", "value": [{"value": a}]}]);
        idp.patch(&format!("/Groups/{id}"), add).await.expect(404);
        let found = task(&world, |task| task.kind == "group").await;
        assert_eq!((found.app.as_str(), found.subject.as_deref()), ("okta", Some("Sales")));
        let again = idp.post("/Groups", group("Sales", &[&a])).await.expect(201);
        assert_ne!(again.id(), id);
        assert_eq!(again.values("members"), [a]);
    });
}

#[test]
fn s22_an_incomplete_payload_is_refused_with_its_place_and_logged() {
    on_both(async |world| {
        let idp = world.connection("okta", Default::default()).await;
        for (body, place) in [
            (json!({"schemas": [scim::urn::USER], "name": {"givenName": "Ada"}}), "userName"),
            (
                json!({"schemas": [scim::urn::USER], "userName": "ada", "emails": [{"type": "work", "value": 7}]}),
                "emails",
            ),
            (json!({"schemas": [scim::urn::USER], "userName": "ada", "active": "maybe"}), "active"),
        ] {
            let refused = idp.post("/Users", body).await.expect_error(400, "invalidValue");
            assert!(refused.detail().contains(place), "{}", refused.detail());
            let trace = refused.header("x-request-id").to_owned();
            let seen = logged(&world, LogFilter { trace: Some(trace), ..LogFilter::of(&world.tenant) }).await;
            let exchange = &seen.first().expect("it is in the log").exchange;
            assert_eq!((exchange.status, exchange.scim_type.as_deref()), (400, Some("invalidValue")));
            assert_eq!(exchange.detail.as_deref(), Some(refused.detail()));
            assert_eq!(exchange.connection_name, "okta");
        }
        assert_eq!(idp.get("/Users").await.expect(200).body["totalResults"], 0);
    });
}

#[test]
fn s25_groups_that_cannot_be_are_named() {
    on_both(async |world| {
        let idp = world.connection("entra", Default::default()).await;
        let id = idp.post("/Groups", group("Sales", &[])).await.expect(201).id();
        let taken = idp.post("/Groups", group("SALES", &[])).await.expect_error(409, "uniqueness");
        assert!(taken.detail().contains("displayName"), "{}", taken.detail());
        for empty in ["", "  "] {
            let refused = idp.post("/Groups", group(empty, &[])).await.expect_error(400, "invalidValue");
            assert!(refused.detail().contains("displayName"), "{}", refused.detail());
        }
        let nested = idp.post("/Groups", group("All", &[&id])).await.expect(201);
        assert_eq!(nested.body["members"][0]["type"], "Group");
        // Metadata that nobody knows is dropped and said in the log.
        let odd = json!({"displayName": "Odd", "mailEnabled": true, "securityEnabled": false});
        let made = idp.post("/Groups", odd).await.expect(201);
        let of = LogObject { kind: "group", found: true, id: made.id(), name: String::new() };
        let seen = logged(&world, LogFilter { object: Some(of), ..LogFilter::of(&world.tenant) }).await;
        let tolerated = format!("{:?}", seen.first().expect("it is in the log").exchange.tolerated);
        assert!(tolerated.contains("mailEnabled") && tolerated.contains("securityEnabled"), "{tolerated}");
    });
}

#[test]
fn s36_one_code_joins_answer_log_and_audit() {
    on_both(async |world| {
        let idp = world.connection("okta", Default::default()).await;
        let made = idp.post("/Users", user("ada")).await.expect(201);
        let trace = made.header("x-request-id").to_owned();
        let by_trace = LogFilter { trace: Some(trace.clone()), ..LogFilter::of(&world.tenant) };
        let seen = logged(&world, by_trace).await;
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].exchange.status, seen[0].exchange.object.as_str()), (201, made.id().as_str()));
        let tenant = world.tenant.clone();
        let entries =
            world.engine.read(move |tx| Ok(audit::list(tx, &tenant, None, "", 1_000)?)).await.unwrap();
        let caused: Vec<_> = entries.iter().filter(|one| one.entry.trace == trace).collect();
        assert_eq!(caused.len(), 1, "{caused:?}");
        assert_eq!(
            (caused[0].entry.action.as_str(), caused[0].entry.actor.as_str()),
            ("user.create", "connection:okta")
        );
    });
}

#[test]
fn s37_the_log_has_each_request_once() {
    on_both(async |world| {
        let idp = world.connection("okta", Default::default()).await;
        let work: Vec<_> = (0..8)
            .map(|worker| {
                let idp = idp.clone();
                tokio::spawn(async move {
                    for number in 0..25 {
                        let name = format!("w{worker}n{number}");
                        idp.post("/Users", user(&name)).await.expect(201);
                        idp.post("/Users", user(&name)).await.expect(409);
                    }
                })
            })
            .collect();
        for one in work {
            one.await.unwrap();
        }
        let all = logged(&world, LogFilter::of(&world.tenant)).await;
        let count = |status: u16| all.iter().filter(|one| one.exchange.status == status).count();
        assert_eq!((all.len(), count(201), count(409)), (400, 200, 200));
        let mut traces: Vec<&str> = all.iter().map(|one| one.exchange.trace.as_str()).collect();
        traces.sort_unstable();
        traces.dedup();
        assert_eq!((traces.len(), world.log.dropped()), (400, 0));
    });
}
