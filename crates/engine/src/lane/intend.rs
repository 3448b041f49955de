//! Writes an intent: the durable promise before a request, after the last checks of owner, generations, keys and guard.

use domain::cause::{Cause, Finding};
use domain::executor::{Intended, IntentEnd, Intention};
use domain::ids::{AppId, GroupId, IntentId, Subject, TaskId};
use domain::plan::{Resolution, Write};
use domain::snapshot::{CompiledApp, LinkState, MarkView};
use serde_json::{Value, json};
use store::Tx;
use store::repo::{edge, intent, lane, link, mark, standing, task};

use crate::context::Context;
use crate::error::EngineError;

/// Writes the intent in the transaction of its checks.
pub fn intend(
    tx: &mut Tx<'_>,
    context: &mut Context,
    compiled: &CompiledApp,
    subject: &Subject,
    fence: i64,
    intention: &Intention,
) -> Result<Intended, EngineError> {
    let app_id = &compiled.app.id;
    let standing = standing::before_intent(tx, &context.tenant, app_id, subject.id())?;
    if standing.fence != fence {
        return Ok(Intended::Fenced);
    }
    let Some(current) = standing.mark else {
        return Ok(Intended::Superseded);
    };
    let (link_generation, lost) =
        standing.link.map_or((0, false), |(generation, state)| (generation, state == LinkState::Lost));
    if current.generation != intention.mark_generation
        || link_generation != intention.link_generation
        || standing.app_version != Some(compiled.app.version)
    {
        return Ok(Intended::Superseded);
    }
    if let Some((id, how)) = &intention.resolves {
        let end = match how {
            Resolution::Applied => IntentEnd::Applied,
            Resolution::NotApplied => IntentEnd::NotApplied,
        };
        intent::settle(tx, &context.tenant, id, end, None, context.now_ms)?;
    }
    if let Some(at_ms) = intention.look_again_ms {
        mark::look_again(tx, &context.tenant, app_id, subject.id(), at_ms)?;
        if let Some(group) = group_of(subject) {
            edge::unsure_until(tx, &context.tenant, app_id, group, at_ms)?;
        }
    }
    // To create again what the app has lost is guarded too: an app that lost everything is more likely the wrong app.
    let recreates = lost && matches!(intention.write, Write::Create { .. });
    if (intention.write.is_destructive() || recreates)
        && !current.released
        && !guard(tx, context, compiled, subject, intention, &current)?
    {
        return Ok(Intended::Staged);
    }
    let keys = match &intention.write {
        Write::Create { keys, .. } | Write::Update { keys, .. } => keys.as_slice(),
        _ => &[],
    };
    if !link::reserve_keys(tx, &context.tenant, app_id, subject.id(), keys)? {
        return Ok(Intended::KeyTaken);
    }
    let id = IntentId::new(context.ids.uuid());
    let request = describe(&intention.write).to_string();
    let new = intent::NewIntent {
        id: &id,
        subject: subject.id(),
        kind: intention.write.name(),
        request: &request,
        sent_ms: context.now_ms,
        fence,
        trace: &context.trace,
    };
    intent::insert(tx, &context.tenant, app_id, &new)?;
    if let (Write::Members { add, remove, .. }, Subject::Group(group)) = (&intention.write, subject) {
        let users: Vec<_> = add.iter().chain(remove).map(|edge| &edge.user).collect();
        edge::set_unknown(tx, &context.tenant, app_id, group, &users, context.now_ms)?;
    }
    Ok(Intended::Granted(id))
}

/// Asks the deletion guard. False: the effect is staged, its mark stays until it is released.
fn guard(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
    subject: &Subject,
    intention: &Intention,
    current: &MarkView,
) -> Result<bool, EngineError> {
    let app_id = &app.app.id;
    let tenant = context.tenant.clone();
    let stage = |tx: &mut Tx<'_>, reason: &str| {
        let state = ("staged", None, Some(reason));
        mark::set_state(tx, &tenant, app_id, subject.id(), current.generation, state)
    };
    if let Some((candidates, limit)) = intention.removal_limit {
        let sent = lane::guard_sum(tx, &tenant, app_id, subject.id(), context.now_ms)?;
        if sent + candidates <= limit {
            let counted = removals(&intention.write).min(candidates);
            lane::guard_add(tx, &tenant, app_id, subject.id(), context.now_ms, counted)?;
            return Ok(true);
        }
        stage(tx, mark::STAGED_MEMBERS)?;
        let evidence =
            json!({"memberships_to_remove": candidates, "removed_in_24_hours": sent, "allowed": limit});
        open_held(tx, context, app_id, Some(subject), evidence)?;
        return Ok(false);
    }
    if mark::wave_is_open(tx, &context.tenant, app_id, &current.wave, subject.id())? {
        stage(tx, "guard")?;
        return Ok(false);
    }
    let staged = mark::staged_in_wave(tx, &context.tenant, app_id, &current.wave)? + 1;
    if allow(tx, context, app, staged)? {
        mark::release(tx, &context.tenant, app_id, Some(&current.wave))?;
        // It is counted once, however often it has to be tried.
        mark::set_state(
            tx,
            &context.tenant,
            app_id,
            subject.id(),
            current.generation,
            ("released", None, None),
        )?;
        return Ok(true);
    }
    stage(tx, "guard")?;
    Ok(false)
}

