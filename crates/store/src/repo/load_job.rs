//! Loads of the directory as resumable jobs: their changes are staged as a whole, then applied and removed in chunks.

use domain::ids::{JobId, TenantId, WaveId};

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    INSERT,
    "INSERT INTO load_job(tenant, id, source, label, state, total, applied, wave, created_ms)
     VALUES ($1, $2, $3, $4, 'staging', 0, 0, $5, $6)"
);
statement!(
    OPEN,
    "SELECT id, source, label, state, total, applied, wave, created_ms FROM load_job
     WHERE tenant = $1 AND state <> 'done' ORDER BY id"
);
statement!(
    GET,
    "SELECT id, source, label, state, total, applied, wave, created_ms FROM load_job WHERE tenant = $1 AND id = $2"
);
statement!(
    LIST,
    "SELECT id, source, label, state, total, applied, wave, created_ms FROM load_job WHERE tenant = $1
     ORDER BY id DESC LIMIT $2"
);
statement!(
    STAGED,
    "UPDATE load_job SET total = total + $3 WHERE tenant = $1 AND id = $2 AND state = 'staging'"
);
statement!(STAGE, "INSERT INTO load_change(tenant, job, seq, body) VALUES ($1, $2, $3, $4)");
statement!(
    BEGIN,
    "UPDATE load_job SET state = 'applying' WHERE tenant = $1 AND id = $2 AND state = 'staging'"
);
statement!(NEXT, "SELECT seq, body FROM load_change WHERE tenant = $1 AND job = $2 ORDER BY seq LIMIT $3");
statement!(DROP_UP_TO, "DELETE FROM load_change WHERE tenant = $1 AND job = $2 AND seq <= $3");
statement!(ADVANCE, "UPDATE load_job SET applied = applied + $3 WHERE tenant = $1 AND id = $2");
statement!(FINISH, "UPDATE load_job SET state = 'done' WHERE tenant = $1 AND id = $2");
statement!(DISCARD_CHANGES, "DELETE FROM load_change WHERE tenant = $1 AND job = $2");
statement!(DISCARD, "DELETE FROM load_job WHERE tenant = $1 AND id = $2");

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Its changes are being written down; nothing of it is in the directory.
    Staging,
    /// All changes are written down and are being applied; it must be finished.
    Applying,
    /// Applied.
    Done,
}

/// A load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadJob {
    /// Ours.
    pub id: JobId,
    /// The source that it loads for.
    pub source: String,
    /// The names of its files.
    pub label: String,
    /// How far it is.
    pub state: JobState,
    /// How many changes were staged.
    pub total: i64,
    /// How many of them are applied.
    pub applied: i64,
    /// The wave of all its marks.
    pub wave: WaveId,
    /// Unix milliseconds.
    pub created_ms: i64,
}

/// Adds a job in state staging; `total`, `applied` and `state` of the argument are not used.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, job: &LoadJob) -> Result<(), StoreError> {
    let params: [Value; 6] = [
        tenant.as_str().into(),
        job.id.as_str().into(),
        job.source.as_str().into(),
        job.label.as_str().into(),
        job.wave.as_str().into(),
        job.created_ms.into(),
    ];
    tx.later(&INSERT, &params)
}

/// Jobs that are not done, oldest first.
pub fn open(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<LoadJob>, StoreError> {
    tx.rows(&OPEN, &[tenant.as_str().into()], read)
}

/// The job of that id.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, id: &JobId) -> Result<Option<LoadJob>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), id.as_str().into()], read)
}

/// Jobs, newest first.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId, limit: i64) -> Result<Vec<LoadJob>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into(), limit.into()], read)
}

/// Writes down rows (sequence number, JSON text) that hold `changes` changes in all; false if the job is not staging any
/// more, because another load has thrown it away.
pub fn stage(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &JobId,
    rows: &[(i64, String)],
    changes: i64,
) -> Result<bool, StoreError> {
    if tx.exec(&STAGED, &[tenant.as_str().into(), id.as_str().into(), changes.into()])? == 0 {
        return Ok(false);
    }
    let many: Vec<Vec<Value>> = rows
        .iter()
        .map(|(seq, body)| vec![tenant.as_str().into(), id.as_str().into(), (*seq).into(), body.into()])
        .collect();
    tx.exec_many(&STAGE, &many)?;
    Ok(true)
}

/// Everything is staged: from here on the job is finished whatever happens. False if it is not staging any more.
pub fn begin(tx: &mut Tx<'_>, tenant: &TenantId, id: &JobId) -> Result<bool, StoreError> {
    Ok(tx.exec(&BEGIN, &[tenant.as_str().into(), id.as_str().into()])? > 0)
}

/// The next rows to apply: sequence number and JSON.
pub fn next(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &JobId,
    limit: i64,
) -> Result<Vec<(i64, serde_json::Value)>, StoreError> {
    tx.rows(&NEXT, &[tenant.as_str().into(), id.as_str().into(), limit.into()], |row| {
        Ok((row.int(0)?, row.json(1)?))
    })
}

/// Removes the rows up to `seq`, which are applied in this transaction, and counts their changes.
pub fn applied(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &JobId,
    seq: i64,
    changes: i64,
) -> Result<(), StoreError> {
    tx.later(&DROP_UP_TO, &[tenant.as_str().into(), id.as_str().into(), seq.into()])?;
    tx.later(&ADVANCE, &[tenant.as_str().into(), id.as_str().into(), changes.into()])
}

/// Everything is applied.
pub fn finish(tx: &mut Tx<'_>, tenant: &TenantId, id: &JobId) -> Result<(), StoreError> {
    tx.later(&FINISH, &[tenant.as_str().into(), id.as_str().into()])
}

/// Throws away a job with what is staged of it.
pub fn discard(tx: &mut Tx<'_>, tenant: &TenantId, id: &JobId) -> Result<(), StoreError> {
    tx.later(&DISCARD_CHANGES, &[tenant.as_str().into(), id.as_str().into()])?;
    tx.later(&DISCARD, &[tenant.as_str().into(), id.as_str().into()])
}

fn read(row: &Row<'_>) -> Result<LoadJob, StoreError> {
    let state = match row.text(3)?.as_str() {
        "staging" => JobState::Staging,
        "applying" => JobState::Applying,
        _ => JobState::Done,
    };
    Ok(LoadJob {
        id: JobId::new(row.text(0)?),
        source: row.text(1)?,
        label: row.text(2)?,
        state,
        total: row.int(4)?,
        applied: row.int(5)?,
        wave: WaveId::new(row.text(6)?),
        created_ms: row.int(7)?,
    })
}
