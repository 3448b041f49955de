//! What every part of a run shares: the store, the virtual clock, the app, the trace, and where the process dies.

use std::collections::BTreeMap;

use domain::app::{App, AppSettings, AppState};
use domain::ids::{AppId, IdSource, Subject, TenantId, WaveId};
use engine::app_cache::AppCache;
use engine::schemas::SchemaCache;
use engine::{Context, EngineError};
use store::repo::tenant::Tenant;
use store::repo::{app, tenant};
use store::{Store, Tx};

use crate::dice::Dice;
use crate::trace::Trace;

/// When the virtual clock starts, Unix milliseconds.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// Why a step did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The process died right after a commit: what was in memory is gone.
    Crash,
    /// The engine refused; nothing was changed.
    Refused(String),
}

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPlan {
    Never,
    /// After a durable write, this often in a thousand.
    PerMille(u64),
    /// After this durable write, counted from 1.
    After(u64),
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) apps: AppCache,
    pub(crate) tenant: TenantId,
    pub(crate) app_id: AppId,
    /// The app, with everything that it holds.
    pub(crate) remote: simapp::App,
    /// Unix milliseconds.
    pub(crate) now_ms: i64,
    /// Durable writes since the set-up.
    pub(crate) durable: u64,
    pub(crate) crash: CrashPlan,
    pub(crate) trace: Trace,
    pub(crate) violations: Vec<String>,
    /// What went wrong on purpose, by kind.
    pub(crate) faults: BTreeMap<String, u64>,
    labels: BTreeMap<String, String>,
    ids: Dice,
    fate: Dice,
}

impl World {
    /// An empty directory, one active app.
    pub(crate) fn new(seed: u64, settings: AppSettings, remote: simapp::App, keep_lines: bool) -> Self {
        let store = Store::open_inline().expect("a database in memory always opens");
        let mut ids = Dice::new(seed, "ids");
        let mut source = IdSource::new(EPOCH_MS, ids.bits());
        let (tenant, app_id) = (TenantId::new(source.uuid()), AppId::new(source.uuid()));
        let mut world = Self {
            store,
            apps: AppCache::default(),
            tenant: tenant.clone(),
            app_id: app_id.clone(),
            remote,
            now_ms: EPOCH_MS,
            durable: 0,
            crash: CrashPlan::Never,
            trace: Trace::new(keep_lines),
            violations: vec![],
            faults: BTreeMap::new(),
            labels: BTreeMap::new(),
            ids,
            fate: Dice::new(seed, "crash"),
        };
        let app = App { id: app_id, name: "app".into(), state: AppState::Active, settings, version: 1 };
        let made = world.write("set-up", move |tx, ctx| {
            tenant::create(tx, &Tenant { id: tenant.clone(), name: "t".into(), created_ms: ctx.now_ms })?;
            app::insert(tx, &tenant, &app, ctx.now_ms)?;
            Ok(())
        });
        made.expect("an empty database takes a tenant and an app");
        world.durable = 0;
        world
    }

    /// The context of a new operation.
    pub(crate) fn context(&mut self) -> Context {
        let mut ids = IdSource::new(self.now_ms, self.ids.bits());
        Context {
            tenant: self.tenant.clone(),
            actor: "sim".into(),
            now_ms: self.now_ms,
            trace: format!("{:012x}", ids.bits() >> 16),
            wave: WaveId::new(ids.uuid()),
            priority: 5,
            ids,
            schemas: SchemaCache::default(),
        }
    }

    /// One durable write; the process may die right after it.
    pub(crate) fn write<T, F>(&mut self, name: &str, mut body: F) -> Result<T, Stop>
    where
        F: FnMut(&mut Tx<'_>, &mut Context) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        let context = self.context();
        let done = self.store.write_blocking(move |tx| body(tx, &mut context.clone()));
        let value = done.map_err(|error: EngineError| Stop::Refused(format!("{name}: {error}")))?;
        self.durable += 1;
        let dies = match self.crash {
            CrashPlan::Never => false,
            CrashPlan::PerMille(chance) => self.fate.per_mille(chance),
            CrashPlan::After(nth) => self.durable == nth,
        };
        if dies { Err(Stop::Crash) } else { Ok(value) }
    }

    /// One consistent read.
    pub(crate) fn read<T, F>(&self, body: F) -> Result<T, Stop>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read_blocking(body).map_err(|error| Stop::Refused(error.to_string()))
    }

    /// A read that cannot fail, for checks.
    pub(crate) fn look<T, F>(&self, body: F) -> T
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        self.read(body).expect("reading the database in memory works")
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, line: impl AsRef<str>) {
        let at = self.now_ms - EPOCH_MS;
        self.trace.note(format!("{at:>8} {}", line.as_ref()));
    }

    /// Something that may never happen has happened.
    pub(crate) fn violated(&mut self, text: String) {
        self.note(format!("VIOLATION {text}"));
        self.violations.push(text);
    }

    /// Counts something that went wrong on purpose.
    pub(crate) fn fault(&mut self, kind: &str) {
        *self.faults.entry(kind.to_owned()).or_default() += 1;
    }

    /// Gives an id a short name for the trace.
    pub(crate) fn name(&mut self, id: &str, label: String) {
        self.labels.insert(id.to_owned(), label);
    }

    /// The short name of a subject.
    pub(crate) fn label(&self, subject: &Subject) -> String {
        self.labels.get(subject.id()).cloned().unwrap_or_else(|| subject.id().to_owned())
    }

    /// Both ids, for closures that outlive the borrow.
    pub(crate) fn keys(&self) -> (TenantId, AppId) {
        (self.tenant.clone(), self.app_id.clone())
    }
}
