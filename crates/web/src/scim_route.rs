//! SCIM over HTTP (RFC 7644 section 3): a request read into an operation, and its reply written.

use engine::Engine;
use engine::endpoint::{
    self, Caller, DEFAULT_PAGE, Kind, MAX_BODY_BYTES, MAX_BULK_OPERATIONS, MAX_PAGE, MAX_USER_BYTES,
    Operation, Reply,
};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{HeaderMap, Request};
use scim::ScimError;
use scim::discovery::{self, Limits};
use scim::query::{ListQuery, parameters};
use serde_json::Value;
use store::Reading;

use crate::answer::{self, Answer};
use crate::route::{self, Route, Target};
use crate::{Server, authenticate, body, exchange};

/// Answers a request below a SCIM base.
pub(crate) async fn answer(
    server: &Server,
    request: Request<Incoming>,
    tenant: Option<String>,
    target: Target,
    started: u64,
) -> Answer {
    let trace = server.engine.trace();
    let at_ms = server.engine.env.now_ms();
    let (head, incoming) = request.into_parts();
    let mut reading = server.engine.store.reading();
    let known = match authenticate::principal(server, &mut reading, &head.headers, tenant.as_deref()).await {
        Ok(known) => known,
        Err(error) => return answer::error(&error, &trace),
    };
    let types = match authenticate::types(server, &known.principal).await {
        Ok(types) => types,
        Err(error) => return answer::error(&error, &trace),
    };
    let base = match &tenant {
        Some(name) => format!("{}/t/{name}/scim/v2", server.base),
        None => format!("{}/scim/v2", server.base),
    };
    let allowed = allowed(&target);
    let mut seen = exchange::Seen::new(&known.principal, &head, at_ms, &trace);
    let place = server.throttle.enter(
        &known.principal.token,
        known.settings.requests_per_second,
        known.settings.concurrency,
        server.now_micros(),
    );
    let (reply, wait) = match place {
        Err(seconds) => {
            let detail = format!("this token sends more than is allowed; try again in {seconds} s");
            (Reply::from(ScimError::new(429, None, detail)), Some(seconds))
        }
        Ok(_place) => {
            let input = Input {
                target,
                method: head.method.as_str(),
                query: head.uri.query(),
                headers: &head.headers,
            };
            let reply = match authenticate::caller(&known, &base, &types) {
                Ok(caller) => serve(server, &caller, input, (incoming, reading), &mut seen, &trace).await,
                Err(error) => Reply::from(error),
            };
            (reply, None)
        }
    };
    let (mut answer, sent) = write(&reply, &trace);
    if let Some(seconds) = wait {
        answer::retry_after(&mut answer, seconds);
    }
    if reply.status == 405 {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    exchange::record(server, seen, (reply, sent), &types, started);
    answer
}

/// Bytes of a body that is read where requests are answered.
const SHORT_BODY: usize = 32 * 1024;

/// The request as it came.
struct Input<'r> {
    target: Target,
    method: &'r str,
    query: Option<&'r str>,
    headers: &'r HeaderMap,
}

async fn serve(
    server: &Server,
    caller: &Caller,
    input: Input<'_>,
    (incoming, mut reading): (Incoming, Reading),
    seen: &mut exchange::Seen,
    trace: &str,
) -> Reply {
    if let Err(error) = check_method(&input) {
        return error.into();
    }
    let mut bytes = Bytes::new();
    if has_body(input.method) {
        let limit = bytes_max(&input.target);
        reading.end();
        bytes = match body::read(incoming, input.headers, limit, server.options.slow).await {
            Ok(bytes) => bytes,
            Err(error) => return error.into(),
        };
    }
    if bytes.len() > SHORT_BODY {
        let (reply, is_json) = aside(server, caller, input, bytes.clone(), trace).await;
        if is_json {
            seen.keep_request(bytes);
        }
        return reply;
    }
    carry_out((&server.engine, reading), caller, input, &bytes, trace, || seen.keep_request(bytes.clone()))
        .await
}

