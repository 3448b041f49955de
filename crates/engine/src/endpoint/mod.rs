//! The SCIM endpoint's use cases: what identity providers push becomes changes of the directory, and what they ask is answered.
//!
//! [`handle`] carries out one request of an authenticated [`Caller`]. A request is one transaction: it changes everything that
//! it names or nothing. Everything written goes through [`crate::directory::apply()`].

mod bulk;
mod cursor;
mod departure;
mod groups;
mod list;
mod members;
mod narrow;
mod policy;
mod reindex;
mod render;
mod reply;
mod required;
mod scan;
mod settle;
mod users;

use std::sync::Arc;

use domain::connection::ConnectionSettings;
use domain::ids::{ConnectionId, TenantId, UserId};
use scim::dialect::{Dialect, Tolerated};
use scim::query::{ListQuery, Projection};
use scim::{ResourceType, ScimError};
use serde_json::Value;
use store::repo::member;
pub use store::repo::resource::Kind;
use store::{Reading, Tx};

use crate::schemas::ResourceTypes;
use crate::{Context, Engine, EngineError};

pub use reindex::reindex;
pub use reply::{Note, Object, Reply, scim_error, with_trace};

/// Bulk operations in one request at most.
pub const MAX_BULK_OPERATIONS: usize = 1_000;
/// Bytes of a body at most that holds one user, or a search.
pub const MAX_USER_BYTES: usize = 256 * 1024;
/// Bytes of any other request's body at most: a group has many members.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Resources of one page at most.
pub const MAX_PAGE: u64 = 500;
/// Resources of a page if the request names no number.
pub const DEFAULT_PAGE: u64 = 100;

/// Members of a group that is read where requests are answered.
const SHORT_GROUP: i64 = 500;

/// Who sends a request, and how the answers are to be written.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose directory.
    pub tenant: TenantId,
    /// The connection's id, or empty for a token without one.
    pub connection: String,
    /// Who is named as the source of what is created.
    pub source: String,
    /// Who is named in the audit log.
    pub actor: String,
    /// The connection's policies; defaults for a token without one.
    pub settings: Arc<ConnectionSettings>,
    /// Whether the token only reads.
    pub read_only: bool,
    /// The user that the token stands for.
    pub me: Option<UserId>,
    /// The SCIM base URL, without a slash at its end.
    pub base: Arc<str>,
    /// What users and groups of the tenant may contain: see [`Engine::types_at`].
    pub types: Arc<ResourceTypes>,
}

/// One request, its path and query read.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// `If-Match`, as sent.
    pub if_match: Option<String>,
    /// `If-None-Match`, as sent.
    pub if_none_match: Option<String>,
    /// What the answer shall contain.
    pub projection: Projection,
}

/// What a request does.
#[derive(Clone, Debug)]
pub enum Operation {
    /// POST of a new resource.
    Create(Kind, Value),
    /// GET of one resource.
    Get(Kind, String),
    /// A list or search; of all types if none is named.
    List(Option<Kind>, Box<ListQuery>),
    /// PUT.
    Replace(Kind, String, Value),
    /// PATCH.
    Patch(Kind, String, Value),
    /// DELETE.
    Delete(Kind, String),
    /// POST to `/Bulk`.
    Bulk(Value),
}

impl Operation {
    fn writes(&self) -> bool {
        !matches!(self, Self::Get(..) | Self::List(..))
    }
}

impl Caller {
    fn dialect(&self) -> Dialect {
        self.settings.dialect
    }
}

/// Carries out a request. The trace joins the answer, the SCIM log and the audit log.
pub async fn handle(engine: &Engine, caller: &Caller, request: Request, trace: &str) -> Reply {
    handle_in(engine, engine.store.reading(), caller, request, trace).await
}

/// [`handle`] of a request for which something was read already: what it reads itself is as old as that.
pub async fn handle_in(
    engine: &Engine,
    mut reading: Reading,
    caller: &Caller,
    request: Request,
    trace: &str,
) -> Reply {
    if request.operation.writes() {
        reading.end();
    }
    if caller.read_only && request.operation.writes() {
        return Reply::from(ScimError::new(403, None, "this token may only read (scope scim:read)"));
    }
    let call = Call { caller: caller.clone(), trace: trace.to_owned() };
    let done = match request.operation {
        Operation::Bulk(ref body) => return bulk::run(engine, &call, body).await,
        Operation::List(kind, ref query) => list::run(engine, reading, &call, kind, query).await,
        Operation::Get(kind, ref id) => {
            let id = id.clone();
            get_one(engine, reading, call, request, kind, id).await
        }
        _ => write(engine, &call, request).await,
    };
    done.unwrap_or_else(|error| Reply::failed(&error))
}

/// What every part of one request needs.
#[derive(Clone, Debug)]
struct Call {
    caller: Caller,
    trace: String,
}

impl Call {
    fn context(&self, engine: &Engine) -> Context {
        let mut context = engine.context(&self.caller.tenant);
        context.actor.clone_from(&self.caller.actor);
        context.trace.clone_from(&self.trace);
        context
    }

    /// The connection; none for a token of the tenant itself.
    fn connection(&self) -> Option<ConnectionId> {
        Some(self.caller.connection.as_str()).filter(|id| !id.is_empty()).map(ConnectionId::new)
    }

    /// The schema of a kind.
    fn type_of(&self, kind: Kind) -> &ResourceType {
        self.caller.types.of(kind)
    }
}

