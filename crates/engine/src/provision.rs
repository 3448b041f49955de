//! On demand: one user or group of one app, now, step by step, past the queue but not past guard, pace or lease.

use domain::executor::Finish;
use domain::ids::{AppId, Subject, TenantId};
use store::repo::mark;

use crate::context::Engine;
use crate::dispatch::dispatch_all;
use crate::error::EngineError;
use crate::lane::owned::Owned;
use crate::lane::perform::{Step, run_alone};
use crate::transport::Transport;

/// Priority of marks on demand.
const ON_DEMAND: i64 = 1;

/// Runs one subject and tells every step. The app itself is read first.
pub async fn provision(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: Transport,
    subject: &Subject,
    watch: &(dyn Fn(Step) + Send + Sync),
) -> Result<Finish, EngineError> {
    dispatch_all(engine, tenant).await?;
    let (app_id, marked) = (app.clone(), subject.clone());
    engine
        .write(tenant, move |tx, context| {
            let touch = mark::Touch {
                wave: &context.wave,
                priority: ON_DEMAND,
                now_ms: context.now_ms,
                verify: true,
            };
            Ok(mark::touch(tx, &context.tenant, &app_id, std::slice::from_ref(&marked), &touch)?)
        })
        .await?;
    let owned = Owned::take(engine, tenant, app, transport).await?;
    let result = run_alone(owned.shared(), subject, watch).await;
    owned.release().await?;
    result
}
