//! Tokens in use: what another process does to one counts with the next request, and large bodies and groups are answered too.

use domain::connection::ConnectionSettings;
use domain::ids::TenantId;
use engine::{Engine, connections, tokens};
use serde_json::json;
use store::{OpenOptions, Store};

use crate::client::Client;
use crate::server::{World, group, on_both, on_sqlite, user};

/// The same database, opened by somebody else.
async fn other_process(world: &World) -> Engine {
    let location = world.location.clone();
    let open = move || Store::open(&location, OpenOptions::new(0)).unwrap();
    Engine { store: tokio::task::spawn_blocking(open).await.unwrap(), ..world.engine.clone() }
}

async fn expect(client: &Client, status: u16) {
    client.get("/Users?count=1").await.expect(status);
    client.get("/Users/nobody").await.expect(if status == 200 { 404 } else { status });
}

#[test]
fn what_another_process_does_to_a_token_counts_at_once() {
    on_both(|world| async move {
        let other = other_process(&world).await;
        let tenant = &world.tenant;
        let client = world.connection("okta", ConnectionSettings::default()).await;
        let named = Client { base: "/t/acme/scim/v2".to_owned(), ..client.clone() };
        for client in [&client, &named, &client] {
            expect(client, 200).await;
        }
        let wrong = Client { token: world.stranger().await.token, ..named.clone() };
        expect(&wrong, 401).await;
        client.post("/Users", user("ann")).await.expect(201);

        let exclude = |_: &mut store::Tx<'_>, _: &TenantId, settings: &mut ConnectionSettings| {
            settings.exclude = Some("userName sw \"b\"".to_owned());
            Ok(())
        };
        connections::change(&other, tenant, "okta", exclude).await.unwrap();
        client.post("/Users", user("bob")).await.expect(403);

        tokens::revoke(&other, tenant, &client.token).await.unwrap();
        expect(&client, 401).await;
        expect(&named, 401).await;

        let client = world.connection("entra", ConnectionSettings::default()).await;
        expect(&client, 200).await;
        let next = tokens::rotate(&other, tenant, &client.token, 0, None).await.unwrap();
        expect(&client, 401).await;
        let client = Client { token: next.text.expose().to_owned(), ..client };
        expect(&client, 200).await;
        connections::remove(&other, tenant, "entra").await.unwrap();
        expect(&client, 401).await;
    });
}

#[test]
fn large_bodies_and_groups_are_answered_beside_others() {
    on_sqlite(|world| async move {
        let mut ids = vec![];
        for n in 0..600 {
            ids.push(world.user(&format!("user{n}")).await);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        // More than 32 KiB, and more than 500 members.
        let made = world.group("All", &ids).await;
        let all = world.get(&format!("/Groups/{made}")).await.expect(200);
        assert_eq!(all.body["members"].as_array().unwrap().len(), ids.len());
        let mut body = group("Other", &ids);
        body["nothing"] = json!("x".repeat(1_000));
        let tasks = (0..8).map(|_| {
            let (client, made, body) = (world.client.clone(), made.clone(), body.clone());
            tokio::spawn(async move {
                client.ask("PUT", &format!("/Groups/{made}")).body(&body).send().await.status
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert!([200, 400, 409, 412].contains(&task.await.unwrap()));
        }
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1,
            "filter": format!("title eq \"{}\"", "x".repeat(40_000))});
        let tasks = (0..8).map(|_| {
            let (client, search) = (world.client.clone(), search.clone());
            tokio::spawn(async move { client.post("/Users/.search", search).await.status })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert!([200, 400].contains(&task.await.unwrap()));
        }
        world.get("/Users?count=1").await.expect(200);
    });
}
