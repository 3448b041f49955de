//! Performs the effects of one run: reads, transactions and requests, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::executor::{Effect, Event, Finish, Intended, LaneSignal, Run};
use domain::ids::{AppId, Subject, TenantId, UserId};
use domain::remote::{Call, Outcome, RemoteKind};
use domain::snapshot::{CompiledApp, Snapshot};

use super::intend::owners;
use super::inventory::Inventory;
use super::pace::{Pace, Slot};
use super::writes::{RunWrite, What, Writes, Written, serve};
use crate::connectors::{TransportError, scim};
use crate::context::Engine;
use crate::error::EngineError;
use crate::snapshot::{Scope, load, load_users};
use crate::transport::Transport;
use store::repo::intent;

/// How long a request that is announced may be kept back.
const LONG_WAIT_MS: i64 = 1_000;
/// A snapshot that waited longer for its turn is taken again before anything is announced.
const STALE_MS: i64 = 200;

/// What all runs of a lane share.
pub struct Shared {
    /// The engine.
    pub engine: Engine,
    /// Whose data.
    pub tenant: TenantId,
    /// The app.
    pub app: AppId,
    /// The way to the app.
    pub transport: Transport,
    /// Its pace.
    pub pace: Pace,
    /// Number of this owner of the lane.
    pub fence: i64,
    /// Everything that the app held when the lane began, if that was read.
    pub inventory: Option<Inventory>,
    /// Intents and outcomes that wait for their transaction.
    pub writes: Writes,
    /// Requests sent so far.
    pub requests: AtomicU64,
    /// Runs that have begun and know neither what to send nor that there is nothing to send.
    pub undecided: AtomicUsize,
    /// Nothing more is begun: what waits for its turn ends as if it had never begun.
    pub stopped: AtomicBool,
    /// Until when this process may send (monotonic milliseconds): the lease minus a margin.
    pub send_until_ms: std::sync::atomic::AtomicI64,
}

/// A run that has begun and has not decided yet whether it sends something.
pub struct Undecided(Arc<Shared>);

impl Undecided {
    /// Counts one more, until it is dropped.
    pub fn new(shared: &Arc<Shared>) -> Self {
        shared.undecided.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        self.0.undecided.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One step of a run, for those who watch.
#[derive(Clone, Debug)]
pub struct Step {
    /// A short name: `load`, `request`, `answer`, `intent`, `record`.
    pub name: &'static str,
    /// What happened.
    pub text: String,
}

/// Runs one subject to its end, alone.
pub async fn run_alone(
    shared: &Shared,
    subject: &Subject,
    watch: &(dyn Fn(Step) + Send + Sync),
) -> Result<Finish, EngineError> {
    tokio::select! {
        biased;
        finish = run_subject(shared, subject, Some(watch), (None, None)) => finish,
        never = serve(shared) => match never {},
    }
}

/// What a run begins with.
pub struct Loaded {
    snapshot: Option<Snapshot>,
    /// A request was announced for the subject at some time.
    tried: bool,
    /// Monotonic milliseconds.
    at_ms: i64,
}

impl Loaded {
    fn is_fresh(&self, shared: &Shared) -> bool {
        shared.engine.env.monotonic_ms() - self.at_ms <= STALE_MS
    }
}

/// Runs one subject to its end. What it writes is carried out by whoever serves the lane's writes.
pub async fn run_subject(
    shared: &Shared,
    subject: &Subject,
    watch: Option<&(dyn Fn(Step) + Send + Sync)>,
    (undecided, mut first): (Option<Undecided>, Option<Loaded>),
) -> Result<Finish, EngineError> {
    // One trace joins the intent, the requests and the audit entries of this run.
    let trace = shared.engine.context(&shared.tenant).trace;
    let mut run = Run::new();
    let mut event = Event::Start;
    let mut state = RunState { shared, app: None, may_use_inventory: false, slot: None, undecided };
    let tell = |name: &'static str, text: &dyn Fn() -> String| {
        if let Some(watch) = watch {
            watch(Step { name, text: text() });
        }
    };
    loop {
        event = match run.step(event) {
            Effect::Load { edges } => {
                let loaded = match first.take().filter(|first| edges == 0 && first.is_fresh(shared)) {
                    Some(first) => first,
                    None => load_subject(shared, subject, edges).await?,
                };
                state.note(&loaded);
                tell("load", &|| "directory, link and policies were read".into());
                Event::Loaded(loaded.snapshot)
            }
            Effect::Owners { kind, remote_ids } => {
                Event::Owners(find_owners(shared, kind, remote_ids).await?)
            }
            Effect::Intend(intention) => {
                match state.turn().await {
                    Turn::Now => {}
                    Turn::Late => {
                        event = Event::Intended(Intended::Superseded);
                        continue;
                    }
                    Turn::Never => return Ok(run.abandon()),
                }
                let (subject, app, trace) = (subject.clone(), state.app()?, trace.clone());
                tell("intent", &|| format!("{} is recorded before it is sent", intention.write.name()));
                let what = What::Intention(intention);
                match shared.writes.write(RunWrite { subject, app, trace, what }).await? {
                    Written::Intended(intended) => Event::Intended(intended),
                    Written::Settled(_) => return Err(mixed_up()),
                }
            }
            Effect::Send(call) => {
                let outcome = match known(shared, &call, state.may_use_inventory) {
                    Some(outcome) => outcome,
                    None if matches!(state.turn().await, Turn::Never) => return Ok(run.abandon()),
                    None => send(shared, &call).await,
                };
                tell("request", &|| describe(&call, &outcome));
                Event::Answered(outcome)
            }
            Effect::Settle(settlement) => {
                state.undecided = None;
                state.slot = None;
                let (subject, app, trace) = (subject.clone(), state.app()?, trace.clone());
                let what = What::Settlement(settlement);
                let written = shared.writes.write(RunWrite { subject, app, trace, what }).await?;
                tell("record", &|| "the outcome is recorded".into());
                if !matches!(written, Written::Settled(true)) {
                    return Ok(Finish { lane: LaneSignal::Fenced, ..Finish::default() });
                }
                Event::Settled
            }
            Effect::Finish(finish) => return Ok(finish),
        };
    }
}

fn mixed_up() -> EngineError {
    EngineError::Invalid("a run was told of another's write: this is a bug".into())
}

struct RunState<'a> {
    shared: &'a Shared,
    app: Option<Arc<CompiledApp>>,
    may_use_inventory: bool,
    /// Held from before the intent until the answer came.
    slot: Option<Slot<'a>>,
    undecided: Option<Undecided>,
}

