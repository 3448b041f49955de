//! The lane of the simulation: the same snapshots, runs, intents and settlements as the real one, one effect at a time.

use std::sync::Arc;

use domain::executor::{Effect, Event, Run};
use domain::ids::Subject;
use domain::plan::Write;
use domain::remote::{Call, Outcome, RemoteKind};
use domain::snapshot::{CompiledApp, LinkState, Snapshot};
use engine::connectors::scim::outcome;
use engine::lane::intend::{owners, release_planned_waves};
use engine::lane::writes::{RunWrite, What, Written, write_together};
use engine::snapshot::{Scope, load};
use store::repo::{change, intent, lane, link, mark};

use crate::model::Model;
use crate::network::{Sending, Wire};
use crate::scenario::Mutant;
use crate::world::{Stop, World};

/// Runs at the same time at most.
const WIDTH: usize = 4;
/// Links that one check reads at most.
const ALL: i64 = 10_000;

/// What a run does next.
enum Todo {
    Effect(Effect),
    /// Waits for the answer to this request.
    Answer(u64, Box<Call>),
    /// In the middle of its effect.
    Busy,
    /// Another process owns the lane.
    Over,
}

/// What a run is about to write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Outcome,
    Intent,
}

fn writes(active: &Active) -> Option<Kind> {
    match &active.todo {
        Todo::Effect(Effect::Intend(_)) => Some(Kind::Intent),
        Todo::Effect(Effect::Settle(_)) => Some(Kind::Outcome),
        _ => None,
    }
}

struct Active {
    subject: Subject,
    run: Run,
    todo: Todo,
    app: Option<Arc<CompiledApp>>,
    wanted: bool,
    intended_ms: i64,
    write: Option<&'static str>,
}

/// What the database says about the work that is left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    pub(crate) ready: Vec<Subject>,
    pub(crate) changes: i64,
    pub(crate) staged: i64,
    pub(crate) next_due_ms: Option<i64>,
    pub(crate) not_before_ms: i64,
}

pub(crate) struct Lane {
    runs: Vec<Active>,
    fence: i64,
    owner: u32,
    /// The app asked this process not to send anything before this time.
    pause_until_ms: i64,
    mutant: Option<Mutant>,
}

