//! The executor of one subject: a state machine without I/O. Events go in, effects come out; the shell performs them.

mod candidates;
mod settle;
mod settlement;

use crate::ids::{IntentId, Subject};
use crate::plan::{Known, Observed, Operation, Plan, Resolution, Write, plan};
use crate::remote::{Call, Evidence, Outcome, Remote, RemoteKind};
use crate::snapshot::Snapshot;

pub use settlement::{After, EdgeResult, IntentEnd, LinkChange, Settlement};

/// How often one run may go round before it lets others go first.
const ROUNDS: u32 = 10_000;

/// What the shell must do next.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Take a snapshot of the subject; for groups with at most `edges` memberships that may differ.
    Load {
        /// How many memberships to gather; 0 stands for the app's cap.
        edges: usize,
    },
    /// Find out who among our subjects is tied to these objects.
    Owners {
        /// Users or groups.
        kind: RemoteKind,
        /// Ids in the app.
        remote_ids: Vec<String>,
    },
    /// Write the intent: durable before its request is sent.
    Intend(Box<Intention>),
    /// Send a request.
    Send(Box<Call>),
    /// Record an outcome, all in one transaction.
    Settle(Box<Settlement>),
    /// The run is over.
    Finish(Finish),
}

/// What the shell reports back.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins.
    Start,
    /// The snapshot; none: the subject is not known any more.
    Loaded(Option<Snapshot>),
    /// Owners of the objects that were asked for, in the same order.
    Owners(Vec<Option<Subject>>),
    /// What became of the intent.
    Intended(Intended),
    /// What became of the request.
    Answered(Outcome),
    /// The outcome is recorded.
    Settled,
}

/// An intent to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Intention {
    /// The write it announces.
    pub write: Write,
    /// What is now known of an earlier request with unknown outcome.
    pub resolves: Option<(IntentId, Resolution)>,
    /// When the app must be read once more: that request may take effect until then.
    pub look_again_ms: Option<i64>,
    /// Generation of the mark that the snapshot was taken under.
    pub mark_generation: i64,
    /// Generation of the link in the snapshot; 0: no link.
    pub link_generation: i64,
    /// The guard has released the subject's destructive effect.
    pub released: bool,
    /// For membership removals: how many may be removed at once.
    pub removal_limit: Option<(i64, i64)>,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intended {
    /// It is durable; the request may be sent.
    Granted(IntentId),
    /// Something changed since the snapshot: look again.
    Superseded,
    /// The guard staged it; the mark stays until it is released.
    Staged,
    /// Another subject took the key meanwhile: look again.
    KeyTaken,
    /// The lane belongs to another owner now: stop.
    Fenced,
}

/// How a run ended, for progress and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Names of the writes that were applied.
    pub applied: Vec<&'static str>,
    /// The run ended because of the app, not of the subject.
    pub lane: LaneSignal,
}

/// What a run learned about the whole lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LaneSignal {
    /// Nothing.
    #[default]
    Fine,
    /// Slow down for this many milliseconds.
    Throttled(i64),
    /// The app may be down or refuses us: probe it before anything else is sent.
    Suspect,
    /// The lane belongs to another owner now.
    Fenced,
}

enum Stage {
    Idle,
    Loading,
    FindingOwn { plan: Plan },
    FindingKey { plan: Plan, found: Vec<Remote> },
    Owning { found: Vec<Remote> },
    Verifying,
    ConfirmingGone,
    Intending(Write),
    ReadingForReplace { write: Write, intent: IntentId },
    Writing { write: Write, intent: IntentId },
    CheckingGroup { write: Write, intent: IntentId, evidence: Evidence },
    Settling { again: bool },
    Done,
}

/// The run of one subject in one app.
pub struct Run {
    stage: Stage,
    known: Known,
    snapshot: Option<Snapshot>,
    edge_limit: usize,
    rounds: u32,
    finish: Finish,
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    /// A run that has not begun.
    pub fn new() -> Self {
        Self {
            stage: Stage::Idle,
            known: Known::default(),
            snapshot: None,
            edge_limit: 0,
            rounds: 0,
            finish: Finish::default(),
        }
    }

