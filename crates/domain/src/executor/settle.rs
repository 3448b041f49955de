//! What must be recorded after a step: intent, link, edges, task, mark and lane, as one plain value.

use serde_json::{Value, json};

use super::LaneSignal;
use super::settlement::{After, EdgeResult, IntentEnd, LinkChange, Settlement};
use crate::cause::{Cause, Finding, diagnose_rejection};
use crate::desired::{keys_of, read_attributes};
use crate::ids::{IntentId, Subject, UserId};
use crate::mapping::Attributes;
use crate::plan::{EdgeChange, EdgeNote, Known, Operation, Plan, Resolution, Wait, Write};
use crate::remote::{Evidence, Outcome, Remote};
use crate::snapshot::{EdgeState, LinkState, Snapshot};

/// Base of the back-off after a failure, in milliseconds; doubled each time, at most a quarter of an hour.
const BACKOFF_MS: i64 = 1_000;
const BACKOFF_CAP_MS: i64 = 15 * 60_000;

fn blank(snapshot: &Snapshot, after: After) -> Settlement {
    let base = snapshot.base();
    Settlement {
        intent: None,
        evidence: None,
        link: None,
        edges: vec![],
        finding: None,
        after,
        mark_generation: base.mark.as_ref().map_or(0, |mark| mark.generation),
        planned_ms: base.now_ms,
        verified: false,
        lane: LaneSignal::Fine,
        applied: None,
        verify_users: vec![],
        look_again_ms: None,
    }
}

/// What is now known of an earlier request may still be undone by it, if it arrives late: until when. A create is waited
/// for instead, and memberships are sent again as they then should be.
pub(super) fn look_again_ms(snapshot: &Snapshot, resolves: Option<Resolution>) -> Option<i64> {
    let base = snapshot.base();
    let intent = base.intent.as_ref().filter(|intent| resolves.is_some() && intent.kind != "create")?;
    let closes_ms = intent.sent_ms.saturating_add(base.app.app.settings.in_flight_window_ms);
    (base.now_ms < closes_ms).then_some(closes_ms)
}

/// Records a plan that needs no request.
pub(super) fn without_request(snapshot: &Snapshot, known: &Known, plan: &Plan) -> Settlement {
    let base = snapshot.base();
    let mut settlement = match &plan.operation {
        Operation::Wait(Wait::InFlight { until_ms }) => {
            // What was not shown because it may lag is read again then.
            let verify = known.observed.is_some();
            blank(snapshot, After::Later { due_ms: *until_ms, failed: false, verify })
        }
        Operation::Wait(Wait::Key { holder, .. }) if !holds_a_key(snapshot, holder) => {
            // The app shows the key at an account that does not have it in our books: that account is read first.
            let later = After::Later { due_ms: retry_at(snapshot), failed: true, verify: false };
            let verify_users = vec![UserId::new(holder.id())];
            Settlement { verify_users, ..blank(snapshot, later) }
        }
        Operation::Wait(Wait::Key { key, holder, kept }) => {
            let after = After::WaitFor { holder: holder.clone(), key: key.clone() };
            let evidence =
                json!({"attribute": key.attribute, "value": key.value_key, "held_by": holder.id()});
            let finding = kept.then_some(Finding { cause: Cause::KeyHeld, evidence });
            Settlement { finding, ..blank(snapshot, after) }
        }
        Operation::Wait(Wait::AppNotActive) => blank(snapshot, After::Keep),
        Operation::Blocked(finding) => {
            Settlement { finding: Some(finding.clone()), ..blank(snapshot, After::Park) }
        }
        Operation::Adopt { remote, acknowledged, state, keys } => {
            let link = LinkChange {
                state: *state,
                remote_id: Some(remote.id.clone()),
                acknowledged: Some(acknowledged.clone()),
                normal: Some(Attributes::new()),
                keys: Some(keys.clone()),
            };
            Settlement { link: Some(link), applied: Some("link"), ..blank(snapshot, After::Again) }
        }
        Operation::Relink { state } => {
            let lost = matches!(state, LinkState::Lost | LinkState::Tombstone);
            let link = LinkChange {
                state: *state,
                remote_id: None,
                acknowledged: lost.then(Attributes::new),
                normal: lost.then(Attributes::new),
                keys: lost.then(Vec::new),
            };
            Settlement { link: Some(link), ..blank(snapshot, After::Again) }
        }
        Operation::Observe { acknowledged, state } => {
            let link = LinkChange {
                state: *state,
                remote_id: None,
                acknowledged: Some(acknowledged.clone()),
                normal: None,
                keys: (!snapshot_is_group(snapshot)).then(|| keys_of(acknowledged)),
            };
            let after = if snapshot_is_group(snapshot) { After::Again } else { After::Done };
            Settlement { link: Some(link), ..blank(snapshot, after) }
        }
        _ => blank(snapshot, After::Done),
    };
    if let (Some(intent), Some(how)) = (&base.intent, plan.resolves) {
        settlement.intent = Some((intent.id.clone(), resolution_end(how)));
        settlement.look_again_ms = look_again_ms(snapshot, plan.resolves);
    }
    let pending = matches!(settlement.after, After::Again | After::Later { verify: true, .. });
    settlement.verified = known.observed.is_some() && !pending;
    settlement
}

