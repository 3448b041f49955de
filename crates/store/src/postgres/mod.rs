//! PostgreSQL: a pool of connections, serializable transactions, repeated when the server asks for it.

mod group;
mod pipeline;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod,
    Runtime as PoolRuntime, TimeoutType,
};
use futures::FutureExt;
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::NoTls;

use group::Groups;
pub(crate) use pipeline::Pipeline;

use crate::dialect::{from_postgres, with_causes};
use crate::faults::Faults;
use crate::job::{Job, panicked};
use crate::options::{Counters, OpenOptions};
use crate::tx::{Access, Link};
use crate::{Location, StoreError, Tx, TxError, migrate};

/// Set once per connection. Outside a transaction nothing can be written: a statement that is sent together with a
/// BEGIN that fails cannot take effect on its own.
const SESSION: &str = "SET default_transaction_read_only = on; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = error";

/// How often a transaction is repeated before its caller hears that the database is busy.
const REPEATS_MAX: u32 = 60;

/// After so many repetitions a transaction takes its turn: of those that failed as often, one runs at a time.
const TURN_AFTER: u32 = 5;

/// The advisory lock of those who take turns. It is the session's: a lock taken inside the transaction would come after its
/// snapshot. If it is not free in time the transaction is tried all the same.
const TAKE_TURN: &str = "SELECT pg_advisory_lock(7811913)";
const END_TURN: &str = "SELECT pg_advisory_unlock_all()";

/// The longest pause between two repetitions.
const PAUSE_MAX_MICROS: u64 = 64_000;

/// How long a caller waits for a free connection, and a connection for the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A PostgreSQL database with the runtime that drives its connections, so that any thread may call it.
pub(crate) struct Postgres {
    session: Session,
    // None only while it is dropped.
    runtime: Option<Runtime>,
}

/// What a running transaction needs; shared with the blocking threads that closures run on.
#[derive(Clone)]
struct Session {
    pool: Pool,
    handle: Handle,
    counters: Arc<Counters>,
    faults: Option<Arc<Faults>>,
    pauses: Arc<AtomicU64>,
    clock: fn() -> u64,
    groups: Arc<Groups>,
}

