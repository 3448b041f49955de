//! Reading a request's body within its limits of size and time.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use scim::ScimError;
use serde_json::Value;

/// The body's bytes. A body that says it is too long is not read.
pub(crate) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    slow: Duration,
) -> Result<Bytes, ScimError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large(limit));
    }
    match tokio::time::timeout(slow, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(ScimError::new(400, None, "the body broke off")),
        Err(_) => {
            Err(ScimError::new(408, None, format!("the body did not arrive within {} s", slow.as_secs())))
        }
    }
}

/// The refusal of a body of more bytes.
pub(crate) fn too_large(limit: usize) -> ScimError {
    ScimError::new(413, None, format!("the body is larger than {limit} bytes; send less at once"))
}

/// The body as JSON: one object, its type SCIM or JSON (RFC 7644 section 3.1), with or without parameters.
pub(crate) fn json(bytes: &[u8], headers: &HeaderMap) -> Result<Value, ScimError> {
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let known = ["application/scim+json", "application/json"];
        if !kind.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Err(ScimError::new(
                415,
                None,
                format!("Content-Type {kind:?} is no SCIM: use application/scim+json or application/json"),
            ));
        }
    }
    scim::body::read_body(bytes)
}
