//! How a store is opened, and the figures it keeps about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Faults;
use crate::migrate::{MIGRATIONS, Migration};

/// How to open a store. Start from [`OpenOptions::new`].
#[derive(Clone)]
pub struct OpenOptions {
    /// Create the file, or the tables in an empty PostgreSQL database, where there are none.
    pub create: bool,
    /// The time that applied migrations are recorded with: milliseconds since 1970.
    pub now_ms: i64,
    /// A clock that only moves forward, in microseconds from any start. It bounds how long a group of writes grows.
    pub monotonic_micros: fn() -> u64,
    /// The most PostgreSQL connections at one time (not used for SQLite).
    pub connections: usize,
    /// The ordered schema changes. Tests add tables of their own.
    pub migrations: &'static [Migration],
    /// A commit is on the disk when it is answered. Without, the last ones may be lost by a power failure: for logs.
    pub durable: bool,
    /// The PostgreSQL schema that the tables stand in, where it is not the user's own (not used for SQLite).
    pub namespace: Option<&'static str>,
    /// Failures to inject; for tests.
    pub faults: Option<Arc<Faults>>,
}

impl OpenOptions {
    /// The defaults: create nothing, a clock that stands still (groups are bounded by their number only), 64 connections.
    pub fn new(now_ms: i64) -> OpenOptions {
        OpenOptions {
            create: false,
            now_ms,
            monotonic_micros: || 0,
            connections: 64,
            migrations: MIGRATIONS,
            durable: true,
            namespace: None,
            faults: None,
        }
    }
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Write transactions committed; one may hold many jobs.
    pub commits: u64,
    /// Jobs in the largest group that was committed at once.
    pub largest_group: u64,
    /// Jobs that were run alone after their group failed.
    pub run_alone: u64,
    /// Transactions that were repeated (PostgreSQL: serialization failures and lost connections before the commit).
    pub repeated: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// The longest time one transaction held the SQLite writer, commit included, in microseconds.
    pub longest_hold_micros: u64,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) largest_group: AtomicU64,
    pub(crate) run_alone: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) longest_hold_micros: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: read(&self.commits),
            largest_group: read(&self.largest_group),
            run_alone: read(&self.run_alone),
            repeated: read(&self.repeated),
            panicked: read(&self.panicked),
            longest_hold_micros: read(&self.longest_hold_micros),
        }
    }
}
