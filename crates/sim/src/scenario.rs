//! One seed from the first load to the last check.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::app::{AppSettings, Deprovision, Linking, WriteMethod};
use domain::ids::Subject;
use engine::dispatch;
use simapp::{Fault, UnknownMembers};
use store::repo::mark::Touch;
use store::repo::{link, mark};

use crate::change::carry_out;
use crate::dice::Dice;
use crate::hand_edits::edit_by_hand;
use crate::invariants::{check_all, check_quiet, open_tasks};
use crate::lane_loop::{Lane, Survey};
use crate::model::Model;
use crate::network::Wire;
use crate::report::{Report, SeedReport};
use crate::schedule::Schedule;
use crate::world::{CrashPlan, Stop, World};

/// How long a request that got no answer may still take effect, virtual milliseconds.
const WINDOW_MS: i64 = 5_000;
/// Steps after which a run counts as one that never ends.
const STEPS: usize = 60_000;

/// A rule switched off, to prove that the checks notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Memberships are sent before the account of their user is confirmed.
    MembersDoNotWait,
    /// An unanswered create is forgotten and sent again without a look-up.
    BlindSecondPost,
}

impl Mutant {
    /// All of them with their names.
    pub const ALL: [(&str, Mutant); 2] =
        [("members-do-not-wait", Mutant::MembersDoNotWait), ("blind-second-post", Mutant::BlindSecondPost)];
}

/// How a seed is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A rule to switch off.
    pub mutant: Option<Mutant>,
    /// Keep the trace as text.
    pub trace: bool,
    /// A small directory; the process dies only where `crash_after` says.
    pub small: bool,
    /// The process dies after this durable write, counted from 1.
    pub crash_after: Option<u64>,
}

/// Runs one seed; a panic is a violation too.
pub fn run(seed: u64, options: Options) -> SeedReport {
    let result = catch_unwind(AssertUnwindSafe(|| Scenario::new(seed, options).run()));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let violations = vec![format!("panic: {}", text.unwrap_or_default())];
        SeedReport { seed, violations, ..SeedReport::default() }
    })
}

/// Runs a small world of the seed once without a crash, then once for each of its durable writes with a crash after it.
pub fn sweep(seed: u64) -> Report {
    let calm = run(seed, Options { small: true, ..Options::default() });
    let writes = calm.durable_writes;
    let mut seeds = vec![calm];
    seeds.extend(
        (1..=writes)
            .map(|nth| run(seed, Options { small: true, crash_after: Some(nth), ..Options::default() })),
    );
    Report { seeds }
}

struct Scenario {
    seed: u64,
    options: Options,
    world: World,
    model: Model,
    wire: Wire,
    lane: Lane,
    schedule: Schedule,
    dice: Dice,
    by_hand: Dice,
    hand_edits: usize,
    outages: usize,
    report: SeedReport,
}

/// What can happen next.
#[derive(Clone, Debug)]
enum Next {
    GoOn(usize),
    Deliver(usize),
    Answer(u64),
    Start(Subject),
    Dispatch,
    Release,
    Change,
    ByHand,
    Outage,
    /// `kill -9` while a write is under way.
    Kill,
    Tick,
}

