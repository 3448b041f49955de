//! Marks: "this subject may differ in this app". Level-triggered: what to send is computed when it is sent.

use domain::ids::{AppId, Subject, TenantId, WaveId};
use domain::snapshot::MarkView;

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    TOUCH,
    "INSERT INTO mark(tenant, app, subject, kind, state, generation, wave, priority, due_ms, attempts, verify_ms, waits_on, reason, created_ms)
     VALUES ($1, $2, $3, $4, 'ready', 1, $5, $6, $7, 0, $8, NULL, NULL, $7)
     ON CONFLICT (tenant, app, subject) DO UPDATE SET
       state = CASE WHEN mark.state = 'released' AND (mark.kind = 'user' OR mark.wave = excluded.wave) THEN 'released'
                    ELSE 'ready' END,
       generation = mark.generation + 1,
       wave = CASE WHEN mark.state = 'released' AND mark.kind = 'user' THEN mark.wave ELSE excluded.wave END,
       priority = CASE WHEN excluded.priority < mark.priority THEN excluded.priority ELSE mark.priority END,
       due_ms = CASE WHEN excluded.due_ms < mark.due_ms THEN excluded.due_ms ELSE mark.due_ms END,
       attempts = 0,
       verify_ms = CASE WHEN mark.verify_ms IS NULL THEN excluded.verify_ms
                        WHEN excluded.verify_ms IS NULL THEN mark.verify_ms
                        WHEN excluded.verify_ms < mark.verify_ms THEN excluded.verify_ms ELSE mark.verify_ms END,
       waits_on = NULL"
);
statement!(
    READY,
    "SELECT subject, kind FROM mark WHERE tenant = $1 AND app = $2 AND state IN ('ready', 'released') AND due_ms <= $3
      ORDER BY priority, due_ms, subject LIMIT $4"
);
statement!(
    NEXT_DUE,
    "SELECT MIN(due_ms) FROM mark WHERE tenant = $1 AND app = $2 AND state IN ('ready', 'released')"
);
statement!(
    GET,
    "SELECT generation, wave, state, verify_ms, attempts, look_again_ms FROM mark WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(
    GET_ROW,
    "SELECT subject, kind, state, due_ms, waits_on, reason, attempts FROM mark WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(DONE, "DELETE FROM mark WHERE tenant = $1 AND app = $2 AND subject = $3 AND generation = $4");
statement!(
    LATER,
    "UPDATE mark SET state = CASE WHEN state = 'released' THEN 'released' ELSE 'ready' END, due_ms = $5,
       attempts = attempts + $6, verify_ms = $7, waits_on = NULL
      WHERE tenant = $1 AND app = $2 AND subject = $3 AND generation = $4"
);
statement!(
    SET_STATE,
    "UPDATE mark SET state = $5, waits_on = $6, reason = $7 WHERE tenant = $1 AND app = $2 AND subject = $3 AND generation = $4"
);
statement!(
    CLEAR_VERIFY,
    "UPDATE mark SET verify_ms = CASE WHEN verify_ms <= $4 THEN NULL ELSE verify_ms END,
       look_again_ms = CASE WHEN look_again_ms <= $4 THEN NULL ELSE look_again_ms END
      WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(
    LOOK_AGAIN,
    "UPDATE mark SET look_again_ms = $4 WHERE tenant = $1 AND app = $2 AND subject = $3
       AND (look_again_ms IS NULL OR look_again_ms < $4)"
);
statement!(
    WAKE,
    "UPDATE mark SET state = 'ready', waits_on = NULL, due_ms = $4 WHERE tenant = $1 AND app = $2 AND waits_on = $3"
);
statement!(
    WAKE_WAITING,
    "UPDATE mark SET state = 'ready', waits_on = NULL, due_ms = $3 WHERE tenant = $1 AND app = $2 AND state = 'waiting'"
);
statement!(
    COUNT_UNLINKED,
    "SELECT COUNT(*) FROM (
       SELECT m.subject FROM mark m LEFT JOIN link l ON l.tenant = m.tenant AND l.app = m.app AND l.subject = m.subject
        WHERE m.tenant = $1 AND m.app = $2 AND m.state = 'ready' AND m.due_ms <= $3 AND l.subject IS NULL LIMIT $4) AS unlinked"
);
statement!(
    WAKE_PARKED,
    "UPDATE mark SET state = 'ready', due_ms = $4, attempts = 0 WHERE tenant = $1 AND app = $2 AND state = 'parked' AND reason = $3"
);
statement!(
    RETRY_ALL,
    "UPDATE mark SET state = 'ready', due_ms = $3, attempts = 0, waits_on = NULL WHERE tenant = $1 AND app = $2
       AND state IN ('parked', 'waiting', 'ready')"
);
statement!(
    RETRY_ONE,
    "UPDATE mark SET state = CASE WHEN state IN ('staged', 'released') THEN state ELSE 'ready' END, due_ms = $4, attempts = 0,
       waits_on = NULL, generation = generation + 1 WHERE tenant = $1 AND app = $2 AND subject = $3"
);
statement!(
    OTHERS_UNPLANNED,
    "SELECT 1 FROM mark WHERE tenant = $1 AND app = $2 AND wave = $3 AND state = 'ready' AND attempts = 0
       AND verify_ms IS NULL AND subject <> $4 LIMIT 1"
);
statement!(CHANGE_OF_WAVE, "SELECT 1 FROM change WHERE tenant = $1 AND wave = $2 LIMIT 1");
statement!(
    STAGED_IN_WAVE,
    "SELECT COUNT(*) FROM mark WHERE tenant = $1 AND app = $2 AND wave = $3 AND state = 'staged'
       AND reason = 'guard'"
);
statement!(
    RELEASE_WAVE,
    "UPDATE mark SET state = 'released' WHERE tenant = $1 AND app = $2 AND wave = $3 AND state = 'staged' AND reason = 'guard'"
);
statement!(
    RELEASE_ALL,
    "UPDATE mark SET state = 'released' WHERE tenant = $1 AND app = $2 AND state = 'staged'"
);
statement!(
    WAVES_WITH_STAGED,
    "SELECT DISTINCT wave FROM mark WHERE tenant = $1 AND app = $2 AND state = 'staged' AND reason = 'guard' ORDER BY wave"
);
statement!(
    COUNT_BY_STATE,
    "SELECT state, COUNT(*) FROM mark WHERE tenant = $1 AND app = $2 GROUP BY state ORDER BY state"
);
statement!(
    PAGE,
    "SELECT subject, kind, state, due_ms, waits_on, reason, attempts FROM mark WHERE tenant = $1 AND app = $2 AND subject > $3
      ORDER BY subject LIMIT $4"
);

statement!(
    DUE_NOW,
    "UPDATE mark SET due_ms = $3, attempts = 0 WHERE tenant = $1 AND app = $2 AND state IN ('ready', 'released')
       AND attempts > 0 AND due_ms > $3"
);

/// Why a group is staged whose removals of members are over the guard's limit: released by an approval only.
pub const STAGED_MEMBERS: &str = "guard.members";

/// A mark as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRow {
    /// The subject.
    pub subject: Subject,
    /// `ready`, `waiting`, `parked`, `staged` or `released`.
    pub state: String,
    /// When it is tried (again), Unix milliseconds.
    pub due_ms: i64,
    /// The subject that it waits for.
    pub waits_on: Option<String>,
    /// Why it is where it is: a code.
    pub reason: Option<String>,
    /// Failed tries.
    pub attempts: i64,
}

