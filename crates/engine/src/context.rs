//! What every use case receives: the store, the world's clock and randomness, and who asks.

use std::sync::Arc;

use domain::ids::{AppId, IdSource, TenantId, WaveId};
use domain::snapshot::CompiledApp;
use store::Store;

use crate::app_cache::AppCache;
use crate::error::EngineError;
use crate::schemas::SchemaCache;

/// The world outside: the only way to time and randomness.
pub trait Env: Send + Sync {
    /// Unix milliseconds.
    fn now_ms(&self) -> i64;
    /// Milliseconds that only move forward, from any start.
    fn monotonic_ms(&self) -> i64;
    /// 64 random bits.
    fn random_bits(&self) -> u64;
    /// Names this process, for the ownership of lanes; ends with the process id.
    fn process_name(&self) -> String;
    /// False if the process of that name certainly does not run any more.
    fn may_be_alive(&self, process_name: &str) -> bool;
}

/// The engine's handle: cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub store: Store,
    /// Clock and randomness.
    pub env: Arc<dyn Env>,
    /// Who asks, for the audit log.
    pub actor: String,
    /// Compiled apps.
    pub apps: AppCache,
    /// What users and groups of each tenant may contain.
    pub schemas: SchemaCache,
}

/// One operation of one tenant: who, when, why, and the ids it may hand out. Made once per operation and moved into the
/// transaction.
#[derive(Clone, Debug)]
pub struct Context {
    /// Whose data.
    pub tenant: TenantId,
    /// Who asks.
    pub actor: String,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// Joins everything that this operation causes.
    pub trace: String,
    /// The wave of the marks that this operation causes.
    pub wave: WaveId,
    /// Priority of those marks: 0 leavers, 1 on demand, 5 normal, 8 bulk.
    pub priority: i64,
    /// New ids and salts.
    pub ids: IdSource,
    /// What users and groups of each tenant may contain.
    pub schemas: SchemaCache,
}

impl Engine {
    /// A new trace code, for what may cause nothing.
    pub fn trace(&self) -> String {
        trace(self.env.now_ms(), self.env.random_bits())
    }

    /// The context of a new operation.
    pub fn context(&self, tenant: &TenantId) -> Context {
        let now_ms = self.env.now_ms();
        let mut ids = IdSource::new(now_ms, self.env.random_bits());
        let trace = trace(now_ms, ids.bits());
        Context {
            tenant: tenant.clone(),
            actor: self.actor.clone(),
            now_ms,
            wave: WaveId::new(ids.uuid()),
            priority: 5,
            trace,
            ids,
            schemas: self.schemas.clone(),
        }
    }

    /// The app with this id, compiled.
    pub async fn app(&self, tenant: &TenantId, app: &AppId) -> Result<Arc<CompiledApp>, EngineError> {
        let (apps, tenant, app) = (self.apps.clone(), tenant.clone(), app.clone());
        self.read(move |tx| apps.get(tx, &tenant, &app)).await
    }

    /// Runs a write transaction with a fresh context of the tenant.
    pub async fn write<T, F>(&self, tenant: &TenantId, mut body: F) -> Result<T, EngineError>
    where
        F: FnMut(&mut store::Tx<'_>, &mut Context) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        let context = self.context(tenant);
        let done = self.store.write(move |tx| body(tx, &mut context.clone())).await;
        if let Err(EngineError::Seats { asked, .. }) = &done {
            // The refusal is the answer, also if the task about it cannot be written.
            let _ = crate::seats::note_refused(self, tenant, *asked).await;
        }
        done
    }

    /// Runs a read transaction.
    pub async fn read<T, F>(&self, body: F) -> Result<T, EngineError>
    where
        F: FnMut(&mut store::Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read(body).await
    }
}

/// Twelve hexadecimal digits: four that count periods of four seconds, so that codes of one time lie close to each other in the
/// logs' indexes, and eight of chance.
fn trace(now_ms: i64, chance: u64) -> String {
    format!("{:04x}{:08x}", (now_ms >> 12) & 0xffff, chance >> 32)
}
