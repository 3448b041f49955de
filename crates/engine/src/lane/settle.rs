//! Records an outcome: intent, link, keys, memberships, task, mark and audit entry, all in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use domain::audit::Entry;
use domain::cause::{Cause, Finding};
use domain::desired::keys_of;
use domain::executor::{After, IntentEnd, LaneSignal, LinkChange, Settlement};
use domain::ids::{AppId, GroupId, Subject, TaskId};
use domain::mapping::Attributes;
use domain::snapshot::{CompiledApp, Link, LinkState};
use serde_json::json;
use store::Tx;
use store::repo::edge::EdgeOutcome;
use store::repo::edge_follow::{UserLinkChange, user_link_changed as memberships_follow};
use store::repo::mark::{Later, Touch};
use store::repo::standing::{self, BeforeOutcome};
use store::repo::{audit, edge, intent, lane, link, mark, task};

use super::intend::group_of;
use crate::context::Context;
use crate::dispatch::linked_reports;
use crate::error::EngineError;

/// Priority of groups whose memberships were woken: after all users, so that they go out together.
const GROUPS: i64 = 9;

/// How soon a group looks again whose place may have become free while it looked.
const PLACE_FREED_MS: i64 = 1_000;

/// Groups whose memberships were woken by accounts: marked once, however many accounts one transaction records.
#[derive(Default)]
pub(super) struct Woken {
    groups: BTreeMap<AppId, BTreeSet<GroupId>>,
}

impl Woken {
    /// Marks them, at the end of the transaction.
    pub(super) fn touch(self, tx: &mut Tx<'_>, context: &Context) -> Result<(), EngineError> {
        for (app_id, groups) in self.groups {
            let groups: Vec<Subject> = groups.into_iter().map(Subject::Group).collect();
            touch(tx, context, &app_id, &groups, GROUPS)?;
        }
        Ok(())
    }
}

/// Records a settlement, beside others: groups that it wakes are noted in `woken`. False: the lane belongs to another owner
/// now, nothing was recorded.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
    subject: &Subject,
    fence: i64,
    settlement: &Settlement,
    woken: &mut Woken,
) -> Result<bool, EngineError> {
    let app_id = &app.app.id;
    let remote_id = settlement.link.as_ref().and_then(|change| change.remote_id.as_deref());
    let before = standing::before_outcome(tx, &context.tenant, app_id, subject, remote_id)?;
    if before.fence != fence {
        return Ok(false);
    }
    if let Some((id, end)) = &settlement.intent {
        intent::settle(tx, &context.tenant, id, *end, settlement.evidence.as_ref(), context.now_ms)?;
    }
    let mut conflict = None;
    if let Some(change) = &settlement.link {
        conflict = change_link(tx, context, app, subject, settlement, (change, &before), woken)?;
    } else if is_applied(settlement) && settlement.applied.is_some() {
        record(tx, context, app_id, subject, settlement, None, None)?;
    }
    if let Some(group) = group_of(subject) {
        if let Some(at_ms) = settlement.look_again_ms {
            edge::unsure_until(tx, &context.tenant, app_id, group, at_ms)?;
        }
        settle_edges(tx, context, app_id, group, settlement)?;
    }
    release_unused_keys(tx, context, app_id, subject, settlement, &before)?;
    let freed = place_freed(tx, context, app_id, subject, settlement)?;
    let finding = conflict.as_ref().or(settlement.finding.as_ref()).filter(|_| !freed);
    let mut keep = finding.map(|finding| finding.cause);
    if let Some(finding) = finding {
        let id = TaskId::new(context.ids.uuid());
        task::open(tx, &context.tenant, app_id, Some(subject), finding, &id, context.now_ms)?;
    }
    if let (Some(group), None) = (group_of(subject), keep)
        && edge::has_refused(tx, &context.tenant, app_id, group)?
    {
        keep = Some(Cause::MemberRefused);
    }
    if let Some(group) = group_of(subject) {
        retry_young_members(tx, context, app, group, settlement)?;
    }
    verify_users(tx, context, app_id, settlement)?;
    let look_soon = After::Later { due_ms: context.now_ms + PLACE_FREED_MS, failed: false, verify: false };
    let mut after = match (&conflict, freed) {
        (_, true) => &look_soon,
        (Some(_), false) => &After::Park,
        (None, false) => &settlement.after,
    };
    if let (Some(group), true) = (group_of(subject), settlement.verified)
        && edge::recheck(tx, &context.tenant, app_id, group, settlement.planned_ms)? > 0
    {
        after = &After::Keep;
    }
    if matches!(after, After::Done | After::Park) {
        if before.has_task {
            task::close_of_subject(tx, &context.tenant, app_id, subject.id(), keep, context.now_ms)?;
        }
        // Who waits for this subject sees what has become of it: a key that it keeps is a task from now on.
        if before.awaited {
            mark::wake(tx, &context.tenant, app_id, subject.id(), context.now_ms)?;
        }
    }
    if settlement.verified {
        mark::clear_verify(tx, &context.tenant, app_id, subject.id(), settlement.planned_ms)?;
    }
    if let Some(at_ms) = settlement.look_again_ms {
        mark::look_again(tx, &context.tenant, app_id, subject.id(), at_ms)?;
    }
    let mark = if settlement.verified || settlement.look_again_ms.is_some() {
        mark::get(tx, &context.tenant, app_id, subject.id())?
    } else {
        before.mark
    };
    let verify_ms = mark.and_then(|mark| mark.verify_ms);
    move_mark(tx, context, app_id, subject, settlement, (after, keep, verify_ms))?;
    if let LaneSignal::Throttled(pause_ms) = settlement.lane {
        lane::not_before(tx, &context.tenant, app_id, context.now_ms.saturating_add(pause_ms))?;
    }
    Ok(true)
}

