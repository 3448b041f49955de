//! A directory, a lane and a simulated app over real HTTP, with the real clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use domain::app::{AppSettings, AppState};
use domain::directory::{Change, Member};
use domain::ids::{GroupId, TenantId, UserId};
use engine::apps::{self, Target};
use engine::compare::Purpose;
use engine::lane::run::{LaneReport, run_lane};
use engine::seal::SealingKey;
use engine::transport::Transport;
use engine::{Engine, Env};
use serde_json::{Value, json};
use simapp::{App, Config, Fault};
use store::Store;

struct RealEnv {
    draws: AtomicU64,
    start: Instant,
}

#[expect(clippy::disallowed_methods, reason = "these tests run against real sockets and time-outs")]
fn real_now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

impl RealEnv {
    #[expect(clippy::disallowed_methods, reason = "these tests run against real sockets and time-outs")]
    fn new() -> Self {
        Self { draws: AtomicU64::new(1), start: Instant::now() }
    }
}

impl Env for RealEnv {
    fn now_ms(&self) -> i64 {
        real_now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        self.start.elapsed().as_millis().try_into().unwrap()
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

/// Everything that a lane test needs.
pub(crate) struct LaneWorld {
    pub(crate) engine: Engine,
    pub(crate) tenant: TenantId,
    pub(crate) app: Arc<Mutex<App>>,
    pub(crate) app_name: &'static str,
    key: SealingKey,
    _running: simapp::Running,
}

impl LaneWorld {
    /// A tenant with an active app whose settings were edited.
    pub(crate) async fn new(store: Store, config: Config, edit: impl Fn(&mut AppSettings)) -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let engine = Engine {
            store,
            env: Arc::new(RealEnv::new()),
            actor: "test".into(),
            apps: engine::app_cache::AppCache::default(),
            schemas: engine::schemas::SchemaCache::default(),
        };
        let tenant = engine::tenants::create(&engine, "acme").await.unwrap().id;
        let app = Arc::new(Mutex::new(App::new(Config { token: Some("t0ken".into()), ..config })));
        let running =
            simapp::serve(app.clone(), "127.0.0.1:0".parse().unwrap(), Arc::new(real_now_ms)).await.unwrap();
        let mut settings = AppSettings {
            base_url: format!("http://{}/scim/v2", running.addr),
            allow_private: true,
            in_flight_window_ms: 400,
            read_lag_ms: 0,
            request_timeout_ms: 2_000,
            ..AppSettings::default()
        };
        edit(&mut settings);
        let key = SealingKey::parse(&"ab".repeat(32)).unwrap();
        let token = Some("t0ken".to_owned().into());
        apps::add(&engine, &tenant, "crm", settings, token, &key).await.unwrap();
        let world = Self { engine, tenant, app, app_name: "crm", key, _running: running };
        world.set(|app| app.state = AppState::Active).await;
        world
    }

    /// Edits the connected app.
    pub(crate) async fn set(&self, edit: impl Fn(&mut domain::app::App) + Send + 'static) {
        apps::change(&self.engine, &self.tenant, self.app_name, "app.set", move |app| {
            edit(app);
            Ok(())
        })
        .await
        .unwrap();
    }

    /// Changes the directory.
    pub(crate) async fn apply(&self, batch: Vec<Change>) {
        self.engine
            .write(&self.tenant, move |tx, context| engine::directory::apply(tx, context, &batch))
            .await
            .unwrap();
    }

    /// Users `u1..=n`, and a group of all of them that is assigned and pushed.
    pub(crate) async fn team(&self, users: usize) {
        let mut batch: Vec<Change> = (1..=users).map(|n| create_user(n, json!({}))).collect();
        batch.push(create_group("team"));
        batch.extend((1..=users).map(|n| member("team", n)));
        self.apply(batch).await;
        self.assign("team").await;
        assert!(apps::push_add(&self.engine, &self.tenant, self.app_name, "team").await.unwrap());
    }

    /// Assigns a group.
    pub(crate) async fn assign(&self, group: &str) {
        let target = Target::Group(group.into());
        assert!(apps::assign(&self.engine, &self.tenant, self.app_name, target, true, 0).await.unwrap());
    }

    /// The way to the app.
    pub(crate) async fn transport(&self) -> Transport {
        let found = apps::find(&self.engine, &self.tenant, self.app_name).await.unwrap();
        apps::transport(&self.engine, &self.tenant, &found, &self.key).await.unwrap()
    }

    /// Runs the lane to its end.
    pub(crate) async fn sync(&self, wait: bool) -> LaneReport {
        let found = apps::find(&self.engine, &self.tenant, self.app_name).await.unwrap();
        let transport = self.transport().await;
        let run = run_lane(&self.engine, &self.tenant, &found.id, transport, wait, &|_, _| {});
        tokio::time::timeout(Duration::from_secs(60), run).await.expect("the lane comes to an end").unwrap()
    }

    /// Compares the app and repairs it; gives how many differences were found.
    pub(crate) async fn compare_and_repair(&self) -> usize {
        let found = apps::find(&self.engine, &self.tenant, self.app_name).await.unwrap();
        let transport = self.transport().await;
        let comparison =
            engine::compare::compare(&self.engine, &self.tenant, &found.id, &transport, Purpose::Repair)
                .await
                .unwrap();
        assert!(comparison.users.unwrap().complete);
        self.sync(true).await;
        comparison.findings.len()
    }

    /// Causes of open tasks.
    pub(crate) async fn causes(&self) -> BTreeSet<String> {
        let tasks = engine::tasks::list(&self.engine, &self.tenant, None, 1_000).await.unwrap();
        tasks.into_iter().map(|task| task.cause).collect()
    }

    /// The app, locked.
    pub(crate) fn sim(&self) -> std::sync::MutexGuard<'_, App> {
        self.app.lock().unwrap()
    }

