//! SQLite: opening a file, and running one statement on a connection.

mod reader;
mod writer;

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub(crate) use reader::{Readers, within};
pub(crate) use writer::{Inline, Writer};

use crate::dialect::from_sqlite;
use crate::row::Columns;
use crate::tx::Access;
use crate::{Row, Statement, StoreError, Value};

/// Two processes may use one file: how often a connection looks again for a lock, once a millisecond.
/// The interval is short because a busy writer leaves only short gaps between two groups.
const BUSY_TRIES: i32 = 5_000;

/// Prepared statements kept per connection.
const CACHED_STATEMENTS: usize = 256;

/// Opens a database file for writing, creating it (mode 0600) if asked to.
pub(crate) fn open(path: &Path, create: bool) -> Result<Connection, StoreError> {
    let refuse = |reason: String| StoreError::CannotOpen { path: path.display().to_string(), reason };
    if path.as_os_str() == ":memory:" {
        return Err(refuse("it would be lost at the end; name a file".to_owned()));
    }
    if path.is_dir() {
        return Err(refuse("it is a folder; name a file in it".to_owned()));
    }
    if create {
        let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match created {
            Ok(_) => keep_name(path).map_err(|error| refuse(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(refuse(format!("{error}; check that its folder exists and can be written")));
            }
        }
    } else if let Err(error) = std::fs::metadata(path) {
        return Err(refuse(match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file; create the database first".to_owned(),
            _ => format!("{error}; check the permissions"),
        }));
    }
    connect(path).map_err(|error| at_path(error, path))
}

/// Makes a new file's name durable: without this a power failure could lose the file with all that is in it.
fn keep_name(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// Opens another connection to a database that exists.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| from_sqlite("open", &e))?;
    let mode = configure(&mut connection).map_err(|e| from_sqlite("open", &e))?;
    // SQLite falls back to reading where it may not write.
    if connection.is_readonly("main").map_err(|e| from_sqlite("open", &e))? {
        return Err(StoreError::ReadOnly { detail: path.display().to_string() });
    }
    if mode != "wal" {
        return Err(StoreError::CannotOpen {
            path: path.display().to_string(),
            reason: format!("its journal is {mode}, not WAL; put it on a local disk"),
        });
    }
    Ok(connection)
}

/// Opens a database in memory.
pub(crate) fn connect_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory().map_err(|e| from_sqlite("open", &e))?;
    configure(&mut connection).map_err(|e| from_sqlite("open", &e))?;
    Ok(connection)
}

/// Sets up a connection; the journal's mode.
fn configure(connection: &mut Connection) -> rusqlite::Result<String> {
    connection.busy_handler(Some(|tries| {
        std::thread::sleep(Duration::from_millis(1));
        tries < BUSY_TRIES
    }))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Without this a statement is compiled anew whenever a bound value could have changed its plan: a quarter of all time.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    connection.execute_batch(
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; \
         PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=4000;",
    )?;
    Ok(mode)
}

/// Commits of this connection wait for the disk no more: only a power failure can lose the last ones.
pub(crate) fn relax(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("PRAGMA synchronous=NORMAL").map_err(|e| from_sqlite("open", &e))
}

/// Names the file in an error that does not know it.
fn at_path(error: StoreError, path: &Path) -> StoreError {
    let path = path.display().to_string();
    match error {
        StoreError::NotADatabase { reason, .. } => StoreError::NotADatabase { path, reason },
        StoreError::CannotOpen { reason, .. } => StoreError::CannotOpen { path, reason },
        other => other,
    }
}

/// Runs a statement of the transaction itself (BEGIN, SAVEPOINT, COMMIT ..).
pub(crate) fn control(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run().map(drop).map_err(|error| from_sqlite(sql, &error))
}

/// Rolls an open transaction back, if one is still open.
pub(crate) fn rollback(connection: &Connection) {
    if !connection.is_autocommit() {
        // A failing ROLLBACK leaves the transaction open; the next BEGIN finds it and tries again.
        let _ = control(connection, "ROLLBACK");
    }
}

