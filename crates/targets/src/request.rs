//! Whole requests to the endpoint, from the request line to the database: no input is a server's error, a failed request
//! changes nothing, and a version changes exactly when what is shown does.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use engine::endpoint::Reply;
use scim::ScimError;
use serde_json::{Value, json};
use web::Sent;

use crate::endpoint_world::{Endpoint, Picture};
use crate::parts::{group, user};

/// What is there before each request: users, groups one inside the other, and a user who was deleted.
pub(crate) fn directory() -> [Vec<Change>; 2] {
    let stored = |mut doc: Value| {
        let fields = doc.as_object_mut().expect("the usual resources are objects");
        for name in ["id", "meta", "groups", "members"] {
            fields.remove(name);
        }
        doc
    };
    let new_user =
        |id: &str, doc: Value| Change::CreateUser { id: UserId::new(id), source: "x".to_owned(), doc };
    let new_group =
        |id: &str, doc: Value| Change::CreateGroup { id: GroupId::new(id), source: "x".to_owned(), doc };
    let add = |group: &str, member: Member| Change::AddMember { group: GroupId::new(group), member };
    let made = vec![
        new_user("2819c223", stored(user())),
        new_user("902c246b", json!({"userName": "mandy", "active": false, "title": "Guide"})),
        new_user("26118915", json!({"userName": "gone", "externalId": "gone"})),
        new_group("e9e30dba", stored(group())),
        new_group("6c5bb468", json!({"displayName": "inner", "externalId": "g2"})),
        add("e9e30dba", Member::User(UserId::new("2819c223"))),
        add("e9e30dba", Member::Group(GroupId::new("6c5bb468"))),
        add("6c5bb468", Member::User(UserId::new("902c246b"))),
        add("6c5bb468", Member::User(UserId::new("26118915"))),
    ];
    [made, vec![Change::DeleteUser { id: UserId::new("26118915") }]]
}

/// Fields: a request line (`PATCH /scim/v2/Users/2819c223?attributes=id`), headers (one a line; `dialect` chooses the
/// connection's), and a body.
pub fn request(data: &[u8]) {
    let (line, headers, body) = parts(data);
    let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
    Endpoint::with(|endpoint| {
        let Some(sent) = endpoint.send((method, path), &pairs(&headers), body) else { return false };
        well_formed(&sent, &line);
        let reply = &sent.reply;
        let (before, after) = (endpoint.before(), endpoint.picture());
        let changed = before != &after;
        let bulk = path.split_once("/scim/v2").is_some_and(|(_, rest)| rest.starts_with("/Bulk"));
        let search = path.split('?').next().is_some_and(|path| path.contains("/.search"));
        if reply.status >= 400 || method == "GET" || search {
            assert!(!changed, "{line}: {} and yet something changed", reply.status);
        }
        if changed {
            versions(before, &after, &line);
            assert!(
                bulk || matches!(method, "POST" | "PUT" | "PATCH" | "DELETE"),
                "{line} changed something"
            );
        }
        if !bulk && matches!(reply.status, 200 | 201) && matches!(method, "POST" | "PUT" | "PATCH") {
            read_back(endpoint, reply, path);
        }
        changed
    });
}

/// How long the answer alone takes, by a clock of nanoseconds since any moment, and its status.
pub fn time(clock: &dyn Fn() -> u64, data: &[u8]) -> (u64, u16) {
    let (line, headers, body) = parts(data);
    let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
    let mut measured = (0, 0);
    Endpoint::with(|endpoint| {
        let started = clock();
        let sent = endpoint.send((method, path), &pairs(&headers), body);
        measured = (clock().saturating_sub(started), sent.map_or(0, |sent| sent.reply.status));
        true
    });
    measured
}

/// The request line, the headers and the body.
fn parts(data: &[u8]) -> (String, String, &[u8]) {
    let mut fields = data.splitn(3, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    (text(), text(), fields.next().unwrap_or_default())
}

fn pairs(headers: &str) -> Vec<(&str, &str)> {
    headers.lines().filter_map(|line| line.split_once(": ")).collect()
}

/// What is sent is a SCIM document, or nothing where nothing belongs; an error says what is wrong, and its trace code.
fn well_formed(sent: &Sent, line: &str) {
    let reply = &sent.reply;
    assert!((200..500).contains(&reply.status), "{line}: {} {:?}", reply.status, reply.error);
    assert_eq!(reply.status >= 400, reply.error.is_some(), "{line}");
    if sent.body.is_empty() {
        assert!(matches!(reply.status, 204 | 304), "{line}: {} without a body", reply.status);
        return;
    }
    let body: Value = serde_json::from_slice(&sent.body).expect("what is sent is JSON");
    if let Some(error) = &reply.error {
        assert_eq!(error.status, reply.status, "{line}");
        let read = ScimError::from_json(&body).unwrap_or_else(|| panic!("{line}: no SCIM error: {body}"));
        assert_eq!((read.status, read.scim_type), (error.status, error.scim_type), "{line}: {body}");
        assert!(read.scim_type.is_some() || body.get("scimType").is_none(), "{line}: {body}");
        let trace = format!(" [trace {}]", sent.trace);
        let said =
            read.detail.strip_suffix(&trace).unwrap_or_else(|| panic!("{line}: no trace code: {body}"));
        assert!(said == error.detail && said.len() > 8, "{line}: {body}");
        assert!(said.len() < 4_096, "{line}: an error of {} bytes", said.len());
        return;
    }
    assert_eq!(Some(&body), reply.body.as_ref(), "{line}");
    assert!(body["schemas"].as_array().is_some_and(|list| !list.is_empty()), "{line}: {body}");
    if let Some(resources) = body.get("Resources") {
        let count = resources.as_array().map_or(0, Vec::len);
        assert_eq!(body["itemsPerPage"], count, "{line}: {body}");
        assert!(body["totalResults"].as_u64().is_none_or(|total| total >= count as u64), "{line}: {body}");
    }
    assert!(body.get("password").is_none(), "{line}: a password is never shown");
}

/// `meta.version` changes exactly when what is shown does (RFC 7644 section 3.14).
fn versions(before: &Picture, after: &Picture, line: &str) {
    for (id, old) in before.shown() {
        let Some((_, new)) = after.shown().iter().find(|(other, _)| other == id) else { continue };
        let same = seen(old) == seen(new);
        let same_version = old["meta"]["version"] == new["meta"]["version"];
        assert_eq!(same, same_version, "{line}: {old} became {new}");
    }
}

/// A resource without what changes with every change.
fn seen(resource: &Value) -> Value {
    let mut rest = resource.clone();
    rest["meta"] = Value::Null;
    rest
}

/// What a write answered is what is there; if the answer was cut, a part of it.
fn read_back(endpoint: &Endpoint, reply: &Reply, path: &str) {
    let Some(location) = &reply.location else { return };
    let below = location.split_once("/scim/v2").map_or("", |(_, below)| below);
    let read = endpoint
        .send(("GET", &format!("/scim/v2{below}")), &[], b"")
        .expect("a location leads to a resource")
        .reply;
    assert_eq!((read.status, &read.etag), (200, &reply.etag), "{location}");
    if !path.contains('?') {
        assert_eq!(read.body, reply.body, "{location}");
    }
}
