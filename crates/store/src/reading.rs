//! Several reads of one request in one snapshot.

use std::sync::Arc;

use crate::{Backend, Store, StoreError, Tx, TxError, sqlite};

/// Reads that follow each other. On SQLite all see the same snapshot, that of the first one, and take it only once; on
/// PostgreSQL each has its own. Do not keep it while waiting for a client: a snapshot keeps the log of the database long.
pub struct Reading {
    store: Store,
    snapshot: Option<rusqlite::Connection>,
}

impl Store {
    /// Begins with the first read.
    pub fn reading(&self) -> Reading {
        Reading { store: self.clone(), snapshot: None }
    }
}

impl Reading {
    /// [`Store::read`] in this snapshot.
    pub async fn read<T, E, F>(&mut self, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        if let Some(connection) = self.snapshot()? {
            return sqlite::within(connection, &mut body);
        }
        self.store.read(body).await
    }

    /// Ends the snapshot, for what takes long or writes.
    pub fn end(&mut self) {
        if let (Some(connection), Backend::Sqlite { readers, .. }) =
            (self.snapshot.take(), &*self.store.backend)
        {
            readers.end(connection);
        }
    }

    fn snapshot(&mut self) -> Result<Option<&rusqlite::Connection>, StoreError> {
        let backend = Arc::clone(&self.store.backend);
        let Backend::Sqlite { readers, .. } = &*backend else { return Ok(None) };
        let connection = match self.snapshot.take() {
            Some(connection) => connection,
            None => readers.begin()?,
        };
        Ok(Some(self.snapshot.insert(connection)))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.end();
    }
}
