//! What a transaction promises, on every kind of store.

use serde_json::json;
use store::testing::on_each;
use store::{Store, StoreError, Value};

use crate::tables::*;

fn add_counter(store: &Store, id: &'static str, value: i64) -> Result<u64, StoreError> {
    store.write_blocking(move |tx| tx.exec(&COUNTER_ADD, &[id.into(), value.into()]))
}

fn counter(store: &Store, id: &'static str) -> Option<i64> {
    store.read_blocking(move |tx| tx.optional(&COUNTER_GET, &[id.into()], int)).unwrap()
}

fn item(id: &str, name: &str, alias: &str) -> [Value; 7] {
    [id.into(), "t".into(), name.into(), alias.into(), true.into(), Value::Null, Value::Null]
}

fn add_item(store: &Store, item: [Value; 7]) -> Result<u64, StoreError> {
    store.write_blocking(move |tx| tx.exec(&ITEM_ADD, &item))
}

#[test]
fn values_and_rows_survive_a_round_trip() {
    on_each(options, |_, store| {
        add_counter(&store, "c", i64::MAX).unwrap();
        let doc = json!({"name": {"familyName": "Müller 🦀"}, "n": 3});
        let stored = doc.to_string();
        store
            .write_blocking(move |tx| {
                let full: [Value; 7] = [
                    "i".into(),
                    "t".into(),
                    "Å".into(),
                    "a".into(),
                    false.into(),
                    "c".into(),
                    (&stored).into(),
                ];
                tx.exec(&ITEM_ADD, &full)
            })
            .unwrap();
        add_item(&store, item("empty", "b", "c")).unwrap();
        let read = store
            .read_blocking(|tx| {
                tx.one(&ITEM_GET, &["i".into()], |row| {
                    assert_eq!(row.bool(3), Ok(false));
                    assert_eq!(row.opt_text(4)?.as_deref(), Some("c"));
                    Ok((row.text(1)?, row.json(5)?))
                })
            })
            .unwrap();
        assert_eq!(read, ("Å".to_owned(), doc));
        assert_eq!(counter(&store, "c"), Some(i64::MAX));
        let empty = store.read_blocking(|tx| {
            tx.one(&ITEM_GET, &["empty".into()], |row| Ok((row.opt_text(4)?, row.opt_json(5)?, row.bool(3)?)))
        });
        assert_eq!(empty, Ok((None, None, true)));
    });
}

#[test]
fn parameters_are_bound_by_their_number() {
    on_each(options, |_, store| {
        add_item(&store, item("i", "old", "a")).unwrap();
        let renamed =
            store.write_blocking(|tx| tx.one(&ITEM_RENAME, &["i".into(), "t".into(), "new".into()], text));
        assert_eq!(renamed.as_deref(), Ok("new"));
        let exec =
            store.write_blocking(|tx| tx.exec(&ITEM_RENAME, &["i".into(), "t".into(), "newer".into()]));
        assert_eq!(exec, Ok(1), "a statement that returns rows may be run for its count");
        for wrong in [vec![], vec!["i".into()], vec!["i".into(); 4]] {
            let refused = store.write_blocking(move |tx| tx.exec(&ITEM_RENAME, &wrong));
            assert_eq!(refused.unwrap_err().code(), "database-refused");
        }
    });
}

#[test]
fn an_error_or_a_panic_rolls_everything_back() {
    on_each(options, |_, store| {
        let refused: Result<(), _> = store.write_blocking(|tx| {
            tx.exec(&COUNTER_ADD, &["a".into(), 1.into()])?;
            tx.later(&COUNTER_ADD, &["b".into(), 1.into()])?;
            Err(StoreError::Other { detail: "mine".to_owned() })
        });
        assert_eq!(refused, Err(StoreError::Other { detail: "mine".to_owned() }));
        let panicked: Result<(), StoreError> = store.write_blocking(|tx| {
            tx.exec(&COUNTER_ADD, &["a".into(), 1.into()])?;
            panic!("on purpose");
        });
        assert_eq!(panicked, Err(StoreError::JobPanicked { message: "on purpose".to_owned() }));
        assert_eq!(store.stats().panicked, 1);
        assert_eq!((counter(&store, "a"), counter(&store, "b")), (None, None));
        add_counter(&store, "a", 1).unwrap();
    });
}

#[test]
fn a_failed_statement_fails_the_transaction_even_if_it_is_ignored() {
    on_each(options, |_, store| {
        add_counter(&store, "a", 1).unwrap();
        let ignored = store.write_blocking(|tx| {
            let first = tx.exec(&COUNTER_ADD, &["a".into(), 2.into()]);
            let second = tx.exec(&COUNTER_ADD, &["b".into(), 2.into()]);
            assert_eq!(first, second);
            Ok::<_, StoreError>(())
        });
        assert_eq!(ignored, Err(StoreError::Conflict { key: "id".to_owned() }));
        assert_eq!(counter(&store, "b"), None);
    });
}

#[test]
fn conflicts_name_the_last_column_of_the_index() {
    on_each(options, |_, store| {
        add_item(&store, item("i", "n", "a")).unwrap();
        for (twin, key) in [
            (item("i", "other", "other"), "id"),
            (item("j", "n", "other"), "name"),
            (item("j", "other", "A"), "alias"),
        ] {
            let conflict = add_item(&store, twin.clone());
            assert_eq!(conflict, Err(StoreError::Conflict { key: key.to_owned() }), "{twin:?}");
            let later = store.write_blocking(move |tx| tx.later(&ITEM_ADD, &twin));
            assert_eq!(later, Err(StoreError::Conflict { key: key.to_owned() }), "deferred");
        }
    });
}

