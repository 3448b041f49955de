//! The resource types of a tenant: those of the RFCs with its own extensions, kept until their version changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::ids::TenantId;
use scim::{ResourceType, Schema};
use store::repo::resource::Kind;
use store::repo::schema_extension::{self, Extension};
use store::repo::tenant;
use store::{StoreError, Tx, scim_log};

use crate::directory::resource::{group_type, user_type};
use crate::{Engine, EngineError};

/// What users and groups of a tenant may contain.
#[derive(Debug)]
pub struct ResourceTypes {
    version: i64,
    user: ResourceType,
    group: ResourceType,
    own: BTreeMap<Kind, Vec<String>>,
    logged: Option<scim_log::Types>,
}

impl ResourceTypes {
    /// Those of the RFCs alone.
    pub fn standard() -> Arc<Self> {
        static STANDARD: OnceLock<Arc<ResourceTypes>> = OnceLock::new();
        STANDARD.get_or_init(|| Arc::new(Self::new(0, vec![]))).clone()
    }

    pub(super) fn new(version: i64, extensions: Vec<Extension>) -> Self {
        let (mut user, mut group) = (user_type().clone(), group_type().clone());
        let mut own: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for extension in extensions {
            own.entry(extension.kind).or_default().push(extension.schema.id.clone());
            let extended = if extension.kind == Kind::User { &mut user } else { &mut group };
            *extended = extended.clone().with_extension(extension.schema);
        }
        let logged = (!own.is_empty()).then(|| Arc::new(vec![user.clone(), group.clone()]));
        Self { version, user, group, own, logged }
    }

    /// The type of one kind.
    pub fn of(&self, kind: Kind) -> &ResourceType {
        match kind {
            Kind::User => &self.user,
            Kind::Group => &self.group,
        }
    }

    /// Both types: users, groups.
    pub fn all(&self) -> [&ResourceType; 2] {
        [&self.user, &self.group]
    }

    /// Both types as the endpoint publishes them. What a member is called follows from the member: a client that sends a
    /// `display` is understood, and told here that it sets nothing.
    pub fn published(&self) -> [ResourceType; 2] {
        let mut group = self.group.clone();
        let parts = group.schema.attributes.iter_mut().flat_map(|attribute| &mut attribute.sub_attributes);
        for display in parts.filter(|part| part.name == "display") {
            display.mutability = scim::Mutability::ReadOnly;
        }
        [self.user.clone(), group]
    }

    /// The URNs of the tenant's own extensions of a kind.
    pub fn own(&self, kind: Kind) -> &[String] {
        self.own.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// An own extension of either kind, in any letter case.
    pub fn own_schema(&self, urn: &str) -> Option<(Kind, &Schema)> {
        [Kind::User, Kind::Group].into_iter().find_map(|kind| {
            let is_own = self.own(kind).iter().any(|own| own.eq_ignore_ascii_case(urn));
            self.of(kind).extension(urn).filter(|_| is_own).map(|schema| (kind, schema))
        })
    }

    /// What the SCIM log shall know, if that is more than the RFCs have.
    pub fn logged(&self) -> Option<&scim_log::Types> {
        self.logged.as_ref()
    }
}

/// The types of tenants that were asked for; clones share them.
#[derive(Clone, Debug, Default)]
pub struct SchemaCache {
    kept: Arc<Mutex<BTreeMap<TenantId, Arc<ResourceTypes>>>>,
}

impl SchemaCache {
    /// The types as of this transaction: one read of their version, and all of them if it is not the kept one. Nothing is
    /// kept from here: what a transaction sees may still be rolled back.
    pub fn get(&self, tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Arc<ResourceTypes>, StoreError> {
        let version = tenant::schemas_version(tx, tenant)?;
        match self.kept(tenant, version) {
            Some(kept) => Ok(kept),
            None => Ok(Arc::new(ResourceTypes::new(version, schema_extension::list(tx, tenant)?))),
        }
    }

    /// The types of this version, if they are kept.
    fn kept(&self, tenant: &TenantId, version: i64) -> Option<Arc<ResourceTypes>> {
        if version == 0 {
            return Some(ResourceTypes::standard());
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(tenant).filter(|kept| kept.version == version).cloned()
    }

    fn keep(&self, tenant: &TenantId, types: &Arc<ResourceTypes>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = kept.entry(tenant.clone()).or_insert_with(|| types.clone());
        if newest.version < types.version {
            newest.clone_from(types);
        }
    }
}

impl Engine {
    /// The types of a tenant whose version was read just now, with its token for example: without a read while they are kept.
    pub async fn types_at(&self, tenant: &TenantId, version: i64) -> Result<Arc<ResourceTypes>, EngineError> {
        match self.schemas.kept(tenant, version) {
            Some(kept) => Ok(kept),
            None => self.types(tenant).await,
        }
    }

    /// The types of a tenant as they are now.
    pub async fn types(&self, tenant: &TenantId) -> Result<Arc<ResourceTypes>, EngineError> {
        let (schemas, of) = (self.schemas.clone(), tenant.clone());
        let types = self.read(move |tx| Ok(schemas.get(tx, &of)?)).await?;
        if types.version > 0 {
            self.schemas.keep(tenant, &types);
        }
        Ok(types)
    }
}
