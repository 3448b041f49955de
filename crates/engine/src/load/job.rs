//! The job of a load: staged as a whole, applied in short transactions, finished after a crash.

use std::collections::BTreeMap;

use domain::directory::Change;
use domain::ids::{JobId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use store::Tx;
use store::repo::load_job::{self, JobState, LoadJob};
use store::repo::{group, user};

use super::Progress;
use crate::directory::{Applied, apply};
use crate::{Context, Engine, EngineError};

/// Rows that are staged in one transaction.
const STAGE: usize = 500;
/// Changes that are applied in one transaction, so that no writer waits long.
const CHUNK: usize = 200;
/// Priority of the marks of a load: bulk.
const BULK: i64 = 8;

/// Changes that are applied together, because they take keys from each other; one as a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StagedRow {
    pub(super) changes: Vec<Change>,
    /// The version that an object had when it was compared, by id: a newer one is not overwritten.
    pub(super) was: BTreeMap<String, i64>,
}

/// An interrupted load that was finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// The names of its files.
    pub label: String,
    /// What was still to do.
    pub applied: Applied,
    /// Changes that were left out, each with its reason.
    pub refused: Vec<String>,
}

/// What applying a job did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) applied: Applied,
    pub(super) refused: Vec<String>,
}

/// Finishes a load that was interrupted while it was applied, and throws away one that was interrupted before.
pub async fn resume(engine: &Engine, tenant: &TenantId) -> Result<Option<Resumed>, EngineError> {
    let of = tenant.clone();
    let open = engine.read(move |tx| Ok(load_job::open(tx, &of)?)).await?;
    let mut resumed: Option<Resumed> = None;
    for job in open {
        if job.state == JobState::Staging {
            let id = job.id.clone();
            engine
                .write(tenant, move |tx, ctx| {
                    // It may have begun meanwhile, in another process: then it must be finished.
                    let state = load_job::get(tx, &ctx.tenant, &id)?.map(|job| job.state);
                    if state == Some(JobState::Staging) {
                        load_job::discard(tx, &ctx.tenant, &id)?;
                    }
                    Ok(())
                })
                .await?;
            continue;
        }
        let done = apply_job(engine, tenant, &job.id, &mut |_, _| ()).await?;
        let all = resumed.get_or_insert_default();
        all.label = job.label;
        all.applied.add(done.applied);
        all.refused.extend(done.refused);
    }
    Ok(resumed)
}

/// Writes all changes down; from the end of this on, the load happens whatever comes between.
pub(super) async fn stage(
    engine: &Engine,
    tenant: &TenantId,
    source: &str,
    label: &str,
    rows: Vec<StagedRow>,
) -> Result<JobId, EngineError> {
    let mut context = engine.context(tenant);
    let job = LoadJob {
        id: JobId::new(context.ids.uuid()),
        source: source.to_owned(),
        label: label.to_owned(),
        state: JobState::Staging,
        total: 0,
        applied: 0,
        wave: context.wave,
        created_ms: context.now_ms,
    };
    let id = job.id.clone();
    engine.write(tenant, move |tx, ctx| Ok(load_job::insert(tx, &ctx.tenant, &job)?)).await?;
    for (number, chunk) in rows.chunks(STAGE).enumerate() {
        let first = number * STAGE;
        let mut bodies = Vec::with_capacity(chunk.len());
        for (offset, row) in chunk.iter().enumerate() {
            let body = serde_json::to_string(row)
                .map_err(|error| EngineError::Invalid(format!("a change cannot be written down: {error}")))?;
            bodies.push((int(first + offset), body));
        }
        let changes = int(chunk.iter().map(|row| row.changes.len()).sum());
        let id = id.clone();
        let staged = move |tx: &mut Tx<'_>, ctx: &mut Context| {
            Ok(load_job::stage(tx, &ctx.tenant, &id, &bodies, changes)?)
        };
        if !engine.write(tenant, staged).await? {
            return Err(overtaken());
        }
    }
    let begun = id.clone();
    if !engine.write(tenant, move |tx, ctx| Ok(load_job::begin(tx, &ctx.tenant, &begun)?)).await? {
        return Err(overtaken());
    }
    Ok(id)
}

