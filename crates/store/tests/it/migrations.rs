//! Migrations: applied once, forward only, refused when they do not fit.

use store::testing::postgres;
use store::{Location, MIGRATIONS, Migration, OpenOptions, Store, StoreError, statement};

use crate::tables::{migrations, options, text};

statement!(APPLIED, "SELECT name || ' ' || CAST(applied AS TEXT) FROM schema_migration ORDER BY number");

fn on_both(test: impl Fn(&Location)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Location::Sqlite(folder.path().join("test.db")));
    test(&postgres());
}

fn open(location: &Location, migrations: &'static [Migration], now_ms: i64) -> Result<Store, StoreError> {
    Store::open(location, OpenOptions { migrations, now_ms, ..options() })
}

#[test]
fn each_is_applied_once() {
    on_both(|location| {
        open(location, MIGRATIONS, 7).unwrap();
        open(location, migrations(), 8).unwrap();
        let store = open(location, migrations(), 9).unwrap();
        let applied = store.read_blocking(|tx| tx.rows(&APPLIED, &[], text)).unwrap();
        let mut expected: Vec<String> = MIGRATIONS.iter().map(|(name, _)| format!("{name} 7")).collect();
        expected.extend(["scim_log 8", "scim_log_blocks 8", "test_tables 8"].map(str::to_owned));
        assert_eq!(applied, expected);
    });
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    on_both(|location| {
        open(location, migrations(), 1).unwrap();
        let (found, known) = (migrations().len() as i64, MIGRATIONS.len() as i64);
        let refused = open(location, MIGRATIONS, 2).err();
        assert_eq!(refused, Some(StoreError::NewerSchema { found, known }));
        open(location, migrations(), 3).unwrap();
    });
}

#[test]
fn a_changed_text_is_refused() {
    const BEFORE: &[Migration] =
        &[("first", "CREATE TABLE a (id TEXT);"), ("second", "CREATE TABLE b (id TEXT);")];
    const AFTER: &[Migration] =
        &[("first", "CREATE TABLE a (id TEXT);"), ("second", "CREATE TABLE b (id BIGINT);")];
    on_both(|location| {
        open(location, BEFORE, 1).unwrap();
        let refused = open(location, AFTER, 2).err();
        assert_eq!(refused, Some(StoreError::ChangedMigration { number: 2, name: "second".to_owned() }));
    });
}

#[test]
fn a_failing_migration_leaves_nothing() {
    const BROKEN: &[Migration] = &[
        ("first", "CREATE TABLE a (id TEXT);"),
        ("second", "CREATE TABLE b (id TEXT); CREATE TABLE a (id TEXT);"),
    ];
    const FIXED: &[Migration] = &[BROKEN[0], ("second", "CREATE TABLE b (id TEXT);")];
    on_both(|location| {
        let failed = open(location, BROKEN, 1).err().unwrap();
        assert!(failed.to_string().contains("migration 2 (second)"), "{failed}");
        open(location, FIXED, 2).unwrap();
    });
}

#[test]
fn several_programs_may_start_at_once() {
    on_both(|location| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let location = location.clone();
                std::thread::spawn(move || open(&location, migrations(), 1).map(drop))
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn an_empty_database_is_only_used_when_asked_to_create() {
    let location = postgres();
    let refused = Store::open(&location, OpenOptions { create: false, ..options() }).err().unwrap();
    assert_eq!(refused.code(), "cannot-open");
    assert!(refused.to_string().contains("empty"), "{refused}");
}
