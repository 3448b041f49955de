//! Owning a lane: taking it, its lease, what its owner knows of the app, and giving it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use domain::ids::{AppId, TenantId};
use store::repo::{intent, lane, mark};

use super::inventory::{Inventory, WORTH_IT};
use super::pace::Pace;
use super::perform::Shared;
use super::writes::Writes;
use crate::context::Engine;
use crate::dispatch::dispatch_some;
use crate::error::EngineError;
use crate::transport::Transport;

/// How much longer than a request's time-out a lane is owned.
const LEASE_MARGIN_MS: i64 = 30_000;
/// Time that recording an outcome may take after the last possible answer.
const RECORD_MARGIN_MS: i64 = 5_000;

/// A lane that this process owns.
pub struct Owned {
    pub(super) shared: Arc<Shared>,
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

    /// Reads the whole app once if so many subjects have no link yet that looking each up would cost more. Changes are
    /// spread until that is known.
    pub(super) async fn read_inventory(&mut self) -> Result<(), EngineError> {
        let shared = &self.shared;
        let matching = shared.engine.app(&shared.tenant, &shared.app).await?.app.settings.matching.clone();
        // Counting passes over all who have a link: it is done again only after twice as many steps.
        let (mut steps, mut more) = (1, true);
        while self.count_unlinked().await? < WORTH_IT {
            if !more {
                return Ok(());
            }
            for _ in 0..steps {
                self.renew_if_due().await?;
                more = more && dispatch_some(&shared.engine, &shared.tenant).await?.is_some();
            }
            steps *= 2;
        }
        let inventory = Inventory::read(&shared.transport, shared.engine.env.as_ref(), &matching).await;
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.inventory = inventory;
        }
        Ok(())
    }

    async fn count_unlinked(&self) -> Result<i64, EngineError> {
        let shared = &self.shared;
        let (tenant, app, now_ms) = (shared.tenant.clone(), shared.app.clone(), shared.engine.env.now_ms());
        let count =
            move |tx: &mut store::Tx<'_>| Ok(mark::count_unlinked(tx, &tenant, &app, now_ms, WORTH_IT)?);
        shared.engine.read(count).await
    }

    /// Renews the lease once half of what may be used for sending is gone.
    pub(super) async fn renew_if_due(&self) -> Result<(), EngineError> {
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

    pub(super) async fn sleep(&self, total_ms: i64) -> Result<(), EngineError> {
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
