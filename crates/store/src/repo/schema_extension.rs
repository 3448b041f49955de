//! A tenant's own extension schemas, and which users and groups hold data under them.

use domain::ids::TenantId;
use scim::Schema;

use super::resource::Kind;
use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    LIST,
    "SELECT kind, definition, version, created_ms FROM schema_extension WHERE tenant = $1 ORDER BY kind DESC, urn_key"
);
statement!(
    GET,
    "SELECT kind, definition, version, created_ms FROM schema_extension
      WHERE tenant = $1 AND kind = $2 AND urn_key = $3"
);
statement!(
    SAVE,
    "INSERT INTO schema_extension(tenant, kind, urn_key, definition, version, created_ms) VALUES ($1, $2, $3, $4, 1, $5)
     ON CONFLICT (tenant, kind, urn_key) DO UPDATE SET definition = excluded.definition, version = schema_extension.version + 1"
);
statement!(DELETE, "DELETE FROM schema_extension WHERE tenant = $1 AND kind = $2 AND urn_key = $3");
statement!(
    USE,
    "INSERT INTO extension_use(tenant, kind, urn_key, object) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant, kind, urn_key, object) DO NOTHING"
);
statement!(
    UNUSE,
    "DELETE FROM extension_use WHERE tenant = $1 AND kind = $2 AND urn_key = $3 AND object = $4"
);
statement!(
    USED_BY,
    "SELECT object FROM extension_use WHERE tenant = $1 AND kind = $2 AND urn_key = $3 ORDER BY object LIMIT $4"
);
statement!(COUNT_USED, "SELECT COUNT(*) FROM extension_use WHERE tenant = $1 AND kind = $2 AND urn_key = $3");

/// An extension schema of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it extends.
    pub kind: Kind,
    /// The schema.
    pub schema: Schema,
    /// Rises when a newer definition takes its place.
    pub version: i64,
    /// Unix milliseconds.
    pub created_ms: i64,
}

/// All of a tenant: those of users, then those of groups, by URN.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Extension>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into()], read)
}

/// The one of that URN, in any letter case.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    urn: &str,
) -> Result<Option<Extension>, StoreError> {
    tx.optional(&GET, &key(tenant, kind, urn), read)
}

/// Adds a schema, or puts it in the place of the one of the same URN.
pub fn save(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    schema: &Schema,
    now_ms: i64,
) -> Result<(), StoreError> {
    let definition = serde_json::to_string(schema)
        .map_err(|error| StoreError::Row { statement: "schema_extension", detail: error.to_string() })?;
    let [tenant, kind, urn] = key(tenant, kind, &schema.id);
    tx.later(&SAVE, &[tenant, kind, urn, definition.into(), now_ms.into()])
}

/// Removes a schema; false if it was not there.
pub fn delete(tx: &mut Tx<'_>, tenant: &TenantId, kind: Kind, urn: &str) -> Result<bool, StoreError> {
    Ok(tx.exec(&DELETE, &key(tenant, kind, urn))? == 1)
}

/// Notes that a user or group holds data under this URN, or no longer does.
pub fn set_used(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    (kind, urn): (Kind, &str),
    object: &str,
    used: bool,
) -> Result<(), StoreError> {
    let [tenant, kind, urn] = key(tenant, kind, urn);
    tx.later(if used { &USE } else { &UNUSE }, &[tenant, kind, urn, object.into()])
}

/// Ids of users or groups that hold data under this URN.
pub fn used_by(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    urn: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let [tenant, kind, urn] = key(tenant, kind, urn);
    tx.rows(&USED_BY, &[tenant, kind, urn, limit.into()], |row| row.text(0))
}

/// How many users or groups hold data under this URN.
pub fn count_used(tx: &mut Tx<'_>, tenant: &TenantId, kind: Kind, urn: &str) -> Result<i64, StoreError> {
    tx.one(&COUNT_USED, &key(tenant, kind, urn), |row| row.int(0))
}

fn key(tenant: &TenantId, kind: Kind, urn: &str) -> [Value; 3] {
    [tenant.as_str().into(), kind.as_str().into(), urn.to_ascii_lowercase().into()]
}

fn read(row: &Row<'_>) -> Result<Extension, StoreError> {
    let schema = serde_json::from_value(row.json(1)?)
        .map_err(|error| StoreError::Row { statement: "schema_extension", detail: error.to_string() })?;
    let kind = if row.text(0)? == Kind::Group.as_str() { Kind::Group } else { Kind::User };
    Ok(Extension { kind, schema, version: row.int(2)?, created_ms: row.int(3)? })
}
