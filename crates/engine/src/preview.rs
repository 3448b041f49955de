//! Shows what would be sent: the same planner, fed with what the app holds, sends nothing.

use std::collections::BTreeMap;

use domain::cause::Cause;
use domain::desired::{Desired, desired};
use domain::ids::{AppId, Subject, TenantId};
use domain::mapping::MappingError;
use domain::plan::{Candidate, Known, Matched, Operation, Plan, Reason, Wait, Write, plan};
use domain::remote::{Call, Outcome, Remote};
use domain::snapshot::Snapshot;
use serde::Serialize;
use store::repo::{link, mark};

use crate::context::Engine;
use crate::dispatch::dispatch_all;
use crate::error::EngineError;
use crate::lane::inventory::Inventory;
use crate::snapshot::{Scope, load};
use crate::transport::Transport;

/// Marks that are planned per snapshot.
const PAGE: i64 = 200;

/// What would happen to one subject.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// `user` or `group`.
    pub kind: &'static str,
    /// Its id in the directory.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// `create`, `link`, `update`, `reactivate`, `deactivate`, `delete`, `members`, `blocked`, `wait` or `read`.
    pub operation: String,
    /// Attributes that change, or counts of members.
    pub detail: String,
    /// A cause's code, where something stands in the way.
    pub cause: Option<&'static str>,
    /// It takes something away.
    pub destructive: bool,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// A whole preview.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preview {
    /// What would happen, in the order of subjects; subjects that are as they should be are left out.
    pub planned: Vec<Planned>,
    /// Counts by operation.
    pub totals: BTreeMap<String, usize>,
    /// Subjects that were looked at.
    pub looked_at: usize,
    /// The app was read to its end; else subjects without a link are shown as `read`.
    pub app_was_read: bool,
}

/// Plans every marked subject of an app. Reads the app once if it can be reached.
pub async fn preview(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: Option<&Transport>,
) -> Result<Preview, EngineError> {
    dispatch_all(engine, tenant).await?;
    let compiled = engine.app(tenant, app).await?;
    let inventory = match transport {
        Some(transport) => {
            Inventory::read(transport, engine.env.as_ref(), &compiled.app.settings.matching).await
        }
        None => None,
    };
    let mut preview = Preview { app_was_read: inventory.is_some(), ..Preview::default() };
    let mut after = String::new();
    loop {
        let (owner, app_id, compiled, cursor) =
            (tenant.clone(), app.clone(), compiled.clone(), after.clone());
        let (now_ms, inventory) = (engine.env.now_ms(), inventory.clone());
        let page = engine
            .read(move |tx| {
                let scope =
                    Scope { tenant: owner.clone(), app: compiled.clone(), now_ms, with_groups: false };
                let mut planned = vec![];
                let rows = mark::page(tx, &owner, &app_id, &cursor, PAGE)?;
                for row in &rows {
                    if let Some(snapshot) = load(tx, &scope, &row.subject, usize::MAX)? {
                        let snapshot = snapshot.without_mark();
                        planned.push(plan_one(tx, &scope, &row.subject, &snapshot, inventory.as_ref())?);
                    }
                }
                Ok((rows.last().map(|row| row.subject.id().to_owned()), planned))
            })
            .await?;
        for planned in page.1 {
            preview.looked_at += 1;
            if let Some(planned) = planned {
                *preview.totals.entry(planned.operation.clone()).or_default() += 1;
                preview.planned.push(planned);
            }
        }
        match page.0 {
            Some(last) => after = last,
            None => return Ok(preview),
        }
    }
}

fn plan_one(
    tx: &mut store::Tx<'_>,
    scope: &Scope,
    subject: &Subject,
    snapshot: &Snapshot,
    inventory: Option<&Inventory>,
) -> Result<Option<Planned>, EngineError> {
    let mut known = Known::default();
    let mut plan_now = plan(snapshot, &known);
    if let (Operation::Locate(locate), Some(inventory)) = (&plan_now.operation, inventory) {
        let mut found: Vec<Remote> = vec![];
        for (attribute, value) in
            [("externalId", &locate.external_id), (locate.attribute.as_str(), &locate.value)]
        {
            let call = Call::Find { kind: locate.kind, attribute: attribute.into(), value: value.clone() };
            if let Some(Outcome::Found(more)) = inventory.answer(&call) {
                found.extend(
                    more.into_iter()
                        .filter(|remote| found.iter().all(|other| other.id != remote.id))
                        .collect::<Vec<_>>(),
                );
            }
        }
        known.candidates = Some(candidates(tx, scope, subject, found)?);
        plan_now = plan(snapshot, &known);
    }
    Ok(describe(subject, snapshot, plan_now))
}

