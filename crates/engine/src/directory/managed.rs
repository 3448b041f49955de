//! Who manages a user or group: the connection that is its source, so that changing it elsewhere can be warned of.

use std::collections::BTreeMap;
use std::fmt;

use domain::connection::IdentityProvider;
use domain::ids::TenantId;
use store::Tx;
use store::repo::{connection, group, user};

use crate::{Engine, EngineError};

/// A connection that manages users and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Its name.
    pub connection: String,
    /// The product behind it.
    pub provider: IdentityProvider,
}

/// What somebody is about to change, if a connection manages it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Its id.
    pub id: String,
    /// Its userName or displayName.
    pub name: String,
    /// Who manages it.
    pub by: Manager,
}

/// The connections of a tenant by the source that they write as.
#[derive(Clone, Debug, Default)]
pub struct Managers(BTreeMap<String, Manager>);

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.provider {
            IdentityProvider::Generic => write!(f, "connection {}", self.connection),
            provider => write!(f, "connection {} ({})", self.connection, provider.title()),
        }
    }
}

impl Managers {
    /// Those of a tenant.
    pub async fn load(engine: &Engine, tenant: &TenantId) -> Result<Self, EngineError> {
        let tenant = tenant.clone();
        engine.read(move |tx| Self::read(tx, &tenant)).await
    }

    /// The manager of what has this source; none for a file, a person, or a connection that was removed.
    pub fn of(&self, source: &str) -> Option<&Manager> {
        self.0.get(source)
    }

    /// No connection is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Self, EngineError> {
        let all = connection::list(tx, tenant)?.into_iter();
        let manager = |found: domain::connection::Connection| {
            (found.source(), Manager { connection: found.name, provider: found.provider })
        };
        Ok(Self(all.map(manager).collect()))
    }

    fn managed(&self, id: &str, name: &str, source: &str) -> Option<Managed> {
        let by = self.of(source)?.clone();
        Some(Managed { id: id.to_owned(), name: name.to_owned(), by })
    }
}

/// The user that `reference` names, deleted or not, if a connection manages it. Who is not found is managed by nobody.
pub async fn managed_user(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<Option<Managed>, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let managers = Managers::read(tx, &tenant)?;
            let found = match user::find_by_ref(tx, &tenant, &reference)? {
                Some(found) => vec![found],
                None => user::find_deleted(tx, &tenant, &reference)?,
            };
            let mut all = found.iter();
            Ok(all.find_map(|user| managers.managed(user.id.as_str(), &user.user_name, &user.source)))
        })
        .await
}

/// The group that `reference` names, deleted or not, if a connection manages it.
pub async fn managed_group(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<Option<Managed>, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let managers = Managers::read(tx, &tenant)?;
            let found = match group::find_by_ref(tx, &tenant, &reference)? {
                Some(found) => vec![found],
                None => group::find_deleted(tx, &tenant, &reference)?,
            };
            let mut all = found.iter();
            Ok(all.find_map(|group| managers.managed(group.id.as_str(), &group.display_name, &group.source)))
        })
        .await
}