impl Lane {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        Self { runs: vec![], fence: 0, owner: 0, pause_until_ms: 0, mutant }
    }

    /// A new process becomes the lane's owner; what it does not know the outcome of is unknown.
    pub(crate) fn take(&mut self, world: &mut World) -> Result<(), Stop> {
        self.runs.clear();
        self.owner += 1;
        let (owner, (_, app)) = (format!("process-{}", self.owner), world.keys());
        world.note(format!("{owner} takes the lane"));
        self.fence = world.write("take", move |tx, ctx| {
            let found = lane::ensure(tx, &ctx.tenant, &app)?;
            let fence =
                lane::take(tx, &ctx.tenant, &app, &owner, ctx.now_ms + 60_000, found.fence)?.unwrap_or(0);
            intent::disown(tx, &ctx.tenant, &app, fence)?;
            mark::wake_waiting(tx, &ctx.tenant, &app, ctx.now_ms)?;
            Ok(fence)
        })?;
        Ok(())
    }

    /// The process died: no run is remembered.
    pub(crate) fn died(&mut self) {
        self.runs.clear();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.runs.is_empty()
    }

    /// Looks at the work that is left; `ready` without what is running, and empty if no more may run.
    pub(crate) fn survey(&self, world: &World) -> Survey {
        let ((tenant, app), now_ms) = (world.keys(), world.now_ms);
        let mut survey = world.look(move |tx| {
            let states = mark::count_by_state(tx, &tenant, &app)?;
            Ok(Survey {
                ready: mark::ready(tx, &tenant, &app, now_ms, 64)?,
                changes: change::count(tx, &tenant)?,
                staged: states.iter().filter(|(state, _)| state == "staged").map(|(_, count)| count).sum(),
                next_due_ms: mark::next_due(tx, &tenant, &app)?,
                not_before_ms: lane::get(tx, &tenant, &app)?.map_or(0, |lane| lane.not_before_ms),
            })
        });
        survey.not_before_ms = survey.not_before_ms.max(self.pause_until_ms);
        survey.ready.retain(|subject| !self.runs.iter().any(|active| active.subject == *subject));
        if self.runs.len() >= WIDTH || survey.not_before_ms > now_ms {
            survey.ready.clear();
        }
        survey
    }

    /// Runs that can go on now, by their place: not those that wait for an answer or for the app's pause to end.
    pub(crate) fn movable(&self, world: &World, survey: &Survey) -> Vec<usize> {
        let paused = survey.not_before_ms > world.now_ms;
        let moves = |active: &Active| match &active.todo {
            Todo::Effect(Effect::Send(_) | Effect::Intend(_)) => !paused,
            Todo::Effect(_) => true,
            Todo::Answer(..) | Todo::Busy | Todo::Over => false,
        };
        (0..self.runs.len()).filter(|place| moves(&self.runs[*place])).collect()
    }

    pub(crate) fn start(&mut self, world: &mut World, subject: &Subject) {
        world.note(format!("run {}", world.label(subject)));
        let mut run = Run::new();
        let todo = Todo::Effect(run.step(Event::Start));
        let subject = subject.clone();
        self.runs.push(Active { subject, run, todo, app: None, wanted: false, intended_ms: 0, write: None });
    }

    /// Performs the next effect of a run.
    pub(crate) fn go_on(
        &mut self,
        world: &mut World,
        wire: &mut Wire,
        model: &Model,
        place: usize,
    ) -> Result<(), Stop> {
        if writes(&self.runs[place]).is_some() {
            return self.write(world, place);
        }
        let mut active = self.runs.swap_remove(place);
        let Todo::Effect(effect) = std::mem::replace(&mut active.todo, Todo::Busy) else { return Ok(()) };
        let event = match effect {
            Effect::Finish(finish) => {
                world.note(format!("{} ends: {:?}", world.label(&active.subject), finish.applied));
                return Ok(());
            }
            Effect::Send(call) => {
                if self.mutant == Some(Mutant::BlindSecondPost)
                    && matches!(*call, Call::Find { kind: RemoteKind::User, .. })
                {
                    Event::Answered(Outcome::Found(vec![]))
                } else {
                    let sending = Sending {
                        subject: active.subject.clone(),
                        call: (*call).clone(),
                        intended_ms: active.intended_ms.max(if active.write.is_some() {
                            0
                        } else {
                            world.now_ms
                        }),
                        write: active.write,
                        wanted: active.wanted,
                    };
                    active.todo = Todo::Answer(wire.send(world, sending), call);
                    self.runs.push(active);
                    return Ok(());
                }
            }
            other => match self.perform(world, model, &mut active, other)? {
                Some(event) => event,
                None => return Ok(()),
            },
        };
        active.todo = Todo::Effect(active.run.step(event));
        self.runs.push(active);
        Ok(())
    }

    /// Hands an answer to the run that waits for it.
    pub(crate) fn answered(&mut self, world: &mut World, wire: &mut Wire, id: u64) {
        let Some(answer) = wire.take(id) else { return };
        let waits = |active: &Active| matches!(&active.todo, Todo::Answer(waited, _) if *waited == id);
        let Some(place) = self.runs.iter().position(waits) else { return };
        let mut active = self.runs.swap_remove(place);
        let Todo::Answer(_, call) = active.todo else { return };
        let outcome = outcome(&call, answer, world.now_ms);
        world.note(format!("#{id} outcome {}", name_of(&outcome)));
        if let Outcome::Throttled { after_ms } = outcome {
            self.pause_until_ms = self.pause_until_ms.max(world.now_ms + after_ms);
        }
        active.todo = Todo::Effect(active.run.step(Event::Answered(outcome)));
        self.runs.push(active);
    }

    /// Writes the intent or the outcome of a run; every other time together with what other runs have to write, as the real
    /// lane does. Intents of others go along with an intent only: it says that the app asked for no pause.
    fn write(&mut self, world: &mut World, place: usize) -> Result<(), Stop> {
        let (together, lead) = (world.durable.is_multiple_of(2), writes(&self.runs[place]));
        let mut places = vec![place];
        for (other, active) in self.runs.iter().enumerate().filter(|(other, _)| *other != place) {
            if together && writes(active).is_some_and(|kind| kind <= lead.unwrap_or(Kind::Outcome)) {
                places.push(other);
            }
        }
        let (mut batch, mut names) = (vec![], vec![]);
        for place in &places {
            let active = &mut self.runs[*place];
            let Some(app) = active.app.clone() else { continue };
            let (subject, trace) = (active.subject.clone(), world.context().trace);
            let what = match std::mem::replace(&mut active.todo, Todo::Busy) {
                Todo::Effect(Effect::Intend(intention)) => {
                    active.intended_ms = world.now_ms;
                    active.write = Some(intention.write.name());
                    names.push(format!("intends {}", describe(&intention.write)));
                    What::Intention(intention)
                }
                Todo::Effect(Effect::Settle(settlement)) => {
                    let cause = settlement.finding.as_ref().map(|found| found.cause);
                    names.push(format!("settles {:?} {cause:?}", settlement.after));
                    What::Settlement(settlement)
                }
                _ => continue,
            };
            batch.push(RunWrite { subject, app, trace, what });
        }
        let fence = self.fence;
        let written = world.write("write", move |tx, ctx| write_together(tx, ctx, fence, &batch))?;
        for ((place, name), written) in places.iter().zip(names).zip(written) {
            let active = &mut self.runs[*place];
            world.note(format!("{} {name}: {written:?}", world.label(&active.subject)));
            active.todo = match written {
                Written::Intended(intended) => Todo::Effect(active.run.step(Event::Intended(intended))),
                Written::Settled(true) => Todo::Effect(active.run.step(Event::Settled)),
                Written::Settled(false) => Todo::Over,
            };
        }
        self.runs.retain(|active| !matches!(active.todo, Todo::Over));
        one_owner_each(world);
        Ok(())
    }

    /// Reads; none: the run is over.
    fn perform(
        &mut self,
        world: &mut World,
        model: &Model,
        active: &mut Active,
        effect: Effect,
    ) -> Result<Option<Event>, Stop> {
        let (subject, app_id) = (active.subject.clone(), world.app_id.clone());
        Ok(Some(match effect {
            Effect::Load { edges } => {
                active.write = None;
                active.wanted = model.person_of(subject.id()).is_some_and(|person| model.wanted(person));
                let mut loaded = load_subject(world, &subject, edges)?;
                self.corrupt(world, loaded.as_mut())?;
                active.app = loaded.as_ref().map(|snapshot| snapshot.base().app.clone());
                Event::Loaded(loaded)
            }
            Effect::Owners { kind, remote_ids } => {
                let (context, kind) = (world.context(), kind_name(kind));
                Event::Owners(world.read(move |tx| owners(tx, &context, &app_id, kind, &remote_ids))?)
            }
            _ => return Ok(None),
        }))
    }

    /// What the mutants do to a snapshot: the program under test as it would be without its rule.
    fn corrupt(&self, world: &mut World, loaded: Option<&mut Snapshot>) -> Result<(), Stop> {
        match (self.mutant, loaded) {
            (Some(Mutant::MembersDoNotWait), Some(Snapshot::Group(group))) => {
                for edge in
                    group.edges.iter_mut().filter(|edge| edge.member && edge.link != Some(LinkState::Live))
                {
                    edge.link = Some(LinkState::Live);
                    edge.account.get_or_insert_with(|| format!("guess-{}", edge.user));
                }
                Ok(())
            }
            (Some(Mutant::BlindSecondPost), Some(Snapshot::User(user))) => {
                let Some(open) = user.base.intent.take_if(|open| open.kind == "create") else {
                    return Ok(());
                };
                world.write("forget", move |tx, ctx| {
                    let end = domain::executor::IntentEnd::NotApplied;
                    intent::settle(tx, &ctx.tenant, &open.id, end, None, ctx.now_ms)?;
                    Ok(())
                })
            }
            _ => Ok(()),
        }
    }

    /// Lets go what the guard has staged, where its wave is planned to its end.
    pub(crate) fn release(&self, world: &mut World) -> Result<u64, Stop> {
        let (apps, app_id) = (world.apps.clone(), world.app_id.clone());
        let released = world.write("release", move |tx, ctx| {
            let app = apps.get(tx, &ctx.tenant, &app_id)?;
            release_planned_waves(tx, ctx, &app)
        })?;
        world.note(format!("releases {released}"));
        Ok(released)
    }

    /// A person approves everything that the guard holds.
    pub(crate) fn approve(&self, world: &mut World) -> Result<(), Stop> {
        let (_, app) = world.keys();
        let approved = world.write("approve", move |tx, ctx| {
            lane::guard_reset(tx, &ctx.tenant, &app)?;
            Ok(mark::release(tx, &ctx.tenant, &app, None)?)
        })?;
        world.note(format!("a person approves {approved}"));
        Ok(())
    }
}

