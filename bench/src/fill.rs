//! Many users at once into the database that a server of ours reads: the same change of the directory as a POST, without HTTP.

use std::path::Path;
use std::sync::Arc;

use domain::directory::Change;
use domain::ids::{IdSource, UserId};
use engine::Engine;
use engine::directory::apply;
use serde_json::Value;
use store::{OpenOptions, Store};

use crate::Result;
use crate::clock::{RealEnv, monotonic_micros, now_ms};

/// Users of one transaction.
const AT_ONCE: usize = 1_000;

/// Adds `count` users to the only tenant of a database and chains the audit log; gives their ids.
pub async fn users(database: &Path, count: usize, make: &impl Fn(usize) -> Value) -> Result<Vec<String>> {
    let location = database.display().to_string().parse()?;
    let store = Store::open(&location, OpenOptions { monotonic_micros, ..OpenOptions::new(now_ms()) })?;
    let engine = Engine {
        store,
        env: Arc::new(RealEnv::new()),
        actor: "bench".into(),
        apps: engine::app_cache::AppCache::default(),
        schemas: engine::schemas::SchemaCache::default(),
    };
    let tenant = engine::tenants::list(&engine).await?.pop().ok_or("no tenant")?.id;
    let mut ids = IdSource::new(now_ms(), 1);
    let mut given = Vec::with_capacity(count);
    for first in (0..count).step_by(AT_ONCE) {
        let change = |n| {
            let id = UserId::new(ids.uuid());
            given.push(id.to_string());
            Change::CreateUser { id, source: "bench".to_owned(), doc: make(n) }
        };
        let batch: Vec<Change> = (first..count.min(first + AT_ONCE)).map(change).collect();
        engine.write(&tenant, move |tx, context| apply(tx, context, &batch).map(drop)).await?;
    }
    engine::audit_log::seal(&engine, &tenant).await?;
    Ok(given)
}