/// Records memberships that need no request now.
pub(super) fn noted(snapshot: &Snapshot, noted: &[EdgeNote], resolves: Option<Resolution>) -> Settlement {
    let mut settlement = blank(snapshot, After::Again);
    settlement.edges = noted.iter().map(note_result).collect();
    if let (Some(intent), Some(how)) = (&snapshot.base().intent, resolves) {
        settlement.intent = Some((intent.id.clone(), resolution_end(how)));
        settlement.look_again_ms = look_again_ms(snapshot, resolves);
    }
    settlement
}

/// Records that a read did not give an answer.
pub(super) fn read_failed(snapshot: &Snapshot, outcome: Outcome) -> Settlement {
    let mut settlement = failed(snapshot, outcome);
    if settlement.after == After::Again {
        settlement.after = After::Park;
    }
    settlement
}

/// Records the outcome of a write.
pub(super) fn written(snapshot: &Snapshot, write: &Write, intent: IntentId, outcome: Outcome) -> Settlement {
    let (mut settlement, end) = match outcome {
        Outcome::Applied(remote) => (applied(snapshot, write, remote.as_ref()), IntentEnd::Applied),
        Outcome::Found(_) => (applied(snapshot, write, None), IntentEnd::Applied),
        Outcome::Missing(evidence) => (missing(snapshot, write, evidence), IntentEnd::NotApplied),
        Outcome::Unknown(evidence) => (unknown(snapshot, evidence), IntentEnd::Unknown),
        Outcome::Conflict(evidence) if matches!(write, Write::Create { .. }) => {
            (conflict(snapshot, evidence), IntentEnd::Rejected)
        }
        // Somebody else wrote in between: read, merge and write again.
        Outcome::Rejected(evidence) if evidence.status == Some(412) => {
            let after = After::Later { due_ms: retry_at(snapshot), failed: true, verify: false };
            (Settlement { evidence: Some(evidence), ..blank(snapshot, after) }, IntentEnd::NotApplied)
        }
        Outcome::Rejected(evidence) | Outcome::Conflict(evidence) => {
            (rejected(snapshot, write, evidence), IntentEnd::Rejected)
        }
        other => (failed(snapshot, other), IntentEnd::NotApplied),
    };
    if let (Write::Members { .. }, IntentEnd::NotApplied) = (write, end) {
        settlement.edges.extend(edges_of(write, |_| None, true));
    }
    settlement.intent = Some((intent, end));
    settlement
}

fn applied(snapshot: &Snapshot, write: &Write, remote: Option<&Remote>) -> Settlement {
    let mut settlement = Settlement { applied: Some(write.name()), ..blank(snapshot, After::Done) };
    match write {
        Write::Create { attributes, keys, .. } => match remote {
            Some(remote) => {
                settlement.link = Some(LinkChange {
                    state: LinkState::Live,
                    remote_id: Some(remote.id.clone()),
                    acknowledged: Some(attributes.clone()),
                    normal: Some(normal_form(attributes, &remote.doc)),
                    keys: Some(keys.clone()),
                });
                settlement.after = if snapshot_is_group(snapshot) { After::Again } else { After::Done };
            }
            // 2xx without the object: it must be found before it can be linked.
            None => {
                return unknown(
                    snapshot,
                    Evidence { detail: "created without a body".into(), ..Evidence::default() },
                );
            }
        },
        Write::Update { changes, after, state, keys, .. } => {
            settlement.link = Some(LinkChange {
                state: *state,
                remote_id: None,
                acknowledged: Some(after.clone()),
                normal: Some(normal_after(snapshot, changes, remote)),
                keys: (!snapshot_is_group(snapshot)).then(|| keys.clone()),
            });
            settlement.after = After::Again;
        }
        Write::Deactivate { after, .. } => {
            settlement.link = Some(LinkChange {
                state: LinkState::Disabled,
                remote_id: None,
                acknowledged: Some(after.clone()),
                normal: None,
                keys: Some(keys_of(after)),
            });
        }
        Write::Delete { .. } => settlement.link = Some(gone(LinkState::Tombstone)),
        Write::Members { noted, .. } => {
            settlement.edges = edges_of(
                write,
                |added| Some(if added { EdgeState::Present } else { EdgeState::Absent }),
                false,
            );
            settlement.edges.extend(noted.iter().map(note_result));
            settlement.after = After::Again;
        }
    }
    settlement
}

