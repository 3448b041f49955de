//! Plans a push group: the group itself first, then the memberships that may differ, one chunk at a time.

use serde_json::{Value, json};

use crate::app::{Linking, MissingPolicy};
use crate::cause::Cause;
use crate::desired::read_attributes;
use crate::mapping::Attributes;
use crate::plan::{
    Candidate, EdgeChange, EdgeNote, Known, Locate, Matched, Observed, Operation, Plan, Reasons, Resolution,
    Wait, Write,
};
use crate::plan_user::may_lag_until;
use crate::remote::RemoteKind;
use crate::snapshot::{EdgeState, EdgeView, GroupSnapshot, Link, LinkState, Push};

/// What the group should be in the app.
fn wanted(snapshot: &GroupSnapshot) -> Attributes {
    Attributes::from([
        ("displayName".to_owned(), json!(snapshot.group.display_name)),
        ("externalId".to_owned(), json!(snapshot.group.id.as_str())),
    ])
}

pub(crate) fn plan_group(snapshot: &GroupSnapshot, known: &Known) -> Plan {
    let mut reasons = Reasons::default();
    let push = if snapshot.group.deleted_ms.is_some() && snapshot.push == Push::Active {
        reasons.add("deleted", "The group was deleted in the directory.");
        Push::Delete
    } else {
        snapshot.push
    };
    match snapshot.base.link.as_ref().map(|link| (link, link.state)) {
        Some((link, LinkState::Live)) => plan_linked(snapshot, known, link, push, reasons),
        Some((link, LinkState::Unmanaged)) if push == Push::Active => {
            plan_linked(snapshot, known, link, push, reasons)
        }
        Some((_, LinkState::Unmanaged)) => reasons.finish(Operation::Nothing),
        _ => plan_unlinked(snapshot, known, push, reasons),
    }
}

fn plan_unlinked(snapshot: &GroupSnapshot, known: &Known, push: Push, mut reasons: Reasons) -> Plan {
    let base = &snapshot.base;
    let settings = &base.app.app.settings;
    let unknown = base.intent.as_ref().filter(|intent| intent.kind == "create");
    if push != Push::Active && unknown.is_none() {
        reasons.add("not_pushed", "The group is not pushed to this app.");
        return reasons.finish(Operation::Nothing);
    }
    let Some(candidates) = &known.candidates else {
        reasons.add("locate", "The group is looked up in the app, by externalId and then by displayName.");
        return reasons.finish(Operation::Locate(Locate {
            kind: RemoteKind::Group,
            external_id: snapshot.group.id.as_str().to_owned(),
            attribute: "displayName".into(),
            value: snapshot.group.display_name.clone(),
        }));
    };
    let own: Vec<_> = candidates.iter().filter(|found| found.matched == Matched::ExternalId).collect();
    let created = unknown.is_some().then(|| candidates.first()).flatten().filter(|found| {
        candidates.len() == 1 && found.remote.external_id().is_none() && found.taken_by.is_none()
    });
    if let Some(found) = own.first().copied().filter(|_| own.len() == 1).or(created) {
        reasons.add("found_own", "The app has the group that we created.");
        let mut plan = adopt(found, reasons);
        plan.resolves = unknown.map(|_| Resolution::Applied);
        return plan;
    }
    if let Some(intent) = unknown {
        let until_ms = intent.sent_ms.saturating_add(settings.in_flight_window_ms);
        if base.now_ms < until_ms {
            reasons.add(
                "in_flight",
                "A create request got no answer and may still take effect; it is waited for.",
            );
            return reasons.finish(Operation::Wait(Wait::InFlight { until_ms }));
        }
    }
    let mut plan = if push == Push::Active {
        create(snapshot, known, candidates, reasons)
    } else {
        reasons.finish(Operation::Nothing)
    };
    plan.resolves = unknown.map(|_| Resolution::NotApplied);
    plan
}

fn create(snapshot: &GroupSnapshot, known: &Known, candidates: &[Candidate], mut reasons: Reasons) -> Plan {
    let settings = &snapshot.base.app.app.settings;
    let names = || json!({"candidates": candidates.iter().map(|found| &found.remote.id).collect::<Vec<_>>()});
    match candidates {
        [] if known.conflict => {
            return reasons.blocked(Cause::HiddenConflict, json!({"matching": "displayName"}));
        }
        [] => {}
        [only] if only.taken_by.is_some() || only.remote.external_id().is_some() => {
            return reasons.blocked(Cause::MatchForeign, names());
        }
        [only] if settings.link == Linking::On => return adopt(only, reasons),
        [_] => return reasons.blocked(Cause::NeedsDecision, names()),
        _ => return reasons.blocked(Cause::Ambiguous, names()),
    }
    if !settings.create {
        return reasons.blocked(Cause::CreateOff, json!({"switch": "create", "lookup": "no group found"}));
    }
    reasons.add("create", "No group was found, so one is created; its members follow.");
    reasons.finish(Operation::Write(Write::Create {
        kind: RemoteKind::Group,
        attributes: wanted(snapshot),
        keys: vec![],
    }))
}

