//! Injected failures of statements and commits, for tests; inert unless a test puts them in the options.

use std::sync::{Mutex, PoisonError};

use crate::StoreError;

/// When a fault fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// On the n-th statement after arming, from 1, counted over all transactions.
    Statement(u64),
    /// On every statement that has this text as a parameter: follows a job into its repetition.
    StatementWith(String),
    /// On the n-th commit of a write after arming, from 1.
    Commit(u64),
    /// On every commit of a write.
    EveryCommit,
}

/// What the database seems to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full; the transaction stays open.
    Full,
    /// The disk is full and the database has rolled the whole transaction back, as SQLite may.
    FullRollsBack,
    /// The disk fails; the transaction stays open.
    Io,
    /// The disk fails and the database has rolled the whole transaction back.
    IoRollsBack,
    /// The job panics (at a commit: like [`Fault::Io`], no job runs then).
    Panic,
}

/// Faults shared between a test and a store.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    armed: Vec<(Trigger, Fault)>,
    statements: u64,
    commits: u64,
    fired: u64,
    page_limit: Option<u32>,
}

impl Faults {
    /// Adds a fault and counts statements and commits from here.
    pub fn arm(&self, trigger: Trigger, fault: Fault) {
        let mut state = self.lock();
        state.armed.push((trigger, fault));
        state.statements = 0;
        state.commits = 0;
    }

    /// Removes every fault.
    pub fn disarm(&self) {
        self.lock().armed.clear();
    }

    /// Limits the SQLite file to this many pages from the next transaction on, so that it really is full: what SQLite
    /// then does by itself is not imitated. It never shrinks, so 1 means no growth.
    pub fn limit_pages(&self, pages: u32) {
        self.lock().page_limit = Some(pages);
    }

    /// How many faults fired so far.
    pub fn fired(&self) -> u64 {
        self.lock().fired
    }

    pub(crate) fn at_statement<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Option<Fault> {
        let mut state = self.lock();
        state.statements += 1;
        if state.armed.is_empty() {
            return None;
        }
        let nth = state.statements;
        let texts: Vec<&str> = texts.collect();
        state.fire(|trigger| match trigger {
            Trigger::Statement(n) => *n == nth,
            Trigger::StatementWith(text) => texts.contains(&text.as_str()),
            Trigger::Commit(_) | Trigger::EveryCommit => false,
        })
    }

    pub(crate) fn at_commit(&self) -> Option<Fault> {
        let mut state = self.lock();
        state.commits += 1;
        let nth = state.commits;
        state.fire(|trigger| match trigger {
            Trigger::Commit(n) => *n == nth,
            Trigger::EveryCommit => true,
            Trigger::Statement(_) | Trigger::StatementWith(_) => false,
        })
    }

    pub(crate) fn take_page_limit(&self) -> Option<u32> {
        self.lock().page_limit.take()
    }

    // A panicking job may have held the lock; the counters stay usable.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fire(&mut self, matches: impl Fn(&Trigger) -> bool) -> Option<Fault> {
        let fault = self.armed.iter().find(|(trigger, _)| matches(trigger)).map(|(_, fault)| *fault)?;
        self.fired += 1;
        Some(fault)
    }
}

impl Fault {
    /// Whether the database seems to have rolled the transaction back by itself.
    pub(crate) fn rolls_back(self) -> bool {
        matches!(self, Fault::FullRollsBack | Fault::IoRollsBack)
    }

    pub(crate) fn error(self) -> StoreError {
        let detail = "injected".to_owned();
        match self {
            Fault::Full | Fault::FullRollsBack => StoreError::Full { detail },
            Fault::Io | Fault::IoRollsBack | Fault::Panic => StoreError::Io { detail },
        }
    }
}
