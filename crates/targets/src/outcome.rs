//! Answers of apps: every one has an outcome, none is believed without ground, and no id leads to another address.

use domain::remote::{Call, Evidence, Outcome, RemoteKind};
use engine::connectors::scim as connector;
use engine::connectors::{HttpAnswer, TransportError};
use scim::{ListResponse, PatchOp, PatchOperation, PatchPath, PatchRequest, ScimError};
use serde_json::{Value, json};
use url::Url;

use crate::parts::fields;

/// Characters of evidence, with what is written before it.
const EVIDENCE_MAX: usize = 2_100;
/// Characters of the ids that calls are made for; transports cap headers, so that none is much longer.
const ID_MAX: usize = 1_000;
const BASE: &str = "https://app.example.com/scim/v2";

/// Fields: status, Retry-After, ETag, Location, body; an empty header is absent.
pub fn outcome(data: &[u8]) {
    let fields = fields(data);
    let field = |at: usize| fields.get(at).map(String::as_str).unwrap_or_default();
    let header = |at: usize| Some(field(at).to_owned()).filter(|text| !text.is_empty());
    let answer = HttpAnswer {
        status: field(0).parse().unwrap_or(200),
        retry_after: header(1),
        etag: header(2),
        location: header(3),
        body: data.splitn(5, |byte| *byte == 0).nth(4).unwrap_or_default().to_vec(),
    };
    let doc: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if let Some(doc) = &doc {
        messages(doc);
    }
    for call in calls(field(3)) {
        let found = connector::outcome(&call, Ok(answer.clone()), 0);
        grounded(&call, &answer, doc.as_ref(), &found);
        let text = field(1).to_owned();
        let cut = connector::outcome(&call, Err(TransportError::MayBeSent(text.clone())), 0);
        assert!(matches!(cut, Outcome::Unknown(_)), "{call:?}: nobody knows: {cut:?}");
        let refused = connector::outcome(&call, Err(TransportError::NotSent(text)), 0);
        assert!(matches!(refused, Outcome::Down(_)), "{call:?}: nothing was sent: {refused:?}");
    }
}

/// One call of each kind, for an object whose id is any text.
fn calls(id: &str) -> Vec<Call> {
    let kind = RemoteKind::User;
    let id = if id.is_empty() || id == "." || id == ".." { "2819c223" } else { id };
    let remote_id: String = id.chars().take(ID_MAX).collect();
    let path = PatchPath::parse("title").expect("it is a path");
    let operation = PatchOperation { op: PatchOp::Replace, path: Some(path), value: Some(json!("Guide")) };
    let patch = PatchRequest { operations: vec![operation] };
    let doc = json!({"userName": "bjensen"});
    vec![
        Call::Probe,
        Call::Find { kind, attribute: "userName".to_owned(), value: remote_id.clone() },
        Call::Read { kind, remote_id: remote_id.clone(), members: false },
        Call::Create { kind, doc: doc.clone() },
        Call::Patch { kind, remote_id: remote_id.clone(), request: patch },
        Call::Replace { kind, remote_id: remote_id.clone(), doc, version: None },
        Call::Members {
            remote_id: remote_id.clone(),
            add: vec![remote_id.clone()],
            remove: vec![remote_id.clone()],
        },
        Call::Delete { kind: RemoteKind::Group, remote_id },
    ]
}

/// An outcome is one that this answer allows for this call.
fn grounded(call: &Call, answer: &HttpAnswer, doc: Option<&Value>, found: &Outcome) {
    let read = matches!(call, Call::Probe | Call::Find { .. } | Call::Read { .. });
    let success = (200..300).contains(&answer.status);
    let told = || format!("{call:?} and {answer:?} give {found:?}");
    match found {
        Outcome::Found(_) => {
            assert!(success && matches!(call, Call::Probe | Call::Find { .. }), "{}", told())
        }
        Outcome::Applied(object) => {
            assert!(success && !matches!(call, Call::Probe | Call::Find { .. }), "{}", told());
            assert!(
                object.is_some() || !matches!(call, Call::Read { .. } | Call::Create { .. }),
                "{}",
                told()
            );
        }
        Outcome::Missing(_) => {
            let empty_or_json = answer.body.is_empty() || doc.is_some_and(Value::is_object);
            assert!(matches!(answer.status, 404 | 410) && empty_or_json, "{}", told());
        }
        Outcome::Conflict(_) => assert!(matches!(answer.status, 400 | 409), "{}", told()),
        Outcome::Rejected(_) => {
            assert!(!success && answer.status < 500 || answer.status >= 600, "{}", told())
        }
        Outcome::Throttled { after_ms } => {
            assert_eq!(*after_ms, connector::retry_after_ms(answer.retry_after.as_deref(), 0), "{}", told());
            assert!(answer.status == 429 || (500..600).contains(&answer.status), "{}", told());
        }
        Outcome::Unauthorized(_) => assert_eq!(answer.status, 401, "{}", told()),
        Outcome::Down(_) => assert!(read && (success || (500..600).contains(&answer.status)), "{}", told()),
        Outcome::Unknown(_) => {
            assert!(!read && (success || (500..600).contains(&answer.status)), "{}", told())
        }
    }
    if let Some(evidence) = evidence(found) {
        assert_eq!(evidence.status, Some(answer.status));
        let length = evidence.detail.chars().count();
        assert!(length <= EVIDENCE_MAX, "evidence of {length} characters");
    }
    match found {
        Outcome::Found(objects) => objects.iter().for_each(|object| stays_below(&object.id)),
        Outcome::Applied(Some(object)) => stays_below(&object.id),
        _ => {}
    }
}

fn evidence(outcome: &Outcome) -> Option<&Evidence> {
    match outcome {
        Outcome::Missing(evidence)
        | Outcome::Conflict(evidence)
        | Outcome::Rejected(evidence)
        | Outcome::Unauthorized(evidence)
        | Outcome::Down(evidence)
        | Outcome::Unknown(evidence) => Some(evidence),
        Outcome::Found(_) | Outcome::Applied(_) | Outcome::Throttled { .. } => None,
    }
}

/// Whatever an app calls its objects, a request for one goes to that object: one step below the endpoint.
fn stays_below(id: &str) {
    let read =
        connector::request(&Call::Read { kind: RemoteKind::User, remote_id: id.to_owned(), members: false });
    let url = Url::parse(&format!("{BASE}{}", read.path)).expect("a base and a path are an address");
    let last = url.path().strip_prefix("/scim/v2/Users/").unwrap_or_default();
    assert!(!last.is_empty() && !last.contains('/'), "the id {id:?} leads to {url}");
    assert!(url.query().is_none() && url.fragment().is_none(), "the id {id:?} leads to {url}");
}

/// Bodies are read tolerantly, and what was understood survives being written.
fn messages(doc: &Value) {
    if let Ok(list) = ListResponse::from_json(doc) {
        assert_eq!(ListResponse::from_json(&list.to_json()), Ok(list), "a list survives the wire");
    }
    if let Some(error) = ScimError::from_json(doc) {
        assert_eq!(ScimError::from_json(&error.to_json()), Some(error), "an error survives the wire");
    }
    if let Some(object) = connector::remote(doc.clone(), None) {
        stays_below(&object.id);
    }
}
