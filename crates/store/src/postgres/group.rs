//! PostgreSQL writes of many callers in one transaction.
//!
//! So many transactions run at once; a write that comes while they do waits, and those that wait go together. A store with
//! little to do has a transaction for each write, a busy one pays for a BEGIN and a COMMIT once for many. A group fails as
//! a whole: nobody has been answered yet, and each of its writes runs once more in a transaction of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Pipeline, Session};
use crate::StoreError;
use crate::job::{Job, settle};
use crate::options::Counters;
use crate::tx::{Access, Failure, Link, Tx};

/// Group transactions at the same time.
const AT_ONCE: usize = 4;

/// The most writes in one transaction.
const GROUP_MAX: usize = 64;

/// A group takes no further write once it has run this long.
const GROUP_MICROS: u64 = 10_000;

/// So many writes go alone after a group that failed: what made it fail may last.
const ALONE: usize = 256;

/// The writes that wait, and who is at work on them.
#[derive(Default)]
pub(super) struct Groups(Mutex<State>);

#[derive(Default)]
struct State {
    running: usize,
    waiting: VecDeque<Box<dyn Job>>,
    /// How many of the next writes go alone.
    alone: usize,
}

/// What becomes of a write that was handed in.
enum Place {
    Waits,
    Leads,
    Alone(Box<dyn Job>),
}

impl Groups {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, job: Box<dyn Job>) -> Place {
        let mut state = self.state();
        if state.alone > 0 {
            state.alone -= 1;
            return Place::Alone(job);
        }
        state.waiting.push_back(job);
        if state.running == AT_ONCE {
            return Place::Waits;
        }
        state.running += 1;
        Place::Leads
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        self.state().waiting.pop_front()
    }

    /// The first write of another group; without one the caller is at work no more.
    fn next_or_leave(&self) -> Option<Box<dyn Job>> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        state.running -= usize::from(next.is_none());
        next
    }
}

impl Session {
    /// Queues a write at once; it is answered after its commit.
    pub(super) fn submit(&self, job: Box<dyn Job>) {
        let session = self.clone();
        match self.groups.place(job) {
            Place::Waits => {}
            Place::Leads => drop(self.handle.spawn_blocking(move || {
                while let Some(first) = session.groups.next_or_leave() {
                    // Who panics without leaving keeps its place for ever; the callers of its group hear that they were dropped.
                    let _ = catch_unwind(AssertUnwindSafe(|| session.run_group(first)));
                }
            })),
            Place::Alone(job) => drop(self.handle.spawn_blocking(move || session.run_alone(job))),
        }
    }

    /// Runs the write, and those that wait behind it, in one transaction.
    fn run_group(&self, first: Box<dyn Job>) {
        let mut group = Vec::new();
        let failure = self.commit_group(first, &mut group).err();
        let again = failure.as_ref().is_some_and(|failure| match failure.error {
            // A COMMIT without an answer may have happened: repeating could write twice.
            StoreError::Io { .. } => failure.repeat,
            _ => failure.repeat || group.len() > 1,
        });
        if !again {
            for job in group {
                settle(job, failure.as_ref().map(|failure| failure.error.clone()), &self.counters);
            }
            return;
        }
        if group.len() > 1 {
            self.groups.state().alone = ALONE;
        } else {
            Counters::add(&self.counters.repeated);
        }
        for job in group {
            let session = self.clone();
            Counters::add(&self.counters.run_alone);
            drop(self.handle.spawn_blocking(move || session.run_alone(job)));
        }
    }

    /// Runs and commits a group; its writes are in `group` in any case. The failure of a closure that gave up for a reason of
    /// its own is not that of the others: which error it is does not matter, for its caller gets the closure's own.
    fn commit_group(&self, first: Box<dyn Job>, group: &mut Vec<Box<dyn Job>>) -> Result<(), Failure> {
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => {
                group.push(first);
                return Err(error.into());
            }
        };
        let started = (self.clock)();
        let pipeline = Pipeline::new(&client, &self.handle, Access::Write);
        let mut tx = Tx::new(Link::Postgres(pipeline), Access::Write, self.faults.as_deref());
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            let keep = job.run(&mut tx);
            group.push(job);
            if !keep {
                return Err(Failure { error: StoreError::Closed, repeat: tx.wants_repeat() });
            }
            let elapsed = (self.clock)().saturating_sub(started);
            if group.len() < GROUP_MAX && elapsed < GROUP_MICROS {
                next = self.groups.next();
            }
        }
        tx.commit_postgres()?;
        self.counters.largest_group.fetch_max(group.len() as u64, Ordering::Relaxed);
        Counters::add(&self.counters.commits);
        Ok(())
    }

    fn run_alone(&self, mut job: Box<dyn Job>) {
        // The closure's own error stays with the job; what is seen here only ends the transaction.
        let mut body = |tx: &mut Tx<'_>| if job.run(tx) { Ok(()) } else { Err(StoreError::Closed) };
        let lost = self.run(Access::Write, &mut body).err();
        settle(job, lost, &self.counters);
    }
}
