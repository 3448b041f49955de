//! The dispatcher beside the runs of a lane: the lane does not wait until every change is spread.

use domain::ids::TenantId;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::context::Engine;
use crate::dispatch::dispatch_some;
use crate::error::EngineError;

type Step = BoxFuture<'static, Result<Option<usize>, EngineError>>;

/// Spreads changes, one short transaction after the other.
pub(super) struct Spread {
    engine: Engine,
    tenant: TenantId,
    /// The step under way; none: nothing was left.
    step: Option<Step>,
}

impl Spread {
    /// Begins with the oldest change.
    pub(super) fn new(engine: &Engine, tenant: &TenantId) -> Self {
        let mut spread = Self { engine: engine.clone(), tenant: tenant.clone(), step: None };
        spread.begin();
        spread
    }

    /// True until there was nothing left to spread.
    pub(super) fn is_going(&self) -> bool {
        self.step.is_some()
    }

    /// Waits for the step under way and begins the next. Nothing is lost if this is dropped meanwhile.
    pub(super) async fn step(&mut self) -> Result<(), EngineError> {
        let Some(step) = &mut self.step else { return Ok(()) };
        let done = step.await;
        self.step = None;
        if done?.is_some() {
            self.begin();
        }
        Ok(())
    }

    fn begin(&mut self) {
        let (engine, tenant) = (self.engine.clone(), self.tenant.clone());
        self.step = Some(async move { dispatch_some(&engine, &tenant).await }.boxed());
    }
}
