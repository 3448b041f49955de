//! A world for tests: a clock that only moves when asked, repeatable randomness, a tenant, and looks into the directory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::directory::Member;
use domain::ids::TenantId;
use engine::{Engine, Env};
use futures::executor::block_on;
use serde_json::Value;
use store::repo::{audit, change, group, member, tenant, user};
use store::{OpenOptions, Store, StoreError};

/// Clock and randomness of a test.
pub(crate) struct TestEnv {
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
        self.draws.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn process_name(&self) -> String {
        "test".to_owned()
    }

    fn may_be_alive(&self, _: &str) -> bool {
        true
    }
}

/// An engine on a store, and one tenant.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) tenant: TenantId,
    env: Arc<TestEnv>,
}

impl World {
    /// Lets time pass.
    pub(crate) fn advance(&self, ms: i64) {
        self.env.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// On a store in memory.
    pub(crate) fn inline() -> World {
        World::on(Store::open_inline().unwrap())
    }

    /// On a store that may have the tenant already.
    pub(crate) fn on(store: Store) -> World {
        let env = Arc::new(TestEnv { now_ms: AtomicI64::new(1_760_000_000_000), draws: AtomicU64::new(1) });
        let engine = Engine {
            store,
            env: env.clone(),
            actor: "test".to_owned(),
            apps: engine::app_cache::AppCache::default(),
            schemas: engine::schemas::SchemaCache::default(),
        };
        let acme = tenant::Tenant { id: TenantId::new("acme"), name: "Acme".to_owned(), created_ms: 1 };
        let id = acme.id.clone();
        engine
            .store
            .write_blocking(move |tx| match tenant::get(tx, &acme.id)? {
                Some(_) => Ok::<_, StoreError>(()),
                None => tenant::create(tx, &acme),
            })
            .unwrap();
        World { engine, tenant: id, env }
    }

    /// Reads with the repositories.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        mut body: impl FnMut(&mut store::Tx<'_>, &TenantId) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let tenant = self.tenant.clone();
        self.engine.store.read_blocking(move |tx| body(tx, &tenant)).unwrap()
    }

    /// Everything in the directory, by names: users and groups with their documents, members as `group > member`.
    pub(crate) fn dump(&self) -> BTreeMap<String, Value> {
        self.read(|tx, tenant| {
            let users = user::list(tx, tenant, "", 100_000)?;
            let groups = group::list(tx, tenant, "", 100_000)?;
            let mut names: BTreeMap<String, String> = BTreeMap::new();
            names.extend(users.iter().map(|user| (user.id.as_str().to_owned(), user.user_name.clone())));
            names.extend(
                groups.iter().map(|group| (group.id.as_str().to_owned(), group.display_name.clone())),
            );
            let mut dump = BTreeMap::new();
            for group in &groups {
                for member in member::direct(tx, tenant, &group.id, "", 100_000)? {
                    dump.insert(format!("{} > {}", group.display_name, names[member.id()]), Value::Null);
                }
            }
            dump.extend(users.into_iter().map(|user| (user.user_name.clone(), user.doc)));
            dump.extend(groups.into_iter().map(|group| (group.display_name.clone(), group.doc)));
            Ok(dump)
        })
    }

    /// How many audit entries and dispatcher changes were written.
    pub(crate) fn traces(&self) -> (i64, i64) {
        self.read(|tx, tenant| Ok((audit::count_unsealed(tx, tenant)?, change::count(tx, tenant)?)))
    }

    /// The actions of the audit log, sorted.
    pub(crate) fn actions(&self) -> Vec<String> {
        let entries = self.read(|tx, tenant| audit::list(tx, tenant, None, "", 10_000));
        let mut actions: Vec<String> = entries.into_iter().map(|recorded| recorded.entry.action).collect();
        actions.sort();
        actions
    }

    /// The id of a user.
    pub(crate) fn user(&self, reference: &'static str) -> domain::directory::User {
        self.read(move |tx, tenant| user::find_by_ref(tx, tenant, reference)).expect(reference)
    }

    /// The id of a group.
    pub(crate) fn group(&self, reference: &'static str) -> domain::directory::Group {
        self.read(move |tx, tenant| group::find_by_ref(tx, tenant, reference)).expect(reference)
    }

    /// Applies a batch.
    pub(crate) fn apply(
        &self,
        batch: Vec<domain::directory::Change>,
    ) -> Result<engine::directory::Applied, engine::EngineError> {
        block_on(self.engine.write(&self.tenant, move |tx, ctx| engine::directory::apply(tx, ctx, &batch)))
    }
}

/// Options of a store that tests open.
pub(crate) fn options() -> OpenOptions {
    OpenOptions { create: true, ..OpenOptions::new(1) }
}

/// A member of a batch.
pub(crate) fn user_member(id: &str) -> Member {
    Member::User(domain::ids::UserId::new(id))
}