fn candidates(
    tx: &mut store::Tx<'_>,
    scope: &Scope,
    subject: &Subject,
    found: Vec<Remote>,
) -> Result<Vec<Candidate>, EngineError> {
    let mut candidates = vec![];
    for remote in found {
        let owner = link::owner(tx, &scope.tenant, &scope.app.app.id, subject.kind(), &remote.id)?;
        let taken_by = owner.map(|(owner, _)| owner).filter(|owner| owner != subject);
        let own = remote.external_id() == Some(subject.id());
        let matched = if own { Matched::ExternalId } else { Matched::Key };
        candidates.push(Candidate { remote, matched, taken_by });
    }
    Ok(candidates)
}

fn describe(subject: &Subject, snapshot: &Snapshot, plan: Plan) -> Option<Planned> {
    let name = match snapshot {
        Snapshot::User(user) => user.user.user_name.clone(),
        Snapshot::Group(group) => group.group.display_name.clone(),
    };
    let mut cause = None;
    let (operation, detail, destructive) = match &plan.operation {
        Operation::Nothing | Operation::Relink { .. } | Operation::Observe { .. } => return None,
        Operation::Wait(Wait::InFlight { .. }) => {
            ("wait", "a request may still take effect".to_owned(), false)
        }
        Operation::Wait(Wait::Key { key, holder, .. }) => {
            ("wait", format!("{} is held by {}", key.attribute, holder.id()), false)
        }
        Operation::Wait(Wait::AppNotActive) => return None,
        Operation::Blocked(finding) => {
            cause = Some(finding.cause.code());
            ("blocked", finding.cause.title().to_owned(), false)
        }
        Operation::Locate(_) => ("read", "is looked up in the app, then linked or created".to_owned(), false),
        Operation::Verify { remote_id, .. } => ("read", format!("{remote_id} is read in the app"), false),
        Operation::Adopt { remote, .. } => ("link", format!("to {}", remote.id), false),
        Operation::Write(write) => describe_write(write),
    };
    Some(Planned {
        kind: subject.kind(),
        id: subject.id().to_owned(),
        name,
        operation: operation.to_owned(),
        detail,
        cause,
        destructive,
        reasons: plan.reasons,
    })
}

fn describe_write(write: &Write) -> (&'static str, String, bool) {
    let destructive = write.is_destructive();
    match write {
        Write::Create { attributes, .. } => {
            ("create", format!("{} attributes", attributes.len()), destructive)
        }
        Write::Update { changes, .. } => {
            let names: Vec<&str> = changes.keys().map(String::as_str).collect();
            let name = if changes.contains_key("active") { "reactivate" } else { "update" };
            (name, names.join(", "), destructive)
        }
        Write::Deactivate { remote_id, .. } => ("deactivate", remote_id.clone(), destructive),
        Write::Delete { remote_id, .. } => ("delete", remote_id.clone(), destructive),
        Write::Members { add, remove, noted, .. } => {
            let waiting = noted.iter().filter(|note| note.waits.is_some()).count();
            (
                "members",
                format!("{} to add, {} to remove, {waiting} wait", add.len(), remove.len()),
                destructive,
            )
        }
    }
}

/// Every value that the mapping gives one user, for `app mapping --user`.
pub async fn mapped(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    user: &Subject,
) -> Result<Result<domain::mapping::Attributes, MappingError>, EngineError> {
    let compiled = engine.app(tenant, app).await?;
    let (owner, subject, now_ms) = (tenant.clone(), user.clone(), engine.env.now_ms());
    engine
        .read(move |tx| {
            let scope = Scope { tenant: owner.clone(), app: compiled.clone(), now_ms, with_groups: false };
            let Some(Snapshot::User(mut snapshot)) = load(tx, &scope, &subject, 1)? else {
                return Err(EngineError::Invalid("a mapping is previewed for a user".into()));
            };
            // The preview shows the values whether or not the user is entitled.
            snapshot.user.active = true;
            snapshot.user.deleted_ms = None;
            if snapshot.entitlements.is_empty() {
                snapshot.entitlements.push(domain::snapshot::Entitlement::Direct);
            }
            match desired(&snapshot).0 {
                Desired::Present(attributes) => Ok(Ok(attributes)),
                Desired::Invalid(error) => Ok(Err(error)),
                _ => Err(EngineError::Invalid(format!(
                    "the scope filter of the app does not hold for this user ({}); nothing is mapped",
                    Cause::MappingFailed.code()
                ))),
            }
        })
        .await
}
