//! Tasks: open problems, one per app, subject and cause; counted again instead of opened twice.

use domain::cause::{Cause, Finding};
use domain::ids::{AppId, Subject, TaskId, TenantId};
use serde_json::Value as Json;

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    OPEN,
    "INSERT INTO task(tenant, id, app, subject, kind, cause, evidence, opened_ms, last_ms, times, closed_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1, NULL)
     ON CONFLICT (tenant, app, subject, cause) WHERE closed_ms IS NULL
     DO UPDATE SET evidence = excluded.evidence, last_ms = excluded.last_ms, times = task.times + 1"
);
statement!(
    CLOSE_SUBJECT,
    "UPDATE task SET closed_ms = $4 WHERE tenant = $1 AND app = $2 AND subject = $3 AND closed_ms IS NULL"
);
statement!(
    CLOSE_OTHERS,
    "UPDATE task SET closed_ms = $4 WHERE tenant = $1 AND app = $2 AND subject = $3 AND closed_ms IS NULL AND cause <> $5"
);
statement!(
    CLOSE_CAUSE,
    "UPDATE task SET closed_ms = $5 WHERE tenant = $1 AND app = $2 AND subject = $3 AND cause = $4 AND closed_ms IS NULL"
);
statement!(CLOSE_APP, "UPDATE task SET closed_ms = $3 WHERE tenant = $1 AND app = $2 AND closed_ms IS NULL");
statement!(
    LIST,
    "SELECT id, app, subject, kind, cause, evidence, opened_ms, last_ms, times FROM task
      WHERE tenant = $1 AND closed_ms IS NULL ORDER BY opened_ms, id LIMIT $2"
);
statement!(
    OF_SUBJECT,
    "SELECT id, app, subject, kind, cause, evidence, opened_ms, last_ms, times FROM task
      WHERE tenant = $1 AND app = $2 AND subject = $3 AND closed_ms IS NULL"
);
statement!(
    OF_APP,
    "SELECT id, app, subject, kind, cause, evidence, opened_ms, last_ms, times FROM task
      WHERE tenant = $1 AND app = $2 AND closed_ms IS NULL ORDER BY opened_ms, id LIMIT $3"
);
statement!(COUNT, "SELECT COUNT(*) FROM task WHERE tenant = $1 AND app = $2 AND closed_ms IS NULL");

/// An open task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// The app; of a sign-in the connection's id, or nothing.
    pub app: AppId,
    /// The user or group; none: the whole app, or a topic.
    pub subject: Option<Subject>,
    /// What else it is about: `signin`.
    pub topic: Option<String>,
    /// The cause's stable code.
    pub cause: String,
    /// What shows it.
    pub evidence: Json,
    /// Since when.
    pub opened_ms: i64,
    /// When it was seen last.
    pub last_ms: i64,
    /// How often it was seen.
    pub times: i64,
}

/// Opens a task, or counts the open one again. No subject: the task is the app's.
pub fn open(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: Option<&Subject>,
    finding: &Finding,
    id: &TaskId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let about = (subject.map_or("", Subject::id), subject.map_or("", Subject::kind));
    open_about(tx, tenant, app.as_str(), about, finding, id, now_ms)
}

/// [`open`] for what is not a user or group of an app: the owner is a connection's id or empty, the topic a key and its kind.
pub fn open_about(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    owner: &str,
    (key, kind): (&str, &str),
    finding: &Finding,
    id: &TaskId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let params: [Value; 8] = [
        tenant.as_str().into(),
        id.as_str().into(),
        owner.into(),
        key.into(),
        kind.into(),
        finding.cause.code().into(),
        finding.evidence.to_string().into(),
        now_ms.into(),
    ];
    tx.exec(&OPEN, &params).map(drop)
}

/// Closes every task of a subject but those of `keep`.
pub fn close_of_subject(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    keep: Option<Cause>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let mut params: Vec<Value> =
        vec![tenant.as_str().into(), app.as_str().into(), subject.into(), now_ms.into()];
    match keep {
        None => tx.exec(&CLOSE_SUBJECT, &params),
        Some(cause) => {
            params.push(cause.code().into());
            tx.exec(&CLOSE_OTHERS, &params)
        }
    }
}

/// Closes the app's own task of a cause.
pub fn close_of_app(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    cause: Cause,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), "".into(), cause.code().into(), now_ms.into()];
    tx.exec(&CLOSE_CAUSE, &params)
}

/// Closes every task of an app or connection: it is removed.
pub fn close_all(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, now_ms: i64) -> Result<u64, StoreError> {
    tx.exec(&CLOSE_APP, &[tenant.as_str().into(), app.as_str().into(), now_ms.into()])
}

/// Closes the task of a subject (empty: of the app itself) and cause.
pub fn close_one(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
    cause: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), subject.into(), cause.into(), now_ms.into()];
    tx.exec(&CLOSE_CAUSE, &params)
}

/// Open tasks of one app or connection, oldest first.
pub fn of_app(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    limit: i64,
) -> Result<Vec<TaskRow>, StoreError> {
    tx.rows(&OF_APP, &[tenant.as_str().into(), app.as_str().into(), limit.into()], read)
}

/// Open tasks, oldest first.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId, limit: i64) -> Result<Vec<TaskRow>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into(), limit.into()], read)
}

/// Open tasks of one subject (empty: of the app itself).
pub fn of_subject(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &str,
) -> Result<Vec<TaskRow>, StoreError> {
    let mut tasks =
        tx.rows(&OF_SUBJECT, &[tenant.as_str().into(), app.as_str().into(), subject.into()], read)?;
    tasks.sort_by(|a, b| (a.opened_ms, &a.id).cmp(&(b.opened_ms, &b.id)));
    Ok(tasks)
}

/// How many tasks of an app are open.
pub fn count(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<i64, StoreError> {
    tx.one(&COUNT, &[tenant.as_str().into(), app.as_str().into()], |row| row.int(0))
}

fn read(row: &Row<'_>) -> Result<TaskRow, StoreError> {
    let subject = row.text(2)?;
    let kind = row.text(3)?;
    let of_app = matches!(kind.as_str(), "user" | "group");
    Ok(TaskRow {
        id: TaskId::new(row.text(0)?),
        app: AppId::new(row.text(1)?),
        subject: of_app.then(|| Subject::from_parts(&kind, subject)),
        topic: (!of_app && !kind.is_empty()).then_some(kind),
        cause: row.text(4)?,
        evidence: row.json(5)?,
        opened_ms: row.int(6)?,
        last_ms: row.int(7)?,
        times: row.int(8)?,
    })
}
