//! The API for an app's own code: who signs in, and who must be signed out.

use domain::connection::TokenScope;
use domain::signin::SigninRequest;
use engine::{revocation, signin};
use hyper::Request;
use hyper::body::Incoming;
use scim::ScimError;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::{Server, authenticate, body};

/// Bytes of a request to the API at most.
const MAX_BYTES: usize = 64 * 1024;
/// Events of one answer at most.
const FEED_MAX: usize = 500;

/// Answers a request below `/api/v1`.
pub(crate) async fn answer(server: &Server, request: Request<Incoming>, path: &str) -> Answer {
    let trace = server.engine.trace();
    match serve(server, request, path).await {
        Ok(body) => answer::json(200, &body),
        Err(error) => answer::error(&error, &trace),
    }
}

async fn serve(server: &Server, request: Request<Incoming>, path: &str) -> Result<Value, ScimError> {
    let (head, incoming) = request.into_parts();
    let known =
        authenticate::principal(server, &mut server.engine.store.reading(), &head.headers, None).await?;
    let principal = &known.principal;
    if principal.scope != TokenScope::Signin {
        return Err(ScimError::new(403, None, "this needs a token of the scope signin"));
    }
    match (path, head.method.as_str()) {
        ("/signin", "POST") => {
            let bytes = body::read(incoming, &head.headers, MAX_BYTES, server.options.slow).await?;
            let asked = body::json(&bytes, &head.headers)?;
            let asked: SigninRequest = serde_json::from_value(asked)
                .map_err(|error| ScimError::invalid_value(format!("the sign-in request: {error}")))?;
            let answered = signin::sign_in(&server.engine, principal, asked)
                .await
                .map_err(|error| engine::endpoint::scim_error(&error))?;
            Ok(json!(answered))
        }
        ("/revocations", "GET") => {
            let pairs = scim::query::parameters(head.uri.query().unwrap_or_default());
            let after =
                pairs.iter().find(|(name, _)| name == "after").map_or("", |(_, value)| value.as_str());
            let feed = revocation::revocations(&server.engine, &principal.tenant, after, FEED_MAX)
                .await
                .map_err(|error| engine::endpoint::scim_error(&error))?;
            Ok(json!(feed))
        }
        ("/revocations", _) => Err(ScimError::new(405, None, "GET the events here, with ?after=CURSOR")),
        ("/signin", _) => Err(ScimError::new(405, None, "POST issuer, subject and claims here")),
        _ => Err(ScimError::not_found("there is no such call in /api/v1")),
    }
}
