//! Whole requests to the endpoint, from the request line to the database: no input is a server's error, a failed request
//! changes nothing, and a version changes exactly when what is shown does.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use engine::endpoint::Reply;
use scim::ScimError;
use serde_json::{Value, json};

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
    let mut fields = data.splitn(3, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    let (line, headers) = (text(), text());
    let body = fields.next().unwrap_or_default();
    let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
    let headers: Vec<(&str, &str)> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
    Endpoint::with(|endpoint| {
        let Some(reply) = endpoint.send((method, path), &headers, body) else { return false };
        well_formed(&reply, &line);
        let (before, after) = (endpoint.before(), endpoint.picture());
        let changed = before != &after;
        let bulk = path.split_once("/scim/v2").is_some_and(|(_, rest)| rest.starts_with("/Bulk"));
        if reply.status >= 400 || method == "GET" || path.contains("/.search") {
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
            read_back(endpoint, &reply, path);
        }
        changed
    });
}

/// An answer is a SCIM document, or nothing where nothing belongs.
fn well_formed(reply: &Reply, line: &str) {
    assert!((200..500).contains(&reply.status), "{line}: {} {:?}", reply.status, reply.error);
    let Some(body) = &reply.body else {
        assert!(matches!(reply.status, 204 | 304), "{line}: {} without a body", reply.status);
        return;
    };
    assert!(body["schemas"].as_array().is_some_and(|list| !list.is_empty()), "{line}: {body}");
    assert_eq!(reply.status >= 400, reply.error.is_some(), "{line}");
    if let Some(error) = &reply.error {
        assert!(error.status == reply.status && error.detail.len() > 8, "{line}: {error}");
        assert!(error.detail.len() < 4_096, "{line}: an error of {} bytes", error.detail.len());
        assert_eq!(ScimError::from_json(body).as_ref(), Some(error), "{line}: it survives the wire");
    }
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
        .expect("a location leads to a resource");
    assert_eq!((read.status, &read.etag), (200, &reply.etag), "{location}");
    if !path.contains('?') {
        assert_eq!(read.body, reply.body, "{location}");
    }
}
