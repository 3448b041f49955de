//! Drives one lane: takes it, spreads changes, runs due subjects side by side, and stops when nothing is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::app::AppState;
use domain::executor::{Finish, LaneSignal};
use domain::ids::{AppId, Subject, TenantId};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use store::repo::{intent, lane, mark};

use super::inventory::{Inventory, WORTH_IT};
use super::pace::Pace;
use super::perform::{Loaded, Shared, Undecided, load_users_of, run_subject};
use super::probe::{Probe, probe};
use super::writes::{Writes, serve};
use crate::context::Engine;
use crate::dispatch::dispatch_all;
use crate::error::EngineError;
use crate::transport::Transport;

/// How much longer than a request's time-out a lane is owned.
const LEASE_MARGIN_MS: i64 = 30_000;
/// Time that recording an outcome may take after the last possible answer.
const RECORD_MARGIN_MS: i64 = 5_000;
/// How long groups wait for accounts at most.
const GROUP_TURN_MS: i64 = 20_000;
/// Subjects that are fetched at once.
const BATCH: i64 = 512;
/// Subjects that are read at once for the runs that begin next.
const AHEAD: usize = 32;
/// Runs at the same time at most. Requests at the same time are fewer: see [`Pace`].
const RUNS: usize = 256;

/// What a run of a lane did and left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaneReport {
    /// Subjects that were looked at.
    pub subjects: u64,
    /// Requests sent, reads included.
    pub requests: u64,
    /// Applied writes by name.
    pub applied: std::collections::BTreeMap<String, u64>,
    /// Why the lane is held, if it is.
    pub held: Option<String>,
    /// When the next thing is due (Unix milliseconds), if something waits for a time.
    pub next_due_ms: Option<i64>,
    /// Marks that are left, by state.
    pub left: std::collections::BTreeMap<String, i64>,
}

/// Told about progress: subjects done and subjects known to be left.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Runs a lane until nothing is ready; with `wait`, until nothing waits for a time any more.
pub async fn run_lane(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: Transport,
    wait: bool,
    progress: Progress<'_>,
) -> Result<LaneReport, EngineError> {
    dispatch_all(engine, tenant).await?;
    if engine.app(tenant, app).await?.app.state != AppState::Active {
        return Ok(LaneReport::default());
    }
    let mut owned = Owned::take(engine, tenant, app, transport).await?;
    owned.read_inventory().await?;
    let mut lane = Lane { owned, report: LaneReport::default(), groups_ms: engine.env.monotonic_ms() };
    let result = lane.drive(wait, progress).await;
    let report = lane.report().await;
    lane.owned.release().await?;
    result?;
    report
}

/// A lane that this process owns.
pub struct Owned {
    shared: Arc<Shared>,
    lease_ms: i64,
    slack_ms: i64,
}

impl Owned {
    /// Becomes the owner of an app's lane.
    pub async fn take(
        engine: &Engine,
        tenant: &TenantId,
        app: &AppId,
        transport: Transport,
    ) -> Result<Self, EngineError> {
        let settings = engine.app(tenant, app).await?.app.settings.clone();
        let lease_ms = settings.request_timeout_ms.saturating_add(LEASE_MARGIN_MS);
        let slack_ms = lease_ms - settings.request_timeout_ms - RECORD_MARGIN_MS;
        let before_ms = engine.env.monotonic_ms();
        let (fence, not_before_ms) = take(engine, tenant, app, lease_ms).await?;
        let pace = Pace::new(settings.rate_per_second, settings.concurrency);
        let pause_ms = not_before_ms - engine.env.now_ms();
        if pause_ms > 0 {
            // The app asked an earlier run for this pause.
            pace.throttled(before_ms, pause_ms);
        }
        let shared = Shared {
            engine: engine.clone(),
            tenant: tenant.clone(),
            app: app.clone(),
            transport,
            pace,
            fence,
            inventory: None,
            writes: Writes::default(),
            requests: AtomicU64::new(0),
            undecided: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            send_until_ms: AtomicI64::new(before_ms.saturating_add(slack_ms)),
        };
        Ok(Self { shared: Arc::new(shared), lease_ms, slack_ms })
    }

