//! How fast the engine drives an app without latency, beside its bounds: a plain client and a bare durable loop.
//!
//! `cargo run --release -p bench --bin bench-engine -- [USERS]`. The app runs in a process of its own (`--serve`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bench::clock::{RealEnv, now_ms, peak_memory_mib, per_second, timed};
use domain::app::{AppSettings, AppState};
use domain::directory::{Change, Member};
use domain::ids::{AppId, GroupId, TenantId, UserId};
use engine::apps::{self, Target as Assignee};
use engine::lane::run::{LaneReport, run_lane};
use engine::seal::SealingKey;
use engine::{Engine, EngineError};
use futures::StreamExt;
use serde_json::{Value, json};
use store::{OpenOptions, Store};

const WIDTH: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    // Fails only if it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--serve") {
        return serve().await;
    }
    let users: usize = arguments.first().map_or(Ok(20_000), |text| text.parse())?;
    let plain = plain_client(users).await?;
    let loop_rate = bare_loop(users).await?;
    let bound = plain.min(loop_rate);
    println!("plain client, same bodies, {WIDTH} at a time   {plain:>10.0} creates/s");
    println!("bare durable loop, same rows                {loop_rate:>10.0} creates/s");
    measure(users, bound).await
}

async fn measure(users: usize, bound: f64) -> Result<()> {
    let target = Target::start()?;
    let world = World::new(&target.url).await?;
    let (loaded, time) = timed(world.load(users)).await;
    loaded?;
    println!("directory: {users} users and a group of all     {:>10.0} users/s", per_second(users, time));
    let (report, time) = timed(world.sync()).await;
    let report = report?;
    let rate = per_second(users, time);
    println!(
        "engine: first sync                          {rate:>10.0} creates/s  {:.0} % of the bound",
        100.0 * rate / bound
    );
    println!(
        "        {} requests, {:?}, {:.1} s, peak memory {} MiB",
        report.requests,
        report.applied,
        time.as_secs_f64(),
        peak_memory_mib()
    );
    world.touch_all().await?;
    let (report, time) = timed(world.sync()).await;
    let report = report?;
    println!(
        "engine: everybody looked at again           {:>10.0} users/s    {} writes",
        per_second(users, time),
        report.applied.len()
    );
    for round in 0..3 {
        world.change_one(round).await?;
        let (report, time) = timed(world.sync()).await;
        println!(
            "engine: one user and one member changed     {:>10.1} ms         {:?}",
            time.as_secs_f64() * 1_000.0,
            report?.applied
        );
    }
    Ok(())
}

struct World {
    engine: Engine,
    tenant: TenantId,
    app: AppId,
    key: SealingKey,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(url: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let location = folder.path().join("bench.db").display().to_string().parse()?;
        let store = Store::open(&location, OpenOptions { create: true, ..OpenOptions::new(1) })?;
        let engine = Engine {
            store,
            env: Arc::new(RealEnv::new()),
            actor: "bench".into(),
            apps: engine::app_cache::AppCache::default(),
            schemas: engine::schemas::SchemaCache::default(),
        };
        let tenant = engine::tenants::create(&engine, "bench").await?.id;
        let settings = AppSettings {
            base_url: url.to_owned(),
            allow_private: true,
            member_cap: 1_000,
            concurrency: WIDTH,
            ..AppSettings::default()
        };
        let key = SealingKey::parse(&"ab".repeat(32))?;
        let app = apps::add(&engine, &tenant, "app", settings, None, &key).await?;
        apps::change(&engine, &tenant, "app", "app.activate", |app| {
            app.state = AppState::Active;
            Ok(())
        })
        .await?;
        Ok(Self { engine, tenant, app: app.id, key, _folder: folder })
    }

    async fn apply(&self, batch: Vec<Change>) -> std::result::Result<(), EngineError> {
        self.engine
            .write(&self.tenant, move |tx, context| engine::directory::apply(tx, context, &batch).map(drop))
            .await
    }

    async fn load(&self, users: usize) -> Result<()> {
        let group = GroupId::new("group");
        let doc = json!({"schemas": [scim::urn::GROUP], "displayName": "everybody"});
        self.apply(vec![Change::CreateGroup { id: group.clone(), source: "bench".into(), doc }]).await?;
        for chunk in (0..users).collect::<Vec<_>>().chunks(200) {
            let mut batch: Vec<Change> = chunk
                .iter()
                .map(|n| Change::CreateUser { id: user_id(*n), source: "bench".into(), doc: user_doc(*n) })
                .collect();
            batch.extend(
                chunk
                    .iter()
                    .map(|n| Change::AddMember { group: group.clone(), member: Member::User(user_id(*n)) }),
            );
            self.apply(batch).await?;
        }
        apps::assign(&self.engine, &self.tenant, "app", Assignee::Group("everybody".into()), true, 0).await?;
        apps::push_add(&self.engine, &self.tenant, "app", "everybody").await?;
        Ok(())
    }

    async fn sync(&self) -> Result<LaneReport> {
        let app = apps::find(&self.engine, &self.tenant, "app").await?;
        let transport = apps::transport(&self.engine, &self.tenant, &app, &self.key).await?;
        Ok(run_lane(&self.engine, &self.tenant, &self.app, transport, false, &|_, _| {}).await?)
    }

