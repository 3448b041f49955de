//! The full comparison: reads the app to its end, finds what is missing, changed or surplus, and marks it for repair.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use domain::plan_user::read_attributes;
use domain::remote::{Call, Outcome, Remote, RemoteKind};
use domain::snapshot::{EdgeState, Link, LinkState};
use serde::Serialize;
use serde_json::Value;
use store::Tx;
use store::repo::mark::Touch;
use store::repo::{edge, intent, link, mark};

use crate::connectors::scim;
use crate::context::{Context, Engine};
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

/// Compares an app with what it acknowledged and marks every difference. Nothing is sent here.
pub async fn compare(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: &Transport,
) -> Result<Comparison, EngineError> {
    let users = read_all(transport, engine.env.as_ref(), "/Users").await;
    let groups = read_all(transport, engine.env.as_ref(), "/Groups").await;
    let mut comparison = Comparison {
        users: Some(users.proof.clone()),
        groups: Some(groups.proof.clone()),
        ..Comparison::default()
    };
    for (kind, listing) in [("user", &users), ("group", &groups)] {
        compare_links(engine, tenant, app, kind, listing, &mut comparison).await?;
    }
    compare_members(engine, tenant, app, transport, &mut comparison).await?;
    Ok(comparison)
}

async fn compare_links(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    kind: &'static str,
    listing: &Listing,
    comparison: &mut Comparison,
) -> Result<(), EngineError> {
    let seen: BTreeMap<String, Remote> =
        listing.objects.iter().map(|remote| (remote.id.clone(), remote.clone())).collect();
    let seen = std::sync::Arc::new(seen);
    let (complete, requested_ms) = (listing.proof.complete, listing.requested_ms);
    let mut matched: BTreeSet<String> = BTreeSet::new();
    let mut after = String::new();
    loop {
        let (app_id, seen, cursor) = (app.clone(), seen.clone(), after.clone());
        let page = engine
            .write(tenant, move |tx, context| {
                let links = link::page(tx, &context.tenant, &app_id, kind, &cursor, PAGE)?;
                let mut found = vec![];
                for (subject, link) in &links {
                    let verdict = judge(link, &seen, complete && link.confirmed_ms < requested_ms);
                    let open = intent::open(tx, &context.tenant, &app_id, subject.id())?.is_some();
                    if let Some((kind, detail)) = verdict.filter(|_| !open) {
                        mark_verify(tx, context, &app_id, subject)?;
                        found.push(Difference {
                            kind,
                            subject: subject.kind(),
                            id: subject.id().to_owned(),
                            remote_id: link.remote_id.clone().unwrap_or_default(),
                            detail,
                        });
                    }
                }
                let remote_ids: Vec<String> =
                    links.iter().filter_map(|(_, link)| link.remote_id.clone()).collect();
                Ok((links.last().map(|(subject, _)| subject.id().to_owned()), found, remote_ids))
            })
            .await?;
        comparison.findings.extend(page.1);
        matched.extend(page.2);
        match page.0 {
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

fn mark_verify(
    tx: &mut Tx<'_>,
    context: &Context,
    app: &AppId,
    subject: &Subject,
) -> Result<(), EngineError> {
    let touch = Touch { wave: &context.wave, priority: REPAIR, now_ms: context.now_ms, verify: true };
    Ok(mark::touch(tx, &context.tenant, app, std::slice::from_ref(subject), &touch)?)
}

/// Reads every live push group with its members and compares them edge by edge.
async fn compare_members(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    transport: &Transport,
    comparison: &mut Comparison,
) -> Result<(), EngineError> {
    let mut after = String::new();
    loop {
        let (owner, app_id, cursor) = (tenant.clone(), app.clone(), after.clone());
        let page =
            engine.read(move |tx| Ok(link::page(tx, &owner, &app_id, "group", &cursor, PAGE)?)).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.id().to_owned();
        for (subject, link) in page {
            let (Subject::Group(id), LinkState::Live, Some(remote_id)) =
                (subject, link.state, link.remote_id)
            else {
                continue;
            };
            let requested_ms = engine.env.now_ms();
            let call = Call::Read { kind: RemoteKind::Group, remote_id: remote_id.clone(), members: true };
            let answer = transport.send(&scim::request(&call)).await;
            let Outcome::Applied(Some(remote)) = scim::outcome(&call, answer, requested_ms) else { continue };
            // An app that never shows members says nothing about them; an empty list must be said.
            let Some(members) = remote.doc.get("members").and_then(Value::as_array) else { continue };
            let held: BTreeSet<String> = members
                .iter()
                .filter_map(|member| member.get("value").and_then(Value::as_str).map(str::to_owned))
                .collect();
            comparison.groups_read += 1;
            let found = compare_group(engine, tenant, app, (id, remote_id), held, requested_ms).await?;
            comparison.findings.extend(found);
        }
    }
}

async fn compare_group(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    (group, remote_id): (GroupId, String),
    held: BTreeSet<String>,
    requested_ms: i64,
) -> Result<Vec<Difference>, EngineError> {
    let app_id = app.clone();
    engine
        .write(tenant, move |tx, context| {
            let mut found = vec![];
            let mut difference = |kind, detail: &str| {
                found.push(Difference {
                    kind,
                    subject: "group",
                    id: group.to_string(),
                    remote_id: remote_id.clone(),
                    detail: detail.to_owned(),
                });
            };
            let mut ours = BTreeSet::new();
            let mut after = String::new();
            loop {
                let rows = edge::of_group(tx, &context.tenant, &app_id, &group, &after, PAGE)?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.other);
                for row in &rows {
                    let Some(account) = &row.label else { continue };
                    ours.insert(account.clone());
                    let state = if held.contains(account) { EdgeState::Present } else { EdgeState::Absent };
                    let user = UserId::new(row.other.as_str());
                    if edge::observe(tx, &context.tenant, &app_id, &group, &user, state, requested_ms)? {
                        difference(
                            if state == EdgeState::Absent { "member_missing" } else { "member_surplus" },
                            &row.other,
                        );
                    }
                }
            }
            for account in held.difference(&ours) {
                match link::owner(tx, &context.tenant, &app_id, "user", account)? {
                    Some((Subject::User(user), _)) => {
                        edge::touch(
                            tx,
                            &context.tenant,
                            &app_id,
                            &group,
                            std::slice::from_ref(&user),
                            context.now_ms,
                        )?;
                        edge::assume_present(tx, &context.tenant, &app_id, &group, &user)?;
                        difference("member_surplus", user.as_str());
                    }
                    // Somebody that we do not manage: shown, and left alone.
                    _ => difference("member_foreign", account),
                }
            }
            let subject = Subject::Group(group.clone());
            if found.iter().any(|difference| difference.kind != "member_foreign") {
                let touch =
                    Touch { wave: &context.wave, priority: REPAIR, now_ms: context.now_ms, verify: false };
                mark::touch(tx, &context.tenant, &app_id, &[subject], &touch)?;
            }
            Ok(found)
        })
        .await
}
