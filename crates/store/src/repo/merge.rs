//! Merged users: the record of each merge, for as long as it can be undone.

use domain::ids::{TenantId, UserId};
use domain::merge::MergeRecord;

use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO user_merge(tenant, id, kept, gone, record, at_ms, undone_ms) VALUES ($1, $2, $3, $4, $5, $6, NULL)"
);
statement!(
    OF_KEPT,
    "SELECT id, record, at_ms FROM user_merge
      WHERE tenant = $1 AND kept = $2 AND undone_ms IS NULL ORDER BY id DESC LIMIT 100"
);
statement!(
    UNDONE,
    "UPDATE user_merge SET undone_ms = $3 WHERE tenant = $1 AND id = $2 AND undone_ms IS NULL"
);

/// A merge that was not undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// UUIDv7.
    pub id: String,
    /// What was done.
    pub record: MergeRecord,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// Records a merge.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, merge: &Merge) -> Result<(), StoreError> {
    let record = serde_json::to_string(&merge.record).map_err(|error| unreadable(&error))?;
    let params = [
        tenant.as_str().into(),
        merge.id.as_str().into(),
        merge.record.kept.as_str().into(),
        merge.record.gone.as_str().into(),
        record.into(),
        merge.at_ms.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// What was merged into a user and not undone, the last first; at most 100.
pub fn of_kept(tx: &mut Tx<'_>, tenant: &TenantId, kept: &UserId) -> Result<Vec<Merge>, StoreError> {
    tx.rows(&OF_KEPT, &[tenant.as_str().into(), kept.as_str().into()], read)
}

/// Notes that a merge was undone; false if it already was.
pub fn set_undone(tx: &mut Tx<'_>, tenant: &TenantId, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.exec(&UNDONE, &[tenant.as_str().into(), id.into(), now_ms.into()])? == 1)
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Row { statement: "merge", detail: format!("the record of a merge: {error}") }
}

fn read(row: &Row<'_>) -> Result<Merge, StoreError> {
    let record = serde_json::from_value(row.json(1)?).map_err(|error| unreadable(&error))?;
    Ok(Merge { id: row.text(0)?, record, at_ms: row.int(2)? })
}