#[test]
fn broken_rules_have_their_own_codes() {
    on_each(options, |_, store| {
        let mut dangling = item("i", "n", "a");
        dangling[5] = "nobody".into();
        assert_eq!(add_item(&store, dangling).unwrap_err().code(), "foreign-key");
        assert_eq!(add_counter(&store, "a", -1).unwrap_err().code(), "check");
        let null = store.write_blocking(|tx| tx.exec(&COUNTER_ADD, &["a".into(), Value::Null]));
        assert_eq!(null, Err(StoreError::Check { rule: "value".to_owned() }));
        assert_eq!(add_counter(&store, "a\0b", 1).unwrap_err().code(), "check");
        let written = store.read_blocking(|tx| tx.exec(&COUNTER_ADD, &["a".into(), 1.into()]));
        assert_eq!(written.unwrap_err().code(), "read-only");
        let wrong = store.read_blocking(|tx| tx.rows(&COUNTER_SUM, &[], |row| row.text(0)));
        assert_eq!(wrong.unwrap_err().code(), "unexpected-row");
        let none = store.read_blocking(|tx| tx.one(&COUNTER_GET, &["a".into()], int));
        assert_eq!(none.unwrap_err().code(), "unexpected-row");
        assert_eq!(counter(&store, "a"), None);
    });
}

#[test]
fn deferred_statements_run_in_order_and_are_seen_by_the_next_read() {
    on_each(options, |_, store| {
        let seen = store.write_blocking(|tx| {
            tx.later(&COUNTER_ADD, &["a".into(), 1.into()])?;
            tx.later(&COUNTER_SET, &["a".into(), 2.into()])?;
            let seen = tx.one(&COUNTER_GET, &["a".into()], int)?;
            tx.later(&COUNTER_SET, &["a".into(), 3.into()])?;
            Ok::<_, StoreError>(seen)
        });
        assert_eq!(seen, Ok(2));
        assert_eq!(counter(&store, "a"), Some(3));
        store.write_blocking(|tx| tx.later(&COUNTER_ADD, &["only".into(), 1.into()])).unwrap();
        assert_eq!(counter(&store, "only"), Some(1));
        let more_than_are_kept = store.write_blocking(|tx| {
            (0..600).try_for_each(|n| tx.later(&COUNTER_ADD, &[format!("n{n}").into(), 1.into()]))
        });
        assert_eq!(more_than_are_kept, Ok(()));
        let sum = store.read_blocking(|tx| tx.one(&COUNTER_SUM, &[], |row| row.int(1)));
        assert_eq!(sum, Ok(602));
    });
}

#[test]
fn a_deferred_statement_that_cannot_be_sent_stops_the_commit() {
    on_each(options, |name, store| {
        // PostgreSQL refuses the type before it sends; SQLite's column takes it, so there it must be a broken rule.
        let bad = if name == "postgres" { Value::Text("x".to_owned()) } else { Value::Null };
        let refused = store.write_blocking(move |tx| {
            tx.later(&COUNTER_ADD, &["a".into(), 1.into()])?;
            tx.later(&COUNTER_ADD, &["b".into(), bad.clone()])?;
            tx.later(&COUNTER_ADD, &["c".into(), 1.into()])
        });
        assert!(refused.is_err());
        let ids = store.read_blocking(|tx| tx.rows(&COUNTER_IDS, &[], text));
        assert_eq!(ids, Ok(vec![]));
    });
}

#[test]
fn many_rows_are_written_at_once() {
    on_each(options, |_, store| {
        let many: Vec<Vec<Value>> =
            (0..1500).map(|n| vec![format!("c{n}").into(), i64::from(n).into()]).collect();
        let written = store.write_blocking(move |tx| {
            tx.later(&COUNTER_ADD, &["first".into(), 0.into()])?;
            tx.exec_many(&COUNTER_ADD, &many)
        });
        assert_eq!(written, Ok(1500));
        let twice: Vec<Vec<Value>> = vec![vec!["x".into(), 1.into()], vec!["c7".into(), 1.into()]];
        let conflict = store.write_blocking(move |tx| tx.exec_many(&COUNTER_ADD, &twice));
        assert_eq!(conflict, Err(StoreError::Conflict { key: "id".to_owned() }));
        let sum = store.read_blocking(|tx| tx.one(&COUNTER_SUM, &[], |row| Ok((row.int(0)?, row.int(1)?))));
        assert_eq!(sum, Ok((1500 * 1499 / 2, 1501)));
    });
}

#[test]
fn text_is_ordered_by_bytes() {
    on_each(options, |_, store| {
        for (n, name) in ["b", "Z", "é", "a-b", "aB", "_"].into_iter().enumerate() {
            add_item(&store, item(&n.to_string(), name, &n.to_string())).unwrap();
        }
        let names = store.read_blocking(|tx| tx.rows(&ITEM_NAMES, &[], text));
        assert_eq!(names.unwrap(), ["Z", "_", "a-b", "aB", "b", "é"]);
    });
}

#[test]
fn a_read_is_one_snapshot() {
    on_each(options, |name, store| {
        if name == "inline" {
            return; // One thread at a time: nothing can change in between.
        }
        add_counter(&store, "a", 1).unwrap();
        let writer = store.clone();
        let (first, second) = store
            .read_blocking(move |tx| {
                let first = tx.one(&COUNTER_GET, &["a".into()], int)?;
                let writer = writer.clone();
                std::thread::spawn(move || {
                    writer.write_blocking(|tx| tx.exec(&COUNTER_SET, &["a".into(), 2.into()])).unwrap();
                })
                .join()
                .unwrap();
                Ok::<_, StoreError>((first, tx.one(&COUNTER_GET, &["a".into()], int)?))
            })
            .unwrap();
        assert_eq!((first, second), (1, 1));
        assert_eq!(counter(&store, "a"), Some(2));
    });
}
