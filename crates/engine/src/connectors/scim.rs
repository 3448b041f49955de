//! SCIM 2.0 (RFC 7644): calls as requests, answers as outcomes. ServiceProviderConfig is not asked: it is a claim.

use domain::remote::{Call, Evidence, Outcome, Remote};
use scim::{ListResponse, PatchOp, PatchOperation, PatchPath, PatchRequest, ScimError};
use serde_json::{Value, json};

use super::{HttpAnswer, HttpRequest, TransportError};

/// Pause when an app says "too many requests" without saying for how long.
const DEFAULT_THROTTLE_MS: i64 = 2_000;
/// Longest pause that a Retry-After may ask for: a day.
const THROTTLE_CAP_MS: i64 = 86_400_000;
/// Characters of an answer that are kept as evidence.
const EVIDENCE_CAP: usize = 2_048;

/// The request for a call.
pub fn request(call: &Call) -> HttpRequest {
    let get =
        |path: String| HttpRequest { method: "GET", path, body: None, if_match: None, body_unused: false };
    match call {
        Call::Find { kind, attribute, value } => {
            let filter = format!("{attribute} eq {}", scim::quote(value));
            let excluded = if kind.endpoint() == "/Groups" { "&excludedAttributes=members" } else { "" };
            get(format!("{}?filter={}{excluded}", kind.endpoint(), encode(&filter)))
        }
        Call::Read { kind, remote_id, members } => {
            let excluded =
                if *members || kind.endpoint() == "/Users" { "" } else { "?excludedAttributes=members" };
            get(format!("{}/{}{excluded}", kind.endpoint(), encode(remote_id)))
        }
        Call::Probe => get("/Users?count=1".into()),
        Call::Create { kind, doc } => with_body("POST", kind.endpoint().into(), doc),
        // Never with excludedAttributes, although RFC 7644 section 3.9 allows it: there are apps that apply the PATCH to
        // the projection and store that, so that all members are gone.
        Call::Patch { kind, remote_id, request } => {
            with_body("PATCH", format!("{}/{}", kind.endpoint(), encode(remote_id)), &request.to_json())
        }
        Call::Members { remote_id, add, remove } => {
            let path = format!("/Groups/{}", encode(remote_id));
            let patch = members_patch(add, remove).to_json();
            HttpRequest { body_unused: true, ..with_body("PATCH", path, &patch) }
        }
        Call::Replace { kind, remote_id, doc, version } => HttpRequest {
            if_match: version.clone(),
            ..with_body("PUT", format!("{}/{}", kind.endpoint(), encode(remote_id)), doc)
        },
        Call::Delete { kind, remote_id } => {
            HttpRequest { method: "DELETE", ..get(format!("{}/{}", kind.endpoint(), encode(remote_id))) }
        }
    }
}

/// One page of a list.
pub fn list_request(endpoint: &str, start_index: usize, count: usize, members: bool) -> HttpRequest {
    let excluded = if members || endpoint == "/Users" { "" } else { "&excludedAttributes=members" };
    HttpRequest {
        method: "GET",
        path: format!("{endpoint}?startIndex={start_index}&count={count}{excluded}"),
        body: None,
        if_match: None,
        body_unused: false,
    }
}

/// Removals first, one filter per member (RFC 7644 section 3.5.2.2); then one `add` with all new members.
fn members_patch(add: &[String], remove: &[String]) -> PatchRequest {
    let mut operations: Vec<PatchOperation> = remove
        .iter()
        .map(|id| PatchOperation {
            op: PatchOp::Remove,
            path: PatchPath::parse(&format!("members[value eq {}]", scim::quote(id))).ok(),
            value: None,
        })
        .collect();
    if !add.is_empty() {
        let members: Vec<Value> = add.iter().map(|id| json!({"value": id})).collect();
        operations.push(PatchOperation {
            op: PatchOp::Add,
            path: PatchPath::parse("members").ok(),
            value: Some(Value::Array(members)),
        });
    }
    PatchRequest { operations }
}

