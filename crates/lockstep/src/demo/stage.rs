//! The stage of the demo: a fresh folder, a database, the example directory, and a simulated app that is connected.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::app::{App as ConnectedApp, AppSettings, AppState};
use domain::ids::TenantId;
use engine::apps::{self, Target};
use engine::compare::{Comparison, Purpose, compare};
use engine::lane::run::run_lane;
use engine::load::{LoadFile, LoadRequest, load};
use engine::{EngineError, audit_log, directory, tenants};
use simapp::{App, Config, Running};
use zeroize::Zeroizing;

use super::expected::{EVERYONE, GROUPS, MEMBERS, USERS};
use super::read_back::{self, Held};
use crate::cli::Global;
use crate::environment;
use crate::error_report::CliError;
use crate::output::{Format, line, note, progress_bar};
use crate::session::{Session, clock};

/// The name of the app.
pub(crate) const APP: &str = "demo";

/// What a sync took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncReport {
    /// Requests that the app saw.
    pub(crate) requests: u64,
    /// Milliseconds.
    pub(crate) millis: u64,
}

/// Everything the acts need.
pub(crate) struct Stage {
    /// The database.
    pub(crate) session: Session,
    /// The only tenant.
    pub(crate) tenant: TenantId,
    /// The app as Lockstep knows it.
    pub(crate) app: ConnectedApp,
    /// The folder of the demo.
    pub(crate) folder: PathBuf,
    simulated: Arc<Mutex<App>>,
    running: Running,
    base_path: String,
    token: Zeroizing<String>,
}

impl Stage {
    /// Builds it and says so.
    pub(crate) async fn build(folder: Option<PathBuf>) -> Result<Self, CliError> {
        let folder = fresh_folder(folder)?;
        line(&format!("Everything is in {}", folder.display()))?;
        line("\n== A directory, an app")?;
        let global = Global {
            database: folder.join("lockstep.db").display().to_string(),
            tenant: None,
            output: Format::Table,
            key_file: None,
        };
        let session = Session::open(&global, true)?;
        let tenant = tenants::create(&session.engine, "meridian").await?.id;
        load_examples(&session, &tenant).await?;

        let token = Zeroizing::new(environment::random_key());
        environment::write_private(&folder.join("app.token"), &format!("{}\n", token.as_str()))?;
        let config = Config { token: Some(token.to_string()), ..Config::default() };
        let base_path = config.base_path.clone();
        let simulated = Arc::new(Mutex::new(App::new(config)));
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = simapp::serve(simulated.clone(), any_port, clock()).await.map_err(|error| {
            CliError::new("cannot-listen", "the simulated app cannot listen on loopback")
                .why(error.to_string())
        })?;
        let base_url = format!("{}{base_path}", running.url());
        line(&format!("A simulated SCIM app listens on {base_url}"))?;

        let app = connect(&session, &tenant, &base_url, &token).await?;
        Ok(Self { session, tenant, app, folder, simulated, running, base_path, token })
    }

    /// The app as its own administrator sees it.
    pub(crate) fn simulated(&self) -> MutexGuard<'_, App> {
        self.simulated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of the app without a path.
    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// Sends what is due until nothing waits.
    pub(crate) async fn sync(&self, title: &str) -> Result<SyncReport, CliError> {
        let (before, started) = (self.simulated().seen().requests, environment::monotonic_micros());
        let transport = self.session.transport(&self.tenant, &self.app).await?;
        let bar = progress_bar(title);
        let progress = |done: u64, left: u64| {
            bar.set_length(done + left);
            bar.set_position(done);
        };
        let result =
            run_lane(&self.session.engine, &self.tenant, &self.app.id, transport, true, &progress).await;
        bar.finish_and_clear();
        result?;
        audit_log::seal(&self.session.engine, &self.tenant).await?;
        let millis = (environment::monotonic_micros() - started) / 1_000;
        Ok(SyncReport { requests: self.simulated().seen().requests - before, millis })
    }

