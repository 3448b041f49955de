//! The write contract: one repository over SQLite and PostgreSQL, in repeatable transactions.
//!
//! [`Store::write`] and [`Store::read`] take a closure over a [`Tx`]. A closure may run more than once, so it has no
//! effect outside its transaction, and it never calls the store again. Each SQL text is written once with
//! [`statement!`]. There are no repository traits: one concrete [`Store`], tested on both databases.

mod dialect;
mod error;
mod faults;
mod job;
mod location;
mod migrate;
mod options;
mod postgres;
mod reading;
pub mod repo;
mod row;
pub mod scim_log;
mod sqlite;
mod statement;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;
mod tx;
mod value;

use std::sync::Arc;

#[doc(hidden)]
pub use inventory;

pub use error::{StoreError, TxError};
pub use faults::{Fault, Faults, Trigger};
pub use location::Location;
pub use migrate::{MIGRATIONS, Migration};
pub use options::{OpenOptions, Stats};
pub use reading::Reading;
pub use row::Row;
pub use statement::Statement;
pub use turns::{Turn, Turns};
pub use tx::Tx;
pub use value::Value;

use options::Counters;
use tx::Access;

/// A database. Clones share it; it is closed when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
    counters: Arc<Counters>,
    turns: Turns,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &*self.backend {
            Backend::Sqlite { .. } => "sqlite",
            Backend::Inline(_) => "inline",
            Backend::Postgres(_) => "postgres",
        };
        write!(out, "Store({kind}, {:?})", self.stats())
    }
}

enum Backend {
    Sqlite { writer: sqlite::Writer, readers: sqlite::Readers },
    Inline(sqlite::Inline),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens a database and brings its schema up to date. Blocks; may be called from any thread.
    pub fn open(location: &Location, options: OpenOptions) -> Result<Store, StoreError> {
        let counters = Arc::new(Counters::default());
        let backend = match location {
            Location::Sqlite(path) => {
                let connection = sqlite::open(path, options.create)?;
                if !options.durable {
                    sqlite::relax(&connection)?;
                }
                migrate::sqlite(&connection, &location.to_string(), &options)?;
                Backend::Sqlite {
                    writer: sqlite::Writer::start(connection, &options, counters.clone()),
                    readers: sqlite::Readers::new(path.clone()),
                }
            }
            Location::Postgres(url) => {
                Backend::Postgres(postgres::Postgres::open(location, url, &options, counters.clone())?)
            }
        };
        Ok(Store { backend: Arc::new(backend), counters, turns: Turns::for_processors() })
    }

    /// A database in memory without a thread: every call runs in the caller at once, so a simulation is deterministic.
    pub fn open_inline() -> Result<Store, StoreError> {
        Store::open_inline_with(OpenOptions { create: true, ..OpenOptions::new(0) })
    }

    /// [`Store::open_inline`] with other options.
    pub fn open_inline_with(options: OpenOptions) -> Result<Store, StoreError> {
        let counters = Arc::new(Counters::default());
        let connection = sqlite::connect_memory()?;
        migrate::sqlite(&connection, "memory", &options)?;
        let inline = sqlite::Inline::new(connection, &options, counters.clone());
        Ok(Store { backend: Arc::new(Backend::Inline(inline)), counters, turns: Turns::new(1, 1) })
    }

    /// Runs the closure in one transaction; its changes are durable when this returns `Ok`. They are rolled back if it
    /// returns an error or panics. Dropping the future does not stop a write that was begun.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        self.commit(Access::Write, body).await
    }

    /// [`Store::write`] for many writers of the same few rows: on PostgreSQL at READ COMMITTED, so that they wait for each
    /// other instead of being repeated. Only for closures that hold every rule by a constraint, by a conditional update, or by
    /// an update that checks the version it read ([`Tx::out_of_date`]).
    pub async fn change<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        self.commit(Access::Change, body).await
    }

    async fn commit<T, E, F>(&self, access: Access, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite { writer, .. } => job::queue(body, |job| writer.submit(job)).await,
            Backend::Inline(inline) => inline.write(&mut body),
            Backend::Postgres(postgres) if access == Access::Write => {
                job::queue(body, |job| postgres.submit(job)).await
            }
            Backend::Postgres(postgres) => postgres.run(access, body).await,
        }
    }

    /// [`Store::write`] for callers that are not async; not from inside a closure.
    pub fn write_blocking<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        block_on(self.write(body))
    }

    /// Runs the closure in one consistent snapshot. A statement that writes is [`StoreError::ReadOnly`]. On SQLite it
    /// runs on the caller's thread: long lists belong on a blocking thread.
    pub async fn read<T, E, F>(&self, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite { readers, .. } => readers.read(&mut body),
            Backend::Inline(inline) => inline.read(&mut body),
            Backend::Postgres(postgres) => postgres.run(Access::Read, body).await,
        }
    }

    /// [`Store::read`] for what may take long: never on the caller's thread, but for an inline store, and on SQLite as many
    /// at once as there are processors, by turns of the tenants.
    pub async fn read_long<T, E, F>(&self, tenant: &str, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite { .. } => {
                let (store, turn) = (self.clone(), self.turns.take(tenant).await);
                let task = tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    match &*store.backend {
                        Backend::Sqlite { readers, .. } => readers.read(&mut body),
                        _ => Err(StoreError::Closed.into()),
                    }
                });
                task.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
            }
            Backend::Inline(_) | Backend::Postgres(_) => self.read(body).await,
        }
    }

    /// [`Store::read`] for callers that are not async; not from inside a closure.
    pub fn read_blocking<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        block_on(self.read(body))
    }

    /// What this store has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }
}

/// Waits on this thread. Inside a tokio task that has used up its turn nothing would ever be ready: here that does not count.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    futures::executor::block_on(tokio::task::unconstrained(work))
}