/// What a new mark carries.
#[derive(Clone, Debug)]
pub struct Touch<'a> {
    /// The change that caused it.
    pub wave: &'a WaveId,
    /// 0 leavers, 1 on demand, 5 normal, 8 bulk.
    pub priority: i64,
    /// Ready from this time on.
    pub now_ms: i64,
    /// The app itself must be read.
    pub verify: bool,
}

fn key(tenant: &TenantId, app: &AppId, subject: &str) -> Vec<Value> {
    vec![tenant.as_str().into(), app.as_str().into(), subject.into()]
}

/// Marks subjects, or raises the generation of their marks.
pub fn touch(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subjects: &[Subject],
    touch: &Touch<'_>,
) -> Result<(), StoreError> {
    let many: Vec<Vec<Value>> = subjects
        .iter()
        .map(|subject| {
            let mut params = key(tenant, app, subject.id());
            params.extend([
                subject.kind().into(),
                touch.wave.as_str().into(),
                touch.priority.into(),
                touch.now_ms.into(),
                touch.verify.then_some(touch.now_ms).into(),
            ]);
            params
        })
        .collect();
    tx.exec_many(&TOUCH, &many).map(drop)
}

/// Subjects that are due, most urgent first.
pub fn ready(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<Subject>, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), now_ms.into(), limit.into()];
    tx.rows(&READY, &params, |row| Ok(Subject::from_parts(&row.text(1)?, row.text(0)?)))
}

