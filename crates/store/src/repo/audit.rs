//! The audit log: entries inserted with their change, numbered and chained afterwards by the sealer.

use domain::audit::Entry;
use domain::ids::TenantId;

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    INSERT,
    "INSERT INTO audit(tenant, id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, digest)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
);
statement!(UNSEALED, "SELECT id, digest FROM audit WHERE tenant = $1 AND seq IS NULL ORDER BY id LIMIT $2");
statement!(SEAL, "UPDATE audit SET seq = $3, chain = $4 WHERE tenant = $1 AND id = $2 AND seq IS NULL");
statement!(
    HEAD,
    "SELECT seq, chain FROM audit WHERE tenant = $1 AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
statement!(COUNT_UNSEALED, "SELECT COUNT(*) FROM audit WHERE tenant = $1 AND seq IS NULL");
statement!(
    SEALED_AFTER,
    "SELECT id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, seq, chain, digest
     FROM audit WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3"
);
statement!(
    REVOKED_AFTER,
    "SELECT id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, seq, chain, digest
     FROM audit WHERE tenant = $1 AND seq > $2 AND action IN ('user.deactivate', 'user.delete') ORDER BY seq LIMIT $3"
);
statement!(
    LIST,
    "SELECT id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, seq, chain, digest
     FROM audit WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
);
statement!(
    LIST_OBJECT,
    "SELECT id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, seq, chain, digest
     FROM audit WHERE tenant = $1 AND object = $4 AND id < $2 ORDER BY id DESC LIMIT $3"
);
statement!(
    OF_TRACE,
    "SELECT id, at_ms, actor, action, object_kind, object, app, trace, before_text, after_text, salt, seq, chain, digest
     FROM audit WHERE tenant = $1 AND id > $2 AND trace = $4 ORDER BY id LIMIT $3"
);

/// An entry with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The entry.
    pub entry: Entry,
    /// Its number, once sealed.
    pub seq: Option<i64>,
    /// The chain value, once sealed.
    pub chain: Option<String>,
    /// The digest that was recorded.
    pub digest: String,
}

/// Records an entry with the change that it describes. The sealer chains it later.
pub fn append(tx: &mut Tx<'_>, tenant: &TenantId, entry: &Entry) -> Result<(), StoreError> {
    let params: [Value; 13] = [
        tenant.as_str().into(),
        entry.id.as_str().into(),
        entry.at_ms.into(),
        entry.actor.as_str().into(),
        entry.action.as_str().into(),
        entry.object_kind.as_str().into(),
        entry.object.as_str().into(),
        entry.app.as_str().into(),
        entry.trace.as_str().into(),
        entry.before.clone().into(),
        entry.after.clone().into(),
        entry.salt.as_str().into(),
        entry.digest().into(),
    ];
    tx.later(&INSERT, &params)
}

/// Seals up to `limit` committed entries: numbers them in the order of their ids and chains their digests. Gives how many
/// were sealed.
pub fn seal(tx: &mut Tx<'_>, tenant: &TenantId, limit: i64) -> Result<usize, StoreError> {
    let (mut seq, mut chain) = head(tx, tenant)?;
    let open =
        tx.rows(&UNSEALED, &[tenant.as_str().into(), limit.into()], |row| Ok((row.text(0)?, row.text(1)?)))?;
    let mut updates = Vec::with_capacity(open.len());
    for (id, digest) in &open {
        seq += 1;
        chain = domain::audit::chain(&chain, seq, digest);
        updates.push(vec![tenant.as_str().into(), id.as_str().into(), seq.into(), chain.as_str().into()]);
    }
    tx.exec_many(&SEAL, &updates)?;
    Ok(open.len())
}

/// The last sealed number and chain value; 0 and empty before the first.
pub fn head(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(i64, String), StoreError> {
    let head = tx.optional(&HEAD, &[tenant.as_str().into()], |row| Ok((row.int(0)?, row.text(1)?)))?;
    Ok(head.unwrap_or_default())
}

/// How many committed entries are not sealed yet.
pub fn count_unsealed(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT_UNSEALED, &[tenant.as_str().into()], |row| row.int(0))
}

/// Sealed entries after `seq`, in their order.
pub fn sealed_after(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    seq: i64,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    tx.rows(&SEALED_AFTER, &[tenant.as_str().into(), seq.into(), limit.into()], read)
}

/// Sealed entries after `seq` that take access away from a user, in their order.
pub fn revoked_after(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    seq: i64,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    tx.rows(&REVOKED_AFTER, &[tenant.as_str().into(), seq.into(), limit.into()], read)
}

/// Entries before the id `before` (empty: from the newest), newest first; of one object if named.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    object: Option<&str>,
    before: &str,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let before = if before.is_empty() { "~" } else { before };
    let mut params: Vec<Value> = vec![tenant.as_str().into(), before.into(), limit.into()];
    match object {
        Some(object) => {
            params.push(object.into());
            tx.rows(&LIST_OBJECT, &params, read)
        }
        None => tx.rows(&LIST, &params, read),
    }
}

/// Entries of one trace after the id `after`, oldest first. Walks over all entries after that id: name one shortly before
/// the first.
pub fn of_trace(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    trace: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    tx.rows(&OF_TRACE, &[tenant.as_str().into(), after.into(), limit.into(), trace.into()], read)
}

fn read(row: &Row<'_>) -> Result<Recorded, StoreError> {
    Ok(Recorded {
        entry: Entry {
            id: row.text(0)?,
            at_ms: row.int(1)?,
            actor: row.text(2)?,
            action: row.text(3)?,
            object_kind: row.text(4)?,
            object: row.text(5)?,
            app: row.text(6)?,
            trace: row.text(7)?,
            before: row.opt_text(8)?,
            after: row.opt_text(9)?,
            salt: row.text(10)?,
        },
        seq: row.opt_int(11)?,
        chain: row.opt_text(12)?,
        digest: row.text(13)?,
    })
}
