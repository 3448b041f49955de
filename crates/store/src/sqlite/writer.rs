//! SQLite writes: one thread commits the jobs of many callers at once and answers each after the commit.
//!
//! A failure or panic loses only the job's own changes. Most that fail have changed nothing yet; after one that had, the
//! whole group runs once more, each job in a savepoint, and so do the next groups: a savepoint copies every page that is
//! touched. SQLite may also roll the whole transaction back by itself, or the commit may fail: then nobody has been answered
//! yet, and every job of the group runs once more, alone in a transaction of its own, and is answered for itself.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::reader::snapshot;
use super::{control, rollback};
use crate::dialect::from_sqlite;
use crate::faults::Faults;
use crate::job::{Job, panicked, settle};
use crate::options::{Counters, OpenOptions};
use crate::tx::{Access, Link};
use crate::{StoreError, Tx, TxError};

/// The most jobs in one commit.
const GROUP_MAX: usize = 256;

/// A group takes no further job once it has run this long, so that no transaction holds the writer for 20 ms.
const GROUP_MICROS: u64 = 10_000;

/// So many groups use savepoints after one that had to run again for want of them.
const GUARDED_GROUPS: u32 = 64;

/// How often BEGIN is tried; each waits for the busy handler's time.
const BEGIN_TRIES: usize = 2;

/// The writer's thread and its queue.
pub(crate) struct Writer {
    // None only while it is dropped: the thread ends when the queue closes.
    queue: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, options: &OpenOptions, counters: Arc<Counters>) -> Writer {
        let mut core = Core::new(connection, options, counters);
        let (queue, jobs) = channel::<Box<dyn Job>>();
        let work = move || {
            while let Ok(job) = jobs.recv() {
                core.run_group(job, &jobs);
            }
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(work);
        Writer { queue: Some(queue), thread: thread.ok() }
    }

    /// Queues a write at once; it is answered after its commit.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        if let Some(queue) = &self.queue {
            // Without the thread the job is dropped.
            let _ = queue.send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            // The last owner may be a closure that the writer itself has just dropped.
            && thread.thread().id() != std::thread::current().id()
        {
            // The queue's jobs are finished and the file is closed when the last owner returns.
            let _ = thread.join();
        }
    }
}

/// A store without a thread: each write is its own transaction in the caller, for the simulation.
pub(crate) struct Inline {
    core: Mutex<Core>,
}

impl Inline {
    pub(crate) fn new(connection: Connection, options: &OpenOptions, counters: Arc<Counters>) -> Inline {
        Inline { core: Mutex::new(Core::new(connection, options, counters)) }
    }

