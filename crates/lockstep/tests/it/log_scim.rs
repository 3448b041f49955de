//! `log scim` and `log audit`: what they find, what they never print, and a follower that misses nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use domain::exchange::Exchange;
use domain::ids::TenantId;
use serde_json::{Value, json};
use store::Location;
use store::scim_log::{ScimLog, ScimLogOptions};

use crate::bench::{Folder, now_ms};

/// A database with a tenant and a user; the tenant's id and the user's.
fn directory(folder: &Folder, database: &str) -> (TenantId, String) {
    let run = |arguments: &[&str]| {
        let arguments = [&["--database", database, "-o", "json"], arguments].concat();
        folder.ok(&arguments).json()
    };
    run(&["tenant", "create", "acme"]);
    run(&["user", "add", "ada@acme.example"]);
    let tenants = run(&["tenant", "list"]);
    let user = run(&["user", "show", "ada@acme.example"]);
    let tenant = tenants[0]["id"].as_str().expect("the tenant has an id").to_owned();
    let id = user.pointer("/user/id").or_else(|| user.get("id")).and_then(Value::as_str);
    (TenantId::new(tenant), id.expect("the user has an id").to_owned())
}

fn log(folder: &Folder, database: &str) -> ScimLog {
    let location: Location = match database.parse::<Location>().unwrap() {
        Location::Sqlite(path) => Location::Sqlite(folder.path().join(path)),
        other => other,
    };
    ScimLog::open(&location, ScimLogOptions { gather_ms: 2, ..ScimLogOptions::new(now_ms) }).unwrap()
}

fn exchange(tenant: &TenantId, number: usize) -> Exchange {
    Exchange {
        status: 200,
        connection: "c-1".into(),
        connection_name: "okta".into(),
        duration_us: 1_500,
        ..Exchange::new(tenant, now_ms(), &format!("{number:012x}"), "GET", "/Users")
    }
}

