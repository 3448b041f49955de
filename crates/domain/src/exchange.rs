//! One request to the SCIM endpoint with its answer, as the SCIM log keeps it: plain values without secrets.

use serde::Serialize;
use serde_json::Value;

use crate::ids::TenantId;
pub use crate::redaction::{redact, redact_path};

/// The longest text of a field, in bytes; the rest is cut off.
const TEXT_MAX: usize = 1_000;

/// The most tolerated quirks that are kept of one request.
const TOLERATED_MAX: usize = 50;

/// One request and its answer. Bodies go through [`redact`] and the path through [`redact_path`] before they are stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exchange {
    /// When the request arrived, Unix milliseconds.
    pub at_ms: i64,
    /// Joins it with audit entries, tasks and the code in the answer's detail: 12 hexadecimal digits.
    pub trace: String,
    /// Whose directory.
    pub tenant: TenantId,
    /// The connection's id, or empty.
    pub connection: String,
    /// The connection's name at that time.
    pub connection_name: String,
    /// The name of the token that was presented.
    pub token_name: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// How the request was read: `auto`, `okta`, `entra` or `strict`.
    pub dialect: String,
    /// The HTTP method.
    pub method: String,
    /// Path below the base URL, with the query.
    pub path: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The SCIM error type, such as `uniqueness`.
    pub scim_type: Option<String>,
    /// The words of the error.
    pub detail: Option<String>,
    /// From the request's arrival to the answer, in microseconds.
    pub duration_us: i64,
    /// Deviations that were tolerated: quirk, place, note.
    pub tolerated: Vec<(String, String, String)>,
    /// `user`, `group` or empty.
    pub object_kind: String,
    /// The id of the object touched, or empty.
    pub object: String,
    /// Its user name or display name, if known.
    pub object_name: String,
    /// What was sent.
    pub request: Option<Value>,
    /// What was answered.
    pub answer: Option<Value>,
}

impl Exchange {
    /// A request as it arrives: nothing is known of it but this.
    pub fn new(tenant: &TenantId, at_ms: i64, trace: &str, method: &str, path: &str) -> Self {
        let nothing = String::new;
        Self {
            at_ms,
            trace: trace.to_owned(),
            tenant: tenant.clone(),
            method: method.to_owned(),
            path: path.to_owned(),
            connection: nothing(),
            connection_name: nothing(),
            token_name: nothing(),
            user_agent: nothing(),
            dialect: nothing(),
            status: 0,
            scim_type: None,
            detail: None,
            duration_us: 0,
            tolerated: vec![],
            object_kind: nothing(),
            object: nothing(),
            object_name: nothing(),
            request: None,
            answer: None,
        }
    }

    /// The request was carried out.
    pub fn accepted(&self) -> bool {
        self.status < 400
    }

    /// What kind of request it is, whatever object it names: `PATCH /Users/{id}`.
    pub fn operation(&self) -> String {
        let plain = self.path.split('?').next().unwrap_or_default();
        let mut parts = plain.split('/').filter(|part| !part.is_empty());
        let endpoint: String = parts.next().unwrap_or_default().chars().take(40).collect();
        let object = match parts.next() {
            Some(".search") => "/.search",
            Some(_) => "/{id}",
            None => "",
        };
        format!("{} /{endpoint}{object}", self.method)
    }

    /// Without the bodies.
    pub fn without_bodies(mut self) -> Self {
        (self.request, self.answer) = (None, None);
        self
    }

    /// Nobody can fill the log with one header: long texts are cut, NUL characters removed.
    pub fn within_limits(mut self) -> Self {
        let texts = [
            &mut self.trace,
            &mut self.connection,
            &mut self.connection_name,
            &mut self.token_name,
            &mut self.user_agent,
            &mut self.dialect,
            &mut self.method,
            &mut self.path,
            &mut self.object_kind,
            &mut self.object,
            &mut self.object_name,
        ];
        for text in texts.into_iter().chain(&mut self.scim_type).chain(&mut self.detail) {
            limit(text);
        }
        self.tolerated.truncate(TOLERATED_MAX);
        for (quirk, place, note) in &mut self.tolerated {
            [quirk, place, note].into_iter().for_each(limit);
        }
        self
    }
}

fn limit(text: &mut String) {
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push_str("...");
    }
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_do_not_name_objects() {
        for (method, path, operation) in [
            ("PATCH", "/Users/17", "PATCH /Users/{id}"),
            ("GET", "/Users?filter=userName%20eq%20%22a%22", "GET /Users"),
            ("POST", "/Groups/.search", "POST /Groups/.search"),
            ("GET", "", "GET /"),
        ] {
            let exchange = Exchange::new(&TenantId::new("t"), 0, "", method, path);
            assert_eq!(exchange.operation(), operation);
        }
    }

    #[test]
    fn hostile_headers_are_cut() {
        let exchange = Exchange {
            user_agent: "ä".repeat(5_000),
            tolerated: vec![("q".into(), "p".into(), "n".repeat(9_000)); 900],
            ..Exchange::new(&TenantId::new("t"), 0, "", "GET", "/a\0b")
        };
        let kept = exchange.within_limits();
        assert_eq!(kept.user_agent.len(), 1_003);
        assert_eq!(kept.path, "/a\u{fffd}b");
        assert_eq!((kept.tolerated.len(), kept.tolerated[0].2.len()), (50, 1_003));
    }
}
