//! Who may call a store: async tasks in any runtime, many at once, and callers that give up.

use std::time::Duration;

use futures::FutureExt;
use store::testing::{on_each, postgres};
use store::{Location, Store, StoreError};

use crate::tables::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn add(store: Store, n: usize) -> Result<u64, StoreError> {
    store.write(move |tx| tx.exec(&COUNTER_ADD, &[format!("c{n}").into(), 1.into()])).await
}

#[test]
fn many_tasks_share_few_commits() {
    on_each(options, |name, store| {
        let jobs = if name == "postgres" { 100 } else { 1000 };
        runtime().block_on(async {
            let tasks: Vec<_> = (0..jobs).map(|n| tokio::spawn(add(store.clone(), n))).collect();
            for task in tasks {
                assert_eq!(task.await.unwrap(), Ok(1));
            }
            let stored = store.read(|tx| tx.one(&COUNTER_SUM, &[], int)).await;
            assert_eq!(stored, Ok(jobs as i64));
        });
        if name == "sqlite" {
            assert!(store.stats().commits < jobs as u64, "{:?}", store.stats());
        }
    });
}

#[test]
fn a_store_may_be_opened_used_and_dropped_inside_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    for location in [Location::Sqlite(folder.path().join("a.db")), postgres()] {
        runtime().block_on(async {
            let store = Store::open(&location, options()).unwrap();
            add(store.clone(), 1).await.unwrap();
            drop(store);
        });
    }
}

/// A caller that no longer waits does not stop the write, and the next caller sees it.
#[test]
fn a_dropped_future_is_still_written() {
    on_each(options, |_, store| {
        assert!(!matches!(add(store.clone(), 1).now_or_never(), Some(Err(_))));
        let written = || store.read_blocking(|tx| tx.one(&COUNTER_SUM, &[], int)) == Ok(1);
        let wait = || std::thread::sleep(Duration::from_millis(1));
        assert!((0..20_000).any(|_| written() || {
            wait();
            false
        }));
    });
}

/// The server closes every connection in the middle of a transaction: it is repeated, once, on a new one.
#[test]
fn a_connection_lost_before_the_commit_is_replaced() {
    let location = postgres();
    let store = Store::open(&location, options()).unwrap();
    let Location::Postgres(url) = location else { unreachable!("postgres() gives a URL") };
    let mut runs = 0;
    let seen = store.write_blocking(move |tx| {
        tx.exec(&COUNTER_ADD, &["c".into(), 1.into()])?;
        runs += 1;
        if runs == 1 {
            disconnect_all(&url);
        }
        tx.exec(&COUNTER_SET, &["c".into(), 2.into()])?;
        Ok::<_, StoreError>(runs)
    });
    assert_eq!(seen, Ok(2));
    assert_eq!(store.stats().repeated, 1);
    assert_eq!(store.read_blocking(|tx| tx.one(&COUNTER_GET, &["c".into()], int)), Ok(2));
}

fn disconnect_all(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
            assert!(!client.query(others, &[]).await.unwrap().is_empty());
        });
    })
    .join()
    .unwrap();
}

/// tokio lets a task wait for nothing more once its turn is used up; blocking inside the task must not wait for its next turn.
#[test]
fn blocking_calls_end_inside_a_task_whose_turn_is_used_up() {
    on_each(options, |name, store| {
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let done = runtime().block_on(async move {
                while tokio::task::coop::has_budget_remaining() {
                    let _ = std::pin::pin!(tokio::task::consume_budget()).now_or_never();
                }
                let written = store.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["a".into(), 1.into()]));
                let read = store.read_blocking(|tx| tx.one(&COUNTER_SUM, &[], int));
                (written, read)
            });
            let _ = told.send(done);
        });
        let done = heard.recv_timeout(Duration::from_secs(20));
        assert_eq!(done, Ok((Ok(1), Ok(1))), "{name}");
    });
}
