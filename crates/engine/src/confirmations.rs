//! Which sources still know the users: noted when they name them, at most once a day, and asked for in a report.

use std::collections::BTreeSet;

use domain::ids::TenantId;
use store::repo::confirmed;
pub use store::repo::confirmed::Unconfirmed;

use crate::context::Engine;
use crate::error::EngineError;

/// The longest that a confirmation may be older than what it says.
const DAY_MS: i64 = 24 * 3_600_000;
/// Users that one transaction notes.
const CHUNK: usize = 500;
/// Users of a page of the report.
const PAGE: i64 = 1_000;

/// Notes that a source named these users now. Who was noted within a day costs a read and no write.
pub async fn confirm(
    engine: &Engine,
    tenant: &TenantId,
    source: &str,
    users: BTreeSet<String>,
) -> Result<(), EngineError> {
    let now_ms = engine.env.now_ms();
    let users: Vec<String> = users.into_iter().collect();
    for chunk in users.chunks(CHUNK) {
        let (owner, by, chunk) = (tenant.clone(), source.to_owned(), chunk.to_vec());
        let due = engine.read(move |tx| {
            let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
            let recent = confirmed::recent(tx, &owner, &by, &ids, now_ms - DAY_MS)?;
            Ok(chunk.iter().filter(|id| !recent.contains(*id)).cloned().collect::<Vec<String>>())
        });
        let due = due.await?;
        if due.is_empty() {
            continue;
        }
        let (owner, by) = (tenant.clone(), source.to_owned());
        let write = engine.store.change(move |tx| {
            let ids: Vec<&str> = due.iter().map(String::as_str).collect();
            confirmed::confirm(tx, &owner, &by, &ids, now_ms).map_err(EngineError::from)
        });
        write.await?;
    }
    Ok(())
}

/// Users that are older than `for_ms` and that no source has named for that long, by id; inactive ones too.
pub async fn unconfirmed(
    engine: &Engine,
    tenant: &TenantId,
    for_ms: i64,
) -> Result<Vec<Unconfirmed>, EngineError> {
    let since_ms = engine.env.now_ms() - for_ms;
    let (mut all, mut after) = (vec![], String::new());
    loop {
        let (owner, from) = (tenant.clone(), after.clone());
        let page =
            engine.read(move |tx| Ok(confirmed::unconfirmed(tx, &owner, since_ms, &from, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.user.id.to_string();
        all.extend(page);
    }
}