impl Postgres {
    pub(crate) fn open(
        location: &Location,
        url: &str,
        options: &OpenOptions,
        counters: Arc<Counters>,
    ) -> Result<Postgres, StoreError> {
        let refuse = |reason: String| StoreError::CannotOpen { path: location.to_string(), reason };
        let config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| refuse(with_causes(&error)))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(options.connections + 2)
            .thread_name("store-postgres")
            .enable_all()
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let pool = pool(config, options).map_err(refuse)?;
        let handle = runtime.handle().clone();
        let session = Session {
            pool,
            handle,
            counters,
            faults: options.faults.clone(),
            pauses: Arc::default(),
            clock: options.monotonic_micros,
            groups: Arc::default(),
        };
        let store = Postgres { session, runtime: Some(runtime) };
        store.prepare_schema(location, options)?;
        Ok(store)
    }

    /// Runs the closure on a blocking thread: each of its statements waits there for the server.
    pub(crate) async fn run<T, E, F>(&self, access: Access, mut body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: TxError + Send + 'static,
    {
        let session = self.session.clone();
        let task = self.session.handle.spawn_blocking(move || session.run(access, &mut body));
        task.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Queues a write at once, at SERIALIZABLE; it may share its transaction with others and is answered after the commit.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        self.session.submit(job);
    }

    /// Connects once and brings the schema up to date. On a thread of its own: the caller may be inside a runtime.
    fn prepare_schema(&self, location: &Location, options: &OpenOptions) -> Result<(), StoreError> {
        let session = &self.session;
        let work = async {
            let client = session.pool.get().await.map_err(|error| StoreError::CannotOpen {
                path: location.to_string(),
                reason: format!("{}; check that the server runs and the URL is right", pool_reason(&error)),
            })?;
            migrate::postgres(&client, location, options).await
        };
        std::thread::scope(|scope| scope.spawn(|| session.handle.block_on(work)).join())
            .unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Dropping a runtime waits, which an async caller must not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    fn run<T, E: TxError>(
        &self,
        access: Access,
        body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut repeats = 0;
        loop {
            let client = self.client()?;
            let turn = (repeats >= TURN_AFTER).then(|| Turn::take(&client, &self.handle));
            let (answer, repeat) = self.attempt(&client, access, body);
            drop(turn);
            drop(client);
            if panicked(&answer) {
                Counters::add(&self.counters.panicked);
            }
            if !repeat || repeats == REPEATS_MAX {
                return answer;
            }
            Counters::add(&self.counters.repeated);
            self.pause(repeats);
            repeats += 1;
        }
    }

    /// Runs the closure in one transaction: its answer, and whether it should be repeated.
    fn attempt<T, E: TxError>(
        &self,
        client: &Client,
        access: Access,
        body: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> (Result<T, E>, bool) {
        let pipeline = Pipeline::new(client, &self.handle, access);
        let mut tx = Tx::new(Link::Postgres(pipeline), access, self.faults.as_deref());
        let answer = tx.run(body);
        if answer.is_err() || access == Access::Read {
            // Dropping the pipeline sends a ROLLBACK; nobody needs to wait for it.
            let repeat = tx.wants_repeat();
            return (answer, repeat);
        }
        match tx.commit_postgres() {
            Ok(()) => {
                Counters::add(&self.counters.commits);
                (answer, false)
            }
            Err(failure) => (Err(failure.error.into()), failure.repeat),
        }
    }

    fn client(&self) -> Result<Client, StoreError> {
        self.handle.block_on(self.pool.get()).map_err(|error| {
            let detail = pool_reason(&error);
            match error {
                PoolError::Timeout(TimeoutType::Wait) => StoreError::Busy { detail },
                PoolError::Backend(cause) => from_postgres("connect", &cause),
                PoolError::Closed => StoreError::Closed,
                _ => StoreError::Io { detail },
            }
        })
    }

    /// Waits a moment before a repetition: longer each time, and another time for each caller and process.
    fn pause(&self, repeats: u32) {
        let ticket = self.pauses.fetch_add(1, Ordering::Relaxed) + (u64::from(std::process::id()) << 32);
        let longest = (1_000_u64 << repeats.min(6)).min(PAUSE_MAX_MICROS);
        std::thread::sleep(Duration::from_micros(scatter(ticket) % longest));
    }
}

/// Many transactions over a few rows can fail each other for ever. Those that take turns meet only newcomers, which are fewer
/// the more have come to wait.
struct Turn<'a>(&'a Client);

impl<'a> Turn<'a> {
    fn take(client: &'a Client, handle: &Handle) -> Turn<'a> {
        // A failure shows again in the transaction itself, or was only impatience.
        let _ = handle.block_on(client.batch_execute(TAKE_TURN));
        Turn(client)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Polling once sends it; a lost connection has no locks.
        let _ = self.0.batch_execute(END_TURN).now_or_never();
    }
}

/// The splitmix64 finaliser: neighbouring numbers give unrelated ones.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pool(config: tokio_postgres::Config, options: &OpenOptions) -> Result<Pool, String> {
    let mut session = SESSION.to_owned();
    if let Some(namespace) = options.namespace {
        session.push_str(&format!("; SET search_path = {namespace}"));
    }
    if !options.durable {
        session.push_str("; SET synchronous_commit = off");
    }
    let session: Arc<str> = session.into();
    let method = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, method);
    Pool::builder(manager)
        .max_size(options.connections)
        .runtime(PoolRuntime::Tokio1)
        .create_timeout(Some(CONNECT_TIMEOUT))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .post_create(Hook::async_fn(move |client, _| {
            let session = session.clone();
            Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
        }))
        .build()
        .map_err(|error| error.to_string())
}

fn pool_reason(error: &PoolError) -> String {
    match error {
        PoolError::Backend(cause) => with_causes(cause),
        other => with_causes(other),
    }
}
