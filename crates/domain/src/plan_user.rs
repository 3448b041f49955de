//! Plans a user's account: what it should be, what is known of it, and the next step between the two.

use serde_json::{Value, json};

use crate::app::{Linking, MissingPolicy};
use crate::cause::Cause;
use crate::desired::{Desired, desire, keys_of, read_attributes};
use crate::ids::Subject;
use crate::mapping::Attributes;
use crate::plan::{
    Candidate, Key, Known, Locate, Matched, Observed, Operation, Plan, Reasons, Resolution, Wait, Write,
};
use crate::remote::{Remote, RemoteKind};
use crate::snapshot::{Base, Link, LinkState, UserSnapshot};

pub(crate) fn plan_user(snapshot: &UserSnapshot, known: &Known) -> Plan {
    let mut reasons = Reasons::default();
    let wanted = desire(snapshot, &mut reasons);
    let link = snapshot.base.link.as_ref();
    match link.map(|link| (link, link.state)) {
        Some((link, LinkState::Live | LinkState::Disabled)) => {
            plan_linked(snapshot, known, link, wanted, reasons)
        }
        Some((link, LinkState::Unmanaged)) if matches!(wanted, Desired::Present(_)) => {
            plan_linked(snapshot, known, link, wanted, reasons)
        }
        Some((_, LinkState::Unmanaged)) => reasons.finish(Operation::Nothing),
        _ => plan_unlinked(snapshot, known, wanted, reasons),
    }
}

fn plan_unlinked(snapshot: &UserSnapshot, known: &Known, wanted: Desired, mut reasons: Reasons) -> Plan {
    let base = &snapshot.base;
    let unknown = base.intent.as_ref().filter(|intent| intent.kind == "create");
    let attributes = match (&wanted, unknown) {
        (Desired::Present(attributes), _) => attributes,
        (Desired::Invalid(error), None) => {
            let evidence = json!({"attribute": error.target, "problem": error.problem});
            return reasons.blocked(Cause::MappingFailed, evidence);
        }
        (_, None) => return reasons.finish(Operation::Nothing),
        (_, Some(_)) => &Attributes::new(),
    };
    let Some(candidates) = &known.candidates else {
        reasons.add(
            "locate",
            "The account is looked up in the app, by externalId and then by the matching attribute.",
        );
        return reasons.finish(Operation::Locate(locate(snapshot, attributes)));
    };
    if let Some(found) = pick_own(candidates, unknown.is_some()) {
        reasons.add("found_own", "The app has the account that we created.");
        return adopt(snapshot, found, attributes, reasons);
    }
    let mut plan = match unknown {
        Some(intent) => {
            let until_ms = intent.sent_ms.saturating_add(base.app.app.settings.in_flight_window_ms);
            if base.now_ms < until_ms {
                reasons.add(
                    "in_flight",
                    "A create request got no answer and may still take effect; it is waited for.",
                );
                return reasons.finish(Operation::Wait(Wait::InFlight { until_ms }));
            }
            reasons.add(
                "in_flight_over",
                "The unanswered create request did not take effect within its window.",
            );
            if matches!(wanted, Desired::Present(_)) {
                create(snapshot, known, candidates, attributes, reasons)
            } else {
                reasons.finish(Operation::Nothing)
            }
        }
        None => return create(snapshot, known, candidates, attributes, reasons),
    };
    plan.resolves = Some(Resolution::NotApplied);
    plan
}

/// The account that is ours: it carries our externalId; or, after an unanswered create that a look-up had preceded, the
/// only one with our key and no other externalId.
fn pick_own(candidates: &[Candidate], created: bool) -> Option<&Candidate> {
    let own: Vec<_> = candidates.iter().filter(|found| found.matched == Matched::ExternalId).collect();
    match own.as_slice() {
        [only] => Some(only),
        [] if created && candidates.len() == 1 => candidates
            .first()
            .filter(|found| found.remote.external_id().is_none() && found.taken_by.is_none()),
        _ => None,
    }
}

fn locate(snapshot: &UserSnapshot, attributes: &Attributes) -> Locate {
    let attribute = snapshot.base.app.app.settings.matching.clone();
    let value =
        attributes.get(&attribute).and_then(Value::as_str).unwrap_or(&snapshot.user.user_name).to_owned();
    Locate { kind: RemoteKind::User, external_id: snapshot.user.id.as_str().to_owned(), attribute, value }
}