pub(crate) fn prepare(connection: &Connection, statement: &'static Statement) -> Result<(), StoreError> {
    connection.prepare(statement.sql).map(drop).map_err(|error| from_sqlite(statement.name, &error))
}

pub(crate) fn exec(
    connection: &Connection,
    access: Access,
    statement: &'static Statement,
    params: &[Value],
) -> Result<u64, StoreError> {
    exec_many(connection, access, statement, std::iter::once(params))
}

/// Runs a statement once for each list of parameters; the rows changed in all.
pub(crate) fn exec_many<'p>(
    connection: &Connection,
    access: Access,
    statement: &'static Statement,
    many: impl Iterator<Item = &'p [Value]>,
) -> Result<u64, StoreError> {
    let mut prepared = prepared(connection, access, statement)?;
    let fail = |error| from_sqlite(statement.name, &error);
    let mut changed = 0;
    for params in many {
        bind(&mut prepared, statement, params)?;
        if prepared.column_count() == 0 {
            changed += prepared.raw_execute().map_err(fail)? as u64;
            continue;
        }
        let mut rows = prepared.raw_query();
        while rows.next().map_err(fail)?.is_some() {}
        drop(rows);
        changed += connection.changes();
    }
    Ok(changed)
}

/// The inner result is the reader's own.
pub(crate) fn rows<T>(
    connection: &Connection,
    access: Access,
    statement: &'static Statement,
    params: &[Value],
    read: &mut dyn FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Result<Vec<T>, StoreError>, StoreError> {
    let mut prepared = prepared(connection, access, statement)?;
    bind(&mut prepared, statement, params)?;
    let mut rows = prepared.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(|error| from_sqlite(statement.name, &error))? {
        match read(&Row { statement: statement.name, columns: Columns::Sqlite(row) }) {
            Ok(item) => out.push(item),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(out))
}

fn prepared<'c>(
    connection: &'c Connection,
    access: Access,
    statement: &'static Statement,
) -> Result<rusqlite::CachedStatement<'c>, StoreError> {
    let fail = |error| from_sqlite(statement.name, &error);
    let prepared = connection.prepare_cached(statement.sql).map_err(fail)?;
    if access == Access::Read && !prepared.readonly() {
        let detail = format!("{} writes inside a read", statement.name);
        return Err(StoreError::ReadOnly { detail });
    }
    Ok(prepared)
}

fn bind(
    prepared: &mut rusqlite::Statement<'_>,
    statement: &'static Statement,
    params: &[Value],
) -> Result<(), StoreError> {
    let fail = |error| from_sqlite(statement.name, &error);
    let numbers = statement.numbers.get_or_init(|| numbers(prepared));
    for (at, number) in numbers.iter().enumerate() {
        let Some(value) = number.checked_sub(1).and_then(|place| params.get(place)) else {
            return Err(wrong_count(statement, params));
        };
        prepared.raw_bind_parameter(at + 1, value).map_err(fail)?;
    }
    // PostgreSQL refuses surplus parameters too.
    if numbers.iter().max().copied().unwrap_or_default() != params.len() {
        return Err(wrong_count(statement, params));
    }
    Ok(())
}

/// The numbers in the names of the parameters: SQLite reads `$3` as a name and numbers names by first appearance. 0 for one
/// that has no number.
fn numbers(prepared: &rusqlite::Statement<'_>) -> Box<[usize]> {
    let number = |name: Option<&str>| name?.get(1..)?.parse::<usize>().ok();
    (1..=prepared.parameter_count()).map(|at| number(prepared.parameter_name(at)).unwrap_or(0)).collect()
}

fn wrong_count(statement: &'static Statement, params: &[Value]) -> StoreError {
    let detail = format!("{}: {} parameters were given, the text has others", statement.name, params.len());
    StoreError::Other { detail }
}