fn with_body(method: &'static str, path: String, body: &Value) -> HttpRequest {
    HttpRequest { method, path, body: Some(body.to_string()), if_match: None, body_unused: false }
}

/// Percent-encodes everything but RFC 3986 unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => {
                let digits =
                    [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                encoded.extend(['%', digits[0], digits[1]]);
            }
        }
    }
    encoded
}

/// What an answer, or its absence, means for the call. `now_ms` is for a Retry-After that is a date.
pub fn outcome(call: &Call, result: Result<HttpAnswer, TransportError>, now_ms: i64) -> Outcome {
    let is_read = matches!(call, Call::Find { .. } | Call::Read { .. } | Call::Probe);
    // A filter holds personal data; the path is enough to know the request again.
    let name = || {
        let wire = request(call);
        format!("{} {}", wire.method, wire.path.split('?').next().unwrap_or_default())
    };
    let answer = match result {
        Ok(answer) => answer,
        Err(TransportError::NotSent(detail)) => {
            return Outcome::Down(Evidence { request: name(), detail, ..Evidence::default() });
        }
        Err(TransportError::MayBeSent(detail)) => {
            return Outcome::Unknown(Evidence { request: name(), detail, ..Evidence::default() });
        }
    };
    let evidence = || evidence(&name(), &answer);
    match answer.status {
        200..=299 => accepted(call, &answer, evidence),
        401 => Outcome::Unauthorized(evidence()),
        404 | 410 if is_scim_or_empty(&answer) => Outcome::Missing(evidence()),
        409 => Outcome::Conflict(evidence()),
        400 if says_exists(&evidence()) => Outcome::Conflict(evidence()),
        // Some apps dress their limit as a server error.
        429 => Outcome::Throttled { after_ms: retry_after_ms(answer.retry_after.as_deref(), now_ms) },
        500..=599 if evidence().detail.contains("REQUEST_LIMIT_EXCEEDED") => {
            Outcome::Throttled { after_ms: retry_after_ms(answer.retry_after.as_deref(), now_ms) }
        }
        // "Come back later" with a time. For a write it is no proof that nothing was done.
        503 if answer.retry_after.is_some() && is_read => {
            Outcome::Throttled { after_ms: retry_after_ms(answer.retry_after.as_deref(), now_ms) }
        }
        500..=599 if is_read => Outcome::Down(evidence()),
        500..=599 => Outcome::Unknown(evidence()),
        _ => Outcome::Rejected(evidence()),
    }
}

