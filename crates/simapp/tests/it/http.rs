//! Real HTTP over a socket: keep-alive, resets, throttling, sizes, stopping.

use crate::client::{fault, user};
use serde_json::{Value, json};
use simapp::{App, Clock, Config, Running, serve};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server, the app behind it, and the clock that the test turns by hand.
struct Site {
    runtime: tokio::runtime::Runtime,
    running: Running,
    app: Arc<Mutex<App>>,
    now_ms: Arc<AtomicI64>,
}

impl Site {
    fn new(config: Config) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let app = Arc::new(Mutex::new(App::new(config)));
        let now_ms = Arc::new(AtomicI64::new(1_000_000));
        let clock: Clock = {
            let now_ms = now_ms.clone();
            Arc::new(move || now_ms.load(Ordering::SeqCst))
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let running = runtime.block_on(serve(app.clone(), listen, clock)).unwrap();
        Self { runtime, running, app, now_ms }
    }

    fn with_faults(faults: &[&str]) -> Self {
        Self::new(Config { faults: faults.iter().map(|text| fault(text)).collect(), ..Config::default() })
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.running.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Connection { reader: BufReader::new(stream) }
    }
}

/// A client that speaks just enough HTTP, so that nothing hides what is on the wire.
struct Connection {
    reader: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Connection {
    /// `None` when the connection ends without an answer.
    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: app\r\ncontent-type: application/scim+json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let stream = self.reader.get_mut();
        stream.write_all(head.as_bytes()).unwrap();
        // A server may answer and close before it has read a body that is too long.
        let _ = stream.write_all(body);
        self.read()
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, body.as_bytes()).expect("an answer")
    }

    fn read(&mut self) -> Option<Answer> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = vec![0; length];
        self.reader.read_exact(&mut answer.body).unwrap();
        Some(answer)
    }
}

#[test]
fn create_patch_list_and_delete_over_one_connection() {
    let site = Site::with_faults(&[]);
    let mut connection = site.connect();
    let created = connection.call("POST", "/scim/v2/Users", &user("ada"));
    let location = format!("{}/scim/v2/Users/u-000001", site.running.url());
    assert_eq!((created.status, created.header("location")), (201, Some(&*location)));
    assert_eq!(created.header("content-type"), Some("application/scim+json"));
    let off = json!({ "schemas": [scim::urn::PATCH_OP], "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    let patched = connection.call("PATCH", "/scim/v2/Users/u-000001", &off);
    assert_eq!((patched.status, patched.json()["active"].as_bool()), (200, Some(false)));
    let list = connection.call("GET", "/scim/v2/Users?filter=userName%20eq%20%22ADA%22", &Value::Null).json();
    assert_eq!((list["totalResults"].as_u64(), &list["Resources"][0]), (Some(1), &patched.json()));
    assert_eq!(connection.call("DELETE", "/scim/v2/Users/u-000001", &Value::Null).status, 204);
    assert!(site.app.lock().unwrap().users().is_empty());
}

#[test]
fn a_reset_closes_the_connection_without_an_answer_after_the_commit() {
    let site = Site::with_faults(&["lost-answer-after=#1"]);
    let mut connection = site.connect();
    assert!(connection.send("POST", "/scim/v2/Users", user("ada").to_string().as_bytes()).is_none());
    assert_eq!(site.app.lock().unwrap().users().len(), 1);
    assert_eq!(site.connect().call("POST", "/scim/v2/Users", &user("ada")).status, 409);
}

#[test]
fn throttling_follows_the_clock_that_was_passed_in() {
    let site = Site::with_faults(&["throttle=1/2"]);
    let mut connection = site.connect();
    let mut status = || connection.call("GET", "/scim/v2/Users", &Value::Null);
    assert_eq!((status().status, status().status), (200, 200));
    let refused = status();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    site.now_ms.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(status().status, 200);
    assert_eq!(site.app.lock().unwrap().seen().throttled, 1);
}

#[test]
fn a_slow_answer_does_not_hold_up_others() {
    let site = Site::with_faults(&["post:latency=60000"]);
    let mut slow = site.connect();
    let body = user("ada").to_string();
    let head =
        format!("POST /scim/v2/Users HTTP/1.1\r\nhost: app\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    slow.reader.get_mut().write_all(head.as_bytes()).unwrap();
    let mut quick = site.connect();
    while quick.call("GET", "/scim/v2/Users", &Value::Null).json()["totalResults"] != 1 {
        std::thread::yield_now();
    }
}

#[test]
fn bodies_over_the_limit_are_413_and_no_http_is_survived() {
    let site = Site::with_faults(&[]);
    let answer =
        site.connect().send("POST", "/scim/v2/Users", &vec![b' '; (1 << 20) + 1]).expect("an answer");
    assert_eq!((answer.status, answer.json()["status"].as_str()), (413, Some("413")));
    let mut exact = vec![b' '; 1 << 20];
    exact[..2].copy_from_slice(b"{}");
    assert_eq!(site.connect().send("POST", "/scim/v2/Users", &exact).expect("an answer").status, 400);
    let mut garbage = site.connect();
    garbage.reader.get_mut().write_all(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n").unwrap();
    assert!(garbage.read().is_none_or(|answer| answer.status == 400));
    assert_eq!(site.connect().call("GET", "/scim/v2/Users", &Value::Null).status, 200);
}

#[test]
fn the_app_is_inspected_and_edited_over_http_on_loopback() {
    let site = Site::with_faults(&["down"]);
    let mut connection = site.connect();
    assert_eq!(connection.call("GET", "/scim/v2/Users", &Value::Null).status, 503);
    assert_eq!(connection.call("POST", "/_sim/faults", &json!({ "set": [] })).status, 200);
    connection.call("POST", "/scim/v2/Users", &user("ada"));
    assert_eq!(
        connection.call("POST", "/_sim/edit", &json!({ "op": "delete-user", "user": "ada" })).status,
        200
    );
    let state = connection.call("GET", "/_sim/state", &Value::Null).json();
    assert_eq!(state["users"], json!([]));
    assert_eq!(connection.call("GET", "/_sim/seen", &Value::Null).json()["requests"], 2);
}

#[test]
fn many_connections_at_once_leave_one_consistent_app() {
    let site = Site::with_faults(&[]);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let mut connection = site.connect();
            scope.spawn(move || {
                for number in 0..25 {
                    // Every name is tried by two workers: one creates it, the other meets a conflict.
                    let name = format!("user-{}-{number}", worker / 2);
                    let status = connection.call("POST", "/scim/v2/Users", &user(&name)).status;
                    assert!(matches!(status, 201 | 409), "{status}");
                }
            });
        }
    });
    let app = site.app.lock().unwrap();
    assert_eq!((app.users().len(), app.seen().by_status[&409]), (100, 100));
}

#[test]
fn stopping_closes_the_port_and_idle_connections() {
    let Site { runtime, running, .. } = Site::with_faults(&[]);
    let addr = running.addr;
    let mut idle = TcpStream::connect(addr).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    runtime.block_on(running.stop());
    assert_eq!(idle.read(&mut [0; 16]).unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).is_err());
}