/// What a run is told that wants to send something.
enum Turn {
    Now,
    /// Its snapshot is old by now.
    Late,
    /// The lane has stopped.
    Never,
}

impl RunState<'_> {
    /// Waits for a slot, unless the run has one.
    async fn turn(&mut self) -> Turn {
        self.undecided = None;
        if self.slot.is_some() {
            return Turn::Now;
        }
        let env = &self.shared.engine.env;
        let before_ms = env.monotonic_ms();
        self.slot = Some(self.shared.pace.slot().await);
        let now_ms = env.monotonic_ms();
        let paused = self.shared.pace.pause_left(now_ms) > LONG_WAIT_MS;
        if self.shared.stopped.load(Ordering::Acquire) || (paused && now_ms > before_ms) {
            return Turn::Never;
        }
        if now_ms - before_ms > STALE_MS { Turn::Late } else { Turn::Now }
    }

    /// The inventory answers only first looks: once a request was announced the app itself is asked.
    fn note(&mut self, loaded: &Loaded) {
        let Some(base) = loaded.snapshot.as_ref().map(Snapshot::base) else { return };
        self.app = Some(base.app.clone());
        self.may_use_inventory = !loaded.tried && base.link.is_none();
    }

    fn app(&self) -> Result<Arc<CompiledApp>, EngineError> {
        self.app
            .clone()
            .ok_or_else(|| EngineError::Invalid("a run went on without a snapshot: this is a bug".into()))
    }
}

/// Who among our subjects is tied to these objects.
async fn find_owners(
    shared: &Shared,
    kind: RemoteKind,
    remote_ids: Vec<String>,
) -> Result<Vec<Option<Subject>>, EngineError> {
    let (context, app) = (shared.engine.context(&shared.tenant), shared.app.clone());
    let kind = if kind.endpoint() == "/Users" { "user" } else { "group" };
    shared.engine.read(move |tx| owners(tx, &context, &app, kind, &remote_ids)).await
}