fn gone(state: LinkState) -> LinkChange {
    LinkChange {
        state,
        remote_id: None,
        acknowledged: Some(Attributes::new()),
        normal: Some(Attributes::new()),
        keys: Some(vec![]),
    }
}

/// Values that the answer shows in another form than they were sent; a value it leaves out counts as null.
fn normal_form(sent: &Attributes, doc: &Value) -> Attributes {
    if !doc.is_object() {
        return Attributes::new();
    }
    let shown = read_attributes(doc, sent.keys());
    sent.iter()
        .filter_map(|(path, value)| {
            shown.get(path).filter(|shown| *shown != value).map(|shown| (path.clone(), shown.clone()))
        })
        .collect()
}

/// The normal forms after a change. Only what was sent can teach one: what else the answer shows may be drift.
fn normal_after(snapshot: &Snapshot, changes: &Attributes, remote: Option<&Remote>) -> Attributes {
    let mut normal = snapshot.base().link.as_ref().map(|link| link.normal.clone()).unwrap_or_default();
    normal.retain(|path, _| !changes.contains_key(path));
    normal.extend(remote.map(|remote| normal_form(changes, &remote.doc)).unwrap_or_default());
    normal
}

fn missing(snapshot: &Snapshot, write: &Write, evidence: Evidence) -> Settlement {
    let mut settlement = Settlement { evidence: Some(evidence), ..blank(snapshot, After::Again) };
    match write {
        Write::Delete { .. } => {
            settlement.link = Some(gone(LinkState::Tombstone));
            settlement.after = After::Done;
        }
        Write::Create { .. } => {
            settlement = rejected(snapshot, write, settlement.evidence.unwrap_or_default())
        }
        // The snapshot of the next round shows the object as gone; the policy then decides.
        _ => settlement.after = After::Later { due_ms: snapshot.base().now_ms, failed: false, verify: true },
    }
    settlement
}

fn unknown(snapshot: &Snapshot, evidence: Evidence) -> Settlement {
    repeated(snapshot, evidence)
}

/// A failure that may pass: tried again later. The first ones raise the question whether the app is well; one subject that
/// fails again and again while the app is well becomes a task and no longer stops its neighbours.
fn repeated(snapshot: &Snapshot, evidence: Evidence) -> Settlement {
    let attempts = snapshot.base().mark.as_ref().map_or(0, |mark| mark.attempts);
    let after = After::Later { due_ms: retry_at(snapshot), failed: true, verify: false };
    let answered = evidence.status.is_some();
    let lane = if answered && attempts >= 2 { LaneSignal::Fine } else { LaneSignal::Suspect };
    let finding = (answered && attempts >= 4).then(|| Finding::from_answer(Cause::AppRejected, &evidence));
    Settlement { evidence: Some(evidence), lane, finding, ..blank(snapshot, after) }
}

/// 409 on a create although the look-up found nothing: look again now, by every key.
fn conflict(snapshot: &Snapshot, evidence: Evidence) -> Settlement {
    let attempts = snapshot.base().mark.as_ref().map_or(0, |mark| mark.attempts);
    if attempts >= 3 {
        let finding = Finding::from_answer(Cause::HiddenConflict, &evidence);
        return Settlement {
            finding: Some(finding),
            evidence: Some(evidence),
            ..blank(snapshot, After::Park)
        };
    }
    let after = After::Later { due_ms: retry_at(snapshot), failed: true, verify: false };
    Settlement { evidence: Some(evidence), ..blank(snapshot, after) }
}

fn rejected(snapshot: &Snapshot, write: &Write, evidence: Evidence) -> Settlement {
    let mut settlement = Settlement { evidence: Some(evidence.clone()), ..blank(snapshot, After::Park) };
    if let Write::Members { add, remove, noted, .. } = write {
        settlement.edges = noted.iter().map(note_result).collect();
        let one = add.len() + remove.len() == 1;
        if !one || concerns_group(&evidence) {
            settlement.edges.extend(edges_of(write, |_| None, true));
        }
        if !concerns_group(&evidence) {
            settlement.after = After::Again;
            if one {
                refuse_member(&mut settlement, write, &evidence);
            }
            return settlement;
        }
    }
    settlement.finding = Some(Finding::from_answer(diagnose_rejection(&evidence), &evidence));
    settlement
}