fn create(
    snapshot: &UserSnapshot,
    known: &Known,
    candidates: &[Candidate],
    attributes: &Attributes,
    mut reasons: Reasons,
) -> Plan {
    let settings = &snapshot.base.app.app.settings;
    match candidates {
        [] => {}
        [only] if only.taken_by.is_some() => {
            reasons.add("match.taken", "The matching account belongs to another user of the directory.");
            // If its holder is about to give the key up, that is waited for; else a person must decide.
            return key_wait(snapshot, attributes, &mut reasons)
                .unwrap_or_else(|| reasons.blocked(Cause::MatchForeign, describe_candidates(candidates)));
        }
        [only] if only.remote.external_id().is_some() => {
            return reasons.blocked(Cause::MatchForeign, describe_candidates(candidates));
        }
        [only] if settings.link == Linking::On => {
            reasons.add("link.on", "An account with the same key exists and linking is on.");
            return adopt(snapshot, only, attributes, reasons);
        }
        [_] => return reasons.blocked(Cause::NeedsDecision, describe_candidates(candidates)),
        _ => return reasons.blocked(Cause::Ambiguous, describe_candidates(candidates)),
    }
    if known.conflict {
        return reasons.blocked(Cause::HiddenConflict, json!({"matching": settings.matching}));
    }
    if !settings.create {
        return reasons.blocked(Cause::CreateOff, json!({"switch": "create", "lookup": "no account found"}));
    }
    if let Some(plan) = key_wait(snapshot, attributes, &mut reasons) {
        return plan;
    }
    reasons.add("create", "No account was found, so one is created.");
    reasons.finish(Operation::Write(Write::Create {
        kind: RemoteKind::User,
        attributes: attributes.clone(),
        keys: keys_of(attributes),
    }))
}

fn adopt(snapshot: &UserSnapshot, found: &Candidate, attributes: &Attributes, reasons: Reasons) -> Plan {
    // An account that we created may hold what it should not have any more; what others wrote into theirs is left alone.
    let created = snapshot.base.intent.as_ref().is_some_and(|intent| intent.kind == "create");
    let ours = created || found.matched == Matched::ExternalId;
    let mapped = snapshot.base.app.mapping.targets().filter(|_| ours);
    let acknowledged = read_attributes(&found.remote.doc, attributes.keys().chain(mapped));
    let state = if found.remote.is_active() { LinkState::Live } else { LinkState::Disabled };
    let keys = keys_of(&acknowledged);
    let mut plan =
        reasons.finish(Operation::Adopt { remote: found.remote.clone(), acknowledged, state, keys });
    plan.resolves = created.then_some(Resolution::Applied);
    plan
}

fn plan_linked(
    snapshot: &UserSnapshot,
    known: &Known,
    link: &Link,
    wanted: Desired,
    mut reasons: Reasons,
) -> Plan {
    let base = &snapshot.base;
    let Some(remote_id) = link.remote_id.clone() else {
        return reasons.finish(Operation::Relink { state: LinkState::Lost });
    };
    let verify = base.mark.as_ref().is_some_and(|mark| mark.verify_due(base.now_ms));
    let must_read = base.intent.is_some() || verify || link.state == LinkState::Unmanaged;
    if must_read && known.observed.is_none() {
        reasons.add("verify", "What the app really holds is read first.");
        return reasons.finish(Operation::Verify { kind: RemoteKind::User, remote_id });
    }
    if let (Some(Observed::Gone), Some(until_ms)) = (&known.observed, may_lag_until(base, link)) {
        reasons.add("read_lag", "The app does not show the account yet; it was confirmed a moment ago.");
        return reasons.finish(Operation::Wait(Wait::InFlight { until_ms }));
    }
    let mut plan = match &known.observed {
        Some(Observed::Gone) => plan_gone(snapshot, link, &wanted, reasons),
        Some(Observed::There(remote)) => {
            plan_change(snapshot, link, Some(remote), remote_id, wanted, reasons)
        }
        None => plan_change(snapshot, link, None, remote_id, wanted, reasons),
    };
    if base.intent.is_some() {
        let written = matches!(plan.operation, Operation::Write(_));
        plan.resolves = Some(if written { Resolution::NotApplied } else { Resolution::Applied });
    }
    plan
}

/// Until when "not there" may only mean "not yet": the app confirmed the object less than its read lag ago.
pub(crate) fn may_lag_until(base: &Base, link: &Link) -> Option<i64> {
    let deleting = base.intent.as_ref().is_some_and(|intent| intent.kind == "delete");
    let until_ms = link.confirmed_ms.saturating_add(base.app.app.settings.read_lag_ms);
    (!deleting && base.now_ms < until_ms).then_some(until_ms)
}

