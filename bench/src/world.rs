//! The directory, the store and the engine that are measured.

use std::sync::Arc;

use domain::app::{AppSettings, AppState};
use domain::directory::{Change, Member};
use domain::ids::{AppId, GroupId, TenantId, UserId};
use engine::apps::{self, Target as Assignee};
use engine::lane::run::{LaneReport, run_lane};
use engine::seal::SealingKey;
use engine::{Engine, EngineError};
use serde_json::{Value, json};
use store::{OpenOptions, Store};

use crate::Result;
use crate::clock::{RealEnv, monotonic_micros};

/// Requests at the same time, and writers of the bare loop's client.
pub const WIDTH: usize = 64;

/// One tenant with one app.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// The tenant.
    pub tenant: TenantId,
    /// The app.
    pub app: AppId,
    key: SealingKey,
    _folder: tempfile::TempDir,
}

impl World {
    /// A new database and an app at this address.
    pub async fn new(url: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let location = folder.path().join("bench.db").display().to_string().parse()?;
        let store =
            Store::open(&location, OpenOptions { create: true, monotonic_micros, ..OpenOptions::new(1) })?;
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

    /// Fills the directory: users, and a group of all that is assigned and pushed.
    pub async fn load(&self, users: usize) -> Result<()> {
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

    /// Runs the lane until nothing is ready.
    pub async fn sync(&self) -> Result<LaneReport> {
        let app = apps::find(&self.engine, &self.tenant, "app").await?;
        let transport = apps::transport(&self.engine, &self.tenant, &app, &self.key).await?;
        Ok(run_lane(&self.engine, &self.tenant, &self.app, transport, false, &|_, _| {}).await?)
    }

    /// Marks everybody by a change of the settings that changes nothing.
    pub async fn touch_all(&self) -> Result<()> {
        apps::change(&self.engine, &self.tenant, "app", "app.set", |app| {
            app.settings.guard_count += 1;
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Changes one user and one membership.
    pub async fn change_one(&self, round: usize) -> Result<()> {
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

/// The id of a user.
pub fn user_id(n: usize) -> UserId {
    UserId::new(format!("01890000-0000-7000-8000-{n:012}"))
}

/// The document of a user.
pub fn user_doc(n: usize) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": format!("user{n}@example.com"),
        "name": {"givenName": "Given", "familyName": format!("Family{n}")},
        "displayName": format!("Given Family{n}"),
        "title": "Engineer",
        "emails": [{"type": "work", "value": format!("user{n}@example.com")}],
    })
}
