//! The one place where a request becomes an answer.

use engine::endpoint;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response};
use scim::ScimError;
use serde_json::Value;

use crate::route::{self, Route};
use crate::{Server, api, scim_route};

/// An answer of this server.
pub(crate) type Answer = Response<Full<Bytes>>;

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
const TRACE: HeaderName = HeaderName::from_static("x-request-id");

/// Answers any request.
pub(crate) async fn answer(server: &Server, request: Request<Incoming>) -> Answer {
    let started = server.now_micros();
    let method = known_method(request.method());
    let route = route::read(request.uri().path());
    let name = route_name(&route);
    let answer = match route {
        Route::Health => text(200, "ok\n".to_owned()),
        Route::Ready => ready(server).await,
        Route::Metrics => text(200, server.metrics.text(server.engine.store.stats(), server.log.dropped())),
        Route::Scim(tenant, target) => scim_route::answer(server, request, tenant, target, started).await,
        Route::Api(path) => api::answer(server, request, &path).await,
        Route::Unknown => {
            let detail = "nothing is here; SCIM is at /scim/v2 and at /t/TENANT/scim/v2";
            error(&ScimError::not_found(detail), "")
        }
    };
    server.metrics.count(name, method, answer.status().as_u16(), server.now_micros() - started);
    answer
}

async fn ready(server: &Server) -> Answer {
    match server.engine.read(|tx| Ok(store::repo::tenant::list(tx)?.len())).await {
        Ok(_) => text(200, "ready\n".to_owned()),
        Err(error) => text(503, format!("the database does not answer: {}\n", error.code())),
    }
}

fn known_method(method: &Method) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

fn route_name(route: &Route) -> &'static str {
    use route::Target;
    match route {
        Route::Health => "healthz",
        Route::Ready => "readyz",
        Route::Metrics => "metrics",
        Route::Api(_) => "api",
        Route::Unknown => "unknown",
        Route::Scim(_, target) => match target {
            Target::All(engine::endpoint::Kind::User) | Target::One(engine::endpoint::Kind::User, _) => {
                "Users"
            }
            Target::All(_) | Target::One(..) => "Groups",
            Target::Search(_) | Target::Root => "search",
            Target::Bulk => "Bulk",
            Target::Me => "Me",
            Target::ServiceProviderConfig | Target::Schemas(_) | Target::ResourceTypes(_) => "discovery",
            Target::Unknown => "unknown",
        },
    }
}

/// A plain text.
pub(crate) fn text(status: u16, body: String) -> Answer {
    let mut answer = empty(status);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    *answer.body_mut() = Full::new(Bytes::from(body));
    answer
}

/// A SCIM body.
pub(crate) fn json(status: u16, body: &Value) -> Answer {
    scim(status, bytes(body))
}

/// The text of a body.
pub(crate) fn bytes(body: &Value) -> Bytes {
    // Values have text keys and no numbers that JSON does not know.
    Bytes::from(serde_json::to_vec(body).expect("a JSON value can be written"))
}

/// A SCIM body whose text is there.
pub(crate) fn scim(status: u16, body: Bytes) -> Answer {
    let mut answer = empty(status);
    answer.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
    *answer.body_mut() = Full::new(body);
    answer
}

/// A SCIM error; its detail ends with the trace code.
pub(crate) fn error(error: &ScimError, trace: &str) -> Answer {
    let body = bytes(&endpoint::with_trace(error, trace).to_json());
    let mut answer = error_with(error.status, body);
    set(&mut answer, TRACE, trace);
    answer
}

/// An error whose body is complete.
pub(crate) fn error_with(status: u16, body: Bytes) -> Answer {
    let mut answer = scim(status, body);
    if status == 401 {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scim\""));
    }
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer
}

/// Sets a header whose text is ours; text that cannot be one is left out.
fn set(answer: &mut Answer, name: HeaderName, text: &str) {
    if !text.is_empty()
        && let Ok(value) = HeaderValue::from_str(text)
    {
        answer.headers_mut().insert(name, value);
    }
}

/// Adds what describes the resource.
pub(crate) fn describe(answer: &mut Answer, etag: Option<&str>, location: Option<&str>, trace: &str) {
    if let Some(etag) = etag {
        set(answer, ETAG, etag);
    }
    if let Some(location) = location {
        set(answer, LOCATION, location);
    }
    set(answer, TRACE, trace);
}

/// Asks to wait.
pub(crate) fn retry_after(answer: &mut Answer, seconds: u64) {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}