fn plan_gone(snapshot: &UserSnapshot, link: &Link, wanted: &Desired, mut reasons: Reasons) -> Plan {
    reasons.add("missing.in_app", "The account is gone in the app.");
    let deleting = snapshot.base.intent.as_ref().is_some_and(|intent| intent.kind == "delete");
    if deleting || !matches!(wanted, Desired::Present(_)) {
        let state = if deleting { LinkState::Tombstone } else { LinkState::Lost };
        return reasons.finish(Operation::Relink { state });
    }
    match snapshot.base.app.app.settings.missing {
        MissingPolicy::Repair => reasons.finish(Operation::Relink { state: LinkState::Lost }),
        MissingPolicy::Ask => reasons.blocked(Cause::MissingInApp, json!({"account": link.remote_id})),
        MissingPolicy::Accept if link.state == LinkState::Unmanaged => reasons.finish(Operation::Nothing),
        MissingPolicy::Accept => reasons.finish(Operation::Relink { state: LinkState::Unmanaged }),
    }
}

fn plan_change(
    snapshot: &UserSnapshot,
    link: &Link,
    seen: Option<&Remote>,
    remote_id: String,
    wanted: Desired,
    mut reasons: Reasons,
) -> Plan {
    let settings = &snapshot.base.app.app.settings;
    let current = seen.map_or_else(
        || link.acknowledged.clone(),
        |remote| current_attributes(snapshot, link, remote, &wanted),
    );
    let active = current.get("active").and_then(Value::as_bool).unwrap_or(link.state == LinkState::Live);
    match wanted {
        Desired::Invalid(error) => reasons
            .blocked(Cause::MappingFailed, json!({"attribute": error.target, "problem": error.problem})),
        Desired::Unmanaged => reasons.finish(Operation::Relink { state: LinkState::Unmanaged }),
        Desired::Absent if !settings.deactivate => {
            reasons.blocked(Cause::DeactivateOff, json!({"switch": "deactivate", "account": remote_id}))
        }
        Desired::Absent => {
            reasons.add("delete", "The account is deleted.");
            reasons.finish(Operation::Write(Write::Delete { kind: RemoteKind::User, remote_id }))
        }
        Desired::Disabled if !active => {
            reasons.add("converged", "The account is deactivated, as it should be.");
            reasons.finish(settled(link, current, LinkState::Disabled))
        }
        Desired::Disabled if !settings.deactivate => {
            reasons.blocked(Cause::DeactivateOff, json!({"switch": "deactivate", "account": remote_id}))
        }
        Desired::Disabled => {
            reasons.add("deactivate", "The account is deactivated.");
            let mut after = link.acknowledged.clone();
            after.insert("active".into(), json!(false));
            reasons.finish(Operation::Write(Write::Deactivate { remote_id, after }))
        }
        Desired::Present(attributes) => {
            plan_update(snapshot, link, &current, remote_id, &attributes, reasons)
        }
    }
}

/// What the app holds; a value in its learned normal form counts as the value that was sent.
fn current_attributes(snapshot: &UserSnapshot, link: &Link, remote: &Remote, wanted: &Desired) -> Attributes {
    let mut paths: Vec<&String> = link.acknowledged.keys().collect();
    if let Desired::Present(attributes) = wanted {
        paths.extend(attributes.keys());
    }
    if snapshot.base.intent.is_some() {
        // A request that may have taken effect may have written what nobody acknowledged.
        paths.extend(snapshot.base.app.mapping.targets());
    }
    let mut current = read_attributes(&remote.doc, paths.into_iter());
    for (path, value) in &mut current {
        if let (Some(normal), Some(sent)) = (link.normal.get(path), link.acknowledged.get(path))
            && normal == value
        {
            *value = sent.clone();
        }
    }
    current
}

