//! The full comparison: reads the app to its end, finds what is missing, changed or surplus, and marks it for repair.

use std::collections::{BTreeMap, BTreeSet};

use domain::desired::read_attributes;
use domain::ids::{AppId, Subject, TenantId};
use domain::remote::Remote;
use domain::snapshot::{Link, LinkState};
use serde::Serialize;
use serde_json::Value;
use store::repo::mark::Touch;
use store::repo::{intent, link, mark};

use crate::compare_members::compare_members;
use crate::context::Engine;
use crate::error::EngineError;
use crate::listing::{Listing, Proof, read_all};
use crate::transport::Transport;

const PAGE: i64 = 500;
/// Priority of repairs: after the day's changes.
const REPAIR: i64 = 6;

/// What a comparison found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Proof that all users were read.
    pub users: Option<Proof>,
    /// Proof that all groups were read.
    pub groups: Option<Proof>,
    /// Push groups whose members were read.
    pub groups_read: usize,
    /// What differs.
    pub findings: Vec<Difference>,
    /// Objects in the app that no subject is tied to.
    pub not_ours: usize,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `missing`, `changed`, `member_missing`, `member_surplus`, `member_foreign`.
    pub kind: &'static str,
    /// `user` or `group`.
    pub subject: &'static str,
    /// Id in the directory.
    pub id: String,
    /// Id in the app.
    pub remote_id: String,
    /// Attribute names, or the member.
    pub detail: String,
}

/// Whether a comparison only reports or also marks what differs, so that the next run repairs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing is changed.
    Report,
    /// Every difference is marked.
    Repair,
}

impl Difference {
    pub(crate) fn new(
        kind: &'static str,
        subject: &Subject,
        remote_id: Option<String>,
        detail: String,
    ) -> Self {
        Self {
            kind,
            subject: subject.kind(),
            id: subject.id().to_owned(),
            remote_id: remote_id.unwrap_or_default(),
            detail,
        }
    }
}

/// Compares an app with what it acknowledged. Nothing is sent here.
pub async fn compare(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: &Transport,
    purpose: Purpose,
) -> Result<Comparison, EngineError> {
    let users = read_all(transport, engine.env.as_ref(), "/Users").await;
    let groups = read_all(transport, engine.env.as_ref(), "/Groups").await;
    let mut comparison = Comparison {
        users: Some(users.proof.clone()),
        groups: Some(groups.proof.clone()),
        ..Comparison::default()
    };
    for (kind, listing) in [("user", &users), ("group", &groups)] {
        compare_links(engine, (tenant, app), (kind, purpose), listing, &mut comparison).await?;
    }
    compare_members(engine, (tenant, app), transport, purpose, &mut comparison).await?;
    Ok(comparison)
}

async fn compare_links(
    engine: &Engine,
    (tenant, app): (&TenantId, &AppId),
    (kind, purpose): (&'static str, Purpose),
    listing: &Listing,
    comparison: &mut Comparison,
) -> Result<(), EngineError> {
    let seen: BTreeMap<String, Remote> =
        listing.objects.iter().map(|remote| (remote.id.clone(), remote.clone())).collect();
    let seen = std::sync::Arc::new(seen);
    // Younger confirmations than the app's read lag say nothing about what a read may show.
    let lag_ms = engine.app(tenant, app).await?.app.settings.read_lag_ms;
    let (complete, requested_ms) = (listing.proof.complete, listing.requested_ms - lag_ms);
    let mut matched: BTreeSet<String> = BTreeSet::new();
    let mut after = String::new();
    loop {
        let (owner, app_id, seen, cursor) = (tenant.clone(), app.clone(), seen.clone(), after.clone());
        let (last, found, remote_ids) = engine
            .read(move |tx| {
                let links = link::page(tx, &owner, &app_id, kind, &cursor, PAGE)?;
                let mut found = vec![];
                for (subject, link) in &links {
                    let verdict = judge(link, &seen, complete && link.confirmed_ms < requested_ms);
                    let Some((kind, detail)) = verdict else { continue };
                    // A request under way explains the difference, and settles it.
                    if intent::open(tx, &owner, &app_id, subject.id())?.is_none() {
                        found.push(Difference::new(kind, subject, link.remote_id.clone(), detail));
                    }
                }
                let remote_ids: Vec<String> =
                    links.iter().filter_map(|(_, link)| link.remote_id.clone()).collect();
                Ok((links.last().map(|(subject, _)| subject.id().to_owned()), found, remote_ids))
            })
            .await?;
        if purpose == Purpose::Repair && !found.is_empty() {
            let subjects: Vec<Subject> =
                found.iter().map(|found| Subject::from_parts(found.subject, found.id.as_str())).collect();
            mark_all(engine, tenant, app, subjects, true).await?;
        }
        comparison.findings.extend(found);
        matched.extend(remote_ids);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    comparison.not_ours += seen.keys().filter(|id| !matched.contains(*id)).count();
    Ok(())
}

/// What is wrong with one link: gone only if the read was complete, changed if an acknowledged value is another one now.
fn judge(
    link: &Link,
    seen: &BTreeMap<String, Remote>,
    absence_counts: bool,
) -> Option<(&'static str, String)> {
    if !matches!(link.state, LinkState::Live | LinkState::Disabled) {
        return None;
    }
    let Some(remote) = link.remote_id.as_ref().and_then(|id| seen.get(id)) else {
        return absence_counts.then(|| ("missing", String::new()));
    };
    let held = read_attributes(&remote.doc, link.acknowledged.keys());
    let differs = |path: &&String| {
        let value = held.get(*path).unwrap_or(&Value::Null);
        let sent = link.acknowledged.get(*path).unwrap_or(&Value::Null);
        value != sent && link.normal.get(*path) != Some(value)
    };
    let changed: Vec<&str> = link.acknowledged.keys().filter(differs).map(String::as_str).collect();
    (!changed.is_empty()).then(|| ("changed", changed.join(", ")))
}

/// Marks subjects for the next run.
pub(crate) async fn mark_all(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    subjects: Vec<Subject>,
    verify: bool,
) -> Result<(), EngineError> {
    let app_id = app.clone();
    engine
        .write(tenant, move |tx, context| {
            let touch = Touch { wave: &context.wave, priority: REPAIR, now_ms: context.now_ms, verify };
            Ok(mark::touch(tx, &context.tenant, &app_id, &subjects, &touch)?)
        })
        .await
}
