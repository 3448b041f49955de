//! Provisional.
use hyper::Request;
use hyper::body::Incoming;
use scim::ScimError;

use crate::Server;
use crate::answer::{self, Answer};
pub(crate) async fn answer(_: &Server, _: Request<Incoming>, _: &str) -> Answer {
    answer::error(&ScimError::not_found("no"), "")
}
