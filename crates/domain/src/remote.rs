//! What the engine asks of an app and what may come back: plain values, so that an outcome is never hidden in `Ok`.

use scim::PatchRequest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Users or groups of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// `/Users`
    User,
    /// `/Groups`
    Group,
}

impl RemoteKind {
    /// The endpoint of this kind (RFC 7644 section 3.2).
    pub fn endpoint(self) -> &'static str {
        match self {
            RemoteKind::User => "/Users",
            RemoteKind::Group => "/Groups",
        }
    }
}

/// One request to an app, before a connector gives it a wire form.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Look up by one attribute.
    Find {
        /// Users or groups.
        kind: RemoteKind,
        /// For example `externalId`.
        attribute: String,
        /// The value that must match.
        value: String,
    },
    /// Read one object.
    Read {
        /// Users or groups.
        kind: RemoteKind,
        /// The app's id.
        remote_id: String,
        /// Groups only: with its members.
        members: bool,
    },
    /// Create one object.
    Create {
        /// Users or groups.
        kind: RemoteKind,
        /// The whole document.
        doc: Value,
    },
    /// Change attributes.
    Patch {
        /// Users or groups.
        kind: RemoteKind,
        /// The app's id.
        remote_id: String,
        /// What to change.
        request: PatchRequest,
    },
    /// Replace the whole object (apps without PATCH).
    Replace {
        /// Users or groups.
        kind: RemoteKind,
        /// The app's id.
        remote_id: String,
        /// The merged document.
        doc: Value,
        /// The ETag that was read, for If-Match.
        version: Option<String>,
    },
    /// Delete one object.
    Delete {
        /// Users or groups.
        kind: RemoteKind,
        /// The app's id.
        remote_id: String,
    },
    /// Add and remove members of a group by their ids in the app.
    Members {
        /// The group's id in the app.
        remote_id: String,
        /// Account ids to add.
        add: Vec<String>,
        /// Account ids to remove.
        remove: Vec<String>,
    },
    /// One cheap read that shows whether the app answers and accepts the credentials.
    Probe,
}

/// An object as the app showed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    /// The app's id.
    pub id: String,
    /// The whole document.
    pub doc: Value,
    /// `meta.version` or the ETag header.
    pub version: Option<String>,
}

impl Remote {
    /// `externalId`, if it is a text that is not empty.
    pub fn external_id(&self) -> Option<&str> {
        self.doc.get("externalId").and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// `active`; absent counts as active, as in RFC 7643 the attribute is optional.
    pub fn is_active(&self) -> bool {
        self.doc.get("active").and_then(Value::as_bool).unwrap_or(true)
    }
}

/// What is kept of an answer that needs explaining.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Method and path.
    pub request: String,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The SCIM error type, if the answer named one.
    pub scim_type: Option<String>,
    /// The app's own words, or what went wrong on the way.
    pub detail: String,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Answer to `Find`: what the app returned, not yet re-checked.
    Found(Vec<Remote>),
    /// Accepted; with the object if the app returned it.
    Applied(Option<Remote>),
    /// The known id does not exist (404, 410).
    Missing(Evidence),
    /// 409, or a 400 that says the object exists.
    Conflict(Evidence),
    /// Refused for this object until something changes.
    Rejected(Evidence),
    /// Too fast: try again after this many milliseconds. Not a failure.
    Throttled {
        /// From Retry-After, or a default.
        after_ms: i64,
    },
    /// The credentials were refused (401).
    Unauthorized(Evidence),
    /// The app could not be reached, or said that it is down before it did anything.
    Down(Evidence),
    /// Sent, but nobody knows whether it took effect.
    Unknown(Evidence),
}
