//! Drives one lane: takes it, has one round after the other, and stops when nothing is ready.

use std::sync::atomic::Ordering;

use domain::app::AppState;
use domain::ids::{AppId, TenantId};
use serde::Serialize;
use store::repo::{lane, mark};

use super::owned::Owned;
use super::probe::{Probe, probe};
use super::round::Round;
use crate::context::Engine;
use crate::dispatch::dispatch_all;
use crate::error::EngineError;
use crate::transport::Transport;

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
    if engine.app(tenant, app).await?.app.state != AppState::Active {
        dispatch_all(engine, tenant).await?;
        return Ok(LaneReport::default());
    }
    let owned = Owned::take(engine, tenant, app, transport).await?;
    let mut lane = Lane { owned, report: LaneReport::default(), groups_ms: engine.env.monotonic_ms() };
    let result = lane.drive(wait, progress).await;
    let report = lane.report().await;
    lane.owned.release().await?;
    result?;
    report
}

pub(super) struct Lane {
    pub(super) owned: Owned,
    pub(super) report: LaneReport,
    /// When groups last had their turn (monotonic milliseconds).
    pub(super) groups_ms: i64,
}

enum Idle {
    GoOn,
    Stop,
}

impl Lane {
    async fn drive(&mut self, wait: bool, progress: Progress<'_>) -> Result<(), EngineError> {
        self.owned.read_inventory().await?;
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
            if Round::new(self, progress).run().await? {
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

    /// False once somebody has paused the app: nothing more is begun.
    pub(super) async fn is_active(&self) -> Result<bool, EngineError> {
        let shared = &self.owned.shared;
        Ok(shared.engine.app(&shared.tenant, &shared.app).await?.app.state == AppState::Active)
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
        // A lane that stopped early tells of everybody who is left, too.
        dispatch_all(&self.owned.shared.engine, &tenant).await?;
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