    /// Takes an event and says what to do next. After `Finish` it must not be called again.
    pub fn step(&mut self, event: Event) -> Effect {
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        match (stage, event) {
            (Stage::Idle, Event::Start) => self.load(),
            (Stage::Loading, Event::Loaded(Some(snapshot))) => {
                self.snapshot = Some(snapshot);
                self.decide()
            }
            (Stage::FindingOwn { plan }, Event::Answered(outcome)) => self.found_own(plan, outcome),
            (Stage::FindingKey { plan, found }, Event::Answered(outcome)) => {
                self.found_key(&plan, found, outcome)
            }
            (Stage::Owning { found }, Event::Owners(owners)) => {
                let snapshot =
                    self.snapshot.as_ref().expect("a snapshot was loaded before anything was looked up");
                self.known.candidates = Some(candidates::recheck(snapshot, found, owners));
                self.decide()
            }
            (Stage::Verifying, Event::Answered(outcome)) => self.verified(outcome),
            (Stage::ConfirmingGone, Event::Answered(outcome)) => self.gone_confirmed(outcome),
            (Stage::Intending(write), Event::Intended(intended)) => self.intended(write, intended),
            (Stage::ReadingForReplace { write, intent }, Event::Answered(outcome)) => {
                self.read_for_replace(write, intent, outcome)
            }
            (Stage::Writing { write, intent }, Event::Answered(outcome)) => {
                self.written(write, intent, outcome)
            }
            (Stage::CheckingGroup { write, intent, evidence }, Event::Answered(outcome)) => {
                self.group_checked(write, intent, evidence, outcome)
            }
            (Stage::Settling { again: true }, Event::Settled) if self.rounds < ROUNDS => self.load(),
            (Stage::Loading, Event::Loaded(None)) | (Stage::Settling { .. }, Event::Settled) => self.over(),
            (_, event) => unreachable!("the shell sent an event that was not asked for: {event:?}"),
        }
    }

    /// Ends a run that has not announced anything since its last settlement: as if the rest had never begun.
    pub fn abandon(&mut self) -> Finish {
        std::mem::take(&mut self.finish)
    }

    fn load(&mut self) -> Effect {
        self.rounds += 1;
        self.known = Known::default();
        self.stage = Stage::Loading;
        Effect::Load { edges: self.edge_limit }
    }

    fn over(&mut self) -> Effect {
        Effect::Finish(std::mem::take(&mut self.finish))
    }

    fn snapshot(&self) -> &Snapshot {
        self.snapshot.as_ref().expect("a snapshot was loaded before anything was decided")
    }

    fn decide(&mut self) -> Effect {
        let plan = plan(self.snapshot(), &self.known);
        match &plan.operation {
            Operation::Locate(locate) => {
                let call = Call::Find {
                    kind: locate.kind,
                    attribute: "externalId".into(),
                    value: locate.external_id.clone(),
                };
                self.stage = Stage::FindingOwn { plan };
                Effect::Send(Box::new(call))
            }
            Operation::Verify { kind, remote_id } => {
                let call = Call::Read { kind: *kind, remote_id: remote_id.clone(), members: false };
                self.stage = Stage::Verifying;
                Effect::Send(Box::new(call))
            }
            Operation::Write(Write::Members { add, remove, noted, .. })
                if add.is_empty() && remove.is_empty() =>
            {
                let settlement = settle::noted(self.snapshot(), noted, plan.resolves);
                self.settle(settlement)
            }
            Operation::Write(write) => self.intend(write.clone(), plan.resolves),
            _ => {
                let settlement = settle::without_request(self.snapshot(), &self.known, &plan);
                self.settle(settlement)
            }
        }
    }

