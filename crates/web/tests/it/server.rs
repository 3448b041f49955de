//! A running server for tests: on a SQLite file and on PostgreSQL, with one tenant and a token.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::connection::{ConnectionSettings, IdentityProvider, TokenScope};
use domain::ids::TenantId;
use engine::tokens::TokenRequest;
use engine::{Engine, Env};
use serde_json::{Value, json};
use store::repo::tenant;
use store::scim_log::{ScimLog, ScimLogOptions};
use store::{Location, OpenOptions, Store};
use web::{Options, Running, Tls};

use crate::client::Client;

/// The clock of the tests begins here and moves by a millisecond whenever somebody looks.
const BEGIN_MS: i64 = 1_760_000_000_000;

struct TestEnv {
    now_ms: AtomicI64,
    draws: AtomicU64,
}

impl Env for TestEnv {
    fn now_ms(&self) -> i64 {
        self.now_ms.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn random_bits(&self) -> u64 {
        let mixed = self.draws.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn process_name(&self) -> String {
        "test".to_owned()
    }

    fn may_be_alive(&self, _: &str) -> bool {
        true
    }
}

/// Moves by a millisecond whenever somebody looks.
fn monotonic_micros() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(1_000, Ordering::Relaxed)
}

/// The options of the tests' servers.
pub(crate) fn options() -> Options {
    Options::new(monotonic_micros)
}

/// A server with one tenant, and a client with a token of that tenant.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) tenant: TenantId,
    pub(crate) client: Client,
    pub(crate) log: Arc<ScimLog>,
    pub(crate) running: Running,
    pub(crate) location: Location,
    // Removed with the world.
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for World {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Runs a test on a server over a SQLite file, and on one over PostgreSQL.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    for location in [None, Some(store::testing::postgres())] {
        // Shown only when the test fails.
        println!("on {}:", if location.is_none() { "sqlite" } else { "postgres" });
        on(location, options(), None, &test);
    }
}

/// Runs a test on a server over a SQLite file: for what has nothing to do with the database.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    on(None, options(), None, &test);
}

/// Runs a test on a server with other options.
pub(crate) fn on<F: Future<Output = ()>>(
    location: Option<Location>,
    options: Options,
    tls: Option<Tls>,
    test: &impl Fn(World) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { test(World::start(location, options, tls).await).await });
    // Connections that a test left open end with it.
    runtime.shutdown_background();
}

impl World {
    async fn start(location: Option<Location>, options: Options, tls: Option<Tls>) -> World {
        let folder = tempfile::tempdir().unwrap();
        let location = location.unwrap_or_else(|| Location::Sqlite(folder.path().join("test.db")));
        let open = {
            let location = location.clone();
            move || Store::open(&location, OpenOptions { create: true, ..OpenOptions::new(BEGIN_MS) })
        };
        let store = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        let logged = location.clone();
        let log = tokio::task::spawn_blocking(move || {
            ScimLog::open(&logged, ScimLogOptions::new(|| BEGIN_MS)).unwrap()
        });
        let log = Arc::new(log.await.unwrap());
        let env = Arc::new(TestEnv { now_ms: AtomicI64::new(BEGIN_MS), draws: AtomicU64::new(1) });
        let engine = Engine {
            store,
            env,
            actor: "test".to_owned(),
            apps: engine::app_cache::AppCache::default(),
            schemas: Default::default(),
        };
        let tenant = new_tenant(&engine, "acme").await;
        let running = web::listen(engine.clone(), log.clone(), ([127, 0, 0, 1], 0).into(), tls, options)
            .await
            .expect("a free port is found");
        let token = token(&engine, &tenant, TokenScope::Scim, None).await;
        let client = Client { address: running.address, base: "/scim/v2".to_owned(), token, tls: None };
        World { engine, tenant, client, log, running, location, _folder: folder }
    }

    /// A client of a tenant's token of this scope.
    pub(crate) async fn with_scope(&self, scope: TokenScope) -> Client {
        Client { token: token(&self.engine, &self.tenant, scope, None).await, ..self.client.clone() }
    }

    /// A client of a new connection.
    pub(crate) async fn connection(&self, name: &str, settings: ConnectionSettings) -> Client {
        engine::connections::add(&self.engine, &self.tenant, name, IdentityProvider::Generic, settings)
            .await
            .unwrap();
        let token = token(&self.engine, &self.tenant, TokenScope::Scim, Some(name)).await;
        Client { token, ..self.client.clone() }
    }

    /// A client of another tenant.
    pub(crate) async fn stranger(&self) -> Client {
        let other = new_tenant(&self.engine, "other").await;
        Client { token: token(&self.engine, &other, TokenScope::Scim, None).await, ..self.client.clone() }
    }

    /// A new user; gives the id.
    pub(crate) async fn user(&self, name: &str) -> String {
        self.post("/Users", user(name)).await.expect(201).id()
    }

    /// A new group; gives the id.
    pub(crate) async fn group(&self, name: &str, members: &[&str]) -> String {
        self.post("/Groups", group(name, members)).await.expect(201).id()
    }
}

async fn new_tenant(engine: &Engine, name: &str) -> TenantId {
    let id = TenantId::new(name);
    let new = tenant::Tenant { id: id.clone(), name: name.to_owned(), created_ms: BEGIN_MS };
    engine.store.write(move |tx| tenant::create(tx, &new)).await.unwrap();
    id
}

/// A new token.
pub(crate) async fn token(
    engine: &Engine,
    tenant: &TenantId,
    scope: TokenScope,
    connection: Option<&str>,
) -> String {
    let connection = connection.map(str::to_owned);
    let request = TokenRequest { name: None, scope, connection, user: None, expires_ms: None };
    engine::tokens::create(engine, tenant, request).await.unwrap().text.expose().to_owned()
}

/// The body of a user with an address.
pub(crate) fn user(name: &str) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": name,
        "emails": [{"value": format!("{name}@example.com"), "type": "work", "primary": true}],
    })
}

/// The body of a group.
pub(crate) fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [scim::urn::GROUP], "displayName": name, "members": members})
}
