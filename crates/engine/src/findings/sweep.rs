//! What time shows: silence, users who came after their group, and findings whose cause is gone.

use domain::cause::{Cause, Finding};
use domain::connection::Connection;
use domain::finding::merged;
use domain::finding_state::{
    LATE_AFTER_MS, LATE_MAX, LATE_WITHIN_MS, PEERS, fades_after_ms, late_members, silence,
};
use domain::ids::{GroupId, Subject, TenantId, UserId};
use serde_json::Value;
use store::Tx;
use store::repo::task::TaskRow;
use store::repo::{connection, group, member, task, user, watch};

use super::facts::standing;
use super::{OPEN_MAX, Place, app_of, open, place};
use crate::context::Engine;
use crate::error::EngineError;

/// Earlier users say whether being in no group is usual: those of this time before.
const PEERS_WITHIN_MS: i64 = 30 * 24 * 3_600_000;

/// Refusals and group writes are forgotten after this time.
const FORGET_MS: i64 = 7 * 24 * 3_600_000;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Findings that were seen, new or again.
    pub seen: usize,
    /// Findings that are over.
    pub closed: usize,
}

/// Looks at every connection of a tenant as of `now_ms`. Cheap enough for once a minute: what has not changed is only read.
pub async fn sweep(engine: &Engine, tenant: &TenantId, now_ms: i64) -> Result<Swept, EngineError> {
    let owner = tenant.clone();
    let looked = engine.read(move |tx| {
        let connections = connection::list(tx, &owner)?;
        Ok((connections, watch::has_older(tx, &owner, now_ms - FORGET_MS)?))
    });
    let (connections, forget) = looked.await?;
    let mut all = Swept::default();
    for connection in connections {
        let owner = tenant.clone();
        let app = app_of(&connection);
        let found = engine.read(move |tx| look(tx, &owner, &connection, now_ms)).await?;
        all = Swept { seen: all.seen + found.seen, closed: all.closed + found.over.len() };
        if found.open.is_empty() && found.over.is_empty() {
            continue;
        }
        engine
            .write(tenant, move |tx, context| {
                context.now_ms = now_ms;
                for (subject, finding) in &found.open {
                    open(tx, context, &app, subject.as_ref(), finding)?;
                }
                for (subject, cause) in &found.over {
                    task::close_one(tx, &context.tenant, &app, subject, cause, now_ms)?;
                }
                Ok(())
            })
            .await?;
    }
    if forget {
        engine
            .write(tenant, move |tx, context| Ok(watch::forget(tx, &context.tenant, now_ms - FORGET_MS)?))
            .await?;
    }
    Ok(all)
}

/// What a look at one connection found.
#[derive(Default)]
struct Found {
    seen: usize,
    open: Vec<(Option<Subject>, Finding)>,
    over: Vec<Place>,
}

fn look(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &Connection,
    now_ms: i64,
) -> Result<Found, EngineError> {
    let mut found = Found::default();
    let tasks = task::of_app(tx, tenant, &app_of(connection), OPEN_MAX)?;
    let call = watch::get(tx, tenant, &connection.id, "call", "")?;
    let silent = call.and_then(|call| silence(&call, connection.provider, now_ms));
    let is_silent = silent.is_some();
    if let Some(finding) = silent {
        found.seen += 1;
        if !tasks.iter().any(|task| task.cause == finding.cause.code()) {
            found.open.push((None, finding));
        }
    }
    for (group, finding) in late(tx, tenant, connection, now_ms)? {
        let subject = Subject::Group(group);
        let here = (subject.id().to_owned(), finding.cause.code().to_owned());
        let before = tasks.iter().find(|task| place(task) == here);
        let finding = merged(before.map(|task| &task.evidence), finding);
        found.seen += 1;
        if before.is_none_or(|task| task.evidence != finding.evidence) {
            found.open.push((Some(subject), finding));
        }
    }
    for task in &tasks {
        if is_over(tx, tenant, connection, task, is_silent, now_ms)? {
            found.over.push(place(task));
        }
    }
    Ok(found)
}