fn adopt(found: &Candidate, reasons: Reasons) -> Plan {
    let paths = ["displayName".to_owned(), "externalId".to_owned()];
    let mut acknowledged = read_attributes(&found.remote.doc, paths.iter());
    acknowledged.remove("active");
    reasons.finish(Operation::Adopt {
        remote: found.remote.clone(),
        acknowledged,
        state: LinkState::Live,
        keys: vec![],
    })
}

fn plan_linked(
    snapshot: &GroupSnapshot,
    known: &Known,
    link: &Link,
    push: Push,
    mut reasons: Reasons,
) -> Plan {
    let base = &snapshot.base;
    let Some(remote_id) = link.remote_id.clone() else {
        return reasons.finish(Operation::Relink { state: LinkState::Lost });
    };
    let verify = base.mark.as_ref().is_some_and(|mark| mark.verify_due(base.now_ms));
    let unknown = base.intent.as_ref().filter(|intent| intent.kind != "members");
    if (unknown.is_some() || verify || link.state == LinkState::Unmanaged) && known.observed.is_none() {
        reasons.add("verify", "What the app really holds is read first.");
        return reasons.finish(Operation::Verify { kind: RemoteKind::Group, remote_id });
    }
    if let (Some(Observed::Gone), Some(until_ms)) = (&known.observed, may_lag_until(base, link)) {
        reasons.add("read_lag", "The app does not show the group yet; it was confirmed a moment ago.");
        return reasons.finish(Operation::Wait(Wait::InFlight { until_ms }));
    }
    let mut plan = match &known.observed {
        Some(Observed::Gone) => plan_gone(snapshot, link, push, reasons),
        Some(Observed::There(remote)) => {
            let mut current = read_attributes(&remote.doc, link.acknowledged.keys());
            current.remove("active");
            for (path, value) in &mut current {
                if let (Some(normal), Some(sent)) = (link.normal.get(path), link.acknowledged.get(path))
                    && normal == value
                {
                    *value = sent.clone();
                }
            }
            plan_there(snapshot, link, &current, remote_id, push, reasons)
        }
        None => plan_there(snapshot, link, &link.acknowledged, remote_id, push, reasons),
    };
    if base.intent.is_some() {
        let written = matches!(plan.operation, Operation::Write(_));
        plan.resolves = Some(if written { Resolution::NotApplied } else { Resolution::Applied });
    }
    plan
}

fn plan_gone(snapshot: &GroupSnapshot, link: &Link, push: Push, mut reasons: Reasons) -> Plan {
    reasons.add(
        "missing.in_app",
        "The group is gone in the app; permissions tied to its old id are gone with it.",
    );
    if push != Push::Active {
        return reasons.finish(Operation::Relink { state: LinkState::Tombstone });
    }
    match snapshot.base.app.app.settings.missing {
        MissingPolicy::Repair => reasons.finish(Operation::Relink { state: LinkState::Lost }),
        MissingPolicy::Ask => reasons.blocked(Cause::MissingInApp, json!({"group": link.remote_id})),
        MissingPolicy::Accept if link.state == LinkState::Unmanaged => reasons.finish(Operation::Nothing),
        MissingPolicy::Accept => reasons.finish(Operation::Relink { state: LinkState::Unmanaged }),
    }
}

