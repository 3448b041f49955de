//! Cost grows with the change, not with the content; run with `--release -- --ignored --nocapture` for figures.

use crate::client::{Client, group, patch, user};
use serde_json::{Value, json};

/// Seconds of processor time this thread has used, so that neither a busy machine nor other tests count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux machine");
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
#[ignore = "prints figures; only a release build says something"]
fn figures() {
    let mut client = Client::with_faults(&[]);
    let requests: Vec<Value> = (0..20_000).map(|number| user(&format!("user{number}"))).collect();
    measure("POST /Users", 20_000, |n| assert_eq!(client.post("/Users", &requests[n]).0, 201));
    measure("GET /Users?filter=userName eq", 20_000, |n| {
        let (_, page) = client.get(&format!("/Users?filter=userName+eq+%22user{n}%22"));
        assert_eq!(page["totalResults"], 1);
    });
    let ids: Vec<String> = (1..=20_000).map(|number| format!("u-{number:06}")).collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let big = client.add_group("Everybody", &members);
    let path = format!("/Groups/{big}?excludedAttributes=members");
    measure("PATCH group of 20,000, one member out and in", 20_000, |n| {
        let body = patch(&json!([
            { "op": "remove", "path": format!("members[value eq \"{}\"]", ids[n]) },
            { "op": "add", "path": "members", "value": [{ "value": ids[n] }] },
        ]));
        assert_eq!(client.call("PATCH", &path, Some(&body)).0, 200);
    });
    measure("GET group of 20,000 without members", 20_000, |_| assert_eq!(client.get(&path).0, 200));
    measure("GET page of 200 users", 200, |n| {
        assert_eq!(client.get(&format!("/Users?startIndex={}", n * 100 + 1)).0, 200);
    });
    measure("POST group of 20,000", 5, |n| {
        assert_eq!(client.post("/Groups", &group(&format!("g{n}"), &members)).0, 201);
    });
}

fn measure(name: &str, times: usize, mut work: impl FnMut(usize)) {
    let before = cpu_seconds();
    (0..times).for_each(&mut work);
    let spent = cpu_seconds() - before;
    println!("{name}: {:.0} a second ({:.1} us each)", times as f64 / spent, spent * 1e6 / times as f64);
}

#[test]
fn one_member_costs_the_same_in_a_big_group() {
    let changes = |size: usize| {
        let mut client = Client::with_faults(&[]);
        let ids: Vec<String> = (0..size).map(|number| client.add_user(&format!("user{number}"))).collect();
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        let group = client.add_group("Everybody", &members);
        let path = format!("/Groups/{group}?excludedAttributes=members");
        let before = cpu_seconds();
        for n in 0..1_500 {
            let id = &ids[n % size];
            let body = patch(
                &json!([{ "op": if (n / size).is_multiple_of(2) { "remove" } else { "add" }, "path": "members", "value": [{ "value": id }] }]),
            );
            assert_eq!(client.call("PATCH", &path, Some(&body)).0, 200);
        }
        cpu_seconds() - before
    };
    let (small, big) = (changes(10), changes(2_000));
    // Work that grew with the group would be 200 times as much.
    assert!(big < small * 5.0, "10 members: {small} s, 2,000 members: {big} s");
}