fn accepted(call: &Call, answer: &HttpAnswer, evidence: impl Fn() -> Evidence) -> Outcome {
    // An answer may hold all members of the group, and nothing in it is needed: the cost follows the change.
    if let Call::Members { .. } | Call::Delete { .. } = call {
        return Outcome::Applied(None);
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    match call {
        Call::Find { .. } | Call::Probe => match body.as_ref().map(ListResponse::from_json) {
            Some(Ok(list)) => {
                Outcome::Found(list.resources.into_iter().filter_map(|doc| remote(doc, None)).collect())
            }
            _ => not_scim(evidence()),
        },
        Call::Read { .. } => match body.and_then(|doc| remote(doc, answer.etag.clone())) {
            Some(remote) => Outcome::Applied(Some(remote)),
            None => not_scim(evidence()),
        },
        Call::Create { .. } => {
            let from_body = body.and_then(|doc| remote(doc, answer.etag.clone()));
            let from_location = || {
                let id = id_in_location(answer.location.as_deref()?)?;
                Some(Remote { id, doc: Value::Null, version: answer.etag.clone() })
            };
            match from_body.or_else(from_location) {
                Some(remote) => Outcome::Applied(Some(remote)),
                // 2xx without an object: it may be there; it has to be looked up.
                None => Outcome::Unknown(evidence()),
            }
        }
        Call::Members { .. } | Call::Delete { .. } => Outcome::Applied(None),
        Call::Patch { .. } | Call::Replace { .. } => {
            Outcome::Applied(body.and_then(|doc| remote(doc, answer.etag.clone())))
        }
    }
}

/// An answer that is no SCIM: nothing in it may be believed.
fn not_scim(mut evidence: Evidence) -> Outcome {
    evidence.detail = format!("the answer is not a SCIM message: {}", evidence.detail);
    Outcome::Down(evidence)
}

/// Reads an object out of an answer; none if it has no id that a request could name.
pub fn remote(doc: Value, etag: Option<String>) -> Option<Remote> {
    let id = doc.get("id")?.as_str().filter(|id| is_addressable(id))?.to_owned();
    let version = doc.pointer("/meta/version").and_then(Value::as_str).map(str::to_owned).or(etag);
    Some(Remote { id, doc, version })
}

/// A dot or two as a path segment mean another address, however they are encoded: a request for such an object would
/// reach the whole collection, or what is above it.
fn is_addressable(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
}

/// The last segment of an object's address (RFC 7644 section 3.3), percent-decoded.
fn id_in_location(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?;
    let mut rest = path.rsplit('/').next()?.bytes();
    let mut id = Vec::new();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        id.push(if byte == b'%' { digit()? * 16 + digit()? } else { byte });
    }
    String::from_utf8(id).ok().filter(|id| is_addressable(id))
}

fn evidence(request: &str, answer: &HttpAnswer) -> Evidence {
    let text = String::from_utf8_lossy(&answer.body);
    let parsed =
        serde_json::from_slice::<Value>(&answer.body).ok().and_then(|json| ScimError::from_json(&json));
    let words = parsed.as_ref().map_or(text.as_ref(), |error| error.detail.as_str());
    let detail = words.chars().take(EVIDENCE_CAP).collect();
    Evidence {
        request: request.to_owned(),
        status: Some(answer.status),
        scim_type: parsed.and_then(|error| error.scim_type).map(|kind| kind.as_str().to_owned()),
        detail,
    }
}

/// A 404 with a web page is a wrong address, not a missing object.
fn is_scim_or_empty(answer: &HttpAnswer) -> bool {
    answer.body.is_empty() || serde_json::from_slice::<Value>(&answer.body).is_ok_and(|json| json.is_object())
}

fn says_exists(evidence: &Evidence) -> bool {
    let words = evidence.detail.to_lowercase();
    evidence.scim_type.as_deref() == Some("uniqueness")
        || ["already exists", "already in use", "already taken", "duplicate"]
            .iter()
            .any(|text| words.contains(text))
}