fn plan_there(
    snapshot: &GroupSnapshot,
    link: &Link,
    current: &Attributes,
    remote_id: String,
    push: Push,
    mut reasons: Reasons,
) -> Plan {
    let settings = &snapshot.base.app.app.settings;
    match push {
        Push::Leave => return reasons.finish(Operation::Relink { state: LinkState::Unmanaged }),
        Push::Delete if !settings.deactivate => {
            return reasons
                .blocked(Cause::DeactivateOff, json!({"switch": "deactivate", "group": remote_id}));
        }
        Push::Delete => {
            reasons.add("delete", "The push was removed, so the group is deleted in the app.");
            return reasons.finish(Operation::Write(Write::Delete { kind: RemoteKind::Group, remote_id }));
        }
        Push::Active => {}
    }
    let after = wanted(snapshot);
    let changes = crate::plan_user::changes(current, &after, std::iter::empty());
    let blocked = !settings.update && (!changes.is_empty() || !snapshot.edges.is_empty());
    if blocked {
        let evidence = json!({"switch": "update", "attributes": changes.keys().collect::<Vec<_>>()});
        return reasons.blocked(Cause::UpdateOff, evidence);
    }
    if !changes.is_empty() {
        let names: Vec<_> = changes.keys().map(String::as_str).collect();
        reasons.add("update", format!("These attributes of the group differ: {}.", names.join(", ")));
        return reasons.finish(Operation::Write(Write::Update {
            kind: RemoteKind::Group,
            remote_id,
            changes,
            before: current.clone(),
            after,
            keys: vec![],
            state: LinkState::Live,
        }));
    }
    let settled = crate::plan_user::settled(link, current.clone(), LinkState::Live);
    if settled != Operation::Nothing {
        return reasons.finish(settled);
    }
    plan_members(snapshot, remote_id, reasons)
}

fn plan_members(snapshot: &GroupSnapshot, remote_id: String, mut reasons: Reasons) -> Plan {
    if snapshot.edges.is_empty() {
        reasons.add("converged", "The group and its memberships are as they should be.");
        return reasons.finish(Operation::Nothing);
    }
    let (mut add, mut remove, mut noted) = (vec![], vec![], vec![]);
    for edge in &snapshot.edges {
        match decide_edge(edge) {
            EdgeStep::Add(account) => add.push(edge_change(edge, account)),
            EdgeStep::Remove(account) => remove.push(edge_change(edge, account)),
            EdgeStep::Note(state, waits) => {
                noted.push(EdgeNote { user: edge.user.clone(), generation: edge.generation, state, waits });
            }
        }
    }
    let waiting = noted.iter().filter(|note| note.waits.is_some()).count();
    reasons.add(
        "members",
        format!(
            "{} members to add, {} to remove, {waiting} wait for their account.",
            add.len(),
            remove.len()
        ),
    );
    reasons.finish(Operation::Write(Write::Members { remote_id, add, remove, noted }))
}

enum EdgeStep {
    Add(String),
    Remove(String),
    Note(EdgeState, Option<&'static str>),
}

/// Decides one membership: wanted is "effective member with a live account"; a member without one waits with its reason.
fn decide_edge(edge: &EdgeView) -> EdgeStep {
    let live = edge.link == Some(LinkState::Live);
    let gone = matches!(edge.link, None | Some(LinkState::Lost | LinkState::Tombstone | LinkState::Disputed));
    let held = matches!(edge.state, EdgeState::Present | EdgeState::Unknown);
    match (&edge.account, edge.member) {
        (Some(account), true) if live => match edge.state {
            EdgeState::Present => EdgeStep::Note(EdgeState::Present, None),
            _ => EdgeStep::Add(account.clone()),
        },
        (Some(account), false) if held && !gone => EdgeStep::Remove(account.clone()),
        (Some(account), true) if held && edge.link == Some(LinkState::Disabled) => {
            EdgeStep::Remove(account.clone())
        }
        (_, true) => EdgeStep::Note(EdgeState::Absent, Some(waiting_code(edge))),
        (_, false) => EdgeStep::Note(EdgeState::Absent, None),
    }
}

/// Why a member has no account to add: the first blocker, from the closed list of scenario s06.
fn waiting_code(edge: &EdgeView) -> &'static str {
    match edge.link {
        _ if !edge.active => "inactive",
        _ if !edge.entitled => "not_assigned",
        Some(LinkState::Disputed) => "needs_decision",
        Some(LinkState::Lost) => "missing_in_app",
        Some(LinkState::Disabled | LinkState::Unmanaged) => "out_of_scope",
        _ => "waiting_for_account",
    }
}

fn edge_change(edge: &EdgeView, account: String) -> EdgeChange {
    EdgeChange {
        user: edge.user.clone(),
        account,
        generation: edge.generation,
        link_generation: edge.link_generation,
        waits: (edge.member && edge.link != Some(LinkState::Live)).then(|| waiting_code(edge)),
    }
}

/// The document that creates a group: no members, they follow as edges.
pub(crate) fn group_document(attributes: &Attributes) -> Value {
    json!({
        "schemas": [scim::urn::GROUP],
        "displayName": attributes.get("displayName"),
        "externalId": attributes.get("externalId"),
    })
}