/// When the next mark is due; none: nothing is ready at any time.
pub fn next_due(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Option<i64>, StoreError> {
    tx.one(&NEXT_DUE, &[tenant.as_str().into(), app.as_str().into()], |row| row.opt_int(0))
}

/// The mark of a subject as the executor needs it.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<Option<MarkView>, StoreError> {
    Ok(tx.optional(&GET, &key(tenant, app, subject), |row| read_view(row, 0))?.flatten())
}

/// Reads a mark from its six columns in the order of [`GET`], from `first` on; none if they are NULL.
pub(crate) fn read_view(row: &Row<'_>, first: usize) -> Result<Option<MarkView>, StoreError> {
    let Some(generation) = row.opt_int(first)? else { return Ok(None) };
    Ok(Some(MarkView {
        generation,
        wave: WaveId::new(row.text(first + 1)?),
        released: row.text(first + 2)? == "released",
        verify_ms: [row.opt_int(first + 3)?, row.opt_int(first + 5)?].into_iter().flatten().min(),
        attempts: row.int(first + 4)?,
    }))
}

/// The mark of a subject as lists show it.
pub fn row(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<Option<MarkRow>, StoreError> {
    tx.optional(&GET_ROW, &key(tenant, app, subject), read_row)
}

/// Removes a mark if its generation is unchanged.
pub fn done(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    generation: i64,
) -> Result<bool, StoreError> {
    let mut params = key(tenant, app, subject);
    params.push(generation.into());
    Ok(tx.exec(&DONE, &params)? == 1)
}

/// When and how a mark is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    /// Unix milliseconds.
    pub due_ms: i64,
    /// It was a failure.
    pub failed: bool,
    /// From when on the app must be read.
    pub verify_ms: Option<i64>,
}

/// Puts a mark off if its generation is unchanged; a newer one is ready anyway.
pub fn later(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    generation: i64,
    later: Later,
) -> Result<(), StoreError> {
    let mut params = key(tenant, app, subject);
    params.extend([
        generation.into(),
        later.due_ms.into(),
        i64::from(later.failed).into(),
        later.verify_ms.into(),
    ]);
    tx.exec(&LATER, &params).map(drop)
}

/// Moves a mark to `waiting`, `parked` or `staged` if its generation is unchanged.
pub fn set_state(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    generation: i64,
    state: (&'static str, Option<&str>, Option<&str>),
) -> Result<bool, StoreError> {
    let (state, waits_on, reason) = state;
    let mut params = key(tenant, app, subject);
    params.extend([generation.into(), state.into(), waits_on.into(), reason.into()]);
    Ok(tx.exec(&SET_STATE, &params)? == 1)
}

/// The look at the app that was due has been taken; one that is due later stays.
pub fn clear_verify(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut params = key(tenant, app, subject);
    params.push(now_ms.into());
    tx.exec(&CLEAR_VERIFY, &params).map(drop)
}

/// The app must be read once more at that time, whatever becomes of the mark until then.
pub fn look_again(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    at_ms: i64,
) -> Result<(), StoreError> {
    let mut params = key(tenant, app, subject);
    params.push(at_ms.into());
    tx.exec(&LOOK_AGAIN, &params).map(drop)
}

/// Wakes everything that waits for a subject.
pub fn wake(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let mut params = key(tenant, app, subject);
    params.push(now_ms.into());
    tx.exec(&WAKE, &params)
}

/// Wakes every waiting mark of an app: what it waits for is looked at anew.
pub fn wake_waiting(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, now_ms: i64) -> Result<u64, StoreError> {
    tx.exec(&WAKE_WAITING, &[tenant.as_str().into(), app.as_str().into(), now_ms.into()])
}

/// How many due subjects have no link yet; counted up to `limit`.
pub fn count_unlinked(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    now_ms: i64,
    limit: i64,
) -> Result<i64, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), now_ms.into(), limit.into()];
    tx.one(&COUNT_UNLINKED, &params, |row| row.int(0))
}

