//! Limits: what is too large, too slow or too often costs one precise answer and nothing else.

use std::time::Duration;

use domain::connection::ConnectionSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, escape};
use crate::server::{World, group, on, on_both, on_sqlite, options, user};

/// Sends bytes as they are and reads until the server closes.
pub(crate) async fn raw(client: &Client, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    // The server may answer and close before everything is written.
    let _ = stream.write_all(bytes).await;
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a POST whose body follows, on a connection that is closed after the answer.
pub(crate) fn head(client: &Client, path: &str, more: &str) -> String {
    format!(
        "POST /scim/v2{path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{more}\r\n\r\n",
        client.token
    )
}

/// Begins a POST and waits until it has taken the only place of its token; the rest of the body is then still to be sent.
pub(crate) async fn begin(client: &Client, body: &str) -> TcpStream {
    'again: loop {
        let mut stream = TcpStream::connect(client.address).await.unwrap();
        let head = head(client, "/Users", &format!("Content-Length: {}", body.len()));
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..1]).await.unwrap();
        let mut seen = [0];
        while client.get("/Users?count=0").await.status != 429 {
            tokio::select! {
                biased;
                // A look had the place when it came: it was refused itself.
                _ = stream.peek(&mut seen) => continue 'again,
                () = std::future::ready(()) => {}
            }
        }
        return stream;
    }
}

/// A client with one place.
pub(crate) async fn one_place(world: &World) -> Client {
    world.connection("one", ConnectionSettings { concurrency: 1, ..Default::default() }).await
}

#[test]
fn a_large_body_is_refused_before_it_is_read() {
    on_sqlite(async |world| {
        let config = world.get("/ServiceProviderConfig").await.expect(200);
        let most = config.body["bulk"]["maxPayloadSize"].as_u64().unwrap() as usize;
        for path in ["/Users", "/Bulk", "/.search"] {
            let answer =
                raw(&world, head(&world, path, &format!("Content-Length: {}", most + 1)).as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
            assert!(answer.contains("[trace "), "{answer}");
        }
        let mut chunked = head(&world, "/Users", "Transfer-Encoding: chunked").into_bytes();
        for _ in 0..=most / 65_536 {
            chunked.extend(b"10000\r\n");
            chunked.extend(vec![b' '; 65_536]);
            chunked.extend(b"\r\n");
        }
        let answer = raw(&world, &chunked).await;
        assert!(answer.starts_with("HTTP/1.1 413") || answer.is_empty(), "{answer}");
        let padded =
            |body: Value, bytes: usize| format!("{}{body}", " ".repeat(bytes - body.to_string().len()));
        world.ask("POST", "/Groups").bytes(padded(group("padded", &[]), most)).send().await.expect(201);
        // One user is never as large as a group.
        let most = engine::endpoint::MAX_USER_BYTES;
        world.ask("POST", "/Users").bytes(padded(user("padded"), most)).send().await.expect(201);
        for path in ["/Users", "/Users/.search"] {
            let head = head(&world, path, &format!("Content-Length: {}", most + 1));
            let answer = raw(&world, head.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("[trace "), "{answer}");
        }
    });
}

#[test]
fn deep_long_and_many_are_refused() {
    on_sqlite(async |world| {
        let id = world.user("ada").await;
        let path = format!("/Users/{id}");
        let before = world.get(&path).await.body;
        let operation = json!({"op": "replace", "path": "title", "value": "x"});
        let many = Value::Array(vec![operation; scim::patch::MAX_OPERATIONS + 1]);
        let refused = world.patch(&path, many).await;
        assert!(matches!(refused.status, 400 | 413), "{}", refused.text);
        let deep = format!("{{\"userName\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        world.ask("POST", "/Users").bytes(deep).send().await.expect(400);
        let nested = format!("emails[{}value pr{}]", "not (".repeat(500), ")".repeat(500));
        let selection = json!([{"op": "replace", "path": nested, "value": "x"}]);
        world.patch(&path, selection).await.expect_error(400, "invalidPath");
        let attributes = vec!["userName"; 5_000].join(",");
        let answer = world.get(&format!("/Users?attributes={attributes}")).await;
        assert!(answer.status == 200 || answer.status == 400, "{}", answer.status);
        let long = world.get(&format!("/Users?filter={}", escape(&"x".repeat(15_000)))).await;
        long.expect_error(400, "invalidFilter");
        assert_eq!(world.get(&path).await.body, before);
        let line =
            format!("GET /scim/v2/{} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", "x".repeat(100_000));
        let answer = raw(&world, line.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
        let header =
            format!("GET /scim/v2/Users HTTP/1.1\r\nHost: t\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
        let answer = raw(&world, header.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
        world.get("/Users").await.expect(200);
    });
}

#[test]
fn looking_through_the_members_again_and_again_is_refused() {
    on_both(async |world| {
        let made = world.post("/Groups", group("Sales", &[])).await.expect(201);
        let look = json!({"op": "remove", "path": "members[display co \"zz\"]"});
        // Too often, and among too many that the request itself has added.
        for (members, operations) in [(900, 900), (1_001, 2)] {
            let members: Vec<Value> =
                (0..members).map(|number| json!({"value": format!("m{number}")})).collect();
            let mut all = vec![json!({"op": "add", "path": "members", "value": members})];
            all.resize(operations, look.clone());
            let refused = world.patch(&format!("/Groups/{}", made.id()), json!(all)).await.expect(413);
            assert!(refused.detail().contains("value eq"), "{}", refused.detail());
        }
        // Named one by one they are not looked for, however many.
        let named = |number| json!({"op": "remove", "path": format!("members[value eq \"m{number}\"]")});
        let operations: Vec<Value> = (0..900).map(named).collect();
        world.patch(&format!("/Groups/{}", made.id()), json!(operations)).await.expect(200);
        assert_eq!(world.get(&format!("/Groups/{}", made.id())).await.expect(200).body, made.body);
    });
}

#[test]
fn slow_clients_are_not_waited_for() {
    let options = web::Options { slow: Duration::from_millis(150), ..options() };
    on(None, options, None, &async |world: World| {
        let body = user("slow").to_string();
        let cut =
            format!("{}{}", head(&world, "/Users", &format!("Content-Length: {}", body.len())), &body[..9]);
        let answer = raw(&world, cut.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("[trace "), "{answer}");
        // A header that never ends, and a connection on which nothing is said.
        for begun in ["GET /scim/v2/Users HTTP/1.1\r\nHost:", ""] {
            let answer = raw(&world, begun.as_bytes()).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        }
        assert_eq!(world.names("/Users", "userName pr").await, Vec::<String>::new());
    });
}

#[test]
fn too_often_is_told_when_to_come_again() {
    on_both(async |world| {
        let settings = ConnectionSettings { requests_per_second: 1, ..Default::default() };
        let eager = world.connection("eager", settings).await;
        let mut refused = None;
        // Other tests move the same clock.
        for _ in 0..1_000 {
            let answer = eager.get("/Users?count=0").await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
            answer.expect(200);
        }
        let refused = refused.expect("it is refused").expect(429);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=2).contains(&wait), "{wait}");
        world.get("/Users").await.expect(200);
        let one = one_place(&world).await;
        let body = user("ada").to_string();
        let mut begun = begin(&one, &body).await;
        let refused = one.post("/Users", user("bob")).await.expect(429);
        assert_eq!(refused.header("retry-after"), "1");
        begun.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        begun.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        one.post("/Users", user("bob")).await.expect(201);
    });
}
