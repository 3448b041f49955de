//! An endpoint in memory, the same for every input: after one that changed it, the next finds a tenant like the first.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::connection::ConnectionSettings;
use domain::ids::{TenantId, UserId};
use engine::app_cache::AppCache;
use engine::endpoint::Caller;
use engine::schemas::{ResourceTypes, SchemaCache};
use engine::{Engine, Env};
use futures::executor::block_on;
use serde_json::Value;
use store::repo::resource::{self, Kind};
use store::repo::{audit, change, tenant};
use store::{Store, Tx};
use web::Sent;

use crate::request::directory;

const BEGIN_MS: i64 = 1_760_000_000_000;

#[derive(Default)]
struct Ticks {
    ms: AtomicI64,
    draws: AtomicU64,
}

impl Env for Ticks {
    fn now_ms(&self) -> i64 {
        BEGIN_MS + self.ms.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> i64 {
        self.ms.load(Ordering::Relaxed)
    }

    fn random_bits(&self) -> u64 {
        self.draws.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process_name(&self) -> String {
        "fuzz".to_owned()
    }

    fn may_be_alive(&self, _: &str) -> bool {
        true
    }
}

/// An endpoint and what it showed before the request.
pub(crate) struct Endpoint {
    engine: Engine,
    ticks: Arc<Ticks>,
    /// Milliseconds and draws when the directory stood.
    begin: (i64, u64),
    caller: Caller,
    before: Picture,
}

/// Everything that a request may change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    traces: (i64, i64),
    rows: Vec<(String, i64, i64, Value)>,
    shown: Vec<(String, Value)>,
}

impl Picture {
    /// Users and groups as they are shown, by id.
    pub(crate) fn shown(&self) -> &[(String, Value)] {
        &self.shown
    }
}

/// Tenants in one database: making another database takes longer than a tenant.
const TENANTS_MAX: usize = 200;

thread_local! {
    static WORLD: RefCell<Option<Endpoint>> = const { RefCell::new(None) };
    static STORE: RefCell<Option<(Store, usize)>> = const { RefCell::new(None) };
}

/// A database, and the number of the tenant that is to be made there.
fn place() -> (Store, usize) {
    let old = STORE.take().filter(|(_, tenants)| *tenants < TENANTS_MAX);
    let (store, tenants) =
        old.unwrap_or_else(|| (Store::open_inline().expect("a database in memory always opens"), 0));
    STORE.set(Some((store.clone(), tenants + 1)));
    (store, tenants)
}

impl Endpoint {
    /// Runs a request, which says whether it changed anything.
    pub(crate) fn with(run: impl FnOnce(&Endpoint) -> bool) {
        // Taken out: what a panic leaves behind is not used again.
        let endpoint = WORLD.take().unwrap_or_else(Endpoint::new);
        endpoint.ticks.ms.store(endpoint.begin.0, Ordering::Relaxed);
        endpoint.ticks.draws.store(endpoint.begin.1, Ordering::Relaxed);
        if !run(&endpoint) {
            WORLD.set(Some(endpoint));
        }
    }

    fn new() -> Self {
        let (store, number) = place();
        let (id, ticks) = (TenantId::new(format!("t{number}")), Arc::new(Ticks::default()));
        let engine = Engine {
            store,
            env: ticks.clone(),
            actor: "fuzz".to_owned(),
            apps: AppCache::default(),
            schemas: SchemaCache::default(),
        };
        let acme = tenant::Tenant { id: id.clone(), name: format!("Acme {number}"), created_ms: BEGIN_MS };
        let made = engine.store.write_blocking(move |tx| tenant::create(tx, &acme));
        made.expect("a database takes a new tenant");
        for batch in directory() {
            let applied =
                block_on(engine.write(&id, move |tx, ctx| engine::directory::apply(tx, ctx, &batch)));
            applied.expect("the directory is lawful");
        }
        let caller = Caller {
            tenant: id,
            connection: String::new(),
            source: "x".to_owned(),
            actor: "fuzz".to_owned(),
            settings: Arc::new(ConnectionSettings::default()),
            read_only: false,
            me: Some(UserId::new("2819c223")),
            base: "https://example.com/scim/v2".into(),
            types: ResourceTypes::standard(),
        };
        let mut endpoint = Self { engine, ticks, begin: (0, 0), caller, before: Picture::default() };
        endpoint.before = endpoint.picture();
        let ticks = &endpoint.ticks;
        endpoint.begin = (ticks.ms.load(Ordering::Relaxed), ticks.draws.load(Ordering::Relaxed));
        endpoint
    }

    /// Sends a request; none if its path leads nowhere.
    pub(crate) fn send(&self, request: (&str, &str), headers: &[(&str, &str)], body: &[u8]) -> Option<Sent> {
        let dialect = headers.iter().find(|(name, _)| *name == "dialect");
        let dialect = dialect.and_then(|(_, text)| text.parse().ok()).unwrap_or_default();
        let settings = ConnectionSettings { dialect, ..ConnectionSettings::default() };
        let caller = Caller { settings: Arc::new(settings), ..self.caller.clone() };
        block_on(web::request(&self.engine, &caller, request, headers, body))
    }

    /// What was there before the request.
    pub(crate) fn before(&self) -> &Picture {
        &self.before
    }

    /// What is there now.
    pub(crate) fn picture(&self) -> Picture {
        let tenant = self.caller.tenant.clone();
        let read = move |tx: &mut Tx<'_>| {
            let traces = (audit::count_unsealed(tx, &tenant)?, change::count(tx, &tenant)?);
            let mut rows = vec![];
            for kind in [Kind::User, Kind::Group] {
                let stored = resource::scan(tx, &tenant, kind, "", 10_000)?;
                rows.extend(
                    stored.into_iter().map(|one| (one.id, one.version, one.members_version, one.doc)),
                );
            }
            Ok::<_, store::StoreError>(Picture { traces, rows, shown: vec![] })
        };
        let mut picture = self.engine.store.read_blocking(read).expect("a database in memory is read");
        if picture.traces == self.before.traces && picture.rows == self.before.rows {
            return self.before.clone();
        }
        let list = |endpoint: &str| -> Vec<Value> {
            let all = self.send(("GET", &format!("/scim/v2/{endpoint}?count=500")), &[], b"");
            let body = all.and_then(|sent| sent.reply.body).unwrap_or_default();
            body["Resources"].as_array().cloned().unwrap_or_default()
        };
        let shown = list("Users").into_iter().chain(list("Groups"));
        picture.shown = shown.map(|one| (one["id"].as_str().unwrap_or_default().to_owned(), one)).collect();
        picture
    }
}