    fn intend(&mut self, write: Write, resolves: Option<Resolution>) -> Effect {
        let base = self.snapshot().base();
        let removal_limit = match (&write, self.snapshot()) {
            (Write::Members { remove, .. }, Snapshot::Group(group)) if !remove.is_empty() => {
                let limit = base.app.app.settings.guard_threshold(group.present_edges);
                // What is sent once more, because its outcome is unknown, was counted and granted when it was sent first.
                let anything_new = remove.iter().any(|change| group.holds(&change.user));
                Some(if anything_new { (group.removal_candidates, limit) } else { (0, i64::MAX) })
            }
            _ => None,
        };
        let intention = Intention {
            look_again_ms: settle::look_again_ms(self.snapshot(), resolves),
            resolves: resolves.and_then(|how| base.intent.as_ref().map(|intent| (intent.id.clone(), how))),
            mark_generation: base.mark.as_ref().map_or(0, |mark| mark.generation),
            link_generation: base.link.as_ref().map_or(0, |link| link.generation),
            released: base.mark.as_ref().is_some_and(|mark| mark.released),
            removal_limit,
            write: write.clone(),
        };
        self.stage = Stage::Intending(write);
        Effect::Intend(Box::new(intention))
    }

    fn settle(&mut self, settlement: Settlement) -> Effect {
        self.stage = Stage::Settling { again: settlement.after == After::Again };
        if settlement.lane != LaneSignal::Fine {
            self.finish.lane = settlement.lane.clone();
        }
        self.finish.applied.extend(settlement.applied);
        Effect::Settle(Box::new(settlement))
    }

    fn found_own(&mut self, plan: Plan, outcome: Outcome) -> Effect {
        let Operation::Locate(locate) = &plan.operation else { return self.over() };
        let found = match outcome {
            Outcome::Found(found) => found,
            // A 404 or 400 on a list means "no match" or "cannot filter by this": the matching attribute decides.
            Outcome::Missing(_) | Outcome::Rejected(_) => vec![],
            other => return self.read_failed(other),
        };
        if found.iter().any(|remote| remote.external_id() == Some(locate.external_id.as_str())) {
            return self.owners(locate.kind, found);
        }
        let call = Call::Find {
            kind: locate.kind,
            attribute: locate.attribute.clone(),
            value: locate.value.clone(),
        };
        self.stage = Stage::FindingKey { plan, found };
        Effect::Send(Box::new(call))
    }