/// Whether a group found its place in the app taken while another group was leaving one. That group has woken whom it found
/// parked, which this one was not yet.
fn place_freed(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    subject: &Subject,
    settlement: &Settlement,
) -> Result<bool, EngineError> {
    let blocked = settlement.finding.as_ref().is_some_and(|found| found.cause == Cause::MatchForeign);
    if !blocked || group_of(subject).is_none() {
        return Ok(false);
    }
    Ok(link::group_left_since(tx, &context.tenant, app_id, settlement.planned_ms)?)
}

/// Users of whom the outcome leaves doubt are looked at again.
fn verify_users(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    settlement: &Settlement,
) -> Result<(), EngineError> {
    if settlement.verify_users.is_empty() {
        return Ok(());
    }
    let users: Vec<Subject> = settlement.verify_users.iter().cloned().map(Subject::User).collect();
    let touch = Touch { wave: &context.wave, priority: 5, now_ms: context.now_ms, verify: true };
    Ok(mark::touch(tx, &context.tenant, app_id, &users, &touch)?)
}

fn is_applied(settlement: &Settlement) -> bool {
    settlement.intent.as_ref().is_none_or(|(_, end)| *end == IntentEnd::Applied)
}

/// Writes the link and everything that follows from it; gives a finding if the remote object is somebody else's.
fn change_link(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
    subject: &Subject,
    settlement: &Settlement,
    (change, standing): (&LinkChange, &BeforeOutcome),
    woken: &mut Woken,
) -> Result<Option<Finding>, EngineError> {
    let app_id = &app.app.id;
    let before = standing.link.as_ref();
    let after = next_link(before.cloned(), change, context.now_ms);
    if let Some(remote_id) = &change.remote_id
        && let Some((owner, state)) = standing.owner.as_ref().filter(|(owner, _)| owner != subject)
    {
        if *state != LinkState::Tombstone {
            let evidence = json!({"account": remote_id, "linked_to": owner.id()});
            return Ok(Some(Finding { cause: Cause::MatchForeign, evidence }));
        }
        link::release_tombstone(tx, &context.tenant, app_id, subject, remote_id)?;
    }
    link::put(tx, &context.tenant, app_id, subject, &after)?;
    if let Some(keys) = &change.keys
        && link::keep_keys(tx, &context.tenant, app_id, subject.id(), keys)?
        && standing.awaited
    {
        mark::wake(tx, &context.tenant, app_id, subject.id(), context.now_ms)?;
    }
    record(tx, context, app_id, subject, settlement, before, Some(&after))?;
    let was = before.map(|link| link.state);
    if was != Some(after.state) {
        match subject {
            Subject::User(_) => user_link_changed(tx, context, app, subject, after.state, woken)?,
            Subject::Group(group) => group_link_changed(tx, context, app_id, group, after.state)?,
        }
    }
    Ok(None)
}