/// A refusal that no choice of members would change: halving the request would only repeat it.
fn concerns_group(evidence: &Evidence) -> bool {
    matches!(evidence.status, None | Some(300..=399 | 401 | 403 | 405 | 501))
}

/// One membership alone is refused. To remove somebody who is not there is what was wanted; every other refusal is shown.
fn refuse_member(settlement: &mut Settlement, write: &Write, evidence: &Evidence) {
    let Write::Members { add, remove, .. } = write else { return };
    let not_there =
        matches!(evidence.status, Some(404 | 410)) || evidence.scim_type.as_deref() == Some("noTarget");
    if !remove.is_empty() && not_there {
        settlement.edges.extend(edges_of(write, |_| Some(EdgeState::Absent), false));
        return;
    }
    let (state, code) = if remove.is_empty() {
        (EdgeState::Refused, "refused_by_app")
    } else {
        (EdgeState::Present, "removal_refused")
    };
    for mut edge in edges_of(write, |_| Some(state), false) {
        edge.waits = Some(code.into());
        settlement.edges.push(edge);
    }
    settlement.finding = Some(Finding::from_answer(Cause::MemberRefused, evidence));
    settlement.verify_users = add.iter().map(|edge| edge.user.clone()).collect();
}

fn failed(snapshot: &Snapshot, outcome: Outcome) -> Settlement {
    match outcome {
        Outcome::Throttled { after_ms } => {
            Settlement { lane: LaneSignal::Throttled(after_ms), ..blank(snapshot, After::Keep) }
        }
        Outcome::Unauthorized(evidence) | Outcome::Down(evidence) | Outcome::Unknown(evidence) => {
            repeated(snapshot, evidence)
        }
        Outcome::Rejected(evidence) | Outcome::Missing(evidence) | Outcome::Conflict(evidence) => {
            let finding = Finding::from_answer(diagnose_rejection(&evidence), &evidence);
            Settlement { finding: Some(finding), evidence: Some(evidence), ..blank(snapshot, After::Park) }
        }
        Outcome::Applied(_) | Outcome::Found(_) => blank(snapshot, After::Again),
    }
}

fn holds_a_key(snapshot: &Snapshot, holder: &Subject) -> bool {
    matches!(snapshot, Snapshot::User(user) if user.holders.iter().any(|held| held.subject == *holder))
}

fn retry_at(snapshot: &Snapshot) -> i64 {
    let base = snapshot.base();
    let attempts = base.mark.as_ref().map_or(0, |mark| mark.attempts).clamp(0, 20);
    let pause = BACKOFF_MS.saturating_mul(1 << attempts).min(BACKOFF_CAP_MS);
    base.now_ms.saturating_add(pause)
}

fn note_result(note: &EdgeNote) -> EdgeResult {
    EdgeResult {
        user: note.user.clone(),
        generation: note.generation,
        state: note.state,
        dirty: false,
        waits: note.waits.map(str::to_owned),
        link_generation: 0,
    }
}

/// Results of the edges of a request. `state` gives what the app holds for added (true) and removed (false) ones; none:
/// it is not known, which is what the intent had already noted.
fn edges_of(write: &Write, state: impl Fn(bool) -> Option<EdgeState>, dirty: bool) -> Vec<EdgeResult> {
    let Write::Members { add, remove, .. } = write else { return vec![] };
    let result = |edge: &EdgeChange, added: bool| EdgeResult {
        user: edge.user.clone(),
        generation: edge.generation,
        state: state(added).unwrap_or(EdgeState::Unknown),
        dirty,
        waits: edge.waits.filter(|_| !added && !dirty).map(str::to_owned),
        link_generation: edge.link_generation,
    };
    add.iter().map(|edge| result(edge, true)).chain(remove.iter().map(|edge| result(edge, false))).collect()
}

fn resolution_end(how: Resolution) -> IntentEnd {
    match how {
        Resolution::Applied => IntentEnd::Applied,
        Resolution::NotApplied => IntentEnd::NotApplied,
    }
}

fn snapshot_is_group(snapshot: &Snapshot) -> bool {
    matches!(snapshot, Snapshot::Group(_))
}