    fn found_key(&mut self, plan: &Plan, mut found: Vec<Remote>, outcome: Outcome) -> Effect {
        let Operation::Locate(locate) = &plan.operation else { return self.over() };
        match outcome {
            Outcome::Found(more) => found.extend(more),
            Outcome::Missing(_) => {}
            other => return self.read_failed(other),
        }
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|remote| seen.insert(remote.id.clone()));
        self.owners(locate.kind, found)
    }

    fn owners(&mut self, kind: RemoteKind, found: Vec<Remote>) -> Effect {
        if found.is_empty() {
            self.known.candidates = Some(vec![]);
            return self.decide();
        }
        let remote_ids = found.iter().map(|remote| remote.id.clone()).collect();
        self.stage = Stage::Owning { found };
        Effect::Owners { kind, remote_ids }
    }

    fn verified(&mut self, outcome: Outcome) -> Effect {
        match outcome {
            Outcome::Applied(Some(remote)) => {
                self.known.observed = Some(Observed::There(Box::new(remote)));
                self.decide()
            }
            // A gateway that has lost its route answers 404 too: only an app that answers in SCIM may say that one is gone.
            Outcome::Missing(_) => {
                self.stage = Stage::ConfirmingGone;
                Effect::Send(Box::new(Call::Probe))
            }
            other => self.read_failed(other),
        }
    }

    fn gone_confirmed(&mut self, outcome: Outcome) -> Effect {
        match outcome {
            Outcome::Found(_) | Outcome::Applied(_) => {
                self.known.observed = Some(Observed::Gone);
                self.decide()
            }
            Outcome::Missing(evidence) | Outcome::Rejected(evidence) => {
                self.read_failed(Outcome::Down(evidence))
            }
            other => self.read_failed(other),
        }
    }

    fn read_failed(&mut self, outcome: Outcome) -> Effect {
        let settlement = settle::read_failed(self.snapshot(), outcome);
        self.settle(settlement)
    }

    fn intended(&mut self, write: Write, intended: Intended) -> Effect {
        match intended {
            Intended::Granted(intent) => self.send(write, intent),
            Intended::Superseded | Intended::KeyTaken if self.rounds < ROUNDS => self.load(),
            Intended::Superseded | Intended::KeyTaken | Intended::Staged => self.over(),
            Intended::Fenced => {
                self.finish.lane = LaneSignal::Fenced;
                self.over()
            }
        }
    }

    fn send(&mut self, write: Write, intent: IntentId) -> Effect {
        let settings = &self.snapshot().base().app.app.settings;
        let replaces = settings.write_with == crate::app::WriteMethod::Put
            && matches!(write, Write::Update { .. } | Write::Deactivate { .. } | Write::Members { .. });
        if replaces {
            let call = crate::write_call::read_before_replace(&write);
            self.stage = Stage::ReadingForReplace { write, intent };
            return Effect::Send(Box::new(call));
        }
        let call = crate::write_call::call_for(&write);
        self.stage = Stage::Writing { write, intent };
        Effect::Send(Box::new(call))
    }

    fn read_for_replace(&mut self, write: Write, intent: IntentId, outcome: Outcome) -> Effect {
        match outcome {
            Outcome::Applied(Some(remote)) if self.would_empty_group(&write, &remote) => {
                let detail =
                    "the app does not show the members of the group, so a replacement would remove them"
                        .into();
                self.written(write, intent, Outcome::Rejected(Evidence { detail, ..Evidence::default() }))
            }
            Outcome::Applied(Some(remote)) => {
                let call = crate::write_call::replace_for(&write, &remote);
                self.stage = Stage::Writing { write, intent };
                Effect::Send(Box::new(call))
            }
            // Nothing was written yet, so an unanswered read is no unknown outcome.
            Outcome::Unknown(evidence) => self.written(write, intent, Outcome::Down(evidence)),
            other => self.written(write, intent, other),
        }
    }

    /// An app that hides members must not be written a list made from what it shows.
    fn would_empty_group(&self, write: &Write, remote: &Remote) -> bool {
        let hidden = remote.doc.get("members").is_none_or(|members| !members.is_array());
        let Snapshot::Group(group) = self.snapshot() else { return false };
        hidden && group.present_edges > 0 && !matches!(write, Write::Delete { .. } | Write::Create { .. })
    }

    fn written(&mut self, write: Write, intent: IntentId, outcome: Outcome) -> Effect {
        if let (Write::Members { remote_id, .. }, Outcome::Missing(evidence)) = (&write, &outcome) {
            let call = Call::Read { kind: RemoteKind::Group, remote_id: remote_id.clone(), members: false };
            self.stage = Stage::CheckingGroup { evidence: evidence.clone(), write, intent };
            return Effect::Send(Box::new(call));
        }
        if let (Write::Create { .. }, Outcome::Conflict(_)) = (&write, &outcome) {
            self.known.conflict = true;
        }
        self.adapt_edge_limit(&write, &outcome);
        let mut settlement = settle::written(self.snapshot(), &write, intent, outcome);
        // The look that was due has been taken, and what it showed has been put right.
        settlement.verified |= settlement.applied.is_some() && self.known.observed.is_some();
        self.settle(settlement)
    }

    /// A 404 on a membership change: either the group is gone or one of the members is.
    fn group_checked(
        &mut self,
        write: Write,
        intent: IntentId,
        evidence: Evidence,
        outcome: Outcome,
    ) -> Effect {
        let outcome = match outcome {
            Outcome::Missing(gone) => Outcome::Missing(gone),
            _ => Outcome::Rejected(evidence),
        };
        self.adapt_edge_limit(&write, &outcome);
        let settlement = settle::written(self.snapshot(), &write, intent, outcome);
        self.settle(settlement)
    }

    /// A rejected chunk is bisected until the one membership that the app refuses stands alone.
    fn adapt_edge_limit(&mut self, write: &Write, outcome: &Outcome) {
        let Write::Members { add, remove, .. } = write else { return };
        let size = add.len() + remove.len();
        let cap = self.snapshot().base().app.app.settings.member_cap;
        self.edge_limit = match outcome {
            Outcome::Rejected(_) | Outcome::Conflict(_) if size > 1 => size / 2,
            _ if self.edge_limit == 0 => 0,
            _ if self.edge_limit * 2 >= cap => 0,
            _ => self.edge_limit * 2,
        };
    }
}
