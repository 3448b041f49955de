//! Failures at each position of a group: every caller gets its own answer, and exactly the acknowledged writes exist.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use futures::FutureExt;
use futures::executor::block_on;
use store::testing::on_each;
use store::{Fault, Faults, Location, OpenOptions, Stats, Store, StoreError, Trigger};

use crate::tables::*;

const JOBS: usize = 5;
const FIRST_MIDDLE_LAST: [usize; 3] = [0, 2, 4];

/// A write that waits for its answer.
type Queued = Pin<Box<dyn Future<Output = Result<(), StoreError>>>>;

/// A store on a file whose groups are bounded by their number only, and its faults.
struct Bench {
    folder: tempfile::TempDir,
    faults: Arc<Faults>,
    store: Store,
}

struct Outcome {
    /// Each job's answer: its code, or "ok".
    answers: Vec<&'static str>,
    stats: Stats,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let options = OpenOptions { faults: Some(faults.clone()), ..options() };
        let store = Store::open(&Location::Sqlite(folder.path().join("test.db")), options).unwrap();
        Bench { folder, faults, store }
    }

    /// Commits the jobs as one group, with the faults armed before it, and checks what exists against the answers.
    fn run(self, faults: &[(Trigger, Fault)]) -> Outcome {
        let (blocker, release) = self.block();
        let jobs: Vec<_> = (0..JOBS).map(|n| self.queue(job(n))).collect();
        for (trigger, fault) in faults {
            self.faults.arm(trigger.clone(), *fault);
        }
        drop(release);
        let blocked = block_on(blocker);
        let answers: Vec<&str> =
            jobs.into_iter().map(|job| block_on(job).map_or_else(|e| e.code(), |()| "ok")).collect();
        let every_commit = faults.iter().any(|(trigger, _)| *trigger == Trigger::EveryCommit);
        assert_eq!(blocked.is_err(), every_commit, "{blocked:?}");

        let expected: Vec<String> = (0..JOBS)
            .filter(|n| answers[*n] == "ok")
            .flat_map(|n| [format!("{n}-a"), format!("{n}-b")])
            .collect();
        let stats = self.store.stats();
        assert_eq!(self.stored(), expected, "before the file is closed: {answers:?}");
        self.faults.disarm();
        self.store.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["after".into(), 1.into()])).unwrap();
        let reopened = self.reopen();
        let with_after: Vec<String> = expected.into_iter().chain(["after".to_owned()]).collect();
        assert_eq!(reopened.stored(), with_after, "after the file was opened again: {answers:?}");
        Outcome { answers, stats }
    }

    fn reopen(self) -> Bench {
        let Bench { folder, faults, store } = self;
        drop(store);
        let store = Store::open(&Location::Sqlite(folder.path().join("test.db")), options()).unwrap();
        Bench { folder, faults, store }
    }

    /// Queues a job that holds the writer until the sender is dropped, so that what follows joins its group.
    fn block(&self) -> (Queued, Sender<()>) {
        let (release, released) = channel::<()>();
        let (started, running) = channel::<()>();
        let blocker = self.queue(move |_| {
            let _ = started.send(());
            let _ = released.recv();
            Ok(())
        });
        running.recv().unwrap();
        (blocker, release)
    }

    fn queue(
        &self,
        body: impl FnMut(&mut store::Tx<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Queued {
        let store = self.store.clone();
        let mut job = Box::pin(async move { store.write(body).await });
        assert!(job.as_mut().now_or_never().is_none(), "polling once queues it");
        job
    }

    fn stored(&self) -> Vec<String> {
        self.store.read_blocking(|tx| tx.rows(&COUNTER_IDS, &[], text)).unwrap()
    }
}

/// Adds two counters that carry the job's number.
fn job(n: usize) -> impl FnMut(&mut store::Tx<'_>) -> Result<(), StoreError> {
    move |tx| {
        tx.exec(&COUNTER_ADD, &[format!("{n}-a").into(), 1.into()])?;
        tx.later(&COUNTER_ADD, &[format!("{n}-b").into(), 1.into()])
    }
}

fn others_ok(position: usize, code: &'static str) -> Vec<&'static str> {
    (0..JOBS).map(|n| if n == position { code } else { "ok" }).collect()
}

#[test]
fn without_a_fault_all_jobs_share_one_commit() {
    let outcome = Bench::new().run(&[]);
    assert_eq!(outcome.answers, ["ok"; JOBS]);
    assert_eq!(outcome.stats.largest_group, 1 + JOBS as u64);
    assert_eq!((outcome.stats.commits, outcome.stats.run_alone), (1, 0));
}

#[test]
fn a_job_that_always_fails_fails_alone() {
    let faults = [
        (Fault::Full, "disk-full", 0),
        (Fault::Io, "database-io", 0),
        (Fault::Panic, "job-panicked", 0),
        (Fault::FullRollsBack, "disk-full", 1 + JOBS as u64),
        (Fault::IoRollsBack, "database-io", 1 + JOBS as u64),
    ];
    for position in FIRST_MIDDLE_LAST {
        for statement in ["a", "b"] {
            for (fault, code, run_alone) in faults {
                let trigger = Trigger::StatementWith(format!("{position}-{statement}"));
                let outcome = Bench::new().run(&[(trigger, fault)]);
                assert_eq!(outcome.answers, others_ok(position, code), "{fault:?}");
                // Those that were queued behind the failing job form a group of their own.
                let alone = if run_alone == 0 { 0 } else { position as u64 + 2 };
                assert_eq!(outcome.stats.run_alone, alone, "{fault:?} at {position}");
            }
        }
    }
}

#[test]
fn a_passing_fault_that_rolls_back_the_group_harms_nobody() {
    for nth in 1..=2 * JOBS as u64 {
        for fault in [Fault::FullRollsBack, Fault::IoRollsBack] {
            let outcome = Bench::new().run(&[(Trigger::Statement(nth), fault)]);
            assert_eq!(outcome.answers, ["ok"; JOBS], "{fault:?} at {nth}");
        }
    }
}

#[test]
fn a_commit_that_fails_once_harms_nobody() {
    for fault in [Fault::Full, Fault::FullRollsBack, Fault::Io, Fault::IoRollsBack] {
        let outcome = Bench::new().run(&[(Trigger::Commit(1), fault)]);
        assert_eq!(outcome.answers, ["ok"; JOBS], "{fault:?}");
        assert_eq!(outcome.stats.run_alone, 1 + JOBS as u64);
    }
}

#[test]
fn when_a_job_run_alone_cannot_commit_only_its_caller_hears_it() {
    for position in FIRST_MIDDLE_LAST {
        // The group's commit is the first, the blocker's own the second.
        let own = Trigger::Commit(3 + position as u64);
        let outcome = Bench::new().run(&[(Trigger::Commit(1), Fault::Io), (own, Fault::Full)]);
        assert_eq!(outcome.answers, others_ok(position, "disk-full"));
    }
}

#[test]
fn when_no_commit_succeeds_nothing_is_written_and_all_hear_it() {
    for (fault, code) in [(Fault::Full, "disk-full"), (Fault::IoRollsBack, "database-io")] {
        let outcome = Bench::new().run(&[(Trigger::EveryCommit, fault)]);
        assert_eq!(outcome.answers, [code; JOBS]);
    }
}

#[test]
fn a_panic_and_a_failing_commit_together() {
    for position in FIRST_MIDDLE_LAST {
        let panic = (Trigger::StatementWith(format!("{position}-b")), Fault::Panic);
        let outcome = Bench::new().run(&[panic, (Trigger::Commit(1), Fault::Full)]);
        assert_eq!(outcome.answers, others_ok(position, "job-panicked"));
    }
}

/// SQLite's own behaviour on a full disk, not an imitation: the file may not grow.
#[test]
fn a_really_full_database_loses_no_acknowledged_write() {
    let bench = Bench::new();
    bench.faults.limit_pages(1);
    let large = "x".repeat(100_000);
    let (blocker, release) = bench.block();
    let jobs: Vec<_> = (0..40)
        .map(|n| {
            let size = if n % 4 == 3 { 100_000 } else { 10 };
            let id = format!("{n:02}{}", &large[..size]);
            bench.queue(move |tx| tx.exec(&COUNTER_ADD, &[(&id).into(), 1.into()]).map(drop))
        })
        .collect();
    drop(release);
    block_on(blocker).unwrap();
    let answers: Vec<_> = jobs.into_iter().map(block_on).collect();
    let full =
        answers.iter().filter(|answer| answer.as_ref().is_err_and(|e| e.code() == "disk-full")).count();
    let ok: Vec<usize> = (0..40).filter(|n| answers[*n].is_ok()).collect();
    assert_eq!(ok.len() + full, 40, "{answers:?}");
    assert!(full >= 10 && !ok.is_empty(), "{} of 40 fitted", ok.len());
    let bench = bench.reopen();
    let stored: Vec<usize> = bench.stored().iter().map(|id| id[..2].parse().unwrap()).collect();
    assert_eq!(stored, ok);
}

#[test]
fn a_group_ends_before_it_holds_the_writer_for_20_ms() {
    // A clock on which each look takes 3 ms.
    static CLOCK: AtomicU64 = AtomicU64::new(0);
    let tick: fn() -> u64 = || CLOCK.fetch_add(3_000, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("test.db"));
    let store = Store::open(&location, OpenOptions { monotonic_micros: tick, ..options() }).unwrap();
    let bench = Bench { folder, faults: Arc::default(), store };
    let (blocker, release) = bench.block();
    let jobs: Vec<_> = (0..30).map(|n| bench.queue(job(n))).collect();
    drop(release);
    block_on(blocker).unwrap();
    for job in jobs {
        block_on(job).unwrap();
    }
    let stats = bench.store.stats();
    assert!((2..=4).contains(&stats.largest_group), "{stats:?}");
    assert!((9_000..20_000).contains(&stats.longest_hold_micros), "{stats:?}");
}

#[test]
fn a_single_write_reports_each_fault_and_the_next_one_works() {
    let faults = Arc::new(Faults::default());
    on_each(
        || OpenOptions { faults: Some(faults.clone()), ..options() },
        |name, store| {
            let write = |n| store.write_blocking(job(n)).map_err(|error| error.code());
            for (n, fault) in [(0, Fault::Full), (1, Fault::IoRollsBack), (2, Fault::Panic)] {
                for statement in ["a", "b"] {
                    faults.arm(Trigger::StatementWith(format!("{n}-{statement}")), fault);
                    assert!(write(n).is_err(), "{name}: {fault:?}");
                    faults.disarm();
                }
                faults.arm(Trigger::EveryCommit, fault);
                assert!(write(n).is_err(), "{name}: {fault:?} at the commit");
                faults.disarm();
            }
            let stored = || store.read_blocking(|tx| tx.rows(&COUNTER_IDS, &[], text)).unwrap();
            assert_eq!(stored(), Vec::<String>::new(), "{name}");
            assert_eq!((write(0), write(1)), (Ok(()), Ok(())));
            assert_eq!(stored(), ["0-a", "0-b", "1-a", "1-b"]);
        },
    );
}
