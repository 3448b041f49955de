//! SQLite reads: a pool of connections, used on the caller's own thread, one snapshot per read.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::dialect::from_sqlite;
use crate::sqlite::{connect, control, rollback};
use crate::tx::{Access, Link};
use crate::{StoreError, Tx, TxError};

/// Idle connections kept; more may be in use at once.
const IDLE_MAX: usize = 16;

/// Pages that a reading connection keeps, in KiB.
const READER_CACHE_KIB: i64 = 16_384;

/// Connections that only read. A point read takes microseconds, so it runs in line: a hop to another thread costs more.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Readers {
        Readers { path, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn read<T, E: TxError>(
        &self,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.take()?;
        let answer = snapshot(&connection, &mut body);
        self.give_back(connection);
        answer
    }

    /// Begins a snapshot that lasts until it is given back.
    pub(crate) fn begin(&self) -> Result<Connection, StoreError> {
        let connection = self.take()?;
        control(&connection, "BEGIN DEFERRED")?;
        Ok(connection)
    }

    /// Ends a snapshot.
    pub(crate) fn end(&self, connection: Connection) {
        rollback(&connection);
        self.give_back(connection);
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connect(&self.path).and_then(with_small_cache), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && connection.is_autocommit() {
            idle.push(connection);
        }
    }
}

/// There may be as many readers as callers: what each keeps of the file must not add up. The system keeps it too.
fn with_small_cache(connection: Connection) -> Result<Connection, StoreError> {
    let set = connection.pragma_update(None, "cache_size", -READER_CACHE_KIB);
    set.map(|()| connection).map_err(|error| from_sqlite("cache_size", &error))
}

/// Runs a closure that only reads, in one snapshot.
pub(crate) fn snapshot<T, E: TxError>(
    connection: &Connection,
    body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    control(connection, "BEGIN DEFERRED")?;
    let answer = within(connection, body);
    rollback(connection);
    answer
}

/// Runs a closure that only reads in a snapshot that was begun.
pub(crate) fn within<T, E: TxError>(
    connection: &Connection,
    body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    Tx::new(Link::Sqlite(connection), Access::Read, None).run(body)
}