    /// Switches faults on.
    pub(crate) fn faults(&self, texts: &[&str]) {
        self.sim().set_faults(texts.iter().map(|text| Fault::parse(text).unwrap()).collect());
    }

    /// What the app holds: userName to active.
    pub(crate) fn accounts(&self) -> BTreeMap<String, bool> {
        self.sim()
            .users()
            .iter()
            .map(|user| (text(user, "userName"), user["active"] != json!(false)))
            .collect()
    }

    /// What the app holds: group to userNames of its members. Two groups of one name would be a defect.
    pub(crate) fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        let sim = self.sim();
        let names: BTreeMap<String, String> =
            sim.users().iter().map(|user| (text(user, "id"), text(user, "userName"))).collect();
        let mut groups = BTreeMap::new();
        for group in sim.groups() {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let members = members.iter().map(|member| names[&text(member, "value")].clone()).collect();
            assert!(groups.insert(text(&group, "displayName"), members).is_none(), "two groups of one name");
        }
        groups
    }

    /// Writes that the app has seen.
    pub(crate) fn writes(&self) -> u64 {
        self.sim().seen().writes
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

/// The names `u1`, `u3`, ...
pub(crate) fn names(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(|n| format!("u{n}")).collect()
}

/// A new user `u{n}` with these attributes besides.
pub(crate) fn create_user(n: usize, more: Value) -> Change {
    let mut doc = json!({"schemas": [scim::urn::USER], "userName": format!("u{n}"), "displayName": format!("User {n}")});
    for (name, value) in more.as_object().unwrap() {
        doc[name] = value.clone();
    }
    Change::CreateUser { id: UserId::new(format!("user-{n:04}")), source: "test".into(), doc }
}

/// The whole new document of `u{n}`.
pub(crate) fn update_user(n: usize, doc: Value) -> Change {
    Change::UpdateUser { id: UserId::new(format!("user-{n:04}")), doc }
}

/// A new group.
pub(crate) fn create_group(name: &str) -> Change {
    let doc = json!({"schemas": [scim::urn::GROUP], "displayName": name});
    Change::CreateGroup { id: GroupId::new(format!("group-{name}")), source: "test".into(), doc }
}

/// `u{n}` joins.
pub(crate) fn member(group: &str, n: usize) -> Change {
    Change::AddMember {
        group: GroupId::new(format!("group-{group}")),
        member: Member::User(UserId::new(format!("user-{n:04}"))),
    }
}

/// `u{n}` leaves.
pub(crate) fn no_member(group: &str, n: usize) -> Change {
    Change::RemoveMember {
        group: GroupId::new(format!("group-{group}")),
        member: Member::User(UserId::new(format!("user-{n:04}"))),
    }
}