    /// What the runs of this lane share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Gives the lane back.
    pub async fn release(self) -> Result<(), EngineError> {
        let (app, fence) = (self.shared.app.clone(), self.shared.fence);
        let release = move |tx: &mut store::Tx<'_>, context: &mut crate::Context| {
            Ok(lane::release(tx, &context.tenant, &app, fence)?)
        };
        self.shared.engine.write(&self.shared.tenant, release).await
    }

    /// Reads the whole app once if so many subjects have no link yet that looking each up would cost more.
    async fn read_inventory(&mut self) -> Result<(), EngineError> {
        let shared = &self.shared;
        let matching = shared.engine.app(&shared.tenant, &shared.app).await?.app.settings.matching.clone();
        let (tenant, app, now_ms) = (shared.tenant.clone(), shared.app.clone(), shared.engine.env.now_ms());
        let count =
            move |tx: &mut store::Tx<'_>| Ok(mark::count_unlinked(tx, &tenant, &app, now_ms, WORTH_IT)?);
        if shared.engine.read(count).await? < WORTH_IT {
            return Ok(());
        }
        let inventory = Inventory::read(&shared.transport, shared.engine.env.as_ref(), &matching).await;
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.inventory = inventory;
        }
        Ok(())
    }

    /// Renews the lease once half of what may be used for sending is gone.
    async fn renew_if_due(&self) -> Result<(), EngineError> {
        let before_ms = self.shared.engine.env.monotonic_ms();
        if self.shared.send_until_ms.load(Ordering::Acquire) - before_ms > self.slack_ms / 2 {
            return Ok(());
        }
        let (app, fence, lease_ms) = (self.shared.app.clone(), self.shared.fence, self.lease_ms);
        let renew = move |tx: &mut store::Tx<'_>, context: &mut crate::Context| {
            let until_ms = context.now_ms.saturating_add(lease_ms);
            Ok(lane::renew(tx, &context.tenant, &app, fence, until_ms)?)
        };
        if !self.shared.engine.write(&self.shared.tenant, renew).await? {
            return Err(EngineError::Busy("another process took the app's lane over".into()));
        }
        self.shared.send_until_ms.store(before_ms.saturating_add(self.slack_ms), Ordering::Release);
        Ok(())
    }

    async fn sleep(&self, total_ms: i64) -> Result<(), EngineError> {
        let mut left_ms = total_ms.max(1);
        while left_ms > 0 {
            let part_ms = left_ms.min(5_000);
            tokio::time::sleep(Duration::from_millis(part_ms.unsigned_abs())).await;
            left_ms -= part_ms;
            self.renew_if_due().await?;
        }
        Ok(())
    }
}

/// Becomes the owner of the lane: its number, and until when the app asked for a pause. Every open intent of an earlier
/// owner is unknown from now on.
async fn take(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    lease_ms: i64,
) -> Result<(i64, i64), EngineError> {
    let (app, env) = (app.clone(), engine.env.clone());
    let owner = env.process_name();
    engine
        .write(tenant, move |tx, context| {
            let lane = lane::ensure(tx, &context.tenant, &app)?;
            let free = lane.owner.is_empty() || lane.lease_until_ms <= context.now_ms || !env.may_be_alive(&lane.owner);
            if !free && lane.owner != owner {
                return Err(EngineError::Busy(format!(
                    "the app is being synchronised by process {}; wait for it to end (its lease runs for {} s at most)",
                    lane.owner,
                    (lane.lease_until_ms - context.now_ms) / 1_000
                )));
            }
            let until_ms = context.now_ms.saturating_add(lease_ms);
            let fence = lane::take(tx, &context.tenant, &app, &owner, until_ms, lane.fence)?
                .ok_or_else(|| EngineError::Busy("another process took the app's lane; try again".into()))?;
            intent::disown(tx, &context.tenant, &app, fence)?;
            mark::wake_waiting(tx, &context.tenant, &app, context.now_ms)?;
            Ok((fence, lane.not_before_ms))
        })
        .await
}

/// Reads what the next runs begin with: this subject, if it is a user, and those behind it in the queue, which is taken from
/// its end.
async fn read_ahead(
    shared: &Shared,
    subject: &Subject,
    queue: &[Subject],
) -> Result<BTreeMap<Subject, Loaded>, EngineError> {
    if let Subject::Group(_) = subject {
        return Ok(BTreeMap::new());
    }
    let behind = queue.iter().rev().take(AHEAD - 1);
    load_users_of(shared, std::iter::once(subject).chain(behind).cloned().collect()).await
}

struct Lane {
    owned: Owned,
    report: LaneReport,
    /// When groups last had their turn (monotonic milliseconds).
    groups_ms: i64,
}

enum Idle {
    GoOn,
    Stop,
}

