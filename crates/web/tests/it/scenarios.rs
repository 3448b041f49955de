//! The endpoint's half of the situations that this product exists to end, over HTTP.

use domain::connection::{ConnectionSettings, IdentityProvider, TokenScope};
use engine::load::{LoadFile, LoadRequest};
use engine::tasks::{self, Task};
use engine::{connection_compare, connections, findings, seats};
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

/// First logins are tied by `oid` and `externalId`.
fn logins() -> ConnectionSettings {
    ConnectionSettings {
        issuer: Some("https://idp.example".to_owned()),
        subject_claim: Some("oid".to_owned()),
        subject_attribute: Some("externalId".to_owned()),
        ..Default::default()
    }
}

/// A connection that people sign in through, and the client of the app that asks who signs in.
async fn connected(world: &World, settings: ConnectionSettings) -> (Client, Client) {
    let idp = world.connection("entra", settings).await;
    let app = token(&world.engine, &world.tenant, TokenScope::Signin, Some("entra")).await;
    (idp.clone(), Client { token: app, base: "/api/v1".to_owned(), ..idp })
}

fn login(subject: &str, oid: &str, name: &str) -> Value {
    json!({"issuer": "https://idp.example", "subject": subject, "claims": {"oid": oid, "preferred_username": name}})
}

/// A connection of Okta's.
async fn okta(world: &World) -> Client {
    let settings = ConnectionSettings::of(IdentityProvider::Okta);
    connections::add(&world.engine, &world.tenant, "okta", IdentityProvider::Okta, settings).await.unwrap();
    Client {
        token: token(&world.engine, &world.tenant, TokenScope::Scim, Some("okta")).await,
        ..world.client.clone()
    }
}