async fn write(engine: &Engine, call: &Call, request: Request) -> Result<Reply, EngineError> {
    let named_version = request.if_match.is_some();
    let prepared = Prepared::new(call, request)?;
    let (call, context) = (call.clone(), call.context(engine));
    let body = move |tx: &mut Tx<'_>| prepared.run(tx, &call, &mut context.clone());
    if named_version {
        // What If-Match names, members and groups included, no single row holds.
        return engine.store.write(body).await;
    }
    engine.store.change(body).await
}

/// A write whose body is read and normalised, and not in the request any more: what is left needs the directory.
struct Prepared {
    request: Request,
    action: Action,
    tolerated: Vec<Tolerated>,
}

enum Action {
    Create(Kind, Value),
    Replace(Kind, String, Value),
    Patch(Kind, String, scim::PatchRequest),
    Delete(Kind, String),
}

impl Prepared {
    fn new(call: &Call, mut request: Request) -> Result<Self, EngineError> {
        let dialect = call.caller.dialect();
        let (action, tolerated) = match &mut request.operation {
            Operation::Create(kind, body) => {
                let body = std::mem::take(body);
                let (doc, tolerated) = scim::dialect::take_resource(call.type_of(*kind), dialect, body)?;
                (Action::Create(*kind, doc), tolerated)
            }
            Operation::Replace(kind, id, body) => {
                let body = std::mem::take(body);
                let (doc, tolerated) = scim::dialect::take_resource(call.type_of(*kind), dialect, body)?;
                (Action::Replace(*kind, id.clone(), doc), tolerated)
            }
            Operation::Patch(kind, id, body) => {
                let body = std::mem::take(body);
                let (patch, tolerated) = scim::dialect::take_patch(call.type_of(*kind), dialect, body)?;
                (Action::Patch(*kind, id.clone(), patch), tolerated)
            }
            Operation::Delete(kind, id) => (Action::Delete(*kind, id.clone()), vec![]),
            Operation::Get(..) | Operation::List(..) | Operation::Bulk(_) => {
                return Err(ScimError::invalid_syntax("this request is no write").into());
            }
        };
        Ok(Self { request, action, tolerated })
    }

    /// Carries the write out in its transaction; may run more than once.
    fn run(&self, tx: &mut Tx<'_>, call: &Call, ctx: &mut Context) -> Result<Reply, EngineError> {
        let request = &self.request;
        let mut reply = match &self.action {
            Action::Create(Kind::User, doc) => users::create(tx, call, ctx, request, doc),
            Action::Create(Kind::Group, doc) => groups::create(tx, call, ctx, request, doc),
            Action::Replace(Kind::User, id, doc) => users::replace(tx, call, ctx, request, id, doc),
            Action::Replace(Kind::Group, id, doc) => groups::replace(tx, call, ctx, request, id, doc),
            Action::Patch(Kind::User, id, patch) => users::patch(tx, call, ctx, request, id, patch),
            Action::Patch(Kind::Group, id, patch) => groups::patch(tx, call, ctx, request, id, patch),
            Action::Delete(kind, id) => delete(tx, call, ctx, request, *kind, id),
        }?;
        reply.tolerated.extend(self.tolerated.iter().cloned());
        Ok(reply)
    }
}

/// A large group is read on a thread of its own, so that others are answered meanwhile.
async fn get_one(
    engine: &Engine,
    mut reading: Reading,
    call: Call,
    request: Request,
    kind: Kind,
    id: String,
) -> Result<Reply, EngineError> {
    let tenant = call.caller.tenant.clone();
    let members = kind == Kind::Group && request.projection.wants(call.type_of(kind), "members");
    let long = members && {
        let (tenant, group) = (tenant.clone(), domain::ids::GroupId::new(id.as_str()));
        reading.read(move |tx| member::more_than(tx, &tenant, &group, SHORT_GROUP)).await?
    };
    let body = move |tx: &mut Tx<'_>| get(tx, &call, kind, &id, &request);
    if !long {
        return reading.read(body).await;
    }
    reading.end();
    engine.store.read_long(tenant.as_str(), body).await
}

fn get(tx: &mut Tx<'_>, call: &Call, kind: Kind, id: &str, request: &Request) -> Result<Reply, EngineError> {
    let stored = render::live(tx, call, kind, id)?;
    let shown = render::one(tx, call, kind, stored, &request.projection)?;
    if request.if_none_match.as_deref().is_some_and(|header| scim::etag::matches(header, &shown.etag)) {
        let unchanged = Reply::resource(304, shown);
        return Ok(Reply { body: None, location: None, object: None, ..unchanged });
    }
    Ok(Reply::resource(200, shown))
}

fn delete(
    tx: &mut Tx<'_>,
    call: &Call,
    ctx: &mut Context,
    request: &Request,
    kind: Kind,
    id: &str,
) -> Result<Reply, EngineError> {
    use domain::directory::Change;
    let stored = render::for_write(tx, call, kind, id, request)?;
    let object = Object::of(kind, &stored);
    if kind == Kind::User && departure::depart(tx, call, ctx, &stored)? {
        return Ok(Reply { status: 204, object: Some(object), ..Reply::default() });
    }
    let change = match kind {
        Kind::User => Change::DeleteUser { id: UserId::new(id) },
        Kind::Group => Change::DeleteGroup { id: domain::ids::GroupId::new(id) },
    };
    let basis = settle::Basis { kind, stored: &stored, members: request.if_match.is_some() };
    settle::apply_to(tx, ctx, &basis, &[change])?;
    Ok(Reply { status: 204, object: Some(object), ..Reply::default() })
}
