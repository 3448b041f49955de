//! Who signed in: which user an issuer's subject stands for, and the log of every decision.

use domain::ids::{ConnectionId, TenantId, UserId, uuid_v7};
use serde_json::Value as Json;

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    GET,
    "SELECT user_id, name, name_since_ms FROM signin_subject WHERE tenant = $1 AND issuer = $2 AND subject = $3"
);
statement!(SUBJECT, "SELECT subject FROM signin_subject WHERE tenant = $1 AND issuer = $2 AND user_id = $3");
statement!(
    OF_USER,
    "SELECT issuer, subject, linked_ms FROM signin_subject WHERE tenant = $1 AND user_id = $2 ORDER BY issuer"
);
statement!(
    TIE,
    "INSERT INTO signin_subject(tenant, issuer, subject, user_id, connection, linked_ms, name, name_since_ms)
     VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL)
     ON CONFLICT (tenant, issuer, subject) DO UPDATE
        SET user_id = excluded.user_id, connection = excluded.connection, linked_ms = excluded.linked_ms,
            name = NULL, name_since_ms = NULL"
);
statement!(
    NAMED,
    "UPDATE signin_subject SET name = $4, name_since_ms = $5 WHERE tenant = $1 AND issuer = $2 AND subject = $3"
);
statement!(UNTIE, "DELETE FROM signin_subject WHERE tenant = $1 AND user_id = $2");
statement!(
    MOVE_ONE,
    "UPDATE signin_subject SET user_id = $5 WHERE tenant = $1 AND issuer = $2 AND subject = $3 AND user_id = $4"
);
statement!(
    LOG,
    "INSERT INTO signin_log(tenant, id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);
statement!(
    LIST,
    "SELECT id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail FROM signin_log
      WHERE tenant = $1 AND id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4"
);
statement!(
    LIST_USER,
    "SELECT id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail FROM signin_log
      WHERE tenant = $1 AND id >= $2 AND id < $3 AND user_id = $5 ORDER BY id DESC LIMIT $4"
);
statement!(
    LIST_OUTCOME,
    "SELECT id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail FROM signin_log
      WHERE tenant = $1 AND id >= $2 AND id < $3 AND outcome = $5 ORDER BY id DESC LIMIT $4"
);
statement!(
    LIST_USER_OUTCOME,
    "SELECT id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail FROM signin_log
      WHERE tenant = $1 AND id >= $2 AND id < $3 AND user_id = $5 AND outcome = $6 ORDER BY id DESC LIMIT $4"
);
statement!(
    LIST_TRACE,
    "SELECT id, at_ms, trace, outcome, token, connection, issuer, subject, user_id, detail FROM signin_log
      WHERE tenant = $1 AND trace = $2 LIMIT 100"
);
statement!(
    OLDEST,
    "SELECT max(id) FROM (SELECT id FROM signin_log WHERE tenant = $1 AND id < $2 ORDER BY id LIMIT $3) AS oldest"
);
statement!(PRUNE, "DELETE FROM signin_log WHERE tenant = $1 AND id <= $2");

/// What an issuer's subject stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The user.
    pub user: UserId,
    /// What the last assertion called the user, where the directory said otherwise.
    pub name: Option<String>,
    /// Since when.
    pub since_ms: Option<i64>,
}

/// A login: whose assertion, and about whom.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Whose assertion.
    pub issuer: &'a str,
    /// Its identifier.
    pub subject: &'a str,
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// UUIDv7.
    pub id: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The code that the person was shown.
    pub trace: String,
    /// `known`, `linked`, `created` or `refused`.
    pub outcome: String,
    /// The public part of the token that asked, or `cli`.
    pub token: String,
    /// The connection of the issuer.
    pub connection: Option<ConnectionId>,
    /// Whose assertion.
    pub issuer: String,
    /// Its identifier.
    pub subject: String,
    /// Who signed in, or would have.
    pub user: Option<UserId>,
    /// Cause and pending rename.
    pub detail: Json,
}

/// Which decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only about this user.
    pub user: Option<UserId>,
    /// Only with this outcome.
    pub outcome: Option<String>,
    /// Not before, Unix milliseconds.
    pub since_ms: i64,
    /// Before this id; empty: from the newest.
    pub before: String,
}

/// What issuer and subject stand for.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, login: Login<'_>) -> Result<Option<Subject>, StoreError> {
    let params = [tenant.as_str().into(), login.issuer.into(), login.subject.into()];
    tx.optional(&GET, &params, |row| {
        Ok(Subject { user: UserId::new(row.text(0)?), name: row.opt_text(1)?, since_ms: row.opt_int(2)? })
    })
}

/// The subject of an issuer that a user is.
pub fn subject_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    issuer: &str,
    user: &UserId,
) -> Result<Option<String>, StoreError> {
    tx.optional(&SUBJECT, &[tenant.as_str().into(), issuer.into(), user.as_str().into()], |row| row.text(0))
}