impl Lane {
    async fn drive(&mut self, wait: bool, progress: Progress<'_>) -> Result<(), EngineError> {
        loop {
            if !self.is_active().await? {
                return Ok(());
            }
            if let Some(pause_ms) = self.held().await? {
                if !wait && pause_ms > 0 {
                    return Ok(());
                }
                self.owned.sleep(pause_ms).await?;
                if !matches!(probe(&self.owned.shared).await?, Probe::Healthy) {
                    if wait {
                        continue;
                    }
                    return Ok(());
                }
            }
            dispatch_all(&self.owned.shared.engine, &self.owned.shared.tenant).await?;
            if self.run_ready(progress).await? {
                continue;
            }
            if let Idle::Stop = self.idle(wait).await? {
                return Ok(());
            }
        }
    }

    /// How long until the held lane is probed; none: it is not held.
    async fn held(&self) -> Result<Option<i64>, EngineError> {
        let (tenant, app) = (self.owned.shared.tenant.clone(), self.owned.shared.app.clone());
        let lane = self
            .owned
            .shared
            .engine
            .read(move |tx| Ok(lane::get(tx, &tenant, &app)?))
            .await?
            .unwrap_or_default();
        let now_ms = self.owned.shared.engine.env.now_ms();
        Ok(lane.held_cause.map(|_| lane.probe_at_ms.unwrap_or(now_ms).saturating_sub(now_ms).max(0)))
    }

    /// Runs what is due, side by side; false: nothing was due.
    async fn run_ready(&mut self, progress: Progress<'_>) -> Result<bool, EngineError> {
        let mut running = FuturesUnordered::new();
        let mut busy: BTreeSet<Subject> = BTreeSet::new();
        let mut queue: Vec<Subject> = vec![];
        let mut ahead = BTreeMap::new();
        let (mut any, mut stop, mut failure) = (false, LaneSignal::Fine, None);
        self.owned.shared.stopped.store(false, Ordering::Release);
        let shared = self.owned.shared.clone();
        let mut writes = std::pin::pin!(serve(&shared));
        loop {
            let open = stop == LaneSignal::Fine && failure.is_none();
            if open && queue.is_empty() && self.has_room(running.len()) {
                queue = self.due(&busy).await?;
                queue.reverse();
            }
            while open && self.has_room(running.len()) {
                let Some(subject) = queue.pop() else { break };
                if !ahead.contains_key(&subject) {
                    // If one of them cannot be read, each reads for itself and tells.
                    ahead = read_ahead(&shared, &subject, &queue).await.unwrap_or_default();
                }
                let first = (Some(Undecided::new(&shared)), ahead.remove(&subject));
                busy.insert(subject.clone());
                let shared = shared.clone();
                running.push(async move {
                    let result = run_subject(&shared, &subject, None, first).await;
                    (subject, result)
                });
            }
            let next = match running.next().now_or_never() {
                Some(next) => next,
                // Who has decided makes room for others.
                None if open && !queue.is_empty() && self.has_room(running.len()) => continue,
                None => tokio::select! {
                    biased;
                    next = running.next() => next,
                    never = &mut writes => match never {},
                    () = tokio::time::sleep(Duration::from_secs(5)) => {
                        self.owned.renew_if_due().await?;
                        continue;
                    }
                },
            };
            let Some((subject, result)) = next else { break };
            busy.remove(&subject);
            any = true;
            let finish = match result {
                Ok(finish) => finish,
                Err(error) => {
                    // What is under way ends as it should, with its outcome recorded.
                    self.owned.shared.stopped.store(true, Ordering::Release);
                    failure.get_or_insert(error);
                    continue;
                }
            };
            self.count(&finish);
            progress(self.report.subjects, u64::try_from(queue.len() + busy.len()).unwrap_or(0));
            match finish.lane {
                LaneSignal::Fine => {}
                LaneSignal::Throttled(_) => queue.clear(),
                signal => {
                    self.owned.shared.stopped.store(true, Ordering::Release);
                    stop = signal;
                }
            }
            self.owned.renew_if_due().await?;
        }
        match failure {
            Some(error) => Err(error),
            None => self.ended(stop).await.map(|again| again || any),
        }
    }

    /// What follows from the signal that stopped the runs; true: there is reason to look again.
    async fn ended(&self, stop: LaneSignal) -> Result<bool, EngineError> {
        match stop {
            LaneSignal::Suspect => {
                probe(&self.owned.shared).await?;
                Ok(true)
            }
            LaneSignal::Fenced => Err(EngineError::Busy("another process took the app's lane over".into())),
            _ => Ok(false),
        }
    }

    /// Whether one more run may begin: only so many wait for their turn that an urgent one is not kept waiting by them.
    fn has_room(&self, running: usize) -> bool {
        let (shared, pace) = (&self.owned.shared, &self.owned.shared.pace);
        let crowd = shared.undecided.load(Ordering::Relaxed) + pace.waiting();
        running < RUNS && crowd < (pace.width() / 2).max(4)
    }

