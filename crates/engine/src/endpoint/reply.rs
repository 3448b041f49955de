//! What a request is answered with, and how an error of the engine becomes a SCIM error.

use scim::dialect::Tolerated;
use scim::{ScimError, ScimType};
use serde_json::Value;
use store::StoreError;
use store::repo::resource::{Kind, Stored};

use super::render::Shown;
use crate::EngineError;

/// Characters of an error's detail at most: it may quote what was sent.
const DETAIL_MAX: usize = 1_000;

/// An answer, still without HTTP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, if there is one.
    pub body: Option<Value>,
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Location` header.
    pub location: Option<String>,
    /// Deviations that were tolerated, for the SCIM log.
    pub tolerated: Vec<Tolerated>,
    /// What the request was about.
    pub object: Option<Object>,
    /// The error that the body shows.
    pub error: Option<ScimError>,
    /// Ids of users that the request named and found: whoever sent it still knows them.
    pub confirmed: Vec<String>,
    /// What was done or found beside the answer, for findings.
    pub notes: Vec<Note>,
}

/// The user or group that a request was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Which.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its userName or displayName.
    pub name: String,
}

/// Something that an admin should know although the request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// There was no seat for what was asked.
    NoSeat {
        /// Seats that it needs.
        asked: i64,
    },
}

impl Object {
    /// The object of a row.
    pub fn of(kind: Kind, stored: &Stored) -> Self {
        let name = match kind {
            Kind::User => "userName",
            Kind::Group => "displayName",
        };
        let name = stored.doc.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { kind, id: stored.id.clone(), name }
    }
}

impl Reply {
    /// The answer to a request that failed.
    pub(super) fn failed(error: &EngineError) -> Self {
        let notes = match error {
            EngineError::Seats { asked, .. } => vec![Note::NoSeat { asked: *asked }],
            _ => vec![],
        };
        Self { notes, ..scim_error(error).into() }
    }

    /// An answer with a resource.
    pub(super) fn resource(status: u16, shown: Shown) -> Self {
        let confirmed = (shown.object.kind == Kind::User).then(|| shown.object.id.clone());
        Self {
            status,
            confirmed: confirmed.into_iter().collect(),
            etag: Some(shown.etag),
            location: Some(shown.location),
            body: Some(shown.body),
            object: Some(shown.object),
            ..Self::default()
        }
    }
}

impl From<ScimError> for Reply {
    fn from(mut error: ScimError) -> Self {
        if error.detail.chars().count() > DETAIL_MAX {
            error.detail = error.detail.chars().take(DETAIL_MAX).chain(['…']).collect();
        }
        Self { status: error.status, body: Some(error.to_json()), error: Some(error), ..Self::default() }
    }
}

/// The error as it is sent: its detail ends with the trace code, because identity providers print it.
pub fn with_trace(error: &ScimError, trace: &str) -> ScimError {
    if trace.is_empty() {
        return error.clone();
    }
    ScimError { detail: format!("{} [trace {trace}]", error.detail), ..error.clone() }
}

/// What an error means to a client (RFC 7644 section 3.12). What is ours to mend is a 500 or 503 without details.
pub fn scim_error(error: &EngineError) -> ScimError {
    match error {
        EngineError::Scim(error) => error.clone(),
        EngineError::Conflict(text) => ScimError::uniqueness(text.clone()),
        EngineError::Invalid(text) => ScimError::invalid_value(text.clone()),
        EngineError::NotFound { kind, name, .. } => {
            ScimError::not_found(format!("there is no {kind} {name:?}"))
        }
        EngineError::Seats { .. } => ScimError::new(403, None, error.to_string()),
        EngineError::Held(text) => ScimError::new(403, None, text.clone()),
        EngineError::Busy(text) => ScimError::new(503, None, text.clone()),
        EngineError::Store(StoreError::Conflict { key }) => {
            ScimError::uniqueness(format!("{} is already in use", attribute_of(key)))
        }
        EngineError::Store(StoreError::Check { rule }) => {
            ScimError::new(400, Some(ScimType::InvalidValue), format!("a value breaks the rule: {rule}"))
        }
        EngineError::Store(StoreError::Busy { .. } | StoreError::Full { .. } | StoreError::Io { .. }) => {
            ScimError::new(503, None, "the directory's database does not answer; try again")
        }
        EngineError::Store(_) | EngineError::App(_) => {
            ScimError::new(500, None, "the server failed; the log names the reason under this trace code")
        }
    }
}

/// The attribute behind a unique key of the store.
fn attribute_of(key: &str) -> &str {
    match key {
        "user_name_key" => "userName",
        "external_id" => "externalId",
        "display_name_key" => "displayName",
        other => other,
    }
}