/// The task of a cause, once it is open an hour from now.
async fn swept(world: &World, cause: &str) -> Task {
    loop {
        sweep(world).await;
        let open = tasks::list(&world.engine, &world.tenant, None, 100).await.unwrap();
        if let Some(found) = open.into_iter().find(|task| task.cause == cause) {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn sweep(world: &World) {
    let in_an_hour = world.engine.env.now_ms() + 3_600_000;
    findings::sweep(&world.engine, &world.tenant, in_an_hour).await.unwrap();
}

async fn open_causes(world: &World) -> Vec<String> {
    let open = tasks::list(&world.engine, &world.tenant, None, 100).await.unwrap();
    open.into_iter().map(|task| task.cause).collect()
}

#[test]
fn s01_a_group_that_was_written_before_its_members_is_found_with_the_step() {
    on_both(async |world| {
        let idp = okta(&world).await;
        let sales = idp.post("/Groups", group("Sales", &[])).await.expect(201).id();
        // The clock moves by a millisecond whenever somebody looks.
        let later = world.engine.env.now_ms() + 7_000;
        while world.engine.env.now_ms() < later {}
        let ada = idp.post("/Users", user("ada")).await.expect(201).id();
        let found = swept(&world, "endpoint.member_late").await;
        assert_eq!((found.app.as_str(), found.subject.as_deref()), ("okta", Some("Sales")));
        let late = &found.evidence["users"][0];
        assert_eq!(late["name"], "ada");
        assert!(late["created_seconds_after_the_group"].as_i64().is_some_and(|seconds| seconds >= 6));
        assert!(found.fix.contains("Push now"), "{}", found.fix);
        let add = |id: &str| json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        let path = format!("/Groups/{sales}");
        idp.patch(&path, add(&ada)).await.expect(200);
        sweep(&world).await;
        assert_eq!(open_causes(&world).await, Vec::<String>::new());
        // A member that was never created: the whole request is refused, and said where it is to be mended.
        let ghost = idp.patch(&path, add("never-given")).await.expect_error(400, "invalidValue");
        assert!(ghost.detail().contains("never-given"), "{}", ghost.detail());
        let found = swept(&world, "endpoint.member_unknown").await;
        assert!(found.evidence.to_string().contains("never-given"), "{}", found.evidence);
        assert_eq!(idp.get(&path).await.expect(200).values("members"), [ada]);
    });
}

#[test]
fn s04_a_new_name_signs_in_before_the_rename_arrives() {
    on_both(async |world| {
        let (idp, app) = connected(&world, logins()).await;
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
fn s15_a_deleted_user_answers_404_and_comes_back_under_the_same_id_with_its_groups() {
    on_both(async |world| {
        let idp = okta(&world).await;
        let mut body = user("ada@x.example");
        body["externalId"] = json!("00u1");
        body["active"] = json!(true);
        let ada = idp.post("/Users", body.clone()).await.expect(201).id();
        let sales = idp.post("/Groups", group("Sales", &[&ada])).await.expect(201).id();
        let (path, members) = (format!("/Users/{ada}"), format!("/Groups/{sales}"));
        engine::directory::delete_user(&world.engine, &world.tenant, &ada).await.unwrap();
        idp.get(&path).await.expect(404);
        idp.put(&path, body.clone()).await.expect(404);
        let found = swept(&world, "endpoint.deleted_written").await;
        assert_eq!((found.app.as_str(), found.subject.as_deref()), ("okta", Some("ada@x.example")));
        assert!(found.fix.contains("user restore") && found.fix.contains("In Okta"), "{}", found.fix);
        let restored = engine::directory::restore_user(&world.engine, &world.tenant, &ada).await.unwrap();
        assert_eq!((restored.object.id.as_str(), restored.deleted_by), (ada.as_str(), None));
        sweep(&world).await;
        assert_eq!(open_causes(&world).await, Vec::<String>::new());
        assert_eq!(idp.get(&members).await.expect(200).values("members"), std::slice::from_ref(&ada));
        assert_eq!(idp.put(&path, body.clone()).await.expect(200).body["active"], true);
        // Deleted by the identity provider itself: back with its groups, and inactive until it says active.
        idp.delete(&path).await.expect(204);
        idp.get(&path).await.expect(404);
        let restored = engine::directory::restore_user(&world.engine, &world.tenant, &ada).await.unwrap();
        assert_eq!(restored.deleted_by.as_deref(), Some("okta"));
        assert_eq!(idp.get(&path).await.expect(200).body["active"], false);
        assert_eq!(idp.get(&members).await.expect(200).values("members"), std::slice::from_ref(&ada));
        assert_eq!(idp.put(&path, body).await.expect(200).body["active"], true);
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
fn s17_a_first_login_is_one_user_for_ever_and_two_records_become_one() {
    on_both(async |world| {
        let settings = ConnectionSettings { create_on_first_login: true, ..logins() };
        let (idp, app) = connected(&world, settings).await;
        let first = app.post("/signin", login("s1", "oid-1", "old@x.example")).await.expect(200);
        assert_eq!(first.body["outcome"], "created", "{}", first.text);
        let by_login = first.body["user"]["id"].as_str().unwrap().to_owned();
        // Another name or address is the same person as long as the subject is.
        let renamed = app.post("/signin", login("s1", "oid-1", "new@x.example")).await.expect(200);
        assert_eq!(
            (&renamed.body["outcome"], &renamed.body["user"]["id"]),
            (&json!("known"), &json!(by_login))
        );
        assert_eq!(idp.get("/Users").await.expect(200).body["totalResults"], 1);
        // The same name under another subject is never the same person.
        let other = app.post("/signin", login("s2", "oid-2", "old@x.example")).await.expect(200);
        assert_ne!(other.body["user"]["id"], json!(by_login), "{}", other.text);

        let pushed = idp.post("/Users", user("ada@x.example")).await.expect(201).id();
        let sales = idp.post("/Groups", group("Sales", &[&by_login])).await.expect(201).id();
        let (engine, tenant) = (&world.engine, &world.tenant);
        engine::directory::preview_merge(engine, tenant, &pushed, &by_login).await.unwrap();
        idp.get(&format!("/Users/{by_login}")).await.expect(200);
        engine::directory::merge_users(engine, tenant, &pushed, &by_login, true).await.unwrap();
        idp.get(&format!("/Users/{by_login}")).await.expect(404);
        let members = format!("/Groups/{sales}");
        assert_eq!(idp.get(&members).await.expect(200).values("members"), std::slice::from_ref(&pushed));
        let after = app.post("/signin", login("s1", "oid-1", "new@x.example")).await.expect(200);
        assert_eq!(after.body["user"]["id"], json!(pushed), "{}", after.text);
        engine::directory::unmerge_users(engine, tenant, &pushed, &by_login).await.unwrap();
        let after = app.post("/signin", login("s1", "oid-1", "new@x.example")).await.expect(200);
        assert_eq!(after.body["user"]["id"], json!(by_login), "{}", after.text);
        assert_eq!(idp.get(&members).await.expect(200).values("members"), [by_login]);
    });
}

#[test]
fn s18_an_unknown_name_is_told_nothing_but_a_code() {
    on_both(async |world| {
        let (_, app) = connected(&world, logins()).await;
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
fn s20_what_an_export_has_and_nobody_pushed_is_listed_until_it_arrives() {
    on_both(async |world| {
        let idp = okta(&world).await;
        let ada = idp.post("/Users", user("ada")).await.expect(201).id();
        let sales = idp.post("/Groups", group("Sales", &[])).await.expect(201).id();
        let lacks = async || {
            let file = |name: &str, text: &str| Some(LoadFile::new(name, text.as_bytes().to_vec()));
            let export = LoadRequest {
                users: file("users.csv", "userName,active\nada,true\nbob,true\n"),
                groups: file("groups.csv", "displayName\nSales\n"),
                members: file("members.csv", "group,member\nSales,ada\nSales,bob\n"),
                ..LoadRequest::default()
            };
            let found =
                connection_compare::compare(&world.engine, &world.tenant, "okta", export).await.unwrap();
            assert!(found.lacks.iter().all(|lack| lack.step.len() > 10), "{:?}", found.lacks);
            found
                .lacks
                .into_iter()
                .map(|lack| format!("{} {} {}", lack.kind, lack.name, lack.state))
                .collect()
        };
        let found: Vec<String> = lacks().await;
        assert_eq!(found, ["user bob missing", "member Sales > ada missing", "member Sales > bob waits"]);
        let bob = idp.post("/Users", user("bob")).await.expect(201).id();
        let both = json!([{"op": "add", "path": "members", "value": [{"value": ada}, {"value": bob}]}]);
        idp.patch(&format!("/Groups/{sales}"), both).await.expect(200);
        let found: Vec<String> = lacks().await;
        assert_eq!(found, Vec::<String>::new());
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
fn s30_ten_seats_and_64_writers_are_ten_active_users() {
    on_both(async |world| {
        let idp = okta(&world).await;
        seats::set(&world.engine, &world.tenant, Some(10)).await.unwrap();
        let writers: Vec<_> = (0..64)
            .map(|number| {
                let idp = idp.clone();
                tokio::spawn(async move { idp.post("/Users", user(&format!("n{number}"))).await })
            })
            .collect();
        let mut made = vec![];
        for writer in writers {
            match writer.await.unwrap() {
                answer if answer.status == 201 => made.push(answer.id()),
                answer => assert!(answer.expect(403).detail().contains("10 of 10 seats")),
            }
        }
        let active = async || {
            idp.filter("/Users", "active eq true", "").await.expect(200).body["totalResults"].clone()
        };
        assert_eq!((made.len(), active().await, open_seats(&world).await), (10, json!(10), Some((10, 10))));
        let full = task(&world, |task| task.cause == "seats.exhausted_here").await;
        assert!(full.fix.contains("--seats"), "{}", full.fix);
        // Leaving always passes, and gives the seat to somebody else.
        let leave = json!([{"op": "replace", "path": "active", "value": false}]);
        idp.patch(&format!("/Users/{}", made[0]), leave).await.expect(200);
        idp.post("/Users", user("late")).await.expect(201);
        idp.post("/Users", user("later")).await.expect(403);
        assert_eq!((active().await, open_seats(&world).await), (json!(10), Some((10, 10))));
    });
}

/// Seats used, and how many there are.
async fn open_seats(world: &World) -> Option<(i64, i64)> {
    let seats = seats::get(&world.engine, &world.tenant).await.unwrap();
    seats.map(|seats| (seats.used, seats.limit))
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
