//! Apps with their mapping and scope compiled, kept until their version changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::{AppId, TenantId};
use domain::snapshot::CompiledApp;
use store::Tx;
use store::repo::app;

use crate::error::EngineError;

/// The cache; clones share it.
#[derive(Clone, Default)]
pub struct AppCache {
    compiled: Arc<Mutex<Compiled>>,
}

type Compiled = BTreeMap<(TenantId, AppId), Arc<CompiledApp>>;

impl AppCache {
    /// The app as of this transaction, compiled.
    pub fn get(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        id: &AppId,
    ) -> Result<Arc<CompiledApp>, EngineError> {
        let key = (tenant.clone(), id.clone());
        let version = app::version(tx, tenant, id)?;
        let cached = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(cached) = cached.filter(|cached| Some(cached.app.version) == version) {
            return Ok(cached);
        }
        let stored = app::get(tx, tenant, id)?.ok_or_else(|| EngineError::NotFound {
            kind: "app",
            name: id.to_string(),
            next: "see lockstep app list".into(),
        })?;
        let compiled = CompiledApp::compile(stored).map_err(|errors| {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            EngineError::Invalid(format!(
                "the mapping or scope of the app does not compile: {}",
                texts.join("; ")
            ))
        })?;
        let compiled = Arc::new(compiled);
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).insert(key, compiled.clone());
        Ok(compiled)
    }
}