/// Carries out what takes long to read on a thread of its own, by turns of the tenants; also says whether the body is JSON.
async fn aside(
    server: &Server,
    caller: &Caller,
    input: Input<'_>,
    bytes: Bytes,
    trace: &str,
) -> (Reply, bool) {
    let turn = server.bodies.take(caller.tenant.as_str()).await;
    let (engine, caller, trace) = (server.engine.clone(), caller.clone(), trace.to_owned());
    let (method, query) = (input.method.to_owned(), input.query.map(str::to_owned));
    let (headers, target) = (input.headers.clone(), input.target);
    let runtime = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let input = Input { target, method: &method, query: query.as_deref(), headers: &headers };
        let mut is_json = false;
        let reply =
            carry_out((&engine, engine.store.reading()), &caller, input, &bytes, &trace, || is_json = true);
        (runtime.block_on(reply), is_json)
    });
    done.await.unwrap_or_else(|_| (ScimError::new(500, None, "the server failed").into(), false))
}

fn has_body(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

/// Bytes of a body at most.
fn bytes_max(target: &Target) -> usize {
    match target {
        Target::Bulk | Target::All(Kind::Group) | Target::One(Kind::Group, _) => MAX_BODY_BYTES,
        _ => MAX_USER_BYTES,
    }
}

/// Reads a request whose bytes are all there, and carries it out. `look` is called once they have turned out to be JSON.
async fn carry_out(
    (engine, reading): (&Engine, Reading),
    caller: &Caller,
    input: Input<'_>,
    bytes: &[u8],
    trace: &str,
    look: impl FnOnce(),
) -> Reply {
    let body = match has_body(input.method).then(|| body::json(bytes, input.headers)) {
        Some(Ok(body)) => body,
        Some(Err(error)) => return error.into(),
        None => Value::Null,
    };
    look();
    match operation(caller, input, body) {
        Ok(Asked::Operation(request)) => endpoint::handle_in(engine, reading, caller, *request, trace).await,
        Ok(Asked::Document(body)) => Reply { status: 200, body: Some(body), ..Reply::default() },
        Err(error) => error.into(),
    }
}

/// What is sent for a request, and what it was made of.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The reply as the engine gave it.
    pub reply: Reply,
    /// The body as it is sent.
    pub body: Bytes,
    /// The trace code.
    pub trace: String,
}

/// Carries out a request of a known caller without a connection: path with query, headers and body as they would come.
/// None if the path leads to nothing of SCIM. For tests that need no server.
pub async fn request(
    engine: &Engine,
    caller: &Caller,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Sent> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let Route::Scim(_, target) = route::read(path) else { return None };
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            map.append(name, value);
        }
    }
    let input = Input { target, method, query, headers: &map };
    let trace = engine.trace();
    let reading = || engine.store.reading();
    let reply = match check_method(&input) {
        Err(error) => error.into(),
        Ok(()) if body.len() > bytes_max(&input.target) => body::too_large(bytes_max(&input.target)).into(),
        Ok(()) => carry_out((engine, reading()), caller, input, body, &trace, || ()).await,
    };
    let (_, body) = write(&reply, &trace);
    Some(Sent { reply, body, trace })
}

/// The methods that a target knows.
fn allowed(target: &Target) -> &'static str {
    match target {
        Target::Root | Target::ServiceProviderConfig | Target::Schemas(_) | Target::ResourceTypes(_) => "GET",
        Target::All(_) => "GET, POST",
        Target::One(..) | Target::Me => "GET, PUT, PATCH, DELETE",
        Target::Search(_) | Target::Bulk => "POST",
        Target::Unknown => "",
    }
}

fn check_method(input: &Input<'_>) -> Result<(), ScimError> {
    if input.target == Target::Unknown {
        return Err(ScimError::not_found("there is no such endpoint here"));
    }
    let known = allowed(&input.target);
    if known.split(", ").any(|method| method == input.method) {
        return Ok(());
    }
    Err(ScimError::new(405, None, format!("{} is not offered here, only {known}", input.method)))
}

/// What a request asks for.
enum Asked {
    Operation(Box<endpoint::Request>),
    /// A document about the server itself.
    Document(Value),
}