/// An intent reserved the keys that it was about to send. Once it is over without them, others may have them.
fn release_unused_keys(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    subject: &Subject,
    settlement: &Settlement,
    before: &BeforeOutcome,
) -> Result<(), EngineError> {
    let over = settlement.intent.as_ref().is_some_and(|(_, end)| *end != IntentEnd::Unknown);
    let kept = settlement.link.as_ref().is_some_and(|change| change.keys.is_some());
    if !over || kept || group_of(subject).is_some() {
        return Ok(());
    }
    let link = link::get(tx, &context.tenant, app_id, subject.id())?;
    let held = link.map(|link| keys_of(&link.acknowledged)).unwrap_or_default();
    if link::keep_keys(tx, &context.tenant, app_id, subject.id(), &held)? && before.awaited {
        mark::wake(tx, &context.tenant, app_id, subject.id(), context.now_ms)?;
    }
    Ok(())
}

fn next_link(before: Option<Link>, change: &LinkChange, now_ms: i64) -> Link {
    let old = before.unwrap_or(Link {
        state: change.state,
        remote_id: None,
        generation: 0,
        acknowledged: Attributes::new(),
        normal: Attributes::new(),
        observed: Attributes::new(),
        confirmed_ms: now_ms,
    });
    let mut normal = old.normal;
    if let Some(learned) = &change.normal {
        normal.clone_from(learned);
    }
    Link {
        state: change.state,
        remote_id: change.remote_id.clone().or(old.remote_id),
        generation: old.generation,
        acknowledged: change.acknowledged.clone().unwrap_or(old.acknowledged),
        normal,
        observed: Attributes::new(),
        confirmed_ms: now_ms,
    }
}

/// Memberships follow the account: they wait for it, leave with it, and reports learn their manager's account.
fn user_link_changed(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
    subject: &Subject,
    state: LinkState,
    woken: &mut Woken,
) -> Result<(), EngineError> {
    let app_id = &app.app.id;
    let change = match state {
        LinkState::Live => UserLinkChange::Live,
        LinkState::Disabled => UserLinkChange::Disabled,
        LinkState::Lost | LinkState::Tombstone => UserLinkChange::Gone,
        LinkState::Disputed | LinkState::Unmanaged => return Ok(()),
    };
    let groups = memberships_follow(tx, &context.tenant, app_id, subject.id(), change)?;
    if !groups.is_empty() {
        woken.groups.entry(app_id.clone()).or_default().extend(groups);
    }
    if let (true, Subject::User(user)) = (app.mapping.uses_manager(), subject) {
        let reports: Vec<Subject> =
            linked_reports(tx, &context.tenant, app_id, user)?.into_iter().map(Subject::User).collect();
        touch(tx, context, app_id, &reports, 5)?;
    }
    Ok(())
}

fn group_link_changed(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    group: &GroupId,
    state: LinkState,
) -> Result<(), EngineError> {
    if matches!(state, LinkState::Lost | LinkState::Tombstone | LinkState::Unmanaged) {
        // A group of the same name may have been waiting for this one's place.
        mark::wake_parked(tx, &context.tenant, app_id, Cause::MatchForeign.code(), context.now_ms)?;
    }
    match state {
        LinkState::Lost => edge::group_gone(tx, &context.tenant, app_id, group)?,
        LinkState::Tombstone | LinkState::Unmanaged => {
            edge::group_forgotten(tx, &context.tenant, app_id, group)?
        }
        LinkState::Live | LinkState::Disabled | LinkState::Disputed => {}
    }
    Ok(())
}

fn touch(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    subjects: &[Subject],
    priority: i64,
) -> Result<(), EngineError> {
    let touch = Touch { wave: &context.wave, priority, now_ms: context.now_ms, verify: false };
    Ok(mark::touch(tx, &context.tenant, app_id, subjects, &touch)?)
}

/// A member that was refused although its account is younger than the app's read lag is tried once more after it.
fn retry_young_members(
    tx: &mut Tx<'_>,
    context: &Context,
    app: &CompiledApp,
    group: &GroupId,
    settlement: &Settlement,
) -> Result<(), EngineError> {
    let app_id = &app.app.id;
    for user in &settlement.verify_users {
        let Some(link) = link::get(tx, &context.tenant, app_id, user.as_str())? else { continue };
        let at_ms = link.confirmed_ms.saturating_add(app.app.settings.read_lag_ms);
        if at_ms > context.now_ms {
            edge::try_again_at(tx, &context.tenant, app_id, group, user, at_ms)?;
            mark::look_again(tx, &context.tenant, app_id, group.as_str(), at_ms)?;
        }
    }
    Ok(())
}

