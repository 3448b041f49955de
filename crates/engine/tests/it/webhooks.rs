//! The feed of deactivations and deletions, and its delivery to a receiver that fails at first.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::directory::Change;
use domain::ids::UserId;
use engine::revocation::{revocations, sign};
use engine::seal::SealingKey;
use engine::webhooks;
use futures::executor::block_on;
use serde_json::{Value, json};
use store::testing::on_each;
use tokio::runtime::Runtime;

use crate::world::{World, options};

fn user(id: &str, active: bool) -> Value {
    json!({"userName": format!("{id}@x"), "externalId": format!("ext-{id}"), "active": active})
}

fn create(id: &str) -> Change {
    Change::CreateUser { id: UserId::new(id), source: "file".into(), doc: user(id, true) }
}

fn deactivate(id: &str) -> Change {
    Change::UpdateUser { id: UserId::new(id), doc: user(id, false) }
}

fn delete(id: &str) -> Change {
    Change::DeleteUser { id: UserId::new(id) }
}

/// Event and user of claims: `deactivate /Users/a`.
fn in_short(claims: &Value) -> String {
    let events = claims["events"].as_object().unwrap();
    let name = events.keys().next().unwrap().rsplit(':').next().unwrap();
    format!("{name} {}", claims["sub_id"]["uri"].as_str().unwrap())
}

#[test]
fn the_feed_has_every_deactivation_and_deletion_once_and_in_order() {
    on_each(options, |name, store| {
        let world = World::on(store);
        world.apply(["a", "b", "c"].map(create).to_vec()).unwrap();
        world.apply(vec![deactivate("b")]).unwrap();
        world.apply(vec![delete("a"), deactivate("c")]).unwrap();
        let mut seen = vec![];
        let mut after = String::new();
        loop {
            let part = block_on(revocations(&world.engine, &world.tenant, &after, 2)).unwrap();
            if part.events.is_empty() {
                break;
            }
            seen.extend(part.events.iter().map(|event| in_short(&event.set)));
            after = part.next;
        }
        assert_eq!(seen, ["deactivate /Users/b", "delete /Users/a", "deactivate /Users/c"], "{name}");
        world.apply(vec![Change::UpdateUser { id: UserId::new("b"), doc: user("b", true) }]).unwrap();
        let part = block_on(revocations(&world.engine, &world.tenant, &after, 2)).unwrap();
        assert_eq!(part.events, [], "{name}: a return takes nothing away");
        let end = block_on(revocations(&world.engine, &world.tenant, "end", 2)).unwrap();
        assert_eq!((end.events.len(), &end.next), (0, &part.next), "{name}");
        assert!(block_on(revocations(&world.engine, &world.tenant, "soon", 2)).is_err(), "{name}");
    });
}

/// A receiver that answers each request with the next status and hands on its head and body.
fn receiver() -> (String, Sender<u16>, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (statuses, next) = channel::<u16>();
    let (requests, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = String::new();
            let mut buffer = [0_u8; 4_096];
            let whole = |text: &str| {
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse::<usize>().unwrap())
                })?;
                (body.len() >= length).then(|| (head.to_owned(), body.to_owned()))
            };
            let request = loop {
                if let Some(request) = whole(&text) {
                    break request;
                }
                let read = stream.read(&mut buffer).unwrap();
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            };
            let Ok(status) = next.recv() else { return };
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            requests.send(request).unwrap();
        }
    });
    (url, statuses, seen)
}

#[test]
fn a_receiver_gets_every_event_signed_and_in_order_also_if_it_fails_at_first() {
    // HTTPS needs its provider even where the test speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Runtime::new().unwrap();
    on_each(options, |name, store| {
        let world = World::on(store);
        let (engine, tenant) = (&world.engine, &world.tenant);
        let key = SealingKey::parse(&"ab".repeat(32)).unwrap();
        let (url, statuses, seen) = receiver();
        world.apply(["a", "b"].map(create).to_vec()).unwrap();
        world.apply(vec![deactivate("a")]).unwrap();
        assert!(block_on(webhooks::add(engine, tenant, &key, &url, false)).is_err(), "{name}: it is private");
        let (hook, secret) = block_on(webhooks::add(engine, tenant, &key, &url, true)).unwrap();
        assert!(block_on(webhooks::add(engine, tenant, &key, &url, true)).is_err(), "{name}: twice");
        let deliver = || runtime.block_on(webhooks::deliver(engine, tenant, &key)).unwrap();
        assert_eq!(deliver().delivered, 0, "{name}: what was before is not told");
        world.apply(vec![deactivate("b"), delete("a")]).unwrap();
        statuses.send(503).unwrap();
        assert_eq!((deliver().failed, seen.recv().unwrap().1.split('.').count()), (1, 3), "{name}");
        let listed = block_on(webhooks::list(engine, tenant)).unwrap();
        assert_eq!(listed[0].last_error.as_deref(), Some("the receiver answers 503"), "{name}");
        statuses.send(202).unwrap();
        statuses.send(200).unwrap();
        // The clock of the test moves with every look: the next try is due after a second of it.
        let mut delivered = 0;
        for _ in 0..10_000 {
            delivered += deliver().delivered;
            if delivered == 2 {
                break;
            }
        }
        let events: Vec<String> = (0..2)
            .map(|_| {
                let (head, token) = seen.recv().unwrap();
                assert!(head.to_lowercase().contains("content-type: application/secevent+jwt"), "{head}");
                let claims = token.split('.').nth(1).unwrap();
                let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
                assert_eq!(token, sign(&claims, &secret), "{name}: its signature is ours");
                assert_eq!(claims["aud"], url.as_str());
                in_short(&claims)
            })
            .collect();
        assert_eq!(events, ["deactivate /Users/b", "delete /Users/a"], "{name}");
        assert_eq!(deliver().delivered, 0, "{name}: none comes twice");
        block_on(webhooks::remove(engine, tenant, &url)).unwrap();
        assert!(block_on(webhooks::remove(engine, tenant, &hook.id)).is_err(), "{name}");
        let actions = world.actions();
        assert!(
            actions.contains(&"webhook.add".to_owned()) && actions.contains(&"webhook.remove".to_owned())
        );
    });
}
