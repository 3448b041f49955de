//! Taking a load back: from the audit entries of its job, as far as nothing has changed since.

use domain::ids::{JobId, TenantId};
use store::Tx;
use store::repo::load_job::{self, JobState, LoadJob};
use store::repo::user;

use super::job::{self, StagedRow};
use super::plan::threshold;
use super::undo_plan::{self, Reverts};
use super::{Progress, Resumed, resume};
use crate::directory::Applied;
use crate::{Engine, EngineError};

/// How many loads are looked at to find the last one.
const RECENT: i64 = 200;

/// What to take back.
#[derive(Clone, Debug, Default)]
pub struct UndoRequest {
    /// The load; else the last one that is not taken back yet.
    pub job: Option<JobId>,
    /// Without a job: the last one of this source. Empty: of any.
    pub source: String,
    /// Compares only.
    pub dry_run: bool,
    /// How many users are meant to be deleted or deactivated, exactly, if the guard would hold them.
    pub allow_deactivations: Option<usize>,
}

/// What taking a load back changes, counted before it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UndoPreview {
    /// Users that the load created: deleted, restorable.
    pub users_delete: usize,
    /// Users that get their attributes of before.
    pub users_update: usize,
    /// Those of them that become inactive.
    pub users_deactivate: usize,
    /// Users that come back.
    pub users_restore: usize,
    /// Groups that the load created.
    pub groups_delete: usize,
    /// Groups that get their attributes of before.
    pub groups_update: usize,
    /// Groups that come back.
    pub groups_restore: usize,
    /// Memberships that the load added.
    pub members_remove: usize,
    /// Memberships that come back.
    pub members_add: usize,
    /// Changes that are taken back already.
    pub already: usize,
}

/// What taking a load back did.
#[derive(Clone, Debug)]
pub struct UndoReport {
    /// The load that was taken back.
    pub load: LoadJob,
    /// What the comparison found.
    pub preview: UndoPreview,
    /// What changed since the load and is left as it is, each with its reason.
    pub kept: Vec<String>,
    /// What was applied; nothing for a dry run.
    pub applied: Applied,
    /// Changes that the directory did not take, each with its reason.
    pub refused: Vec<String>,
    /// The job of the undo; it can be undone, too.
    pub job: Option<JobId>,
    /// An earlier load that had been interrupted and was finished first.
    pub resumed: Option<Resumed>,
    /// Dry run only: why the guard would hold it.
    pub held: Option<String>,
}

/// Loads and undos, the newest first.
pub async fn list_loads(engine: &Engine, tenant: &TenantId, limit: i64) -> Result<Vec<LoadJob>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(load_job::list(tx, &tenant, limit)?)).await
}

/// Takes a load back. What changed since is left as it is and named; too many deletions and deactivations are
/// [`EngineError::Held`], and nothing is changed.
pub async fn undo(
    engine: &Engine,
    tenant: &TenantId,
    request: UndoRequest,
    progress: Progress<'_>,
) -> Result<UndoReport, EngineError> {
    let resumed = if request.dry_run { None } else { resume(engine, tenant).await? };
    let (of, wanted) = (tenant.clone(), request.clone());
    let (load, reverts, active) = engine
        .read(move |tx| {
            let load = choose(tx, &of, &wanted)?;
            let reverts = undo_plan::make(tx, &of, &load)?;
            let active = user::count_active_of(tx, &of, &load.source)?;
            Ok((load, reverts, usize::try_from(active).unwrap_or(0)))
        })
        .await?;
    let Reverts { preview, kept, rows, leavers } = reverts;
    let held = held(&load, leavers, active, request.allow_deactivations);
    let mut report = UndoReport {
        load,
        preview,
        kept,
        applied: Applied::default(),
        refused: Vec::new(),
        job: None,
        resumed,
        held,
    };
    if request.dry_run {
        return Ok(report);
    }
    if let Some(held) = report.held {
        return Err(EngineError::Held(held));
    }
    if !rows.is_empty() {
        apply(engine, tenant, rows, progress, &mut report).await?;
    }
    Ok(report)
}

async fn apply(
    engine: &Engine,
    tenant: &TenantId,
    rows: Vec<StagedRow>,
    progress: Progress<'_>,
    report: &mut UndoReport,
) -> Result<(), EngineError> {
    let label = format!("{}{}", undo_label(&report.load.id), report.load.label);
    let job = job::stage(engine, tenant, &report.load.source, &label, rows).await?;
    let done = job::apply_job(engine, tenant, &job, progress).await?;
    (report.applied, report.refused, report.job) = (done.applied, done.refused, Some(job));
    Ok(())
}

/// The load that is meant.
fn choose(tx: &mut Tx<'_>, tenant: &TenantId, request: &UndoRequest) -> Result<LoadJob, EngineError> {
    if let Some(id) = &request.job {
        let found = load_job::get(tx, tenant, id)?;
        return match found {
            Some(load) if load.state == JobState::Done => Ok(load),
            Some(_) => Err(EngineError::Busy(format!(
                "load {id} is not finished; run the load again (that finishes it), then undo it"
            ))),
            None => Err(not_found(id.as_str())),
        };
    }
    let recent = load_job::list(tx, tenant, RECENT)?;
    let is_undone = |load: &LoadJob| {
        let label = undo_label(&load.id);
        recent.iter().any(|other| other.label.starts_with(&label))
    };
    let candidate = recent.iter().find(|load| {
        let of_source = request.source.is_empty() || load.source == request.source;
        load.state == JobState::Done && of_source && !load.label.starts_with(UNDO) && !is_undone(load)
    });
    candidate.cloned().ok_or_else(|| not_found("the last one"))
}

const UNDO: &str = "undo of ";

fn undo_label(id: &JobId) -> String {
    format!("{UNDO}{id}: ")
}

fn not_found(name: &str) -> EngineError {
    EngineError::NotFound {
        kind: "load",
        name: name.to_owned(),
        next: "lockstep directory loads shows the loads; name one by its id".to_owned(),
    }
}

fn held(load: &LoadJob, leavers: usize, active: usize, allowed: Option<usize>) -> Option<String> {
    let threshold = threshold(active);
    if leavers <= threshold || allowed == Some(leavers) {
        return None;
    }
    Some(format!(
        "this undo would delete or deactivate {leavers} active users (source '{}' has {active}); the guard lets \
         {threshold} through, so nothing was changed; if they are meant, say so: --allow-deactivations {leavers}",
        load.source
    ))
}
