//! Findings about connections: what requests show is judged in batches off their path, what time shows in sweeps. Each is a
//! task of the connection, and closes by itself when its cause is gone.

mod facts;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::cause::{Cause, Finding};
use domain::connection::Connection;
use domain::exchange::Exchange;
use domain::finding::{Facts, Sign, judge, merged, tells, wrote_group};
use domain::finding_state::Watched;
use domain::ids::{AppId, ConnectionId, Subject, TaskId, TenantId};
use store::Tx;
use store::repo::task::TaskRow;
use store::repo::{connection, task, watch};

pub use sweep::{Swept, sweep};

use crate::context::{Context, Engine};
use crate::error::EngineError;

/// The most open tasks of one connection that are looked at.
const OPEN_MAX: i64 = 5_000;

/// Whose requests.
type Whose = (TenantId, ConnectionId);

/// Judges requests that were answered: opens and closes tasks of their connections. Give every request of a while at once,
/// with what was sent; most show nothing and cost nothing but the note that the connection is alive.
pub async fn observe(engine: &Engine, exchanges: Vec<Exchange>) -> Result<(), EngineError> {
    let mut batches: BTreeMap<Whose, Batch> = BTreeMap::new();
    for exchange in exchanges.into_iter().filter(|exchange| !exchange.connection.is_empty()) {
        let whose = (exchange.tenant.clone(), ConnectionId::new(exchange.connection.as_str()));
        let batch = batches.entry(whose).or_default();
        batch.calls.push(exchange.at_ms);
        if tells(&exchange) {
            batch.telling.push(exchange);
        }
    }
    for ((tenant, id), batch) in batches {
        let batch = Arc::new(batch);
        let (owner, whose, asked) = (tenant.clone(), id.clone(), batch.clone());
        let known = engine.read(move |tx| Known::load(tx, &owner, &whose, &asked)).await?;
        let Some(known) = known else { continue };
        let work = Arc::new(known.work(&batch));
        if !work.is_nothing() {
            engine.write(&tenant, move |tx, context| work.save(tx, context, &id)).await?;
        }
    }
    Ok(())
}

/// The requests of one connection.
#[derive(Default)]
struct Batch {
    calls: Vec<i64>,
    telling: Vec<Exchange>,
}

/// What the database says about a batch.
struct Known {
    call: Option<Watched>,
    open: Vec<TaskRow>,
    facts: Vec<Facts>,
}

impl Known {
    /// None if the connection was removed meanwhile.
    fn load(
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        id: &ConnectionId,
        batch: &Batch,
    ) -> Result<Option<Self>, EngineError> {
        let Some(found) = connection::get(tx, tenant, id)? else { return Ok(None) };
        let mut facts = Vec::with_capacity(batch.telling.len());
        for exchange in &batch.telling {
            facts.push(facts::load(tx, tenant, exchange)?);
        }
        Ok(Some(Self {
            call: watch::get(tx, tenant, id, "call", "")?,
            open: task::of_app(tx, tenant, &app_of(&found), OPEN_MAX)?,
            facts,
        }))
    }

    /// Decides; nothing is read or written.
    fn work(&self, batch: &Batch) -> Work {
        let mut work = Work::default();
        let mut calls = batch.calls.clone();
        calls.sort_unstable();
        let mut call = self.call;
        for at_ms in calls {
            if let Some(noted) = Watched::called(call, at_ms) {
                (call, work.call) = (Some(noted), Some(noted));
            }
        }
        let silent = Cause::ConnectionSilent.code();
        work.over.extend(self.open.iter().filter(|task| task.cause == silent).map(place));
        for (exchange, facts) in batch.telling.iter().zip(&self.facts) {
            if wrote_group(exchange) && !exchange.object.is_empty() {
                let last = work.group_writes.entry(exchange.object.clone()).or_default();
                *last = exchange.at_ms.max(*last);
            }
            for sign in judge(exchange, facts) {
                work.add(sign, &self.open, exchange.at_ms);
            }
        }
        work
    }
}

/// A task's subject and cause.
type Place = (String, String);

fn place(task: &TaskRow) -> Place {
    (task.subject.as_ref().map_or_else(String::new, |subject| subject.id().to_owned()), task.cause.clone())
}

/// What is to be written about one connection.
#[derive(Default)]
struct Work {
    call: Option<Watched>,
    group_writes: BTreeMap<String, i64>,
    over: Vec<Place>,
    raised: Vec<(Option<Subject>, Finding)>,
    refused: Vec<(String, Subject, serde_json::Value, i64)>,
}

impl Work {
    fn add(&mut self, sign: Sign, open: &[TaskRow], at_ms: i64) {
        match sign {
            Sign::Raise { subject, finding } => {
                let here =
                    (subject.as_ref().map_or("", Subject::id).to_owned(), finding.cause.code().to_owned());
                let before = open.iter().find(|task| place(task) == here).map(|task| &task.evidence);
                // What an earlier request of this batch showed is over is wrong again, and the other way round.
                self.over.retain(|over| *over != here);
                self.raised.push((subject, merged(before, finding)));
            }
            Sign::Over { subject, cause } => {
                let here = (subject.id().to_owned(), cause.code().to_owned());
                self.raised
                    .retain(|(raised, finding)| raised.as_ref() != Some(&subject) || finding.cause != cause);
                self.refused
                    .retain(|(_, refused, ..)| *refused != subject || cause != Cause::ConflictRepeated);
                if open.iter().any(|task| place(task) == here) {
                    self.over.push(here);
                }
            }
            Sign::Refused { key, subject, evidence } => self.refused.push((key, subject, evidence, at_ms)),
        }
    }

    fn is_nothing(&self) -> bool {
        self.call.is_none()
            && self.group_writes.is_empty()
            && self.over.is_empty()
            && self.raised.is_empty()
            && self.refused.is_empty()
    }

    fn save(&self, tx: &mut Tx<'_>, context: &mut Context, id: &ConnectionId) -> Result<(), EngineError> {
        let (tenant, app, now_ms) = (&context.tenant, AppId::new(id.as_str()), context.now_ms);
        if let Some(call) = &self.call {
            watch::put(tx, tenant, id, "call", "", call)?;
        }
        for (group, at_ms) in &self.group_writes {
            let write = Watched { times: 1, first_ms: *at_ms, last_ms: *at_ms, usual_ms: 0 };
            watch::put(tx, tenant, id, "group_write", group, &write)?;
        }
        for (subject, cause) in &self.over {
            task::close_one(tx, tenant, &app, subject, cause, now_ms)?;
        }
        for (subject, finding) in &self.raised {
            open(tx, context, &app, subject.as_ref(), finding)?;
        }
        for (key, subject, evidence, at_ms) in &self.refused {
            let before = watch::get(tx, &context.tenant, id, "conflict", key)?;
            let now = Watched::refused(before, *at_ms);
            watch::put(tx, &context.tenant, id, "conflict", key, &now)?;
            if now.is_repeated() {
                let mut evidence = evidence.clone();
                evidence["times_within_an_hour"] = now.times.into();
                let finding = Finding { cause: Cause::ConflictRepeated, evidence };
                open(tx, context, &app, Some(subject), &finding)?;
            }
        }
        Ok(())
    }
}

fn open(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &AppId,
    subject: Option<&Subject>,
    finding: &Finding,
) -> Result<(), EngineError> {
    let id = TaskId::new(context.ids.uuid());
    Ok(task::open(tx, &context.tenant, app, subject, finding, &id, context.now_ms)?)
}

/// What stands in a task's column of apps for a connection.
fn app_of(connection: &Connection) -> AppId {
    AppId::new(connection.id.as_str())
}
