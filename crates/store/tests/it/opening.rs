//! Databases that cannot be opened: each says what, why and what to do, and nothing is left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store::{Location, OpenOptions, Store, StoreError};

use crate::tables::options;

fn refused(location: &Location, create: bool) -> StoreError {
    match Store::open(location, OpenOptions { create, ..options() }) {
        Ok(_) => panic!("{location} was opened"),
        Err(error) => error,
    }
}

fn file(path: &Path) -> Location {
    Location::Sqlite(path.to_owned())
}

#[test]
fn a_new_file_is_private_and_so_is_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let _open = Store::open(&file(&path), options()).unwrap();
    for name in ["new.db", "new.db-wal", "new.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn closing_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    drop(Store::open(&file(&path), options()).unwrap());
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["new.db"]);
}

#[test]
fn files_that_are_no_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "x".repeat(5000)).unwrap();
    let error = refused(&file(&text), true);
    assert_eq!(error.code(), "not-a-database");
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&text).unwrap().len(), 5000);

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert_eq!(refused(&file(&foreign), true).code(), "not-a-database");
}

#[test]
fn places_that_do_not_exist_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.db");
    assert_eq!(refused(&file(&missing), false).code(), "cannot-open");
    assert!(!missing.exists(), "nothing is created unless asked for");
    assert_eq!(refused(&file(&folder.path().join("no/such.db")), true).code(), "cannot-open");
    assert_eq!(refused(&file(folder.path()), true).code(), "cannot-open");
    assert_eq!(refused(&file(Path::new(":memory:")), true).code(), "cannot-open");
}

#[test]
fn a_server_that_does_not_answer_is_named_without_the_password() {
    for url in ["postgres://me:secret@127.0.0.1:1/none", "postgres://me:secret@[::1"] {
        let error = refused(&url.parse().unwrap(), true);
        assert_eq!(error.code(), "cannot-open");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
