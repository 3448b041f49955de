//! Connectors give calls a wire form and read answers: pure translations, one file per protocol.

pub mod scim;

/// A request as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Path and query below the base URL, percent-encoded.
    pub path: String,
    /// JSON body.
    pub body: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// Nothing in the body of a success is needed: a long one is left unread.
    pub body_unused: bool,
}

/// An answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// `Retry-After`, verbatim.
    pub retry_after: Option<String>,
    /// `ETag`, verbatim.
    pub etag: Option<String>,
    /// `Location`, verbatim.
    pub location: Option<String>,
    /// The body, at most as large as the transport allows.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// Nothing was sent: name not found, connection refused, TLS refused, target not allowed.
    NotSent(String),
    /// It was sent, or may have been: time-out, reset, answer cut off.
    MayBeSent(String),
}
