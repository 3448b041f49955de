//! Deactivations and deletions as security events (RFC 9967, RFC 8417), so that an app can end sessions at once.

use serde_json::{Value, json};

use crate::audit::Entry;
use crate::ids::TenantId;

/// Audit actions that take access away from a user, by whatever path they came.
pub const DEACTIVATE: &str = "user.deactivate";
/// See [`DEACTIVATE`].
pub const DELETE: &str = "user.delete";

/// Somebody must not work any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its place in the feed: the number of the audit entry. Rises, with gaps.
    pub cursor: i64,
    /// The audit entry, so that a receiver knows what it has seen.
    pub id: String,
    /// When it happened, Unix milliseconds.
    pub at_ms: i64,
    /// The user's id.
    pub user: String,
    /// As the identity provider calls the user.
    pub external_id: Option<String>,
    /// The user name at that time.
    pub user_name: Option<String>,
    /// Deleted, not only deactivated.
    pub deleted: bool,
    /// Joins it with the request that caused it.
    pub trace: String,
}

impl Revocation {
    /// What a sealed audit entry says; none if it takes nothing away.
    pub fn of(seq: i64, entry: &Entry) -> Option<Self> {
        let deleted = match entry.action.as_str() {
            DEACTIVATE => false,
            DELETE => true,
            _ => return None,
        };
        let doc = entry.before.as_deref().or(entry.after.as_deref());
        let doc: Value = doc.and_then(|doc| serde_json::from_str(doc).ok()).unwrap_or_default();
        let text = |name: &str| doc.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            cursor: seq,
            id: entry.id.clone(),
            at_ms: entry.at_ms,
            user: entry.object.clone(),
            external_id: text("externalId"),
            user_name: text("userName"),
            deleted,
            trace: entry.trace.clone(),
        })
    }

    /// The claims of its security event token. The audience is the receiver, where there is a certain one.
    pub fn claims(&self, tenant: &TenantId, audience: Option<&str>) -> Value {
        let event = if self.deleted { "delete" } else { "deactivate" };
        let event = format!("urn:ietf:params:scim:event:prov:{event}");
        let mut subject = json!({"format": "scim", "uri": format!("/Users/{}", self.user)});
        if let Some(external_id) = &self.external_id {
            subject["externalId"] = external_id.as_str().into();
        }
        let mut claims = json!({
            "iss": format!("lockstep:{tenant}"),
            "iat": self.at_ms / 1_000,
            "jti": self.id,
            "txn": self.trace,
            "sub_id": subject,
            "events": {event: {}},
        });
        if let Some(audience) = audience {
            claims["aud"] = audience.into();
        }
        claims
    }
}

/// When a delivery that failed so often is tried again: from 1 s, doubled, at most 15 minutes.
pub fn again_after_ms(failures: i64) -> i64 {
    let doubled = 1_000_i64.checked_shl(u32::try_from(failures.clamp(0, 20)).unwrap_or(20));
    doubled.unwrap_or(i64::MAX).min(15 * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_those_of_the_rfc() {
        let entry = |action: &str| Entry {
            id: "e1".into(),
            at_ms: 1_760_000_000_123,
            actor: "connection:okta".into(),
            action: action.into(),
            object_kind: "user".into(),
            object: "u1".into(),
            app: String::new(),
            trace: "abc".into(),
            before: Some(r#"{"userName":"ada","externalId":"00u1","active":true}"#.into()),
            after: None,
            salt: String::new(),
        };
        assert_eq!(Revocation::of(1, &entry("user.update")), None);
        let found = Revocation::of(7, &entry("user.deactivate")).unwrap();
        assert_eq!(
            found.claims(&TenantId::new("t"), Some("https://app.example/events")),
            json!({"iss": "lockstep:t", "iat": 1_760_000_000, "jti": "e1", "txn": "abc", "aud": "https://app.example/events",
                "sub_id": {"format": "scim", "uri": "/Users/u1", "externalId": "00u1"},
                "events": {"urn:ietf:params:scim:event:prov:deactivate": {}}})
        );
        let deleted = Revocation::of(8, &entry("user.delete")).unwrap().claims(&TenantId::new("t"), None);
        assert!(deleted["events"].get("urn:ietf:params:scim:event:prov:delete").is_some());
        assert!(deleted.get("aud").is_none());
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!([0, 1, 3].map(again_after_ms), [1_000, 2_000, 8_000]);
        assert_eq!([10, 1_000, i64::MAX].map(again_after_ms), [900_000; 3]);
    }
}