    pub(crate) fn write<T, E, F>(&self, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E>,
        E: TxError,
    {
        let core = self.lock();
        core.begin()?;
        let started = (core.clock)();
        let answer = core.tx().run(&mut body);
        if answer.is_err() {
            if panicked(&answer) {
                Counters::add(&core.counters.panicked);
            }
            rollback(&core.connection);
            return answer;
        }
        core.commit(started, 1)?;
        answer
    }

    pub(crate) fn read<T, E: TxError>(
        &self,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        snapshot(&self.lock().connection, &mut body)
    }

    // A panic is caught before it reaches the lock; the connection is consistent in any case.
    fn lock(&self) -> std::sync::MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing connection.
struct Core {
    connection: Connection,
    clock: fn() -> u64,
    faults: Option<Arc<Faults>>,
    counters: Arc<Counters>,
    /// How many of the next groups use savepoints.
    guarded: u32,
}

impl Core {
    fn new(connection: Connection, options: &OpenOptions, counters: Arc<Counters>) -> Core {
        Core {
            connection,
            clock: options.monotonic_micros,
            faults: options.faults.clone(),
            counters,
            guarded: 0,
        }
    }

    /// Runs the job, and those that wait behind it, in one transaction.
    fn run_group(&mut self, first: Box<dyn Job>, waiting: &Receiver<Box<dyn Job>>) {
        if let Err(error) = self.begin() {
            // The others have waited as long: they get the same answer instead of each waiting again.
            for job in std::iter::once(first).chain(waiting.try_iter()) {
                settle(job, Some(error.clone()), &self.counters);
            }
            return;
        }
        let started = (self.clock)();
        let mut group = Vec::new();
        let mut next = Some(first);
        let mut ran = Ran::Well;
        while let Some(mut job) = next.take() {
            ran = if self.guarded > 0 {
                self.run_in_savepoint(job.as_mut())
            } else {
                self.run_bare(job.as_mut())
            };
            group.push(job);
            let elapsed = (self.clock)().saturating_sub(started);
            if ran != Ran::Well || group.len() >= GROUP_MAX || elapsed >= GROUP_MICROS {
                break;
            }
            next = waiting.try_recv().ok();
        }
        self.guarded = self.guarded.saturating_sub(1);
        if ran == Ran::Spoiled {
            self.guarded = GUARDED_GROUPS;
            rollback(&self.connection);
            let mut all = || group.iter_mut().all(|job| self.run_in_savepoint(job.as_mut()) == Ran::Well);
            ran = if self.begin().is_ok_and(|()| all()) { Ran::Well } else { Ran::Closed };
        }
        if ran == Ran::Well && self.commit(started, group.len() as u64).is_ok() {
            for job in group {
                settle(job, None, &self.counters);
            }
        } else {
            rollback(&self.connection);
            for job in group {
                self.run_alone(job);
            }
        }
    }

    fn run_bare(&self, job: &mut dyn Job) -> Ran {
        let before = self.connection.total_changes();
        let keep = job.run(&mut self.tx());
        if self.connection.is_autocommit() {
            Ran::Closed
        } else if keep || self.connection.total_changes() == before {
            Ran::Well
        } else {
            Ran::Spoiled
        }
    }

    fn run_in_savepoint(&self, job: &mut dyn Job) -> Ran {
        let step = |sql| control(&self.connection, sql).is_ok();
        if !step("SAVEPOINT job") {
            return Ran::Closed;
        }
        let keep = job.run(&mut self.tx());
        let open = !self.connection.is_autocommit();
        if open && (keep || step("ROLLBACK TO job")) && step("RELEASE job") { Ran::Well } else { Ran::Closed }
    }

    fn run_alone(&self, mut job: Box<dyn Job>) {
        Counters::add(&self.counters.run_alone);
        let mut durable = || -> Result<(), StoreError> {
            self.begin()?;
            let started = (self.clock)();
            if job.run(&mut self.tx()) { self.commit(started, 1) } else { Ok(()) }
        };
        let lost = durable().err();
        rollback(&self.connection);
        settle(job, lost, &self.counters);
    }

    fn begin(&self) -> Result<(), StoreError> {
        rollback(&self.connection);
        if let Some(pages) = self.faults.as_ref().and_then(|faults| faults.take_page_limit()) {
            let limited =
                self.connection.query_row(&format!("PRAGMA max_page_count={pages}"), [], |_| Ok(()));
            limited.map_err(|error| from_sqlite("page limit", &error))?;
        }
        let mut begun = control(&self.connection, "BEGIN IMMEDIATE");
        for _ in 1..BEGIN_TRIES {
            if !matches!(begun, Err(StoreError::Busy { .. })) {
                break;
            }
            begun = control(&self.connection, "BEGIN IMMEDIATE");
        }
        begun
    }

    /// Commits; after an error nothing of the transaction is left open.
    fn commit(&self, started: u64, jobs: u64) -> Result<(), StoreError> {
        let fault = self.faults.as_ref().and_then(|faults| faults.at_commit());
        let done = match fault {
            Some(fault) => Err(fault.error()),
            None => control(&self.connection, "COMMIT"),
        };
        if done.is_err() {
            rollback(&self.connection);
            return done;
        }
        let held = (self.clock)().saturating_sub(started);
        self.counters.longest_hold_micros.fetch_max(held, Ordering::Relaxed);
        self.counters.largest_group.fetch_max(jobs, Ordering::Relaxed);
        Counters::add(&self.counters.commits);
        Ok(())
    }

    fn tx(&self) -> Tx<'_> {
        Tx::new(Link::Sqlite(&self.connection), Access::Write, self.faults.as_deref())
    }
}

/// How the group's transaction is after a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// Open, and it holds exactly what it should.
    Well,
    /// Open, with changes of a job that failed.
    Spoiled,
    /// Not open any more, or not known to be as it should.
    Closed,
}
