//! The errors of use cases: what, where, and what to do next, each with a stable code.

use store::{StoreError, TxError};

/// Why a use case did not happen. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A request to the endpoint that SCIM has an answer for.
    #[error(transparent)]
    Scim(#[from] scim::ScimError),
    /// Something that was named does not exist.
    #[error("there is no {kind} '{name}'; {next}")]
    NotFound {
        /// Kind of the object.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
        /// What to do next.
        next: String,
    },
    /// Something else holds the same key.
    #[error("{0}")]
    Conflict(String),
    /// The input breaks a rule; place and rule are in the text.
    #[error("{0}")]
    Invalid(String),
    /// The tenant has no seat left for what was asked.
    #[error(
        "the seat limit is reached: {used} of {seats} seats are used and {asked} more would be needed; \
         deactivate somebody, or raise the limit with lockstep tenant set --seats"
    )]
    Seats {
        /// The limit.
        seats: i64,
        /// Seats in use.
        used: i64,
        /// Seats that the change needs.
        asked: i64,
    },
    /// A guard held the operation.
    #[error("{0}")]
    Held(String),
    /// The app did not answer as it should.
    #[error("{0}")]
    App(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
}

impl EngineError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            EngineError::Store(error) => error.code(),
            EngineError::Scim(_) => "scim",
            EngineError::NotFound { .. } => "not_found",
            EngineError::Conflict(_) => "conflict",
            EngineError::Invalid(_) => "invalid",
            EngineError::Seats { .. } => "seats",
            EngineError::Held(_) => "held",
            EngineError::App(_) => "app",
            EngineError::Busy(_) => "busy",
        }
    }
}

impl TxError for EngineError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            EngineError::Store(error) => Some(error),
            _ => None,
        }
    }
}