async fn load_subject(shared: &Shared, subject: &Subject, edges: usize) -> Result<Loaded, EngineError> {
    if let Subject::User(_) = subject {
        let loaded = load_users_of(shared, vec![subject.clone()]).await?.remove(subject);
        return loaded.ok_or_else(mixed_up);
    }
    let (apps, tenant, app_id) = (shared.engine.apps.clone(), shared.tenant.clone(), shared.app.clone());
    let (subject, env) = (subject.clone(), &shared.engine.env);
    let (now_ms, at_ms) = (env.now_ms(), env.monotonic_ms());
    shared
        .engine
        .read(move |tx| {
            let app = apps.get(tx, &tenant, &app_id)?;
            let scope = Scope { tenant: tenant.clone(), app, now_ms, with_groups: false };
            let snapshot = load(tx, &scope, &subject, edges)?;
            let unlinked = snapshot.as_ref().is_some_and(|loaded| loaded.base().link.is_none());
            let tried = unlinked && intent::any(tx, &tenant, &app_id, subject.id())?;
            Ok(Loaded { snapshot, tried, at_ms })
        })
        .await
}

/// What the runs of these users begin with, read in one go; groups are left out.
pub async fn load_users_of(
    shared: &Shared,
    subjects: Vec<Subject>,
) -> Result<BTreeMap<Subject, Loaded>, EngineError> {
    let (apps, tenant, app_id) = (shared.engine.apps.clone(), shared.tenant.clone(), shared.app.clone());
    let env = &shared.engine.env;
    let (now_ms, at_ms) = (env.now_ms(), env.monotonic_ms());
    // On a thread of its own, beside the runs.
    shared
        .engine
        .store
        .read_long(shared.tenant.as_str(), move |tx| {
            let app = apps.get(tx, &tenant, &app_id)?;
            let scope = Scope { tenant: tenant.clone(), app, now_ms, with_groups: false };
            let is_user = |subject: &Subject| match subject {
                Subject::User(id) => Some(id.clone()),
                Subject::Group(_) => None,
            };
            let users: Vec<UserId> = subjects.iter().filter_map(is_user).collect();
            let users: Vec<&UserId> = users.iter().collect();
            let mut found = load_users(tx, &scope, &users)?;
            let each = users.into_iter().map(|id| {
                let (user, tried) = found.remove(id).unzip();
                let snapshot = user.map(|user| Snapshot::User(Box::new(user)));
                (Subject::User(id.clone()), Loaded { snapshot, tried: tried.unwrap_or(false), at_ms })
            });
            Ok(each.collect())
        })
        .await
}

/// The answer to a first look, where the whole app was read.
fn known(shared: &Shared, call: &Call, may_use_inventory: bool) -> Option<Outcome> {
    let inventory = shared.inventory.as_ref().filter(|_| may_use_inventory)?;
    inventory.answer(call)
}

/// Sends one call at the lane's pace.
pub async fn send(shared: &Shared, call: &Call) -> Outcome {
    let env = &shared.engine.env;
    // A write is announced already: to keep it back for long would eat into its in-flight window.
    let pause_ms = shared.pace.pause_left(env.monotonic_ms());
    if pause_ms > LONG_WAIT_MS && scim::request(call).method != "GET" {
        return Outcome::Throttled { after_ms: pause_ms };
    }
    let wait_ms = shared.pace.reserve(env.monotonic_ms());
    if wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    if env.monotonic_ms() > shared.send_until_ms.load(Ordering::Acquire) {
        let late = TransportError::NotSent("the lease of the lane ran out before the request".into());
        return scim::outcome(call, Err(late), env.now_ms());
    }
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let result = shared.transport.send(&scim::request(call)).await;
    let outcome = scim::outcome(call, result, env.now_ms());
    match &outcome {
        Outcome::Throttled { after_ms } => shared.pace.throttled(env.monotonic_ms(), *after_ms),
        _ => shared.pace.went_well(),
    }
    outcome
}

fn describe(call: &Call, outcome: &Outcome) -> String {
    let request = scim::request(call);
    let result = match outcome {
        Outcome::Found(found) => format!("{} found", found.len()),
        Outcome::Applied(_) => "accepted".into(),
        Outcome::Missing(_) => "not there".into(),
        Outcome::Throttled { after_ms } => format!("too fast, again in {after_ms} ms"),
        Outcome::Conflict(evidence)
        | Outcome::Rejected(evidence)
        | Outcome::Unauthorized(evidence)
        | Outcome::Down(evidence)
        | Outcome::Unknown(evidence) => {
            let status = evidence.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            format!("{status}: {}", evidence.detail)
        }
    };
    format!("{} {} -> {result}", request.method, request.path)
}