/// Retry-After as seconds or as an HTTP date (RFC 9110 section 10.2.3), in milliseconds from now.
pub fn retry_after_ms(header: Option<&str>, now_ms: i64) -> i64 {
    let Some(text) = header.map(str::trim).filter(|text| !text.is_empty()) else {
        return DEFAULT_THROTTLE_MS;
    };
    let pause = match text.parse::<i64>() {
        Ok(seconds) => seconds.saturating_mul(1_000),
        Err(_) => http_date_ms(text).map_or(DEFAULT_THROTTLE_MS, |at| at.saturating_sub(now_ms)),
    };
    pause.clamp(1, THROTTLE_CAP_MS)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as Unix milliseconds.
fn http_date_ms(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock =
        words.next()?.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Days from the civil calendar, with years that begin in March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = y / 400;
    let year_of_era = y % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * m + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

#[cfg(test)]
mod tests {
    use domain::remote::RemoteKind;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer { status, retry_after: None, etag: None, location: None, body: body.as_bytes().to_vec() }
    }

    fn create() -> Call {
        Call::Create { kind: RemoteKind::User, doc: json!({}) }
    }

    #[test]
    fn filters_are_quoted_and_encoded() {
        let call =
            Call::Find { kind: RemoteKind::User, attribute: "userName".into(), value: "o\"neil+1@x".into() };
        assert_eq!(request(&call).path, "/Users?filter=userName%20eq%20%22o%5C%22neil%2B1%40x%22");
    }

    #[test]
    fn a_write_never_asks_for_a_projection() {
        let rename = PatchRequest { operations: vec![] };
        let id = || "g-1".to_owned();
        let writes = [
            Call::Create { kind: RemoteKind::Group, doc: json!({}) },
            Call::Patch { kind: RemoteKind::Group, remote_id: id(), request: rename },
            Call::Members { remote_id: id(), add: vec!["u-1".into()], remove: vec![] },
            Call::Replace { kind: RemoteKind::Group, remote_id: id(), doc: json!({}), version: None },
            Call::Delete { kind: RemoteKind::Group, remote_id: id() },
        ];
        for call in writes {
            let wire = request(&call);
            assert!(!wire.path.contains('?'), "{} {}", wire.method, wire.path);
        }
    }

    #[test]
    fn a_write_without_a_clear_answer_is_unknown_and_a_refused_connection_is_not() {
        let cut = Err(TransportError::MayBeSent("reset".into()));
        assert!(matches!(outcome(&create(), cut, 0), Outcome::Unknown(_)));
        let refused = Err(TransportError::NotSent("refused".into()));
        assert!(matches!(outcome(&create(), refused, 0), Outcome::Down(_)));
        assert!(matches!(outcome(&create(), Ok(answer(502, "<html>")), 0), Outcome::Unknown(_)));
        assert!(matches!(outcome(&create(), Ok(answer(201, "")), 0), Outcome::Unknown(_)));
        assert!(matches!(outcome(&Call::Probe, Ok(answer(502, "")), 0), Outcome::Down(_)));
    }

    #[test]
    fn web_pages_are_never_taken_for_objects_or_their_absence() {
        let page = "<html>Not Found</html>";
        let read = Call::Read { kind: RemoteKind::User, remote_id: "1".into(), members: false };
        assert!(matches!(outcome(&read, Ok(answer(200, page)), 0), Outcome::Down(_)));
        assert!(matches!(outcome(&read, Ok(answer(404, page)), 0), Outcome::Rejected(_)));
        assert!(matches!(outcome(&read, Ok(answer(404, "{}")), 0), Outcome::Missing(_)));
    }

    #[test]
    fn an_id_that_leads_to_another_address_is_no_id() {
        for id in [".", ".."] {
            let body = json!({"id": id}).to_string();
            assert!(matches!(outcome(&create(), Ok(answer(201, &body)), 0), Outcome::Unknown(_)));
            assert_eq!(remote(json!({"id": id}), None), None);
        }
        let created = |location: &str| {
            let located = HttpAnswer { location: Some(location.into()), ..answer(201, "") };
            match outcome(&create(), Ok(located), 0) {
                Outcome::Applied(Some(remote)) => Some(remote.id),
                _ => None,
            }
        };
        assert_eq!(created("https://x/Users/a%20b?c=d").as_deref(), Some("a b"));
        for location in ["/Users/", "/Users/..", "/Users/%2E%2e", "/Users/%2", "/Users/%ff"] {
            assert_eq!(created(location), None, "{location}");
        }
    }

    #[test]
    fn conflicts_are_recognised_without_a_status_409() {
        let body = r#"{"detail":"user already exists","status":"400"}"#;
        assert!(matches!(outcome(&create(), Ok(answer(400, body)), 0), Outcome::Conflict(_)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after_ms(Some("3"), 0), 3_000);
        assert_eq!(retry_after_ms(Some("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_770_000), 7_000);
        assert_eq!(retry_after_ms(Some("soon"), 0), DEFAULT_THROTTLE_MS);
        assert_eq!(retry_after_ms(None, 0), DEFAULT_THROTTLE_MS);
        assert_eq!(retry_after_ms(Some("99999999999999999"), 0), THROTTLE_CAP_MS);
    }
}