fn settle_edges(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    group: &GroupId,
    settlement: &Settlement,
) -> Result<(), EngineError> {
    let outcomes: Vec<EdgeOutcome<'_>> = settlement
        .edges
        .iter()
        .map(|result| EdgeOutcome {
            user: &result.user,
            generation: result.generation,
            state: result.state,
            dirty: result.dirty,
            waits: result.waits.as_deref(),
            link_generation: result.link_generation,
        })
        .collect();
    Ok(edge::settle(tx, &context.tenant, app_id, group, &outcomes, context.now_ms)?)
}

fn move_mark(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    subject: &Subject,
    settlement: &Settlement,
    (after, cause, pending): (&After, Option<Cause>, Option<i64>),
) -> Result<(), EngineError> {
    let (tenant, id, generation) = (&context.tenant, subject.id(), settlement.mark_generation);
    match after {
        After::Done => match pending {
            // A look that was not due yet when this was planned is still to be taken.
            Some(due_ms) if due_ms > settlement.planned_ms => {
                let later = Later { due_ms, failed: false, verify_ms: Some(due_ms) };
                mark::later(tx, tenant, app_id, id, generation, later)?;
            }
            _ => {
                mark::done(tx, tenant, app_id, id, generation)?;
            }
        },
        After::Later { due_ms, failed, verify } => {
            let verify_ms = if *verify { Some(*due_ms) } else { pending };
            mark::later(
                tx,
                tenant,
                app_id,
                id,
                generation,
                Later { due_ms: *due_ms, failed: *failed, verify_ms },
            )?;
        }
        After::WaitFor { holder, key } => {
            // The holder may have given the key up since the snapshot; then nothing would wake this mark.
            let held = link::holds_key(tx, tenant, app_id, holder.id(), key)?;
            // If the holder waits for us in turn, the next look sees the cycle and breaks it.
            let cycle = mark::row(tx, tenant, app_id, holder.id())?
                .is_some_and(|row| row.waits_on.as_deref() == Some(id));
            if held && !cycle {
                let state = ("waiting", Some(holder.id()), Some("key.held"));
                mark::set_state(tx, tenant, app_id, id, generation, state)?;
            }
        }
        After::Park => {
            mark::set_state(tx, tenant, app_id, id, generation, ("parked", None, cause.map(Cause::code)))?;
        }
        After::Again | After::Keep => {}
    }
    Ok(())
}

/// One audit entry for each change of the app's object or of the link.
fn record(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app_id: &AppId,
    subject: &Subject,
    settlement: &Settlement,
    before: Option<&Link>,
    after: Option<&Link>,
) -> Result<(), EngineError> {
    let noun = if matches!(subject, Subject::User(_)) { "account" } else { "push_group" };
    let verb = settlement.applied.unwrap_or("link_state");
    let text = |link: &Link| {
        json!({"state": link.state.as_str(), "remote_id": link.remote_id, "attributes": link.acknowledged})
            .to_string()
    };
    let members = (verb == "members").then(|| {
        let names = |present: bool| -> Vec<&str> {
            let wanted = if present {
                domain::snapshot::EdgeState::Present
            } else {
                domain::snapshot::EdgeState::Absent
            };
            let moved = settlement.edges.iter().filter(|edge| edge.state == wanted && edge.waits.is_none());
            moved.map(|edge| edge.user.as_str()).collect()
        };
        json!({"added": names(true), "removed": names(false)}).to_string()
    });
    let entry = Entry {
        id: context.ids.uuid(),
        at_ms: context.now_ms,
        actor: context.actor.clone(),
        action: format!("{noun}.{verb}"),
        object_kind: subject.kind().to_owned(),
        object: subject.id().to_owned(),
        app: app_id.to_string(),
        trace: context.trace.clone(),
        before: before.map(text),
        after: after.map(text).or(members),
        salt: context.ids.uuid(),
    };
    Ok(audit::append(tx, &context.tenant, &entry)?)
}
