//! The faults that are loaded in an app: which are on, how often each took effect, and running their hooks.

use super::{Change, Effect, Fault};
use crate::turn::Turn;
use crate::wire::{Reply, Response};
use serde::Serialize;

/// What a loaded fault has done so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    /// The fault as written.
    pub text: String,
    /// Its name in the catalogue.
    pub name: &'static str,
    /// Whether it is on; a fault limited to a number of times switches itself off.
    pub on: bool,
    /// How often it took effect.
    pub hits: u64,
}

/// All loaded faults, in the order they were given.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

struct Rule {
    fault: Fault,
    effect: Box<dyn Effect>,
    on: bool,
    hits: u64,
}

impl Rules {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.rules = faults.into_iter().map(Rule::new).collect();
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push(Rule::new(fault));
    }

    /// Switches every rule that has this name, or was written like this; says how many.
    pub(crate) fn switch(&mut self, name: &str, on: bool) -> usize {
        let named = self.rules.iter_mut().filter(|rule| rule.is_called(name));
        named.map(|rule| rule.on = on).count()
    }

    /// Unloads every rule that has this name, or was written like this; says how many.
    pub(crate) fn remove(&mut self, name: &str) -> usize {
        let before = self.rules.len();
        self.rules.retain(|rule| !rule.is_called(name));
        before - self.rules.len()
    }

    pub(crate) fn status(&self) -> Vec<FaultStatus> {
        let status = |rule: &Rule| FaultStatus {
            text: rule.fault.text().to_owned(),
            name: rule.fault.name(),
            on: rule.on,
            hits: rule.hits,
        };
        self.rules.iter().map(status).collect()
    }

    /// The longest time for which a fault needs earlier versions; milliseconds.
    pub(crate) fn history_ms(&self) -> i64 {
        let on = self.rules.iter().filter(|rule| rule.on);
        on.map(|rule| rule.effect.history_ms()).max().unwrap_or(0)
    }

    pub(crate) fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        self.rules.iter_mut().find_map(|rule| rule.run(turn, |effect, turn| effect.before(turn)))
    }

    pub(crate) fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        self.rules.iter_mut().find_map(|rule| rule.run(turn, |effect, turn| effect.admit(turn)))
    }

    pub(crate) fn check(&mut self, turn: &mut Turn<'_>, change: &Change<'_>) -> Result<(), Response> {
        let refusal =
            self.rules.iter_mut().find_map(|rule| rule.run(turn, |effect, turn| effect.check(turn, change)));
        refusal.map_or(Ok(()), Err)
    }

    pub(crate) fn after(&mut self, turn: &mut Turn<'_>, reply: &mut Reply) {
        for rule in &mut self.rules {
            rule.run(turn, |effect, turn| effect.after(turn, reply).then_some(()));
        }
    }
}

impl Rule {
    fn new(fault: Fault) -> Self {
        Self { effect: fault.build(), fault, on: true, hits: 0 }
    }

    fn is_called(&self, name: &str) -> bool {
        self.fault.name() == name || self.fault.text() == name
    }

    /// Runs one hook if the rule is on and covers the call, and counts when it took effect.
    fn run<T>(
        &mut self,
        turn: &mut Turn<'_>,
        hook: impl FnOnce(&mut dyn Effect, &mut Turn<'_>) -> Option<T>,
    ) -> Option<T> {
        if !self.on || !self.fault.limit.covers(&turn.call) {
            return None;
        }
        turn.fired = false;
        let out = hook(self.effect.as_mut(), turn);
        if out.is_some() || turn.fired {
            self.hits += 1;
            turn.effects.push(self.fault.name());
            self.on = self.fault.times.is_none_or(|times| self.hits < times);
        }
        out
    }
}
