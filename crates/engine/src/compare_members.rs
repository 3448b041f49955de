//! The full comparison of memberships: reads every live push group with its members, edge by edge.

use std::collections::BTreeSet;

use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use domain::remote::{Call, Outcome, RemoteKind};
use domain::snapshot::{EdgeState, LinkState};
use serde_json::Value;
use store::repo::{edge, link};

use crate::compare::{Comparison, Difference, Purpose, mark_all};
use crate::connectors::scim;
use crate::context::Engine;
use crate::error::EngineError;
use crate::transport::Transport;

const PAGE: i64 = 500;
/// Memberships that one write transaction notes at most.
const CHUNK: usize = 200;

/// One membership that is not as recorded.
struct Deviation {
    /// The member; none: an account that is not ours.
    user: Option<UserId>,
    /// The account in the app.
    account: String,
    /// What the app holds.
    state: EdgeState,
    /// There is a row for it.
    recorded: bool,
}

/// Compares the members of every live push group.
pub(crate) async fn compare_members(
    engine: &Engine,
    (tenant, app): (&TenantId, &AppId),
    transport: &Transport,
    purpose: Purpose,
    comparison: &mut Comparison,
) -> Result<(), EngineError> {
    let lag_ms = engine.app(tenant, app).await?.app.settings.read_lag_ms;
    let mut after = String::new();
    loop {
        let (owner, app_id, cursor) = (tenant.clone(), app.clone(), after.clone());
        let page =
            engine.read(move |tx| Ok(link::page(tx, &owner, &app_id, "group", &cursor, PAGE)?)).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.id().to_owned();
        for (subject, link) in page {
            let (Subject::Group(id), LinkState::Live, Some(remote_id)) =
                (&subject, link.state, link.remote_id)
            else {
                continue;
            };
            let requested_ms = engine.env.now_ms() - lag_ms;
            let Some(held) = read_members(transport, &remote_id, requested_ms).await else { continue };
            comparison.groups_read += 1;
            let deviations = deviations(engine, tenant, app, id, held).await?;
            comparison.findings.extend(deviations.iter().map(|found| describe(found, &subject, &remote_id)));
            if purpose == Purpose::Repair {
                repair(engine, (tenant, app), id, deviations, requested_ms).await?;
            }
        }
    }
}

/// Account ids of a group's members; none if the app does not show them: that says nothing about who is in it.
async fn read_members(transport: &Transport, remote_id: &str, now_ms: i64) -> Option<BTreeSet<String>> {
    let call = Call::Read { kind: RemoteKind::Group, remote_id: remote_id.to_owned(), members: true };
    let answer = transport.send(&scim::request(&call)).await;
    let Outcome::Applied(Some(remote)) = scim::outcome(&call, answer, now_ms) else { return None };
    let members = remote.doc.get("members").and_then(Value::as_array)?;
    let account = |member: &Value| member.get("value").and_then(Value::as_str).map(str::to_owned);
    Some(members.iter().filter_map(account).collect())
}

async fn deviations(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    held: BTreeSet<String>,
) -> Result<Vec<Deviation>, EngineError> {
    let (tenant, app, group) = (tenant.clone(), app.clone(), group.clone());
    engine
        .read(move |tx| {
            let mut found = vec![];
            let mut recorded = BTreeSet::new();
            let mut after = String::new();
            loop {
                let rows = edge::of_group(tx, &tenant, &app, &group, &after, PAGE)?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.other);
                for row in &rows {
                    let Some(account) = &row.label else { continue };
                    recorded.insert(account.clone());
                    let state = if held.contains(account) { EdgeState::Present } else { EdgeState::Absent };
                    // What is dirty is looked at anyway; what the app refused is absent, as recorded.
                    let as_recorded =
                        row.state == state || row.state == EdgeState::Refused && state == EdgeState::Absent;
                    if !row.dirty && !as_recorded {
                        let user = Some(UserId::new(row.other.as_str()));
                        found.push(Deviation { user, account: account.clone(), state, recorded: true });
                    }
                }
            }
            for account in held.difference(&recorded) {
                let user = match link::owner(tx, &tenant, &app, "user", account)? {
                    Some((Subject::User(user), _)) => Some(user),
                    _ => None,
                };
                found.push(Deviation {
                    user,
                    account: account.clone(),
                    state: EdgeState::Present,
                    recorded: false,
                });
            }
            Ok(found)
        })
        .await
}

fn describe(found: &Deviation, group: &Subject, remote_id: &str) -> Difference {
    let (kind, who) = match (&found.user, found.state) {
        (Some(user), EdgeState::Absent) => ("member_missing", user.as_str()),
        (Some(user), _) => ("member_surplus", user.as_str()),
        // Somebody that we do not manage: shown, and left alone.
        (None, _) => ("member_foreign", found.account.as_str()),
    };
    Difference::new(kind, group, Some(remote_id.to_owned()), who.to_owned())
}

/// Notes what the app holds, in short transactions, and marks the group.
async fn repair(
    engine: &Engine,
    (tenant, app): (&TenantId, &AppId),
    group: &GroupId,
    deviations: Vec<Deviation>,
    requested_ms: i64,
) -> Result<(), EngineError> {
    let ours: Vec<(UserId, EdgeState, bool)> =
        deviations.into_iter().filter_map(|found| Some((found.user?, found.state, found.recorded))).collect();
    if ours.is_empty() {
        return Ok(());
    }
    for chunk in ours.chunks(CHUNK) {
        let (app_id, group, chunk) = (app.clone(), group.clone(), chunk.to_vec());
        engine
            .write(tenant, move |tx, context| {
                for (user, state, recorded) in &chunk {
                    if *recorded {
                        edge::observe(tx, &context.tenant, &app_id, &group, user, *state, requested_ms)?;
                    } else {
                        let users = std::slice::from_ref(user);
                        edge::touch(tx, &context.tenant, &app_id, &group, users, context.now_ms)?;
                        edge::assume_present(tx, &context.tenant, &app_id, &group, user)?;
                    }
                }
                Ok(())
            })
            .await?;
    }
    mark_all(engine, tenant, app, vec![Subject::Group(group.clone())], false).await
}