fn plan_update(
    snapshot: &UserSnapshot,
    link: &Link,
    current: &Attributes,
    remote_id: String,
    wanted: &Attributes,
    mut reasons: Reasons,
) -> Plan {
    let app = &snapshot.base.app;
    let changes = changes(current, wanted, app.mapping.create_only());
    if changes.is_empty() {
        reasons.add("converged", "The account is as it should be.");
        return reasons.finish(settled(link, current.clone(), LinkState::Live));
    }
    if !app.app.settings.update {
        let paths: Vec<_> = changes.keys().collect();
        return reasons.blocked(Cause::UpdateOff, json!({"switch": "update", "attributes": paths}));
    }
    if let Some(plan) = key_wait(snapshot, wanted, &mut reasons) {
        return break_cycle(snapshot, current, &remote_id, wanted, plan);
    }
    let names: Vec<_> = changes.keys().map(String::as_str).collect();
    reasons.add("update", format!("These attributes differ: {}.", names.join(", ")));
    // What the account shall not have is remembered as null, so that it is looked at again.
    let mut after: Attributes = current.keys().map(|path| (path.clone(), Value::Null)).collect();
    after.extend(wanted.clone());
    reasons.finish(Operation::Write(Write::Update {
        kind: RemoteKind::User,
        remote_id,
        changes,
        before: current.clone(),
        after,
        keys: keys_of(wanted),
        state: LinkState::Live,
    }))
}

/// Nothing is to be sent. What was seen is noted where it is not what was acknowledged: the next plan starts from it.
pub(crate) fn settled(link: &Link, current: Attributes, state: LinkState) -> Operation {
    let differs = |(path, value): (&String, &Value)| link.acknowledged.get(path) != Some(value);
    if link.state == state && !current.iter().any(differs) {
        return Operation::Nothing;
    }
    Operation::Observe { acknowledged: current, state }
}

/// New value by path; null clears what is there and should not be.
pub(crate) fn changes<'a>(
    current: &Attributes,
    wanted: &Attributes,
    create_only: impl Iterator<Item = &'a str>,
) -> Attributes {
    let create_only: Vec<_> = create_only.collect();
    let skip = |path: &str| create_only.contains(&path);
    let mut changes = Attributes::new();
    for (path, value) in wanted {
        if !skip(path) && current.get(path) != Some(value) {
            changes.insert(path.clone(), value.clone());
        }
    }
    for (path, value) in current {
        if !skip(path) && !value.is_null() && !wanted.contains_key(path) {
            changes.insert(path.clone(), Value::Null);
        }
    }
    changes
}

fn key_wait(snapshot: &UserSnapshot, attributes: &Attributes, reasons: &mut Reasons) -> Option<Plan> {
    let keys = keys_of(attributes);
    let held = snapshot.holders.iter().find(|holder| {
        keys.iter().any(|key| key.attribute == holder.attribute && key.value_key == holder.value_key)
    })?;
    reasons
        .add("key.held", format!("Another account holds the {} that this one shall have.", held.attribute));
    let key = Key { attribute: held.attribute.clone(), value_key: held.value_key.clone() };
    let wait = Wait::Key { key, holder: held.subject.clone(), kept: held.keeps_it };
    Some(std::mem::take(reasons).finish(Operation::Wait(wait)))
}

/// Two accounts that swap a key wait for each other; one of them takes a temporary value first.
fn break_cycle(
    snapshot: &UserSnapshot,
    current: &Attributes,
    remote_id: &str,
    wanted: &Attributes,
    plan: Plan,
) -> Plan {
    let cyclic = snapshot.holders.iter().any(|holder| holder.waits_for_us);
    let Some(name) = wanted.get("userName").and_then(Value::as_str).filter(|_| cyclic) else { return plan };
    let id = snapshot.user.id.as_str();
    let temporary = format!("moving-{}-{name}", &id[id.len().saturating_sub(6)..]);
    let active = current.get("active").and_then(Value::as_bool).unwrap_or(true);
    let mut after = current.clone();
    after.insert("userName".into(), json!(temporary));
    let changes = Attributes::from([("userName".to_owned(), json!(temporary))]);
    let mut reasons = Reasons(plan.reasons);
    reasons.add(
        "key.cycle",
        "The holder waits for this account in turn; this one takes a temporary user name first.",
    );
    reasons.finish(Operation::Write(Write::Update {
        kind: RemoteKind::User,
        remote_id: remote_id.to_owned(),
        changes,
        before: current.clone(),
        keys: keys_of(&after),
        after,
        state: if active { LinkState::Live } else { LinkState::Disabled },
    }))
}

fn describe_candidates(candidates: &[Candidate]) -> Value {
    let describe = |found: &Candidate| {
        json!({
            "id": found.remote.id,
            "userName": found.remote.doc.get("userName"),
            "displayName": found.remote.doc.get("displayName"),
            "externalId": found.remote.external_id(),
            "active": found.remote.is_active(),
            "taken_by": found.taken_by.as_ref().map(Subject::id),
        })
    };
    json!({"candidates": candidates.iter().map(describe).collect::<Vec<_>>()})
}
