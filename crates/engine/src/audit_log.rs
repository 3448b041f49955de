//! The audit log in use: sealing committed entries, checking the chain, listing with names.

use domain::audit::{Entry, chain};
use domain::ids::TenantId;
use serde::Serialize;
use serde_json::{Value, json};
use store::repo::audit;
use store::repo::audit::Recorded;

use crate::context::{Context, Engine};
use crate::error::EngineError;

const BATCH: i64 = 500;

/// An object of a change that belongs to no app.
pub(crate) struct Changed<'a> {
    /// For example `connection`.
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Writes the audit entry of a change, in its transaction.
pub(crate) fn record(
    tx: &mut store::Tx<'_>,
    context: &mut Context,
    action: &'static str,
    of: Changed<'_>,
) -> Result<(), EngineError> {
    let entry = Entry {
        id: context.ids.uuid(),
        at_ms: context.now_ms,
        actor: context.actor.clone(),
        action: action.to_owned(),
        object_kind: of.kind.to_owned(),
        object: of.id.to_owned(),
        app: String::new(),
        trace: context.trace.clone(),
        before: of.before.map(|value| value.to_string()),
        after: of.after.map(|value| value.to_string()),
        salt: context.ids.uuid(),
    };
    Ok(audit::append(tx, &context.tenant, &entry)?)
}

/// Seals every committed entry; gives how many.
pub async fn seal(engine: &Engine, tenant: &TenantId) -> Result<usize, EngineError> {
    let mut total = 0;
    loop {
        let sealed = engine.write(tenant, |tx, context| Ok(audit::seal(tx, &context.tenant, BATCH)?)).await?;
        total += sealed;
        if sealed == 0 {
            return Ok(total);
        }
    }
}

/// The verdict on the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChainCheck {
    /// Sealed entries that were checked.
    pub checked: i64,
    /// Committed entries that are not sealed yet.
    pub unsealed: i64,
    /// The last chain value; keep a copy elsewhere to notice a truncation.
    pub head: String,
    /// The first entry that is not as it was sealed, and what is wrong with it.
    pub broken: Option<String>,
}

/// Recomputes every digest and chain value.
pub async fn check(engine: &Engine, tenant: &TenantId) -> Result<ChainCheck, EngineError> {
    let mut result = ChainCheck::default();
    loop {
        let (owner, after) = (tenant.clone(), result.checked);
        let page = engine.read(move |tx| Ok(audit::sealed_after(tx, &owner, after, BATCH)?)).await?;
        if page.is_empty() {
            break;
        }
        for recorded in page {
            match verify(&recorded, result.checked + 1, &result.head) {
                Ok(head) => result.head = head,
                Err(problem) => {
                    result.broken = Some(format!("entry {}: {problem}", recorded.entry.id));
                    return Ok(result);
                }
            }
            result.checked += 1;
        }
    }
    let owner = tenant.clone();
    result.unsealed = engine.read(move |tx| Ok(audit::count_unsealed(tx, &owner)?)).await?;
    Ok(result)
}

fn verify(recorded: &Recorded, expected_seq: i64, previous: &str) -> Result<String, String> {
    let seq = recorded.seq.unwrap_or_default();
    if seq != expected_seq {
        return Err(format!("its number is {seq}, but {expected_seq} was expected; an entry was removed"));
    }
    let digest = recorded.entry.digest();
    if digest != recorded.digest {
        return Err("its content was changed after it was recorded".into());
    }
    let head = chain(previous, seq, &digest);
    if recorded.chain.as_deref() != Some(head.as_str()) {
        return Err("its place in the chain was changed".into());
    }
    Ok(head)
}

/// Which entries are wanted; what is not set does not narrow.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only about the object with this id.
    pub object: Option<String>,
    /// Only of who is called so, or whose name begins so up to a colon: `cli`, `connection:okta`.
    pub actor: Option<String>,
    /// Only caused by this request or command.
    pub trace: Option<String>,
    /// Not older, Unix milliseconds.
    pub since_ms: Option<i64>,
}

impl EntryFilter {
    fn lets_pass(&self, entry: &Entry) -> bool {
        let by = |actor: &String| {
            entry
                .actor
                .strip_prefix(actor.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        self.actor.as_ref().is_none_or(by) && self.trace.as_ref().is_none_or(|trace| *trace == entry.trace)
    }
}

/// Entries that the filter lets pass, newest first. Whom and what it asks for is looked at entry by entry, but for the
/// object: name a time where the log is long.
pub async fn list(
    engine: &Engine,
    tenant: &TenantId,
    filter: &EntryFilter,
    limit: usize,
) -> Result<Vec<Value>, EngineError> {
    let (mut shown, mut before) = (vec![], String::new());
    loop {
        let (tenant, object, from) = (tenant.clone(), filter.object.clone(), before.clone());
        let page =
            engine.read(move |tx| Ok(audit::list(tx, &tenant, object.as_deref(), &from, BATCH)?)).await?;
        for recorded in &page {
            // Ids begin with the time, so nothing newer follows.
            if filter.since_ms.is_some_and(|since| recorded.entry.at_ms < since) || shown.len() == limit {
                return Ok(shown);
            }
            if filter.lets_pass(&recorded.entry) {
                shown.push(show(recorded));
            }
        }
        match page.last() {
            Some(last) if page.len() as i64 == BATCH => before.clone_from(&last.entry.id),
            _ => return Ok(shown),
        }
    }
}

/// What a request caused: the entries of its trace, oldest first. `at_ms` is when it arrived.
pub async fn of_trace(
    engine: &Engine,
    tenant: &TenantId,
    trace: &str,
    at_ms: i64,
) -> Result<Vec<Value>, EngineError> {
    // Clocks of two machines may differ by a little.
    let after = domain::ids::uuid_v7(at_ms - 5_000, 0);
    let (tenant, trace) = (tenant.clone(), trace.to_owned());
    let rows = engine.read(move |tx| Ok(audit::of_trace(tx, &tenant, &trace, &after, BATCH)?)).await?;
    Ok(rows.iter().map(show).collect())
}

fn show(recorded: &Recorded) -> Value {
    let entry = &recorded.entry;
    let parsed = |text: &Option<String>| {
        text.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text)))
    };
    json!({"id": entry.id, "at_ms": entry.at_ms, "actor": entry.actor, "action": entry.action,
        "object_kind": entry.object_kind, "object": entry.object, "app": entry.app, "trace": entry.trace,
        "before": parsed(&entry.before), "after": parsed(&entry.after), "seq": recorded.seq})
}