fn load_subject(world: &World, subject: &Subject, edges: usize) -> Result<Option<Snapshot>, Stop> {
    let (apps, (tenant, app_id), now_ms) = (world.apps.clone(), world.keys(), world.now_ms);
    let subject = subject.clone();
    world.read(move |tx| {
        let app = apps.get(tx, &tenant, &app_id)?;
        let scope = Scope { tenant: tenant.clone(), app, now_ms, with_groups: false };
        load(tx, &scope, &subject, edges)
    })
}

/// I10: whatever was recorded, an object in the app is tied to one subject at most.
fn one_owner_each(world: &mut World) {
    for kind in ["user", "group"] {
        let (tenant, app) = world.keys();
        let links = world.look(move |tx| Ok(link::page(tx, &tenant, &app, kind, "", ALL)?));
        let mut seen = std::collections::BTreeSet::new();
        for (subject, link) in links.into_iter().filter(|(_, link)| link.state != LinkState::Lost) {
            if let Some(id) = link.remote_id.filter(|id| !seen.insert(id.clone())) {
                let label = world.label(&subject);
                world.violated(format!("I10: {id} is tied to {label} and to another {kind}"));
            }
        }
    }
}

fn kind_name(kind: RemoteKind) -> &'static str {
    match kind {
        RemoteKind::User => "user",
        RemoteKind::Group => "group",
    }
}

fn describe(write: &Write) -> String {
    match write {
        Write::Members { add, remove, noted, .. } => {
            format!("members +{} -{} ={}", add.len(), remove.len(), noted.len())
        }
        Write::Update { changes, .. } => format!("update {:?}", changes.keys().collect::<Vec<_>>()),
        other => other.name().to_owned(),
    }
}

fn name_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Found(found) => format!("found {}", found.len()),
        Outcome::Applied(_) => "applied".into(),
        Outcome::Missing(_) => "missing".into(),
        Outcome::Conflict(evidence) => format!("conflict {}", evidence.detail),
        Outcome::Rejected(evidence) => format!("rejected {}", evidence.detail),
        Outcome::Throttled { after_ms } => format!("throttled {after_ms}"),
        Outcome::Unauthorized(_) => "unauthorized".into(),
        Outcome::Down(_) => "down".into(),
        Outcome::Unknown(_) => "unknown".into(),
    }
}