/// Issuers, subjects and since when, of a user.
pub fn of_user(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    tx.rows(&OF_USER, &[tenant.as_str().into(), user.as_str().into()], |row| {
        Ok((row.text(0)?, row.text(1)?, row.int(2)?))
    })
}

/// Ties a subject to a user. A user who already is another subject of the issuer is a conflict on `issuer`.
pub fn tie(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    login: Login<'_>,
    user: &UserId,
    connection: &ConnectionId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        login.issuer.into(),
        login.subject.into(),
        user.as_str().into(),
        connection.as_str().into(),
        now_ms.into(),
    ];
    tx.exec(&TIE, &params).map(drop)
}

/// Notes what the assertion calls the user where the directory says otherwise, and since when; none: they agree.
pub fn set_name(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    login: Login<'_>,
    pending: Option<(&str, i64)>,
) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        login.issuer.into(),
        login.subject.into(),
        pending.map(|(name, _)| name).into(),
        pending.map(|(_, since_ms)| since_ms).into(),
    ];
    tx.later(&NAMED, &params)
}

/// Forgets every subject of a user; gives how many.
pub fn untie(tx: &mut Tx<'_>, tenant: &TenantId, user: &UserId) -> Result<u64, StoreError> {
    tx.exec(&UNTIE, &[tenant.as_str().into(), user.as_str().into()])
}

/// Moves one subject from a user to another; false if it is not that user's any more. A user who already is another subject
/// of the issuer is a conflict on `user_id`.
pub fn move_one(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    login: Login<'_>,
    from: &UserId,
    to: &UserId,
) -> Result<bool, StoreError> {
    let params = [
        tenant.as_str().into(),
        login.issuer.into(),
        login.subject.into(),
        from.as_str().into(),
        to.as_str().into(),
    ];
    Ok(tx.exec(&MOVE_ONE, &params)? == 1)
}

/// Writes a decision.
pub fn log(tx: &mut Tx<'_>, tenant: &TenantId, row: &LogRow) -> Result<(), StoreError> {
    let params: [Value; 11] = [
        tenant.as_str().into(),
        row.id.as_str().into(),
        row.at_ms.into(),
        row.trace.as_str().into(),
        row.outcome.as_str().into(),
        row.token.as_str().into(),
        row.connection.as_ref().map(ConnectionId::as_str).into(),
        row.issuer.as_str().into(),
        row.subject.as_str().into(),
        row.user.as_ref().map(UserId::as_str).into(),
        row.detail.to_string().into(),
    ];
    tx.later(&LOG, &params)
}

/// Decisions, newest first.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    filter: &LogFilter,
    limit: i64,
) -> Result<Vec<LogRow>, StoreError> {
    let before = if filter.before.is_empty() { "~" } else { &filter.before };
    let mut params: Vec<Value> =
        vec![tenant.as_str().into(), uuid_v7(filter.since_ms, 0).into(), before.into(), limit.into()];
    params.extend(filter.user.as_ref().map(|user| Value::from(user.as_str())));
    params.extend(filter.outcome.as_deref().map(Value::from));
    let statement = match (&filter.user, &filter.outcome) {
        (None, None) => &LIST,
        (Some(_), None) => &LIST_USER,
        (None, Some(_)) => &LIST_OUTCOME,
        (Some(_), Some(_)) => &LIST_USER_OUTCOME,
    };
    tx.rows(statement, &params, read)
}

/// The decisions of one trace, newest first.
pub fn of_trace(tx: &mut Tx<'_>, tenant: &TenantId, trace: &str) -> Result<Vec<LogRow>, StoreError> {
    let mut found = tx.rows(&LIST_TRACE, &[tenant.as_str().into(), trace.into()], read)?;
    found.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(found)
}

/// The id up to which [`prune`] drops decisions from before a time: of the oldest, at most `most`; `None` if there are none.
pub fn oldest(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    before_ms: i64,
    most: i64,
) -> Result<Option<String>, StoreError> {
    let params = [tenant.as_str().into(), uuid_v7(before_ms, 0).into(), most.into()];
    tx.one(&OLDEST, &params, |row| row.opt_text(0))
}

/// Drops decisions up to an id; gives how many.
pub fn prune(tx: &mut Tx<'_>, tenant: &TenantId, upto: &str) -> Result<u64, StoreError> {
    tx.exec(&PRUNE, &[tenant.as_str().into(), upto.into()])
}

fn read(row: &Row<'_>) -> Result<LogRow, StoreError> {
    Ok(LogRow {
        id: row.text(0)?,
        at_ms: row.int(1)?,
        trace: row.text(2)?,
        outcome: row.text(3)?,
        token: row.text(4)?,
        connection: row.opt_text(5)?.map(ConnectionId::new),
        issuer: row.text(6)?,
        subject: row.text(7)?,
        user: row.opt_text(8)?.map(UserId::new),
        detail: row.json(9)?,
    })
}