    /// The full comparison.
    pub(crate) async fn compare(&self) -> Result<Comparison, CliError> {
        let transport = self.session.transport(&self.tenant, &self.app).await?;
        Ok(compare(&self.session.engine, &self.tenant, &self.app.id, &transport, Purpose::Repair).await?)
    }

    /// Reads the app over plain HTTP.
    pub(crate) async fn read_back(&self) -> Result<Held, CliError> {
        read_back::read(self.running.addr, &self.base_path, &self.token).await
    }

    /// Stops the app.
    pub(crate) async fn close(self) {
        self.running.stop().await;
    }
}

async fn load_examples(session: &Session, tenant: &TenantId) -> Result<(), CliError> {
    let file = |name: &str, text: &str| Some(LoadFile::new(name, text.as_bytes()));
    let request = LoadRequest {
        users: file("users.csv", USERS),
        groups: file("groups.csv", GROUPS),
        members: file("members.csv", MEMBERS),
        source: "hr".into(),
        ..LoadRequest::default()
    };
    let bar = progress_bar("loading");
    let mut progress = |at: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(at as u64);
    };
    let loaded = load(&session.engine, tenant, request, &mut progress).await;
    bar.finish_and_clear();
    let preview = loaded?.preview;
    line(&format!(
        "Loaded the directory of Meridian Instruments: {} users, {} groups, {} memberships",
        preview.users.create, preview.groups.create, preview.members_add
    ))
}

/// Connects the app, assigns everybody, pushes every group, activates.
async fn connect(
    session: &Session,
    tenant: &TenantId,
    base_url: &str,
    token: &Zeroizing<String>,
) -> Result<ConnectedApp, CliError> {
    let (engine, key) = (&session.engine, session.sealing_key().await?);
    let settings = AppSettings {
        base_url: base_url.to_owned(),
        allow_private: true,
        // This app answers at once or never, so a lost answer need not be waited for long, and it shows at once what it holds.
        in_flight_window_ms: 2_000,
        read_lag_ms: 0,
        ..AppSettings::default()
    };
    apps::add(engine, tenant, APP, settings, Some(token.clone()), &key).await?;
    note("note: the app is on loopback, so it is added as with --allow-private");
    apps::assign(engine, tenant, APP, Target::Group(EVERYONE.into()), true, 100).await?;
    let groups = directory::list_groups(engine, tenant, "", 1_000).await?;
    for group in &groups {
        apps::push_add(engine, tenant, APP, group.id.as_str()).await?;
    }
    line(&format!(
        "Assigned to it: the group '{EVERYONE}'. Pushed to it: all {} groups, that one included",
        groups.len()
    ))?;
    let activate = |app: &mut ConnectedApp| {
        app.state = AppState::Active;
        Ok::<(), EngineError>(())
    };
    Ok(apps::change(engine, tenant, APP, "app.activate", activate).await?)
}

fn fresh_folder(wanted: Option<PathBuf>) -> Result<PathBuf, CliError> {
    let folder = match wanted {
        Some(folder) => {
            let taken = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
            if taken {
                return Err(CliError::new("folder", format!("{} is not empty", folder.display()))
                    .next("name a folder that does not exist, or leave --folder out"));
            }
            folder
        }
        None => (1..)
            .map(|number| Path::new(".").join(format!("lockstep-demo-{number}")))
            .find(|folder| !folder.exists())
            .expect("numbers do not end"),
    };
    let folder = environment::absolute(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| CliError::file("cannot-write", &folder, &error))?;
    Ok(folder)
}

/// The first differences, if there are any.
pub(crate) fn show_differences(differences: &[String]) -> Result<(), CliError> {
    for difference in differences.iter().take(10) {
        line(&format!("  difference: {difference}"))?;
    }
    if differences.len() > 10 {
        line(&format!("  ... and {} more", differences.len() - 10))?;
    }
    Ok(())
}
