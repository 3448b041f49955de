//! Lookups of users that an older program wrote without them: made before a server answers.

use domain::ids::TenantId;
use store::repo::{lookup, user};

use crate::{Engine, EngineError};

/// Users per transaction.
const PAGE: i64 = 200;

/// Writes what is missing; gives how many users had no lookups.
pub async fn reindex(engine: &Engine, tenant: &TenantId) -> Result<usize, EngineError> {
    let mut done = 0;
    loop {
        let step = engine
            .write(tenant, |tx, ctx| {
                let ids = lookup::missing(tx, &ctx.tenant, "", PAGE)?;
                for user in user::get_many(tx, &ctx.tenant, &ids)? {
                    lookup::rebuild(tx, &ctx.tenant, &user)?;
                }
                Ok(ids.len())
            })
            .await?;
        if step == 0 {
            return Ok(done);
        }
        done += step;
    }
}