fn operation(caller: &Caller, input: Input<'_>, body: Value) -> Result<Asked, ScimError> {
    let pairs = parameters(input.query.unwrap_or_default());
    let method = input.method;
    let target = match input.target {
        Target::Me => match &caller.me {
            Some(id) => Target::One(Kind::User, id.to_string()),
            None => {
                return Err(ScimError::new(501, None, "this token stands for no user, so there is no /Me"));
            }
        },
        other => other,
    };
    let list = || ListQuery::from_parameters(&pairs);
    let mut projection = None;
    let operation = match (target, method) {
        (Target::Unknown, _) => return Err(ScimError::not_found("there is no such endpoint here")),
        (Target::Root, "GET") => Operation::List(None, Box::new(list()?)),
        (Target::All(kind), "GET") => Operation::List(Some(kind), Box::new(list()?)),
        (Target::Search(kind), "POST") => Operation::List(kind, Box::new(ListQuery::from_search(&body)?)),
        (Target::All(kind), "POST") => Operation::Create(kind, body),
        (Target::One(kind, id), "GET") => Operation::Get(kind, id),
        (Target::One(kind, id), "PUT") => Operation::Replace(kind, id, body),
        (Target::One(kind, id), "PATCH") => Operation::Patch(kind, id, body),
        (Target::One(kind, id), "DELETE") => Operation::Delete(kind, id),
        (Target::Bulk, "POST") => Operation::Bulk(body),
        (target @ (Target::ServiceProviderConfig | Target::Schemas(_) | Target::ResourceTypes(_)), "GET") => {
            return document(caller, &target, &pairs).map(Asked::Document);
        }
        _ => return Err(ScimError::new(405, None, format!("{method} is not offered here"))),
    };
    if !matches!(operation, Operation::List(..)) {
        projection = Some(list()?.projection);
    }
    Ok(Asked::Operation(Box::new(endpoint::Request {
        operation,
        if_match: header(input.headers, &IF_MATCH),
        if_none_match: header(input.headers, &IF_NONE_MATCH),
        projection: projection.unwrap_or_default(),
    })))
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// `/ServiceProviderConfig`, `/Schemas`, `/ResourceTypes` (RFC 7644 section 4).
fn document(caller: &Caller, target: &Target, pairs: &[(String, String)]) -> Result<Value, ScimError> {
    if pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::new(403, None, "discovery documents cannot be filtered (RFC 7644 section 4)"));
    }
    let base = &caller.base;
    let types = caller.types.published();
    let (mut found, asked): (Vec<Value>, &Option<String>) = match target {
        Target::Schemas(asked) => {
            let all = types.iter().flat_map(|rt| std::iter::once(&rt.schema).chain(&rt.extensions));
            let all =
                all.filter(|schema| asked.as_ref().is_none_or(|asked| schema.id.eq_ignore_ascii_case(asked)));
            (all.map(|schema| discovery::schema(base, schema)).collect(), asked)
        }
        Target::ResourceTypes(asked) => {
            let all = types.iter().filter(|rt| asked.as_ref().is_none_or(|asked| rt.name == *asked));
            (all.map(|rt| discovery::resource_type(base, rt)).collect(), asked)
        }
        _ => return Ok(discovery::service_provider_config(base, &limits())),
    };
    match asked {
        None => Ok(scim::ListResponse::new(found.len() as u64, 1, found).to_json()),
        Some(asked) => found.pop().ok_or_else(|| ScimError::not_found(format!("there is no {asked:?} here"))),
    }
}

fn limits() -> Limits {
    Limits {
        bulk_operations: MAX_BULK_OPERATIONS as u64,
        bulk_bytes: MAX_BODY_BYTES as u64,
        page_max: MAX_PAGE,
        page_default: DEFAULT_PAGE,
        cursor_timeout_s: None,
    }
}

/// The answer, and its body for the log.
fn write(reply: &Reply, trace: &str) -> (Answer, Bytes) {
    let (mut answer, sent) = match (&reply.error, &reply.body) {
        (Some(error), _) => {
            let sent = answer::bytes(&endpoint::with_trace(error, trace).to_json());
            (answer::error_with(error.status, sent.clone()), sent)
        }
        (None, Some(body)) => {
            let sent = answer::bytes(body);
            (answer::scim(reply.status, sent.clone()), sent)
        }
        (None, None) => (answer::empty(reply.status), Bytes::new()),
    };
    answer::describe(&mut answer, reply.etag.as_deref(), reply.location.as_deref(), trace);
    (answer, sent)
}
