//! Sixteen writers at once: nothing is lost, and of those who race for a key one wins.

use std::sync::{Arc, Barrier};
use std::thread;

use store::testing::{on_each, postgres};
use store::{Location, OpenOptions, Store, StoreError};

use crate::tables::*;

const WRITERS: usize = 16;

/// Runs `act` on sixteen threads that start together, each with its number.
fn race<T: Send + 'static>(
    store: &Store,
    act: impl Fn(&Store, usize) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let act = Arc::new(act);
    let start = Arc::new(Barrier::new(WRITERS));
    let threads: Vec<_> = (0..WRITERS)
        .map(|n| {
            let (store, act, start) = (store.clone(), act.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                act(&store, n)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn increment(store: &Store, id: &'static str) -> Result<i64, StoreError> {
    store.write_blocking(move |tx| {
        let value = tx.one(&COUNTER_GET, &[id.into()], int)?;
        tx.exec(&COUNTER_SET, &[id.into(), (value + 1).into()])?;
        Ok(value + 1)
    })
}

#[test]
fn no_update_is_lost() {
    on_each(options, |_, store| {
        store.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["c".into(), 0.into()])).unwrap();
        let rounds = 10;
        let mut seen: Vec<i64> = race(&store, move |store, _| {
            (0..rounds).map(|_| increment(store, "c").unwrap()).collect::<Vec<_>>()
        })
        .concat();
        seen.sort_unstable();
        let all = (WRITERS * rounds) as i64;
        assert_eq!(seen, (1..=all).collect::<Vec<_>>(), "every writer saw a value of its own");
        let stored = store.read_blocking(|tx| tx.one(&COUNTER_GET, &["c".into()], int));
        assert_eq!(stored, Ok(all));
    });
}

#[test]
fn one_of_those_who_insert_a_key_wins() {
    on_each(options, |name, store| {
        for round in 0..10 {
            let answers = race(&store, move |store, n| {
                store.write_blocking(move |tx| {
                    let id = format!("{round}-{n}");
                    let name = format!("name {round}");
                    tx.exec(
                        &ITEM_ADD,
                        &[
                            id.into(),
                            "t".into(),
                            name.into(),
                            None::<String>.into(),
                            true.into(),
                            None::<String>.into(),
                            None::<String>.into(),
                        ],
                    )
                })
            });
            let won = answers.iter().filter(|answer| answer.is_ok()).count();
            let conflict = Err(StoreError::Conflict { key: "name".to_owned() });
            let lost = answers.iter().filter(|answer| **answer == conflict).count();
            assert_eq!((won, lost), (1, WRITERS - 1), "{name}: {answers:?}");
        }
        let names = store.read_blocking(|tx| tx.rows(&ITEM_NAMES, &[], text)).unwrap();
        assert_eq!(names.len(), 10);
    });
}

/// Write skew: each checks that the sum allows one more, in rows that nobody else writes.
#[test]
fn a_rule_over_several_rows_holds() {
    on_each(options, |name, store| {
        for round in 0..10 {
            let answers = race(&store, move |store, n| {
                store.write_blocking(move |tx| {
                    let sum = tx.one(&COUNTER_SUM, &[], int)?;
                    if sum > round {
                        return Ok(false);
                    }
                    tx.exec(&COUNTER_ADD, &[format!("{round}-{n}").into(), 1.into()])?;
                    Ok::<_, StoreError>(true)
                })
            });
            let allowed = answers.iter().filter(|answer| **answer == Ok(true)).count();
            assert_eq!(allowed, 1, "{name}: {answers:?}");
            assert!(answers.iter().all(Result::is_ok), "{name}: {answers:?}");
        }
    });
}

/// The same where it cannot be luck: both have read before either writes.
#[test]
fn write_skew_is_repeated_on_postgresql() {
    let store = Store::open(&postgres(), options()).unwrap();
    let both_have_read = Arc::new(Barrier::new(2));
    let threads = ["a", "b"].map(|id| {
        let (store, both_have_read) = (store.clone(), both_have_read.clone());
        let mut first_run = true;
        thread::spawn(move || {
            store.write_blocking(move |tx| {
                let sum = tx.one(&COUNTER_SUM, &[], int)?;
                if std::mem::take(&mut first_run) {
                    both_have_read.wait();
                }
                if sum == 0 {
                    tx.exec(&COUNTER_ADD, &[id.into(), 1.into()])?;
                }
                Ok::<_, StoreError>(sum)
            })
        })
    });
    let mut seen = threads.map(|thread| thread.join().unwrap().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, [0, 1], "the one that was repeated saw the other");
    assert_eq!(store.stats().repeated, 1);
}

/// Every transaction reads what every other one writes: on PostgreSQL each commit fails all that run beside it.
#[test]
fn in_a_storm_of_conflicts_everybody_comes_through() {
    on_each(options, |name, store| {
        let rounds = 10;
        let answers = race(&store, move |store, n| {
            (0..rounds)
                .map(|round| {
                    store.write_blocking(move |tx| {
                        let before = tx.one(&COUNTER_SUM, &[], int)?;
                        // So long that the others read meanwhile.
                        for _ in 0..20 {
                            tx.one(&COUNTER_SUM, &[], int)?;
                        }
                        tx.exec(&COUNTER_ADD, &[format!("{round}-{n}").into(), 1.into()])?;
                        Ok::<_, StoreError>(before)
                    })
                })
                .collect::<Vec<_>>()
        })
        .concat();
        let mut seen = answers.into_iter().collect::<Result<Vec<i64>, _>>().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..(WRITERS * rounds) as i64).collect::<Vec<_>>(), "{name}");
    });
}

#[test]
fn panics_and_failures_between_others_harm_nobody() {
    on_each(options, |_, store| {
        let answers = race(&store, |store, n| {
            store.write_blocking(move |tx| {
                tx.exec(&COUNTER_ADD, &[format!("c{n:02}").into(), 1.into()])?;
                assert!(n % 3 != 0, "on purpose");
                if n % 3 == 1 { Err(StoreError::Closed) } else { Ok(n) }
            })
        });
        for (n, answer) in answers.iter().enumerate() {
            match n % 3 {
                0 => assert_eq!(answer.as_ref().unwrap_err().code(), "job-panicked"),
                1 => assert_eq!(*answer, Err(StoreError::Closed)),
                _ => assert_eq!(*answer, Ok(n)),
            }
        }
        let kept: Vec<String> = (0..WRITERS).filter(|n| n % 3 == 2).map(|n| format!("c{n:02}")).collect();
        assert_eq!(store.read_blocking(|tx| tx.rows(&COUNTER_IDS, &[], text)), Ok(kept));
    });
}

/// Two stores on one file are as two processes are: each has its own connections and writer.
#[test]
fn two_stores_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("shared.db"));
    let one = Store::open(&location, options()).unwrap();
    let two = Store::open(&location, OpenOptions { create: false, ..options() }).unwrap();
    one.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["c".into(), 0.into()])).unwrap();
    race(&one, move |one, n| {
        let store = if n % 2 == 0 { one } else { &two };
        for _ in 0..20 {
            increment(store, "c").unwrap();
        }
    });
    let stored = one.read_blocking(|tx| tx.one(&COUNTER_GET, &["c".into()], int));
    assert_eq!(stored, Ok(20 * WRITERS as i64));
}