#[test]
fn s37_the_log_is_searched_by_user_outcome_time_and_connection() {
    let folder = Folder::new();
    let (tenant, ada) = directory(&folder, "lockstep.db");
    let scim = |arguments: &[&str]| -> Vec<String> {
        let said = folder.ok(&[&["-o", "json", "log", "scim"], arguments].concat()).json();
        let trace = |record: &Value| record["trace"].as_str().unwrap_or_default().to_owned();
        said.as_array().expect("a list").iter().map(trace).collect()
    };
    assert_eq!(scim(&[]), Vec::<String>::new(), "nothing was ever recorded");
    assert_eq!(folder.ok(&["log", "scim"]).out, "(none)\n");
    let log = log(&folder, "lockstep.db");
    let about = |number: usize, status: u16, id: &str, name: &str| Exchange {
        status,
        object_kind: "user".into(),
        object: id.into(),
        object_name: name.into(),
        ..exchange(&tenant, number)
    };
    log.record(Exchange { at_ms: now_ms() - 7_200_000, ..about(1, 200, &ada, "ada@acme.example") });
    log.record(Exchange { connection_name: "entra".into(), ..about(2, 409, "", "Ada@Acme.example") });
    log.record(about(3, 201, "u-2", "bob@acme.example"));
    log.record(Exchange { tenant: TenantId::new("other"), ..about(4, 409, &ada, "ada@acme.example") });
    futures::executor::block_on(log.flush());
    let codes = |numbers: &[usize]| numbers.iter().map(|n| format!("{n:012x}")).collect::<Vec<_>>();
    assert_eq!(scim(&[]), codes(&[3, 2, 1]));
    assert_eq!(scim(&["--user", "ada@acme.example"]), codes(&[2, 1]));
    assert_eq!(scim(&["--user", "u-2"]), codes(&[3]), "of a user that is not in the directory, by id");
    assert_eq!(scim(&["--status", "4xx"]), codes(&[2]));
    assert_eq!(scim(&["--status", "201", "--method", "get"]), codes(&[3]));
    assert_eq!(scim(&["--connection", "entra"]), codes(&[2]));
    assert_eq!(scim(&["--since", "1h"]), codes(&[3, 2]));
    assert_eq!(scim(&["--limit", "1"]), codes(&[3]));
    for (arguments, says) in [
        (["--status", "9xx"], "409, 4xx, or failed"),
        (["--since", "soon"], "7d"),
        (["--since", "3651d"], "3650d is the longest"),
        (["--limit", "0"], "1..="),
        (["--method", "HEAD"], "PATCH"),
    ] {
        let said = folder.run(&[&["log", "scim"], &arguments[..]].concat());
        assert!(said.code != 0 && said.err.contains(says), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn s36_a_trace_shows_the_request_in_full_and_what_it_changed() {
    let folder = Folder::new();
    let (tenant, _) = directory(&folder, "lockstep.db");
    let entries = folder.ok(&["-o", "json", "log", "audit", "--user", "ada@acme.example"]).json();
    let trace = entries[0]["trace"].as_str().unwrap().to_owned();
    let log = log(&folder, "lockstep.db");
    let request = Exchange {
        trace: trace.clone(),
        method: "POST".into(),
        path: "/Users?access_token=canary".into(),
        status: 201,
        user_agent: "\u{1b}[2JOkta\nSCIM".into(),
        tolerated: vec![("boolean_text".into(), "active".into(), "read as true".into())],
        request: Some(json!({"userName": "ada@acme.example", "password": "canary", "pin": "canary"})),
        answer: Some(json!({"id": "7", "userName": "ada@acme.example"})),
        ..exchange(&tenant, 0)
    };
    log.record(request);
    futures::executor::block_on(log.flush());
    let shown = folder.ok(&["log", "scim", "--trace", &trace.to_uppercase()]).out;
    for part in ["201", "okta", "boolean_text at active", "\"userName\": \"ada@acme.example\"", "changed"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("canary") && !shown.contains('\u{1b}'), "{shown}");
    let values = folder.ok(&["-o", "json", "log", "scim", "--trace", &trace]).json();
    assert_eq!(values[0]["request"]["password"], "[redacted]");
    assert_eq!(values[0]["tolerated"][0]["quirk"], "boolean_text");
    assert_eq!(values[0]["audit"][0]["trace"], trace.as_str());
    assert_eq!(
        folder.ok(&["log", "scim", "--trace", "ffffffffffff"]).out,
        "no such request is in the SCIM log\n"
    );
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
}

#[test]
fn the_audit_log_is_searched_by_actor_trace_and_time() {
    let folder = Folder::new();
    directory(&folder, "lockstep.db");
    let audit = |arguments: &[&str]| {
        let said = folder.ok(&[&["-o", "json", "log", "audit"], arguments].concat()).json();
        said.as_array().unwrap().clone()
    };
    let everything = audit(&[]);
    assert!(!everything.is_empty());
    assert_eq!(audit(&["--actor", "cli"]).len(), everything.len());
    assert_eq!(audit(&["--actor", "cl"]).len(), 0);
    assert_eq!(audit(&["--since", "1h"]).len(), everything.len());
    assert_eq!(audit(&["--since", "0s"]).len(), 0);
    let trace = everything[0]["trace"].as_str().unwrap();
    let of_trace = audit(&["--trace", trace]);
    assert!(!of_trace.is_empty() && of_trace.iter().all(|entry| entry["trace"] == trace));
    assert_eq!(audit(&["--limit", "1"]).len(), 1);
    folder.ok(&["user", "delete", "ada@acme.example"]);
    assert_eq!(audit(&["--user", "ada@acme.example"])[0]["action"], "user.delete", "of a deleted user, too");
    let unknown = folder.run(&["log", "audit", "--user", "nobody"]);
    assert!(unknown.code == 1 && unknown.err.contains("never was a user 'nobody'"), "{}", unknown.err);
}

/// A process that follows the log and prints JSON lines.
fn follower(folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = folder.command();
    command.args(["-o", "json", "log", "scim", "--follow"]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.lines().map(|line| serde_json::from_str(&line.unwrap()).expect("a JSON value per line"))
}

/// One process writes 1,000 requests from 8 threads at once, another follows.
fn each_of_1000_is_printed_once_and_in_order(folder: &Folder, database: &str) {
    let (tenant, _) = directory(folder, database);
    let mut child = follower(folder, &["--database", database]);
    let mut seen = lines(&mut child);
    let log = log(folder, database);
    // It may begin anywhere: the first record it prints says that it follows.
    let mut probes = 0;
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| seen.next().unwrap());
        while !first.is_finished() {
            log.record(exchange(&tenant, 1_000_000 + probes));
            probes += 1;
            futures::executor::block_on(log.flush());
            std::thread::yield_now();
        }
        first.join().unwrap()
    });
    let mut last_seq = first["seq"].as_i64().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (log, tenant) = (&log, &tenant);
            scope.spawn(move || {
                for number in 0..125 {
                    log.record(exchange(tenant, thread * 125 + number));
                }
            });
        }
    });
    let mut counts = vec![0; 1_000];
    let mut found = 0;
    while found < 1_000 {
        let record = seen.next().unwrap();
        let seq = record["seq"].as_i64().unwrap();
        assert_eq!(seq, last_seq + 1, "none is left out, none comes twice");
        last_seq = seq;
        let number = usize::from_str_radix(record["trace"].as_str().unwrap(), 16).unwrap();
        if let Some(count) = counts.get_mut(number) {
            *count += 1;
            found += 1;
        }
    }
    assert!(counts.iter().all(|count| *count == 1));
    assert_eq!(log.dropped(), 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_follower_in_another_process_prints_each_of_1000_requests_once_on_sqlite() {
    each_of_1000_is_printed_once_and_in_order(&Folder::new(), "lockstep.db");
}

#[test]
fn a_follower_in_another_process_prints_each_of_1000_requests_once_on_postgresql() {
    let Location::Postgres(url) = store::testing::postgres() else { unreachable!("it gives a URL") };
    each_of_1000_is_printed_once_and_in_order(&Folder::new(), &url);
}

#[test]
fn a_follower_waits_for_a_log_that_is_not_there_yet_and_ends_at_its_limit() {
    let folder = Folder::new();
    let (tenant, _) = directory(&folder, "lockstep.db");
    // With --since it does not matter whether the log or the follower is there first.
    let mut child = follower(&folder, &["--since", "1h"]);
    let mut seen = lines(&mut child);
    let log = log(&folder, "lockstep.db");
    for number in 0..3 {
        log.record(exchange(&tenant, number));
    }
    let traces: Vec<Value> = (0..3).map(|_| seen.next().unwrap()["trace"].clone()).collect();
    assert_eq!(traces, ["000000000000", "000000000001", "000000000002"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let table = folder.ok(&["log", "scim", "--follow", "--since", "1h", "--limit", "2"]).out;
    assert_eq!(table.lines().count(), 3, "a header and two lines: {table}");
    assert!(table.starts_with("TIME"));
}

#[test]
fn a_webhook_shows_its_secret_once_and_is_removed_by_its_address() {
    let folder = Folder::new();
    directory(&folder, "lockstep.db");
    let refused = folder.run(&["webhook", "add", "http://127.0.0.1:9/events"]);
    assert!(refused.code == 1 && refused.err.contains("--allow-private"), "{}", refused.err);
    assert_eq!(folder.ok(&["-o", "json", "webhook", "deliver"]).json()["delivered"], 0);
    assert!(!folder.path().join("lockstep.db.key").exists(), "no key is made for nothing");
    let url = "http://127.0.0.1:9/events";
    let added = folder.ok(&["-o", "json", "webhook", "add", url, "--allow-private"]).json();
    let secret = added["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 64);
    folder.ok(&["user", "deactivate", "ada@acme.example"]);
    assert_eq!(folder.run(&["webhook", "deliver"]).code, 3, "nobody listens there: it is tried again");
    let listed = folder.ok(&["webhook", "list"]).out;
    assert!(listed.contains(url) && listed.contains("1 tries") && !listed.contains(&secret), "{listed}");
    folder.ok(&["webhook", "remove", url]);
    assert_eq!(folder.ok(&["webhook", "list"]).out, "(none)\n");
}
