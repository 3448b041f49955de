//! Intents: the durable record of a request before it is sent; the same row receives its outcome.

use domain::executor::IntentEnd;
use domain::ids::{AppId, IntentId, TenantId};
use domain::remote::Evidence;
use domain::snapshot::OpenIntent;

use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO intent(tenant, id, app, subject, kind, state, request, sent_ms, fence, trace)
     VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9)"
);
statement!(
    OPEN,
    "SELECT id, kind, COALESCE(settled_ms, sent_ms), state FROM intent WHERE tenant = $1 AND app = $2 AND subject = $3 AND state IN ('open', 'unknown')"
);
statement!(ANY, "SELECT 1 FROM intent WHERE tenant = $1 AND app = $2 AND subject = $3 LIMIT 1");
statement!(
    SETTLE,
    "UPDATE intent SET state = $3, settled_ms = $4, status = $5, evidence = $6 WHERE tenant = $1 AND id = $2
       AND state IN ('open', 'unknown')"
);
statement!(
    DISOWN,
    "UPDATE intent SET state = 'unknown' WHERE tenant = $1 AND app = $2 AND state = 'open' AND fence < $3"
);
statement!(
    LIST,
    "SELECT id, kind, state, sent_ms, settled_ms, status, evidence, trace, request FROM intent
      WHERE tenant = $1 AND app = $2 AND subject = $3 ORDER BY id DESC LIMIT $4"
);
statement!(
    COUNT_BY_STATE,
    "SELECT kind, state, COUNT(*) FROM intent WHERE tenant = $1 AND app = $2 GROUP BY kind, state ORDER BY kind, state"
);

/// A new intent.
#[derive(Clone, Debug)]
pub struct NewIntent<'a> {
    /// Its id.
    pub id: &'a IntentId,
    /// The subject.
    pub subject: &'a str,
    /// The operation's name.
    pub kind: &'a str,
    /// What will be sent, without secrets, as JSON text.
    pub request: &'a str,
    /// Unix milliseconds.
    pub sent_ms: i64,
    /// Number of the lane's owner.
    pub fence: i64,
    /// Joins log entries.
    pub trace: &'a str,
}

/// Writes an intent. A subject has one open intent at most: a second one is a conflict on `subject`.
pub fn insert(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    intent: &NewIntent<'_>,
) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        intent.id.as_str().into(),
        app.as_str().into(),
        intent.subject.into(),
        intent.kind.into(),
        intent.request.into(),
        intent.sent_ms.into(),
        intent.fence.into(),
        intent.trace.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// The intent of a subject whose outcome is not recorded, and whether its owner has lost it (`unknown`).
pub fn open(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<Option<OpenIntent>, StoreError> {
    tx.optional(&OPEN, &[tenant.as_str().into(), app.as_str().into(), subject.into()], |row| {
        Ok(OpenIntent { id: IntentId::new(row.text(0)?), kind: row.text(1)?, sent_ms: row.int(2)? })
    })
}

/// True if a request was ever announced for the subject.
pub fn any(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, subject: &str) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), subject.into()];
    Ok(tx.optional(&ANY, &params, |_| Ok(()))?.is_some())
}

/// Records the outcome; false if it was recorded before.
pub fn settle(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &IntentId,
    end: IntentEnd,
    evidence: Option<&Evidence>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let state = match end {
        IntentEnd::Applied => "applied",
        IntentEnd::Rejected => "rejected",
        IntentEnd::Unknown => "unknown",
        IntentEnd::NotApplied => "not_applied",
    };
    let params = [
        tenant.as_str().into(),
        id.as_str().into(),
        state.into(),
        now_ms.into(),
        evidence.and_then(|evidence| evidence.status).map(i64::from).into(),
        evidence.map(|evidence| evidence.detail.clone()).into(),
    ];
    Ok(tx.exec(&SETTLE, &params)? == 1)
}

/// A new owner of the lane treats every open intent of earlier owners as unknown.
pub fn disown(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, fence: i64) -> Result<u64, StoreError> {
    tx.exec(&DISOWN, &[tenant.as_str().into(), app.as_str().into(), fence.into()])
}

/// An intent as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentRow {
    /// Its id.
    pub id: IntentId,
    /// The operation's name.
    pub kind: String,
    /// `open`, `unknown`, `applied`, `rejected` or `not_applied`.
    pub state: String,
    /// When it was sent.
    pub sent_ms: i64,
    /// When its outcome was recorded.
    pub settled_ms: Option<i64>,
    /// HTTP status.
    pub status: Option<i64>,
    /// The app's words.
    pub evidence: Option<String>,
    /// Joins log entries.
    pub trace: String,
    /// What was sent, without secrets.
    pub request: serde_json::Value,
}

/// The newest intents of a subject.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    limit: i64,
) -> Result<Vec<IntentRow>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into(), app.as_str().into(), subject.into(), limit.into()], read)
}

/// How many intents there are, by kind and state.
pub fn count_by_state(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    tx.rows(&COUNT_BY_STATE, &[tenant.as_str().into(), app.as_str().into()], |row| {
        Ok((row.text(0)?, row.text(1)?, row.int(2)?))
    })
}

fn read(row: &Row<'_>) -> Result<IntentRow, StoreError> {
    Ok(IntentRow {
        id: IntentId::new(row.text(0)?),
        kind: row.text(1)?,
        state: row.text(2)?,
        sent_ms: row.int(3)?,
        settled_ms: row.opt_int(4)?,
        status: row.opt_int(5)?,
        evidence: row.opt_text(6)?,
        trace: row.text(7)?,
        request: row.json(8)?,
    })
}