impl Scenario {
    fn new(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed, "scenario");
        let settings = AppSettings {
            base_url: "http://app.example/scim/v2".into(),
            link: Linking::On,
            in_flight_window_ms: WINDOW_MS,
            member_cap: dice.between(2, 4),
            concurrency: 4,
            guard_percent: if dice.per_mille(300) { 20 } else { 1_000_000 },
            deprovision: if dice.per_mille(700) { Deprovision::Deactivate } else { Deprovision::Delete },
            write_with: if dice.per_mille(800) { WriteMethod::Patch } else { WriteMethod::Put },
            ..AppSettings::default()
        };
        let mut world = World::new(seed, settings, app(seed, options, &mut dice), options.trace);
        world.crash = match options {
            Options { crash_after: Some(nth), .. } => CrashPlan::After(nth),
            Options { small: true, .. } => CrashPlan::Never,
            _ => CrashPlan::PerMille(25),
        };
        let changes = if options.small { 5 } else { dice.between(12, 30) };
        let by_hand = dice.per_mille(500) && !options.small;
        Self {
            seed,
            options,
            world,
            model: Model::default(),
            wire: Wire::new(seed, WINDOW_MS),
            lane: Lane::new(options.mutant),
            schedule: Schedule::new(seed, changes),
            by_hand: Dice::new(seed, "by hand"),
            hand_edits: if by_hand { dice.between(2, 6) } else { 0 },
            outages: dice.below(3),
            dice,
            report: SeedReport { seed, changes: changes as u64, ..SeedReport::default() },
        }
    }

    fn run(mut self) -> SeedReport {
        let (users, groups) = match self.options.small {
            true => (3, 2),
            false => (self.dice.between(3, 12), self.dice.between(2, 5)),
        };
        let edited = self.hand_edits > 0;
        self.restart();
        for step in self.schedule.first(users, groups, self.world.now_ms) {
            self.change(step);
        }
        self.drive(true);
        self.calm_down();
        self.drive(false);
        if edited {
            // What others did in the app is found by looking at the app.
            self.look_at_everything();
            self.drive(false);
        }
        // Somebody works through the tasks; what was in their way may be gone by now.
        for _ in 0..3 {
            if open_tasks(&self.world).is_empty() {
                break;
            }
            self.look_at_everything();
            self.drive(false);
        }
        let tasks = check_all(&mut self.world, &self.model, &self.wire);
        self.wire.writes.clear();
        self.look_at_everything();
        self.drive(false);
        check_quiet(&mut self.world, &self.wire);
        check_all(&mut self.world, &self.model, &self.wire);
        self.finish(tasks)
    }

    fn finish(self, tasks: usize) -> SeedReport {
        let seen = self.world.remote.seen().clone();
        let mut faults = self.world.faults;
        for (kind, count) in seen.faults {
            *faults.entry(kind).or_default() += count;
        }
        SeedReport {
            seed: self.seed,
            users: self.model.people.len() as u64,
            groups: self.model.teams.len() as u64,
            requests: self.wire.sent,
            durable_writes: self.world.durable,
            tasks: tasks as u64,
            faults,
            violations: self.world.violations,
            hash: self.world.trace.hash(),
            lines: self.world.trace.into_lines(),
            ..self.report
        }
    }

    /// Lets things happen until nothing can happen any more.
    fn drive(&mut self, rough: bool) {
        for _ in 0..STEPS {
            let survey = self.lane.survey(&self.world);
            if let Some(next) = self.choose(rough, &survey) {
                self.happen(next);
            } else if !self.wait(&survey) {
                if survey.staged == 0 {
                    return;
                }
                match self.lane.release(&mut self.world) {
                    Ok(0) => {
                        self.report.approvals += 1;
                        let done = self.lane.approve(&mut self.world);
                        self.after(done);
                    }
                    done => self.after(done.map(drop)),
                }
            }
        }
        self.world.violated(format!("I4: the lane does not drain within {STEPS} steps"));
    }

    fn choose(&mut self, rough: bool, survey: &Survey) -> Option<Next> {
        let mut choices: Vec<(usize, Next)> = vec![];
        choices
            .extend(self.lane.movable(&self.world, survey).into_iter().map(|place| (6, Next::GoOn(place))));
        for place in self.wire.outbound() {
            // A request that nobody waits for any more takes its time.
            let weight = if self.wire.is_awaited(place) { 6 } else { 1 };
            choices.push((weight, Next::Deliver(place)));
        }
        choices.extend(self.wire.answered().into_iter().map(|id| (5, Next::Answer(id))));
        if let Some(subject) = self.dice.pick(&survey.ready) {
            choices.push((5, Next::Start(subject.clone())));
        }
        if survey.changes > 0 {
            choices.push((4, Next::Dispatch));
        }
        if rough && self.schedule.left > 0 {
            choices.push((2, Next::Change));
        }
        if choices.is_empty() {
            return None;
        }
        if survey.staged > 0 {
            choices.push((1, Next::Release));
        }
        if rough && self.hand_edits > 0 {
            choices.push((1, Next::ByHand));
        }
        if rough && self.outages > 0 {
            choices.push((1, Next::Outage));
        }
        let killable = matches!(self.world.crash, CrashPlan::PerMille(_)) && self.wire.awaits_write();
        if rough && killable && self.dice.per_mille(350) {
            choices.push((4, Next::Kill));
        }
        choices.push((6, Next::Tick));
        let mut roll = self.dice.below(choices.iter().map(|(weight, _)| weight).sum());
        choices.into_iter().find_map(|(weight, next)| {
            let hit = roll < weight;
            roll = roll.saturating_sub(weight);
            hit.then_some(next)
        })
    }

    fn happen(&mut self, next: Next) {
        let (world, wire) = (&mut self.world, &mut self.wire);
        let done = match next {
            Next::GoOn(place) => self.lane.go_on(world, wire, &self.model, place),
            Next::Deliver(place) => {
                wire.deliver(world, place);
                Ok(())
            }
            Next::Answer(id) => {
                self.lane.answered(world, wire, id);
                Ok(())
            }
            Next::Start(subject) => {
                self.lane.start(world, &subject);
                Ok(())
            }
            Next::Dispatch => self.dispatch(),
            Next::Release => self.lane.release(world).map(drop),
            Next::Change => {
                self.schedule.left -= 1;
                if let Some(step) = self.schedule.next(&self.model, self.world.now_ms) {
                    self.change(step);
                }
                Ok(())
            }
            Next::ByHand => {
                if edit_by_hand(world, &self.model, &mut self.by_hand) {
                    self.hand_edits -= 1;
                }
                Ok(())
            }
            Next::Outage => {
                self.outages -= 1;
                let text = format!("down*{}", self.dice.between(2, 6));
                world.note(format!("outage {text}"));
                world.remote.add_fault(Fault::parse(&text).expect("a fault of the catalogue"));
                Ok(())
            }
            Next::Kill => Err(Stop::Crash),
            Next::Tick => {
                let pause_ms = i64::try_from(self.dice.between(1, 60)).unwrap_or(1);
                self.pass(self.world.now_ms + pause_ms);
                Ok(())
            }
        };
        self.after(done);
    }

    /// What a step led to: nothing, a crash and a new process, or a refusal, which is a bug.
    fn after(&mut self, done: Result<(), Stop>) {
        match done {
            Ok(()) => {}
            Err(Stop::Crash) => {
                self.report.crashes += 1;
                self.world.fault("crash");
                self.world.note("CRASH");
                self.lane.died();
                self.wire.caller_died(&mut self.world);
                self.restart();
            }
            Err(Stop::Refused(reason)) => self.world.violated(format!("refused: {reason}")),
        }
    }

    fn restart(&mut self) {
        // The new process may die as well, right after it took the lane.
        let mut done = self.lane.take(&mut self.world);
        while matches!(done, Err(Stop::Crash)) {
            self.report.crashes += 1;
            self.world.fault("crash");
            self.world.note("CRASH");
            done = self.lane.take(&mut self.world);
        }
        self.after(done);
    }

    fn change(&mut self, step: crate::change::Step) {
        let done = carry_out(&mut self.world, &mut self.model, step);
        for (index, person) in self.model.people.iter().enumerate() {
            self.world.name(person.id.as_str(), format!("u{index}"));
        }
        for (index, team) in self.model.teams.iter().enumerate() {
            self.world.name(team.id.as_str(), format!("g{index}"));
        }
        self.after(done);
    }

    fn dispatch(&mut self) -> Result<(), Stop> {
        let apps = self.world.apps.clone();
        let ended = self
            .world
            .write("dispatch", move |tx, ctx| dispatch::step(tx, &apps, &ctx.tenant, ctx.now_ms))?;
        self.world.note(format!("dispatch {ended:?}"));
        Ok(())
    }

    /// Lets time pass; what is late arrives on the way.
    fn pass(&mut self, until_ms: i64) {
        while let Some(at_ms) = self.wire.next_deadline_ms().filter(|at_ms| *at_ms <= until_ms) {
            self.world.now_ms = self.world.now_ms.max(at_ms);
            self.wire.deliver_due(&mut self.world);
        }
        self.world.now_ms = self.world.now_ms.max(until_ms);
    }

    /// Nothing can happen now: waits for what happens next; false: nothing will.
    fn wait(&mut self, survey: &Survey) -> bool {
        let now_ms = self.world.now_ms;
        let paused =
            Some(survey.not_before_ms).filter(|_| !self.lane.is_idle() || survey.next_due_ms.is_some());
        let next = [survey.next_due_ms.map(|due_ms| due_ms.max(survey.not_before_ms)), paused];
        let Some(at_ms) = next.into_iter().flatten().filter(|at_ms| *at_ms > now_ms).min() else {
            return false;
        };
        self.pass(at_ms);
        true
    }

    /// Faults stop.
    fn calm_down(&mut self) {
        self.world.note("faults stop");
        if self.options.crash_after.is_none() {
            self.world.crash = CrashPlan::Never;
        }
        self.wire.rough = false;
        self.world.remote.set_faults(vec![]);
    }

    /// Everything that is or should be in the app is read there and compared.
    fn look_at_everything(&mut self) {
        self.world.note("look at everything");
        let wanted = (0..self.model.people.len()).filter(|person| self.model.wanted(*person));
        let mut subjects: Vec<Subject> =
            wanted.map(|person| Subject::User(self.model.people[person].id.clone())).collect();
        let pushed = (0..self.model.teams.len()).filter(|team| self.model.pushed(*team));
        subjects.extend(pushed.map(|team| Subject::Group(self.model.teams[team].id.clone())));
        let (_, app) = self.world.keys();
        let done = self.world.write("look", move |tx, ctx| {
            let mut all = subjects.clone();
            for kind in ["user", "group"] {
                all.extend(
                    link::page(tx, &ctx.tenant, &app, kind, "", 10_000)?
                        .into_iter()
                        .map(|(subject, _)| subject),
                );
            }
            all.sort();
            all.dedup();
            let touch = Touch { wave: &ctx.wave, priority: 6, now_ms: ctx.now_ms, verify: true };
            Ok(mark::touch(tx, &ctx.tenant, &app, &all, &touch)?)
        });
        self.after(done);
    }
}

/// The app with its rules and faults of this seed.
fn app(seed: u64, options: Options, dice: &mut Dice) -> simapp::App {
    let mut faults = vec!["lost-answer-before=0.08", "lost-answer-after=0.08", "read-5xx=502@0.04"];
    faults.push(if dice.per_mille(500) { "commit-then-5xx=503@0.1" } else { "commit-then-5xx=500@0.1" });
    if dice.per_mille(500) {
        faults.push(if dice.per_mille(500) { "throttle=4/6" } else { "throttle-date=5/5" });
    }
    let config = simapp::Config {
        seed,
        // The mutants meet an app that does not save them.
        enforce_user_name_unique: options.mutant != Some(Mutant::BlindSecondPost),
        unknown_members: match options.mutant {
            Some(Mutant::MembersDoNotWait) => UnknownMembers::Ignore,
            _ => UnknownMembers::Refuse,
        },
        faults: faults
            .into_iter()
            .map(|text| Fault::parse(text).expect("a fault of the catalogue"))
            .collect(),
        ..simapp::Config::default()
    };
    simapp::App::new(config)
}