    /// What is due, most urgent first. Groups wait while accounts are under way, so that memberships go out together and
    /// not one by one; but never longer than their turn.
    async fn due(&mut self, busy: &BTreeSet<Subject>) -> Result<Vec<Subject>, EngineError> {
        let (tenant, app, now_ms) = (
            self.owned.shared.tenant.clone(),
            self.owned.shared.app.clone(),
            self.owned.shared.engine.env.now_ms(),
        );
        if !self.is_active().await? {
            return Ok(vec![]);
        }
        if self.owned.shared.pace.pause_left(self.owned.shared.engine.env.monotonic_ms()) > 0 {
            return Ok(vec![]);
        }
        let due = self
            .owned
            .shared
            .engine
            .read(move |tx| Ok(mark::ready(tx, &tenant, &app, now_ms, BATCH)?))
            .await?;
        let is_user = |subject: &Subject| matches!(subject, Subject::User(_));
        let mut due: Vec<Subject> = due.into_iter().filter(|subject| !busy.contains(subject)).collect();
        let monotonic_ms = self.owned.shared.engine.env.monotonic_ms();
        let accounts = due.iter().chain(busy).any(is_user);
        if accounts && monotonic_ms - self.groups_ms < GROUP_TURN_MS {
            due.retain(is_user);
        } else {
            self.groups_ms = monotonic_ms;
        }
        Ok(due)
    }

    /// False once somebody has paused the app: nothing more is begun.
    async fn is_active(&self) -> Result<bool, EngineError> {
        let shared = &self.owned.shared;
        Ok(shared.engine.app(&shared.tenant, &shared.app).await?.app.state == AppState::Active)
    }

    fn count(&mut self, finish: &Finish) {
        self.report.subjects += 1;
        for name in &finish.applied {
            *self.report.applied.entry((*name).to_owned()).or_default() += 1;
        }
    }

    /// Nothing is due: release planned waves, or wait for what is due later, or stop.
    async fn idle(&mut self, wait: bool) -> Result<Idle, EngineError> {
        let (apps, app) = (self.owned.shared.engine.apps.clone(), self.owned.shared.app.clone());
        let released = self
            .owned
            .shared
            .engine
            .write(&self.owned.shared.tenant, move |tx, context| {
                let app = apps.get(tx, &context.tenant, &app)?;
                super::intend::release_planned_waves(tx, context, &app)
            })
            .await?;
        if released > 0 {
            return Ok(Idle::GoOn);
        }
        let pause_ms = self.owned.shared.pace.pause_left(self.owned.shared.engine.env.monotonic_ms());
        if pause_ms > 0 && pause_ms <= 30_000 {
            // A short pause that the app asked for is part of the work, not a reason to stop.
            self.owned.sleep(pause_ms).await?;
            return Ok(Idle::GoOn);
        }
        let now_ms = self.owned.shared.engine.env.now_ms();
        match self.next_due().await? {
            Some(due_ms) if wait => {
                self.owned.sleep(due_ms.saturating_sub(now_ms).max(pause_ms)).await?;
                Ok(Idle::GoOn)
            }
            // What failed a moment ago is tried again in the same run.
            Some(due_ms) if due_ms.saturating_sub(now_ms) <= 1_500 && pause_ms == 0 => {
                self.owned.sleep(due_ms.saturating_sub(now_ms)).await?;
                Ok(Idle::GoOn)
            }
            _ => Ok(Idle::Stop),
        }
    }

    async fn next_due(&self) -> Result<Option<i64>, EngineError> {
        let (tenant, app) = (self.owned.shared.tenant.clone(), self.owned.shared.app.clone());
        self.owned.shared.engine.read(move |tx| Ok(mark::next_due(tx, &tenant, &app)?)).await
    }

    async fn report(&mut self) -> Result<LaneReport, EngineError> {
        let (tenant, app) = (self.owned.shared.tenant.clone(), self.owned.shared.app.clone());
        let (held, left, next_due) = self
            .owned
            .shared
            .engine
            .read(move |tx| {
                let held = lane::get(tx, &tenant, &app)?.and_then(|lane| lane.held_cause);
                let left = mark::count_by_state(tx, &tenant, &app)?;
                Ok((held, left, mark::next_due(tx, &tenant, &app)?))
            })
            .await?;
        self.report.held = held;
        self.report.left = left.into_iter().collect();
        self.report.next_due_ms = next_due;
        self.report.requests = self.owned.shared.requests.load(Ordering::Relaxed);
        Ok(self.report.clone())
    }
}
