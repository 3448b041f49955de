//! s30: a tenant's seats, with the real server and 64 writers at once: never more active users than the limit.

use std::sync::Barrier;

use serde_json::{Value, json};
use store::Location;

use crate::bench::Folder;
use crate::endpoint_logs::until;
use crate::serving::Serving;

const WRITERS: usize = 64;
const SEATS: usize = 10;

fn user(name: &str, active: bool) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": active})
}

fn set_active(active: bool) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": active}]})
}

/// Every writer sends its request at the same moment; gives status and answer of each.
fn at_once(
    serving: &Serving,
    send: impl Fn(usize) -> (&'static str, String, Value) + Sync,
) -> Vec<(u16, Value)> {
    let barrier = Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (mut client, barrier, send) = (serving.client(), &barrier, &send);
                scope.spawn(move || {
                    let (method, path, body) = send(number);
                    barrier.wait();
                    client.send(method, &path, &body)
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

/// The ids of those that were accepted; everybody else must have been refused with the limit named.
#[track_caller]
fn accepted(answers: &[(u16, Value)], status: u16) -> Vec<String> {
    for (got, answer) in answers.iter().filter(|(got, _)| *got != status) {
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(*got == 403 && detail.contains("10 of 10 seats"), "{got}: {answer}");
    }
    let ids = answers.iter().filter(|(got, _)| *got == status).map(|(_, answer)| answer["id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

fn seats_hold(database: &str) {
    let folder = Folder::new();
    let serving = Serving::start(&folder, database, "okta");
    let run = |arguments: &[&str]| folder.ok(&[&["--database", database], arguments].concat());
    let shown = || run(&["tenant", "show", "acme", "-o", "json"]).json();
    let active = || (shown()["active"].as_i64().unwrap(), shown()["seats"]["used"].as_i64().unwrap());
    run(&["tenant", "set", "acme", "--seats", "10"]);
    // Creates: as many as there are seats, not one more.
    let created = at_once(&serving, |number| ("POST", "/Users".into(), user(&format!("n{number}"), true)));
    let ids = accepted(&created, 201);
    assert_eq!((ids.len(), active()), (SEATS, (10, 10)));
    let tasks = || {
        let said = folder.run(&["--database", database, "tasks", "-o", "json"]).json();
        said.as_array()
            .unwrap()
            .iter()
            .map(|task| task["cause"].as_str().unwrap().to_owned())
            .filter(|cause| cause.starts_with("seats."))
            .collect::<Vec<_>>()
    };
    until("the tasks", || tasks() == ["seats.low", "seats.exhausted_here"]);
    let said = folder.run(&["--database", database, "tasks"]).ends(4).out;
    assert!(
        said.contains("the whole tenant in 'acme'") && said.contains("lockstep tenant set acme --seats"),
        "{said}"
    );
    let said = run(&["tenant", "show"]);
    assert!(
        said.out.contains("10 of 10 used (100 %)") && said.err.contains("90 %"),
        "{} {}",
        said.out,
        said.err
    );
    // Whoever takes no seat passes: inactive users, and changes of users who have one.
    let mut client = serving.client();
    for number in 0..WRITERS {
        client.expect(201, "POST", "/Users", &user(&format!("idle{number}"), false));
    }
    let idle = client.expect(200, "GET", "/Users?filter=active%20eq%20false&count=100", &Value::Null);
    let idle: Vec<String> = idle["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(idle.len(), WRITERS);
    client.expect(200, "PATCH", &format!("/Users/{}", ids[0]), &set_active(true));
    // Reactivations are refused while it is full; deactivations always pass, also many at once.
    client.expect(403, "PATCH", &format!("/Users/{}", idle[0]), &set_active(true));
    client.expect(403, "PUT", &format!("/Users/{}", idle[0]), &user("idle-again", true));
    let left = at_once(&serving, |number| {
        let id = if number < SEATS { &ids[number] } else { &idle[number] };
        ("PATCH", format!("/Users/{id}"), set_active(false))
    });
    assert!(left.iter().all(|(status, _)| *status == 200), "{left:?}");
    assert_eq!(active(), (0, 0));
    assert!(tasks().is_empty(), "{:?}", tasks());
    // Everybody wants back in at once.
    let back = at_once(&serving, |number| ("PATCH", format!("/Users/{}", idle[number]), set_active(true)));
    assert_eq!((accepted(&back, 200).len(), active()), (SEATS, (10, 10)));
    // A seat is freed once, also if its user is deactivated and deleted at the same time.
    let back = accepted(&back, 200);
    let gone = at_once(&serving, |number| {
        let path = format!("/Users/{}", back[number % SEATS]);
        match number / SEATS % 2 {
            0 => ("PATCH", path, set_active(false)),
            _ => ("DELETE", path, Value::Null),
        }
    });
    assert!(gone.iter().all(|(status, _)| [200, 204, 404].contains(status)), "{gone:?}");
    assert_eq!(active(), (0, 0));
    run(&["tenant", "set", "--seats", "none"]);
    assert!(tasks().is_empty(), "{:?}", tasks());
    client.expect(200, "PATCH", &format!("/Users/{}", ids[0]), &set_active(true));
    serving.stop();
}

#[test]
fn s30_ten_seats_and_64_writers_make_exactly_ten_active_users_on_sqlite() {
    seats_hold("lockstep.db");
}

#[test]
fn s30_ten_seats_and_64_writers_make_exactly_ten_active_users_on_postgresql() {
    let Location::Postgres(url) = store::testing::postgres() else { unreachable!("it gives a URL") };
    seats_hold(&url);
}

#[test]
fn a_limit_is_a_number_or_none_and_binds_the_command_line_too() {
    let folder = Folder::new();
    folder.ok(&["tenant", "create", "acme"]);
    folder.run(&["tenant", "set", "--seats", "-1"]).ends(2);
    folder.run(&["tenant", "set", "--seats", "many"]).ends(2);
    for name in ["ada@x", "bob@x", "cleo@x"] {
        folder.ok(&["user", "add", name]);
    }
    let said = folder.ok(&["tenant", "set", "--seats", "2"]);
    assert!(said.err.contains("more active users than seats"), "{}", said.err);
    let said = folder.run(&["user", "add", "dan@x"]).ends(1);
    assert!(said.err.contains("3 of 2 seats") && said.err.contains("tenant set --seats"), "{}", said.err);
    let causes = folder.run(&["tasks", "-o", "json"]).ends(4).json().to_string();
    assert!(causes.contains("seats.low") && causes.contains("seats.exhausted_here"), "{causes}");
    for name in ["ada@x", "bob@x"] {
        folder.ok(&["user", "deactivate", name]);
    }
    folder.ok(&["tasks"]);
    let log = folder.ok(&["log", "audit", "-o", "json"]).out;
    assert!(log.contains("tenant.seats"), "{log}");
    assert!(folder.ok(&["status"]).out.contains("1 of 2 seats are used"));
}
