//! Connections: identity providers that push into a tenant.

use domain::connection::{Connection, ConnectionSettings, IdentityProvider};
use domain::ids::{ConnectionId, TenantId};

use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO connection(tenant, id, name, name_key, provider, settings, issuer, version, created_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)"
);
statement!(
    GET,
    "SELECT id, name, provider, settings, version, created_ms FROM connection WHERE tenant = $1 AND id = $2"
);
statement!(
    BY_NAME,
    "SELECT id, name, provider, settings, version, created_ms FROM connection WHERE tenant = $1 AND name_key = $2"
);
statement!(
    BY_ISSUER,
    "SELECT id, name, provider, settings, version, created_ms FROM connection WHERE tenant = $1 AND issuer = $2"
);
statement!(
    LIST,
    "SELECT id, name, provider, settings, version, created_ms FROM connection WHERE tenant = $1 ORDER BY name_key"
);
statement!(
    UPDATE,
    "UPDATE connection SET settings = $3, issuer = $4, version = version + 1
      WHERE tenant = $1 AND id = $2 AND version = $5"
);
statement!(DELETE, "DELETE FROM connection WHERE tenant = $1 AND id = $2");

/// Inserts a connection; a taken name is a conflict on `name_key`, a taken issuer on `issuer`.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, new: &Connection) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        new.id.as_str().into(),
        new.name.as_str().into(),
        scim::fold(&new.name).into(),
        new.provider.as_str().into(),
        settings_text(&new.settings)?.into(),
        new.settings.issuer.clone().into(),
        new.created_ms.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// The connection with this id.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), id.as_str().into()], |row| read(row, 0))
}

/// The connection of this name, without regard to case.
pub fn by_name(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Option<Connection>, StoreError> {
    tx.optional(&BY_NAME, &[tenant.as_str().into(), scim::fold(name).into()], |row| read(row, 0))
}

/// The connection of this sign-on issuer.
pub fn by_issuer(tx: &mut Tx<'_>, tenant: &TenantId, issuer: &str) -> Result<Option<Connection>, StoreError> {
    tx.optional(&BY_ISSUER, &[tenant.as_str().into(), issuer.into()], |row| read(row, 0))
}

/// All connections by name.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Connection>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into()], |row| read(row, 0))
}

/// Saves the settings if the version is still the one that was read; false: somebody else was faster.
pub fn update(tx: &mut Tx<'_>, tenant: &TenantId, changed: &Connection) -> Result<bool, StoreError> {
    let params = [
        tenant.as_str().into(),
        changed.id.as_str().into(),
        settings_text(&changed.settings)?.into(),
        changed.settings.issuer.clone().into(),
        changed.version.into(),
    ];
    Ok(tx.exec(&UPDATE, &params)? == 1)
}

/// Removes a connection; false if it was not there.
pub fn delete(tx: &mut Tx<'_>, tenant: &TenantId, id: &ConnectionId) -> Result<bool, StoreError> {
    Ok(tx.exec(&DELETE, &[tenant.as_str().into(), id.as_str().into()])? == 1)
}

fn settings_text(settings: &ConnectionSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Row { statement: "connection", detail: format!("connection settings: {error}") }
}

/// Reads id, name, provider, settings, version and created_ms from this column on.
pub(crate) fn read(row: &Row<'_>, from: usize) -> Result<Connection, StoreError> {
    let settings = serde_json::from_value(row.json(from + 3)?).map_err(|error| unreadable(&error))?;
    Ok(Connection {
        id: ConnectionId::new(row.text(from)?),
        name: row.text(from + 1)?,
        provider: IdentityProvider::parse(&row.text(from + 2)?),
        settings,
        version: row.int(from + 4)?,
        created_ms: row.int(from + 5)?,
    })
}