/// What failed while the lane was held is due at once.
pub fn due_now(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, now_ms: i64) -> Result<u64, StoreError> {
    tx.exec(&DUE_NOW, &[tenant.as_str().into(), app.as_str().into(), now_ms.into()])
}

/// Makes everything ready that is parked for a reason (a cause's code).
pub fn wake_parked(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    reason: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    tx.exec(&WAKE_PARKED, &[tenant.as_str().into(), app.as_str().into(), reason.into(), now_ms.into()])
}

/// Makes every parked or waiting mark of an app ready now.
pub fn retry_all(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, now_ms: i64) -> Result<u64, StoreError> {
    tx.exec(&RETRY_ALL, &[tenant.as_str().into(), app.as_str().into(), now_ms.into()])
}

/// Makes the mark of one subject ready now; false if there is none.
pub fn retry_one(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let mut params = key(tenant, app, subject);
    params.push(now_ms.into());
    Ok(tx.exec(&RETRY_ONE, &params)? == 1)
}

/// Whether a wave still has subjects that nobody has planned, besides `subject`.
pub fn wave_is_open(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    wave: &WaveId,
    subject: &str,
) -> Result<bool, StoreError> {
    let mut params: Vec<Value> = vec![tenant.as_str().into(), app.as_str().into(), wave.as_str().into()];
    params.push(subject.into());
    if tx.optional(&OTHERS_UNPLANNED, &params, |_| Ok(()))?.is_some() {
        return Ok(true);
    }
    Ok(tx.optional(&CHANGE_OF_WAVE, &[tenant.as_str().into(), wave.as_str().into()], |_| Ok(()))?.is_some())
}

/// How many destructive effects of a wave are staged.
pub fn staged_in_wave(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    wave: &WaveId,
) -> Result<i64, StoreError> {
    tx.one(&STAGED_IN_WAVE, &[tenant.as_str().into(), app.as_str().into(), wave.as_str().into()], |row| {
        row.int(0)
    })
}

/// Releases the staged effects of a wave, or of all waves.
pub fn release(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    wave: Option<&WaveId>,
) -> Result<u64, StoreError> {
    match wave {
        Some(wave) => {
            tx.exec(&RELEASE_WAVE, &[tenant.as_str().into(), app.as_str().into(), wave.as_str().into()])
        }
        None => tx.exec(&RELEASE_ALL, &[tenant.as_str().into(), app.as_str().into()]),
    }
}

/// Waves that have staged effects.
pub fn waves_with_staged(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Vec<WaveId>, StoreError> {
    tx.rows(&WAVES_WITH_STAGED, &[tenant.as_str().into(), app.as_str().into()], |row| {
        row.text(0).map(WaveId::new)
    })
}

/// How many marks there are, by state.
pub fn count_by_state(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
) -> Result<Vec<(String, i64)>, StoreError> {
    tx.rows(&COUNT_BY_STATE, &[tenant.as_str().into(), app.as_str().into()], |row| {
        Ok((row.text(0)?, row.int(1)?))
    })
}

/// Marks after a subject.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    after: &str,
    limit: i64,
) -> Result<Vec<MarkRow>, StoreError> {
    let mut params = key(tenant, app, after);
    params.push(limit.into());
    tx.rows(&PAGE, &params, read_row)
}

fn read_row(row: &Row<'_>) -> Result<MarkRow, StoreError> {
    Ok(MarkRow {
        subject: Subject::from_parts(&row.text(1)?, row.text(0)?),
        state: row.text(2)?,
        due_ms: row.int(3)?,
        waits_on: row.opt_text(4)?,
        reason: row.opt_text(5)?,
        attempts: row.int(6)?,
    })
}
