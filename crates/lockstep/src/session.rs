//! What a command works with: the opened database, the tenant, the sealing key, and the way to apps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::app::App;
use domain::ids::TenantId;
use engine::app_cache::AppCache;
use engine::schemas::SchemaCache;
use engine::seal::SealingKey;
use engine::transport::Transport;
use engine::{Engine, apps, tenants};
use store::repo::app;
use store::scim_log::ScimLogReader;
use store::{Location, OpenOptions, Store};
use zeroize::Zeroizing;

use crate::cli::Global;
use crate::environment::{self, RealWorld};
use crate::error_report::CliError;
use crate::output::{Output, note};

/// An open database and how to show results.
pub(crate) struct Session {
    /// The engine on the database.
    pub(crate) engine: Engine,
    /// Where results go.
    pub(crate) output: Output,
    location: Location,
    tenant: Option<String>,
    key_file: Option<PathBuf>,
}

impl Session {
    /// Opens the database of the options; makes it if `create` says so.
    pub(crate) fn open(global: &Global, create: bool) -> Result<Self, CliError> {
        let location: Location = global.database.parse()?;
        let mut may_create = create;
        if let Location::Sqlite(path) = &location {
            if !create && !path.exists() {
                return Err(CliError::new(
                    "no_database",
                    format!("there is no database at {}", path.display()),
                )
                .why("a database is made together with its first tenant")
                .next("make it with lockstep tenant create NAME, or name another one with --database PATH"));
            }
        } else {
            may_create = true;
        }
        let options = OpenOptions {
            create: may_create,
            monotonic_micros: environment::monotonic_micros,
            ..OpenOptions::new(environment::now_ms())
        };
        let store = Store::open(&location, options)?;
        let engine = Engine {
            store,
            env: RealWorld::new(),
            actor: environment::actor(),
            apps: AppCache::default(),
            schemas: SchemaCache::default(),
        };
        Ok(Self {
            engine,
            output: Output::new(global.output),
            location,
            tenant: global.tenant.clone(),
            key_file: global.key_file.clone(),
        })
    }

    /// Where the database is.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The tenant that is meant.
    pub(crate) async fn tenant(&self) -> Result<TenantId, CliError> {
        Ok(tenants::resolve(&self.engine, self.tenant.as_deref()).await?.id)
    }

    /// The app of this name.
    pub(crate) async fn app(&self, tenant: &TenantId, name: &str) -> Result<App, CliError> {
        Ok(apps::find(&self.engine, tenant, name).await?)
    }

    /// The way to an app with its stored credentials.
    pub(crate) async fn transport(&self, tenant: &TenantId, app: &App) -> Result<Transport, CliError> {
        if !self.has_token(tenant, app).await? {
            return Ok(Transport::new(&app.settings, None)?);
        }
        let key = self.stored_key()?.ok_or_else(|| {
            CliError::new("no_key", "the key that opens the app's credentials is not here")
                .why(format!("neither LOCKSTEP_KEY nor --key-file is given, and there is no {}", self.key_place()))
                .next("give the key that the credentials were sealed with, or enter them again with lockstep app credentials")
        })?;
        Ok(apps::transport(&self.engine, tenant, app, &key).await?)
    }

    /// The SCIM log of the database; none while nothing was ever recorded.
    pub(crate) fn scim_log(&self) -> Result<Option<ScimLogReader>, CliError> {
        Ok(ScimLogReader::open(&self.location, environment::now_ms)?)
    }

    /// The key to seal new credentials with. With none given, a file beside the database is made and named once.
    pub(crate) async fn sealing_key(&self) -> Result<SealingKey, CliError> {
        if let Some(key) = self.stored_key()? {
            return Ok(key);
        }
        let Location::Sqlite(_) = &self.location else {
            return Err(CliError::new("no_key", "no key to seal the credentials with is given")
                .why("beside a PostgreSQL database no key file can be kept")
                .next("make one with openssl rand -hex 32 and give it with LOCKSTEP_KEY or --key-file"));
        };
        // A new key beside old secrets would make them unreadable without anybody noticing why.
        for tenant in tenants::list(&self.engine).await? {
            for app in apps::list(&self.engine, &tenant.id).await? {
                if self.has_token(&tenant.id, &app).await? {
                    return Err(CliError::new(
                        "no_key",
                        "the key that sealed the stored credentials is not here",
                    )
                    .why(format!(
                        "the app '{}' has credentials, but there is no {}",
                        app.name,
                        self.key_place()
                    ))
                    .next("give that key with LOCKSTEP_KEY or --key-file"));
                }
            }
        }
        let (path, text) = (PathBuf::from(self.key_place()), Zeroizing::new(environment::random_key()));
        environment::write_private(&path, &format!("{}\n", text.as_str()))?;
        note(&format!(
            "note: a sealing key for app credentials was made: {}; keep a copy of it apart from the database",
            path.display()
        ));
        Ok(SealingKey::parse(&text)?)
    }

    async fn has_token(&self, tenant: &TenantId, app: &App) -> Result<bool, CliError> {
        let (tenant, id) = (tenant.clone(), app.id.clone());
        Ok(self.engine.read(move |tx| Ok(app::secret(tx, &tenant, id.as_str(), "token")?.is_some())).await?)
    }

    fn stored_key(&self) -> Result<Option<SealingKey>, CliError> {
        if let Some(path) = &self.key_file {
            return read_key(path).map(Some);
        }
        if let Some(text) = environment::variable("LOCKSTEP_KEY") {
            return Ok(Some(SealingKey::parse(&Zeroizing::new(text))?));
        }
        let path = PathBuf::from(self.key_place());
        if matches!(self.location, Location::Sqlite(_)) && path.exists() {
            read_key(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    fn key_place(&self) -> String {
        format!("{}.key", self.location)
    }
}

fn read_key(path: &Path) -> Result<SealingKey, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::file("no_key", path, &error))?;
    Ok(SealingKey::parse(&Zeroizing::new(text))?)
}

/// Reads a token from a file, or from stdin for `-`. It never stands on a command line, where others could see it.
pub(crate) fn read_token(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| CliError::file("cannot-read", path, &error))?
    } else {
        std::fs::read_to_string(path).map_err(|error| CliError::file("cannot-read", path, &error))?
    };
    let token = Zeroizing::new(text.trim().to_owned());
    if token.is_empty() || token.chars().any(|c| c.is_control() || c == ' ' || !c.is_ascii()) {
        return Err(CliError::new("token", format!("{} holds no token", path.display()))
            .why("a bearer token is one line of visible ASCII characters without spaces (RFC 6750 section 2.1)")
            .next("write just the token into the file"));
    }
    Ok(token)
}

/// A clock for the simulated app.
pub(crate) fn clock() -> simapp::Clock {
    Arc::new(environment::now_ms)
}