fn removals(write: &Write) -> i64 {
    match write {
        Write::Members { remove, .. } => i64::try_from(remove.len()).unwrap_or(i64::MAX),
        _ => 0,
    }
}

/// Releases the waves that are planned to their end and within the threshold; opens a task for those that are not.
pub fn release_planned_waves(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
) -> Result<u64, EngineError> {
    let app_id = &app.app.id;
    let mut released = 0;
    for wave in mark::waves_with_staged(tx, &context.tenant, app_id)? {
        if mark::wave_is_open(tx, &context.tenant, app_id, &wave, "")? {
            continue;
        }
        let staged = mark::staged_in_wave(tx, &context.tenant, app_id, &wave)?;
        if allow(tx, context, app, staged)? {
            released += mark::release(tx, &context.tenant, app_id, Some(&wave))?;
        }
    }
    Ok(released)
}

/// Counts `effects` against the threshold; counts them as sent if they are within it, else opens a task.
fn allow(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app: &CompiledApp,
    effects: i64,
) -> Result<bool, EngineError> {
    let app_id = &app.app.id;
    let live = link::count_live(tx, &context.tenant, app_id, app.app.settings.guard_counts_to())?;
    let threshold = app.app.settings.guard_threshold(live);
    let sent = lane::guard_sum(tx, &context.tenant, app_id, "", context.now_ms)?;
    if sent + effects > threshold {
        let live = link::count_live(tx, &context.tenant, app_id, i64::MAX)?;
        let evidence =
            json!({"due": effects, "sent_in_24_hours": sent, "allowed": threshold, "live_accounts": live});
        open_held(tx, context, app_id, None, evidence)?;
        return Ok(false);
    }
    lane::guard_add(tx, &context.tenant, app_id, "", context.now_ms, effects)?;
    task::close_of_app(tx, &context.tenant, app_id, Cause::GuardHeld, context.now_ms)?;
    Ok(true)
}

fn open_held(
    tx: &mut Tx<'_>,
    context: &mut Context,
    app_id: &AppId,
    subject: Option<&Subject>,
    evidence: Value,
) -> Result<(), EngineError> {
    let finding = Finding { cause: Cause::GuardHeld, evidence };
    let id = TaskId::new(context.ids.uuid());
    Ok(task::open(tx, &context.tenant, app_id, subject, &finding, &id, context.now_ms)?)
}

/// What is kept of a write in its intent: attribute names and ids, no values.
fn describe(write: &Write) -> Value {
    match write {
        Write::Create { attributes, .. } => json!({"attributes": attributes.keys().collect::<Vec<_>>()}),
        Write::Update { remote_id, changes, .. } => {
            json!({"id": remote_id, "attributes": changes.keys().collect::<Vec<_>>()})
        }
        Write::Deactivate { remote_id, .. } | Write::Delete { remote_id, .. } => json!({"id": remote_id}),
        Write::Members { remote_id, add, remove, .. } => {
            json!({"id": remote_id, "add": add.len(), "remove": remove.len()})
        }
    }
}

/// Who among our subjects is tied to these objects, in the same order.
pub fn owners(
    tx: &mut Tx<'_>,
    context: &Context,
    app_id: &AppId,
    kind: &str,
    remote_ids: &[String],
) -> Result<Vec<Option<Subject>>, EngineError> {
    remote_ids
        .iter()
        .map(|id| {
            let owner = link::owner(tx, &context.tenant, app_id, kind, id)?;
            // A tombstone gives way: the object may be linked again in one audited transaction.
            Ok(owner.filter(|(_, state)| *state != LinkState::Tombstone).map(|(subject, _)| subject))
        })
        .collect()
}

/// The group of a subject, where it is one.
pub(super) fn group_of(subject: &Subject) -> Option<&GroupId> {
    match subject {
        Subject::Group(id) => Some(id),
        Subject::User(_) => None,
    }
}
