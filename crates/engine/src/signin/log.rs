//! The sign-in log: every decision, found again by user, outcome, time or the code that was shown.

use domain::ids::TenantId;
use domain::signin::{SigninRequest, Snapshot};
use serde::Serialize;
use serde_json::{Value, json};
use store::Tx;
use store::repo::signin::{self as rows, LogFilter, LogRow};
use store::repo::{connection, user};

use super::{Asker, Outcome, SigninReport};
use crate::context::{Context, Engine};
use crate::directory::users;
use crate::error::EngineError;

/// The most decisions that one step of [`prune_log`] drops.
const PRUNE_STEP: i64 = 1_000;

/// One decision with names instead of ids.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoggedSignin {
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
    /// The connection's name.
    pub connection: Option<String>,
    /// Whose assertion.
    pub issuer: String,
    /// Its identifier.
    pub subject: String,
    /// What the assertion calls the user.
    pub asserted: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// Why nobody signed in.
    pub refusal: Option<String>,
    /// A rename that had not come yet.
    pub pending_rename: Option<Value>,
}

/// Which decisions are asked for.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only about this user, by id, externalId or userName.
    pub user: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only of this code.
    pub trace: Option<String>,
    /// Not before, Unix milliseconds.
    pub since_ms: i64,
    /// How many at most.
    pub limit: i64,
}

/// Decisions, newest first.
pub async fn list_log(
    engine: &Engine,
    tenant: &TenantId,
    query: LogQuery,
) -> Result<Vec<LoggedSignin>, EngineError> {
    let tenant = tenant.clone();
    engine
        .read(move |tx| {
            let found = match &query.trace {
                Some(trace) => rows::of_trace(tx, &tenant, trace)?,
                None => {
                    let user = match &query.user {
                        Some(reference) => Some(users::find(tx, &tenant, reference)?.id),
                        None => None,
                    };
                    let outcome = query.outcome.map(|outcome| outcome.as_str().to_owned());
                    let filter = LogFilter { user, outcome, since_ms: query.since_ms, before: String::new() };
                    rows::list(tx, &tenant, &filter, query.limit)?
                }
            };
            found.into_iter().map(|row| named(tx, &tenant, row)).collect()
        })
        .await
}

/// Drops decisions from before a time, the oldest first and at most 1,000 of them, so that the database is not held for long;
/// gives how many, 0 once there is nothing to drop; then nothing is written.
pub async fn prune_log(engine: &Engine, tenant: &TenantId, before_ms: i64) -> Result<u64, EngineError> {
    let of = tenant.clone();
    match engine.read(move |tx| Ok(rows::oldest(tx, &of, before_ms, PRUNE_STEP)?)).await? {
        Some(upto) => {
            engine.write(tenant, move |tx, context| Ok(rows::prune(tx, &context.tenant, &upto)?)).await
        }
        None => Ok(0),
    }
}

pub(super) fn write(
    tx: &mut Tx<'_>,
    context: &mut Context,
    asker: &Asker,
    request: &SigninRequest,
    snapshot: &Snapshot,
    report: &SigninReport,
) -> Result<(), EngineError> {
    let answer = &report.answer;
    // A refusal is about the user that the subject or the declared value stands for, if that is one.
    let known = snapshot.known.as_ref().and_then(|known| known.user.as_ref());
    let held = snapshot.holders.first().filter(|_| snapshot.holders.len() == 1).map(|holder| &holder.user);
    let known = known.or(held).map(|user| user.id.clone());
    let row = LogRow {
        id: context.ids.uuid(),
        at_ms: context.now_ms,
        trace: answer.trace.clone(),
        outcome: answer.outcome.as_str().to_owned(),
        token: asker.token.clone(),
        connection: snapshot.connection.as_ref().map(|connection| connection.id.clone()),
        issuer: request.issuer.clone(),
        subject: request.subject.clone(),
        user: answer.user.as_ref().map(|user| domain::ids::UserId::new(user.id.as_str())).or(known),
        detail: json!({
            "asserted": request.user_name().or_else(|| request.email()),
            "refusal": answer.refusal,
            "pendingRename": answer.pending_rename,
        }),
    };
    Ok(rows::log(tx, &context.tenant, &row)?)
}

fn named(tx: &mut Tx<'_>, tenant: &TenantId, row: LogRow) -> Result<LoggedSignin, EngineError> {
    let text = |name: &str| row.detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let (asserted, refusal) = (text("asserted"), text("refusal"));
    let pending = row.detail.get("pendingRename").filter(|pending| !pending.is_null()).cloned();
    let user = match &row.user {
        Some(id) => user::get(tx, tenant, id)?.map(|user| user.user_name),
        None => None,
    };
    let connection = match &row.connection {
        Some(id) => Some(connection::get(tx, tenant, id)?.map_or_else(|| id.to_string(), |found| found.name)),
        None => None,
    };
    Ok(LoggedSignin {
        id: row.id,
        at_ms: row.at_ms,
        trace: row.trace,
        outcome: row.outcome,
        token: row.token,
        connection,
        issuer: row.issuer,
        subject: row.subject,
        asserted,
        user,
        refusal,
        pending_rename: pending,
    })
}
