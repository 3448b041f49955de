//! One probe instead of thousands of failures: finds out whether the app answers, and holds or frees its lane.

use domain::cause::{Cause, Finding};
use domain::ids::{AppId, TaskId, TenantId};
use domain::remote::{Call, Evidence, Outcome};
use store::repo::{lane, mark, task};

use super::perform::{Shared, send};
use crate::context::Engine;
use crate::error::EngineError;

/// First pause between probes; doubled each time, at most five minutes.
const FIRST_PAUSE_MS: i64 = 1_000;
const PAUSE_CAP_MS: i64 = 300_000;

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// The app answers and accepts the credentials.
    Healthy,
    /// It asks for a pause.
    Throttled,
    /// It does not: the cause and what shows it.
    Sick(Finding),
}

/// Asks the app for one user, and notes the result: a sick app's lane is held behind one task.
pub async fn probe(shared: &Shared) -> Result<Probe, EngineError> {
    let found = judge(send(shared, &Call::Probe).await);
    record(&shared.engine, &shared.tenant, &shared.app, &found).await?;
    Ok(found)
}

/// What an answer to a probe says about the app.
pub fn judge(outcome: Outcome) -> Probe {
    let sick = |cause: Cause, evidence: &Evidence| Probe::Sick(Finding::from_answer(cause, evidence));
    match outcome {
        Outcome::Found(_) | Outcome::Applied(_) => Probe::Healthy,
        Outcome::Throttled { .. } => Probe::Throttled,
        Outcome::Unauthorized(evidence) => sick(Cause::CredentialsRefused, &evidence),
        Outcome::Rejected(evidence) if evidence.status == Some(403) => {
            sick(Cause::PermissionDenied, &evidence)
        }
        Outcome::Down(evidence) if evidence.status == Some(200) => sick(Cause::AppNotScim, &evidence),
        Outcome::Down(evidence) | Outcome::Unknown(evidence) => sick(Cause::AppUnavailable, &evidence),
        // A list that is "missing" or refused: the address is wrong, unless it says in SCIM that nobody is there.
        Outcome::Missing(evidence) | Outcome::Rejected(evidence) | Outcome::Conflict(evidence) => {
            sick(Cause::AppNotScim, &evidence)
        }
    }
}

async fn record(engine: &Engine, tenant: &TenantId, app: &AppId, found: &Probe) -> Result<(), EngineError> {
    let (app, found) = (app.clone(), found.clone());
    engine
        .write(tenant, move |tx, context| {
            match &found {
                Probe::Throttled => {}
                Probe::Healthy => {
                    if lane::unhold(tx, &context.tenant, &app)? {
                        mark::due_now(tx, &context.tenant, &app, context.now_ms)?;
                    }
                    for cause in [
                        Cause::CredentialsRefused,
                        Cause::PermissionDenied,
                        Cause::AppNotScim,
                        Cause::AppUnavailable,
                    ] {
                        task::close_of_app(tx, &context.tenant, &app, cause, context.now_ms)?;
                    }
                }
                Probe::Sick(finding) => {
                    let probes = lane::ensure(tx, &context.tenant, &app)?.probes.clamp(0, 20);
                    let pause_ms = FIRST_PAUSE_MS.saturating_mul(1 << probes).min(PAUSE_CAP_MS);
                    let (now_ms, code) = (context.now_ms, finding.cause.code());
                    lane::hold(tx, &context.tenant, &app, code, now_ms, now_ms.saturating_add(pause_ms))?;
                    let id = TaskId::new(context.ids.uuid());
                    task::open(tx, &context.tenant, &app, None, finding, &id, now_ms)?;
                }
            }
            Ok(())
        })
        .await
}
