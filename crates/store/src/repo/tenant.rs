//! Tenants: isolated customers, found by name without regard to letter case.

use domain::ids::TenantId;

use crate::{Row, StoreError, Tx, statement};

statement!(INSERT, "INSERT INTO tenant(id, name, name_key, created_ms) VALUES ($1, $2, $3, $4)");
statement!(BY_NAME, "SELECT id, name, created_ms FROM tenant WHERE name_key = $1");
statement!(GET, "SELECT id, name, created_ms FROM tenant WHERE id = $1");
statement!(ONE_BY_ONE, "UPDATE tenant SET created_ms = created_ms WHERE id = $1");
statement!(LIST, "SELECT id, name, created_ms FROM tenant ORDER BY name_key");
statement!(SCHEMAS_VERSION, "SELECT schemas_version FROM tenant WHERE id = $1");
statement!(SCHEMAS_CHANGED, "UPDATE tenant SET schemas_version = schemas_version + 1 WHERE id = $1");

/// One isolated customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Ours.
    pub id: TenantId,
    /// As it was given; unique without regard to letter case.
    pub name: String,
    /// Unix milliseconds.
    pub created_ms: i64,
}

/// Adds a tenant. A name that is taken is [`StoreError::Conflict`] on `name_key`.
pub fn create(tx: &mut Tx<'_>, tenant: &Tenant) -> Result<(), StoreError> {
    let params = [
        tenant.id.as_str().into(),
        tenant.name.as_str().into(),
        scim::fold(&tenant.name).into(),
        tenant.created_ms.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// The tenant of that name in any letter case.
pub fn find_by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Tenant>, StoreError> {
    tx.optional(&BY_NAME, &[scim::fold(name).into()], read)
}

/// The tenant of that id.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Option<Tenant>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into()], read)
}

/// Lets transactions that call this pass one after the other: what they check together no constraint holds.
pub fn one_by_one(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
    tx.exec(&ONE_BY_ONE, &[tenant.as_str().into()]).map(drop)
}

/// The version of the tenant's own schemas; 0 while it never had one, or if the tenant is unknown.
pub fn schemas_version(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    let version = tx.optional(&SCHEMAS_VERSION, &[tenant.as_str().into()], |row| row.int(0))?;
    Ok(version.unwrap_or_default())
}

/// Says that the tenant's own schemas have changed.
pub fn schemas_changed(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
    tx.later(&SCHEMAS_CHANGED, &[tenant.as_str().into()])
}

/// Every tenant, by name.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Tenant>, StoreError> {
    tx.rows(&LIST, &[], read)
}

fn read(row: &Row<'_>) -> Result<Tenant, StoreError> {
    Ok(Tenant { id: TenantId::new(row.text(0)?), name: row.text(1)?, created_ms: row.int(2)? })
}