/// Applies a job to its end. A change that the directory does not take any more is left out with its reason.
pub(super) async fn apply_job(
    engine: &Engine,
    tenant: &TenantId,
    id: &JobId,
    progress: Progress<'_>,
) -> Result<Done, EngineError> {
    let mut done = Done::default();
    // After a refusal, the changes of its chunk are applied one by one, so that only that one is left out.
    let mut single = 0;
    loop {
        let limit = if single > 0 { 1 } else { CHUNK };
        match step(engine, tenant, id, limit, None).await {
            Ok(Step::End) => return Ok(done),
            Ok(Step::Applied { applied, refused, at, of }) => {
                done.applied.add(applied);
                done.refused.extend(refused);
                progress(at, of);
            }
            Err(error) if is_lasting(&error) => return Err(error),
            Err(_) if limit > 1 => {
                single = CHUNK;
                continue;
            }
            Err(refusal) => {
                step(engine, tenant, id, 1, Some(refusal.to_string())).await?;
                done.refused.push(refusal.to_string());
            }
        }
        single = single.saturating_sub(1);
    }
}

enum Step {
    Applied { applied: Applied, refused: Vec<String>, at: usize, of: usize },
    End,
}

/// One transaction: applies the next rows and removes them. With `leave_out`, only removes them.
async fn step(
    engine: &Engine,
    tenant: &TenantId,
    id: &JobId,
    limit: usize,
    leave_out: Option<String>,
) -> Result<Step, EngineError> {
    let id = id.clone();
    engine
        .write(tenant, move |tx, ctx| {
            let job = load_job::get(tx, &ctx.tenant, &id)?.filter(|job| job.state == JobState::Applying);
            // Another process has finished it.
            let Some(job) = job else { return Ok(Step::End) };
            let rows = load_job::next(tx, &ctx.tenant, &id, int(limit))?;
            let Some((last, _)) = rows.last() else {
                load_job::finish(tx, &ctx.tenant, &id)?;
                return Ok(Step::End);
            };
            let last = *last;
            let mut changes = 0;
            let mut staged = Vec::with_capacity(rows.len());
            for (_, body) in rows {
                let row: StagedRow = serde_json::from_value(body).map_err(|error| {
                    EngineError::Invalid(format!("a staged change cannot be read: {error}"))
                })?;
                changes += row.changes.len();
                staged.push(row);
            }
            ctx.wave = job.wave;
            // All entries of a load carry its id: that is how it can be taken back.
            ctx.trace = id.as_str().to_owned();
            ctx.priority = BULK;
            let (applied, refused) = if leave_out.is_some() {
                (Applied::default(), Vec::new())
            } else {
                let (batch, refused) = still_valid(tx, ctx, staged)?;
                (apply(tx, ctx, &batch)?, refused)
            };
            load_job::applied(tx, &ctx.tenant, &id, last, int(changes))?;
            let at = usize::try_from(job.applied).unwrap_or(0) + changes;
            Ok(Step::Applied { applied, refused, at, of: usize::try_from(job.total).unwrap_or(0) })
        })
        .await
}

/// The changes whose objects are still as they were compared, and a reason for each row that is left out.
fn still_valid(
    tx: &mut Tx<'_>,
    ctx: &Context,
    rows: Vec<StagedRow>,
) -> Result<(Vec<Change>, Vec<String>), EngineError> {
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    for change in rows.iter().flat_map(|row| &row.changes) {
        match change {
            Change::UpdateUser { id, .. } | Change::DeleteUser { id } | Change::RestoreUser { id } => {
                users.push(id.clone());
            }
            Change::UpdateGroup { id, .. } | Change::DeleteGroup { id } | Change::RestoreGroup { id } => {
                groups.push(id.clone());
            }
            _ => {}
        }
    }
    let users =
        user::versions(tx, &ctx.tenant, &users)?.into_iter().map(|(id, version, _)| (text(&id), version));
    let groups = group::versions(tx, &ctx.tenant, &groups)?;
    let groups = groups.into_iter().map(|(id, version, _)| (id.as_str().to_owned(), version));
    let versions: BTreeMap<String, i64> = users.chain(groups).collect();
    let (mut batch, mut refused) = (Vec::new(), Vec::new());
    for row in rows {
        match row.was.iter().find(|(id, was)| versions.get(*id) != Some(*was)) {
            None => batch.extend(row.changes),
            Some((id, _)) => {
                refused.push(format!(
                    "{id} was changed while the load was under way and is left as it is; load again"
                ));
            }
        }
    }
    Ok((batch, refused))
}

fn text(id: &UserId) -> String {
    id.as_str().to_owned()
}

/// Whether trying the changes one by one would be of no use: the database itself fails.
fn is_lasting(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(error) if !matches!(error, store::StoreError::Conflict { .. }))
}

fn overtaken() -> EngineError {
    EngineError::Busy(
        "another load began at the same time and this one was given up; nothing was loaded: load again"
            .into(),
    )
}

fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