/// Users of the last day who came after their group.
fn late(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &Connection,
    now: i64,
) -> Result<Vec<(GroupId, Finding)>, EngineError> {
    let source = connection.source();
    let writes = watch::group_writes(tx, tenant, &connection.id, now - LATE_WITHIN_MS)?;
    if writes.is_empty() {
        return Ok(vec![]);
    }
    let (from, to) = (now - LATE_WITHIN_MS, now - LATE_AFTER_MS);
    let created = watch::created(tx, tenant, &source, from, to, 1_000)?;
    if created.iter().all(|user| user.in_group) {
        return Ok(vec![]);
    }
    let peers = watch::created(tx, tenant, &source, now - PEERS_WITHIN_MS, from, PEERS as i64)?;
    Ok(late_members(&writes, &created, &peers))
}

fn is_over(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &Connection,
    task: &TaskRow,
    silent: bool,
    now_ms: i64,
) -> Result<bool, EngineError> {
    let Some(cause) = Cause::ALL.iter().find(|cause| cause.code() == task.cause) else { return Ok(false) };
    if fades_after_ms(*cause).is_some_and(|after| now_ms - task.last_ms >= after) {
        return Ok(true);
    }
    let id = task.subject.as_ref().map_or("", Subject::id);
    match cause {
        Cause::ConnectionSilent => Ok(!silent),
        Cause::DeletedWritten => Ok(!is_deleted(tx, tenant, id)? || is_replaced(tx, tenant, task)?),
        Cause::ReturnedAsNew => {
            let old = text(&task.evidence["deleted"], "id");
            Ok(!is_live(tx, tenant, id)? || !is_deleted(tx, tenant, old)?)
        }
        Cause::MemberDeleted => {
            let group = GroupId::new(id);
            if !is_live(tx, tenant, id)? {
                return Ok(true);
            }
            for member_id in ids(&task.evidence["members"]) {
                if is_deleted(tx, tenant, member_id)? && member::has_row(tx, tenant, &group, member_id)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Cause::MemberLate => {
            if !is_live(tx, tenant, id)? {
                return Ok(true);
            }
            for user_id in ids(&task.evidence["users"]).take(LATE_MAX) {
                if is_waiting(tx, tenant, &UserId::new(user_id), &connection.source())? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Cause::GroupRequired => {
            let found = user::get(tx, tenant, &UserId::new(id))?;
            Ok(found.is_none_or(|user| user.active || user.deleted_ms.is_some()))
        }
        _ => Ok(false),
    }
}

/// A user that is active and in no group of the connection.
fn is_waiting(tx: &mut Tx<'_>, tenant: &TenantId, id: &UserId, source: &str) -> Result<bool, EngineError> {
    let here = user::get(tx, tenant, id)?.is_some_and(|user| user.deleted_ms.is_none() && user.active);
    Ok(here && !watch::is_in_group_of(tx, tenant, id, source)?)
}

/// The deleted object's name belongs to another one: the identity provider has created it anew.
fn is_replaced(tx: &mut Tx<'_>, tenant: &TenantId, task: &TaskRow) -> Result<bool, EngineError> {
    let name = text(&task.evidence, "name");
    Ok(match &task.subject {
        Some(Subject::User(_)) => user::find_by_user_name(tx, tenant, name)?.is_some(),
        Some(Subject::Group(_)) => group::find_by_display_name(tx, tenant, name)?.is_some(),
        None => false,
    })
}

fn is_live(tx: &mut Tx<'_>, tenant: &TenantId, id: &str) -> Result<bool, EngineError> {
    Ok(standing(tx, tenant, id)?.is_some_and(|found| found.deleted_ms.is_none()))
}

fn is_deleted(tx: &mut Tx<'_>, tenant: &TenantId, id: &str) -> Result<bool, EngineError> {
    Ok(standing(tx, tenant, id)?.is_some_and(|found| found.deleted_ms.is_some()))
}

fn ids(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