    async fn touch_all(&self) -> Result<()> {
        apps::change(&self.engine, &self.tenant, "app", "app.set", |app| {
            app.settings.guard_count += 1;
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn change_one(&self, round: usize) -> Result<()> {
        let mut doc = user_doc(7);
        doc["displayName"] = json!(format!("Changed {round}"));
        doc["active"] = json!(true);
        let (group, member) = (GroupId::new("group"), Member::User(user_id(11)));
        let membership = if round.is_multiple_of(2) {
            Change::RemoveMember { group, member }
        } else {
            Change::AddMember { group, member }
        };
        apps::assign(&self.engine, &self.tenant, "app", Assignee::User("user11@example.com".into()), true, 0)
            .await?;
        self.apply(vec![Change::UpdateUser { id: user_id(7), doc }, membership]).await?;
        Ok(())
    }
}

fn user_id(n: usize) -> UserId {
    UserId::new(format!("01890000-0000-7000-8000-{n:012}"))
}

fn user_doc(n: usize) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": format!("user{n}@example.com"),
        "name": {"givenName": "Given", "familyName": format!("Family{n}")},
        "displayName": format!("Given Family{n}"),
        "title": "Engineer",
        "emails": [{"type": "work", "value": format!("user{n}@example.com")}],
    })
}

/// Posts the same bodies with the same width and does nothing else.
async fn plain_client(users: usize) -> Result<f64> {
    let target = Target::start()?;
    let settings =
        AppSettings { base_url: target.url.clone(), allow_private: true, ..AppSettings::default() };
    let transport = engine::transport::Transport::new(&settings, None)?;
    let posts = futures::stream::iter(0..users).map(|n| {
        let transport = transport.clone();
        async move {
            let mut doc = user_doc(n);
            doc["externalId"] = json!(user_id(n));
            doc["active"] = json!(true);
            let call = domain::remote::Call::Create { kind: domain::remote::RemoteKind::User, doc };
            transport.send(&engine::connectors::scim::request(&call)).await.map(|answer| answer.status)
        }
    });
    let (statuses, time) = timed(posts.buffer_unordered(WIDTH).collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|status| *status == Ok(201)), "the plain client was refused");
    Ok(per_second(users, time))
}

/// Writes the rows that a created account leaves, in groups of up to 256 per commit, and does nothing else.
async fn bare_loop(users: usize) -> Result<f64> {
    let target = Target::start()?;
    let world = World::new(&target.url).await?;
    let app = world.app.clone();
    let rows = futures::stream::iter(0..users).map(|n| {
        let (engine, tenant, app) = (world.engine.clone(), world.tenant.clone(), app.clone());
        async move { bare_rows(&engine, &tenant, &app, n).await }
    });
    let (results, time) = timed(rows.buffer_unordered(256).collect::<Vec<_>>()).await;
    for result in results {
        result?;
    }
    Ok(per_second(users, time))
}

async fn bare_rows(
    engine: &Engine,
    tenant: &TenantId,
    app: &AppId,
    n: usize,
) -> std::result::Result<(), EngineError> {
    use domain::executor::IntentEnd;
    use domain::ids::{IntentId, Subject};
    use domain::snapshot::{Link, LinkState};
    use store::repo::{audit, intent, link};
    let id = IntentId::new(format!("i-{n:09}"));
    let (own, app_id) = (id.clone(), app.clone());
    engine
        .write(tenant, move |tx, context| {
            let subject = user_id(n);
            let new = intent::NewIntent {
                id: &own,
                subject: subject.as_str(),
                kind: "create",
                request: "{}",
                sent_ms: 1,
                fence: 1,
                trace: "t",
            };
            Ok(intent::insert(tx, &context.tenant, &app_id, &new)?)
        })
        .await?;
    let app_id = app.clone();
    engine
        .write(tenant, move |tx, context| {
            intent::settle(tx, &context.tenant, &id, IntentEnd::Applied, None, 2)?;
            let attributes: domain::mapping::Attributes = user_doc(n)
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let link = Link {
                state: LinkState::Live,
                remote_id: Some(format!("r-{n}")),
                generation: 0,
                acknowledged: attributes,
                normal: domain::mapping::Attributes::new(),
                observed: domain::mapping::Attributes::new(),
                confirmed_ms: 1,
            };
            link::put(tx, &context.tenant, &app_id, &Subject::User(user_id(n)), &link)?;
            let entry = domain::audit::Entry {
                id: context.ids.uuid(),
                at_ms: 1,
                actor: "bench".into(),
                action: "account.create".into(),
                object_kind: "user".into(),
                object: user_id(n).to_string(),
                app: app_id.to_string(),
                trace: "t".into(),
                before: None,
                after: Some(user_doc(n).to_string()),
                salt: "s".into(),
            };
            Ok(audit::append(tx, &context.tenant, &entry)?)
        })
        .await
}

/// The app in a process of its own.
struct Target {
    child: Child,
    url: String,
}

impl Target {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdout(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, url: line.trim().to_owned() })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve() -> Result<()> {
    let app = Arc::new(std::sync::Mutex::new(simapp::App::new(simapp::Config::default())));
    let running = simapp::serve(app, "127.0.0.1:0".parse()?, Arc::new(now_ms)).await?;
    println!("http://{}/scim/v2", running.addr);
    std::io::stdout().flush()?;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    Ok(())
}
