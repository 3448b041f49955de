//! Webhooks: where deactivations and deletions are told, and how far each was told.

use domain::ids::TenantId;

use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO webhook(tenant, id, url, allow_private, created_ms, delivered, due_ms, failures, last_error, last_ok_ms)
     VALUES ($1, $2, $3, $4, $5, $6, 0, 0, NULL, NULL)"
);
statement!(
    LIST,
    "SELECT id, url, allow_private, created_ms, delivered, due_ms, failures, last_error, last_ok_ms FROM webhook
      WHERE tenant = $1 ORDER BY created_ms, id"
);
statement!(DELETE, "DELETE FROM webhook WHERE tenant = $1 AND id = $2");
statement!(DELETE_SECRET, "DELETE FROM secret WHERE tenant = $1 AND owner = $2");
statement!(CLAIM, "UPDATE webhook SET due_ms = $4 WHERE tenant = $1 AND id = $2 AND due_ms = $3");
statement!(
    DELIVERED,
    "UPDATE webhook SET delivered = $3, due_ms = $4, failures = 0, last_error = NULL, last_ok_ms = $5
      WHERE tenant = $1 AND id = $2 AND delivered <= $3"
);
statement!(
    FAILED,
    "UPDATE webhook SET due_ms = $3, failures = failures + 1, last_error = $4 WHERE tenant = $1 AND id = $2"
);

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it posts.
    pub url: String,
    /// The address may be private, and plain HTTP.
    pub allow_private: bool,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// The number of the last audit entry that was delivered or needed no delivery.
    pub delivered: i64,
    /// Not before; 0: at once.
    pub due_ms: i64,
    /// Failures since the last success.
    pub failures: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The last success.
    pub last_ok_ms: Option<i64>,
}

/// Adds one.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, new: &Webhook) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        new.id.as_str().into(),
        new.url.as_str().into(),
        new.allow_private.into(),
        new.created_ms.into(),
        new.delivered.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// All of a tenant, oldest first.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Webhook>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into()], read)
}

/// Removes one with its secret; false if there is none.
pub fn delete(tx: &mut Tx<'_>, tenant: &TenantId, id: &str) -> Result<bool, StoreError> {
    tx.exec(&DELETE_SECRET, &[tenant.as_str().into(), id.into()])?;
    Ok(tx.exec(&DELETE, &[tenant.as_str().into(), id.into()])? > 0)
}

/// Takes the delivery until a time; false if somebody else has it.
pub fn claim(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    webhook: &Webhook,
    until_ms: i64,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), webhook.id.as_str().into(), webhook.due_ms.into(), until_ms.into()];
    Ok(tx.exec(&CLAIM, &params)? > 0)
}

/// Everything up to this number is delivered; nothing more is before `due_ms`.
pub fn delivered(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &str,
    upto: i64,
    due_ms: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let params = [tenant.as_str().into(), id.into(), upto.into(), due_ms.into(), now_ms.into()];
    tx.exec(&DELIVERED, &params).map(drop)
}

/// The delivery failed; it is tried again at a time.
pub fn failed(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &str,
    again_ms: i64,
    error: &str,
) -> Result<(), StoreError> {
    tx.exec(&FAILED, &[tenant.as_str().into(), id.into(), again_ms.into(), error.into()]).map(drop)
}

fn read(row: &Row<'_>) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: row.text(0)?,
        url: row.text(1)?,
        allow_private: row.bool(2)?,
        created_ms: row.int(3)?,
        delivered: row.int(4)?,
        due_ms: row.int(5)?,
        failures: row.int(6)?,
        last_error: row.opt_text(7)?,
        last_ok_ms: row.opt_int(8)?,
    })
}
