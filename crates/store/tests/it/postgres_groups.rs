//! PostgreSQL writes that share a transaction: they wait while others run, and a failure stays with its own caller.

use std::sync::{Arc, Barrier};

use store::testing::postgres;
use store::{Fault, Faults, OpenOptions, Store, StoreError, Trigger};

use crate::tables::*;

/// As many transactions as run at once.
const BUSY: usize = 4;
const JOBS: usize = 20;

type Answers = Vec<Result<u64, StoreError>>;

/// Keeps every transaction busy until `JOBS` more writes wait; the answers, those of the busy ones first.
fn behind_busy(store: &Store, job: fn(usize, &mut store::Tx<'_>) -> Result<u64, StoreError>) -> Answers {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (begun, go) = (Arc::new(Barrier::new(BUSY + 1)), Arc::new(Barrier::new(BUSY + 1)));
        let busy: Vec<_> = (0..BUSY)
            .map(|n| {
                let (begun, go) = (begun.clone(), go.clone());
                let mut first = true;
                let write = store.clone();
                tokio::spawn(async move {
                    let body = move |tx: &mut store::Tx<'_>| {
                        if std::mem::take(&mut first) {
                            begun.wait();
                            go.wait();
                        }
                        tx.exec(&COUNTER_ADD, &[format!("busy{n}").into(), 1.into()])
                    };
                    write.write(body).await
                })
            })
            .collect();
        tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
        let waiting: Vec<_> = (0..JOBS)
            .map(|n| {
                let store = store.clone();
                let mut write = Box::pin(async move { store.write(move |tx| job(n, tx)).await });
                // Polling once queues it.
                assert!(futures::FutureExt::now_or_never(&mut write).is_none());
                tokio::spawn(write)
            })
            .collect();
        tokio::task::spawn_blocking(move || go.wait()).await.unwrap();
        let mut answers = vec![];
        for task in busy.into_iter().chain(waiting) {
            answers.push(task.await.unwrap());
        }
        answers
    })
}

fn stored(store: &Store) -> i64 {
    store.read_blocking(|tx| tx.one(&COUNTER_SUM, &[], int)).unwrap()
}

#[test]
fn writes_that_wait_are_committed_together() {
    let store = Store::open(&postgres(), options()).unwrap();
    let answers = behind_busy(&store, |n, tx| tx.exec(&COUNTER_ADD, &[format!("c{n}").into(), 1.into()]));
    assert_eq!(answers, vec![Ok(1); BUSY + JOBS]);
    assert_eq!(stored(&store), (BUSY + JOBS) as i64);
    let stats = store.stats();
    assert!(stats.commits < (BUSY + JOBS) as u64 && stats.largest_group > 1, "{stats:?}");
    assert_eq!((stats.run_alone, stats.repeated), (0, 0));
}

#[test]
fn a_failure_in_a_group_stays_with_its_caller() {
    let store = Store::open(&postgres(), options()).unwrap();
    store.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["taken".into(), 0.into()])).unwrap();
    let answers = behind_busy(&store, |n, tx| {
        tx.exec(&COUNTER_ADD, &[format!("c{n}").into(), 1.into()])?;
        match n {
            3 => Err(StoreError::Other { detail: "its own".into() }),
            7 => panic!("the job's own"),
            11 => tx.later(&COUNTER_ADD, &["taken".into(), 1.into()]).map(|()| 1),
            _ => Ok(1),
        }
    });
    assert_eq!(answers[..BUSY], vec![Ok(1); BUSY]);
    for (n, answer) in answers[BUSY..].iter().enumerate() {
        match n {
            3 => assert_eq!(*answer, Err(StoreError::Other { detail: "its own".into() })),
            7 => assert!(matches!(answer, Err(StoreError::JobPanicked { .. })), "{answer:?}"),
            11 => assert!(matches!(answer, Err(StoreError::Conflict { .. })), "{answer:?}"),
            _ => assert_eq!(*answer, Ok(1), "{n}"),
        }
    }
    assert_eq!(stored(&store), (BUSY + JOBS - 3) as i64);
    assert_eq!(store.stats().panicked, 1);
}

/// A COMMIT without an answer may have happened: everybody in the group hears so, and nothing is written again.
#[test]
fn a_commit_without_an_answer_is_not_repeated() {
    let faults = Arc::new(Faults::default());
    let options = OpenOptions { faults: Some(faults.clone()), ..options() };
    let store = Store::open(&postgres(), options).unwrap();
    faults.arm(Trigger::EveryCommit, Fault::Io);
    let answers = behind_busy(&store, |n, tx| tx.exec(&COUNTER_ADD, &[format!("c{n}").into(), 1.into()]));
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Io { .. }))), "{answers:?}");
    let stats = store.stats();
    assert_eq!((stats.run_alone, stats.repeated, stored(&store)), (0, 0, 0));
    assert!(faults.fired() < (BUSY + JOBS) as u64, "no writes shared a transaction");
}
