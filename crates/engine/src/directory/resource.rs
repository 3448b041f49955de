//! What users and groups have in common for `apply`: a document, a unique name, an externalId, a row.

use std::sync::OnceLock;

use domain::directory::{Group, User};
use domain::ids::{GroupId, TenantId, UserId};
use scim::ResourceType;
use serde_json::Value;
use store::repo::change::ChangeKind;
use store::repo::resource::{self, Kind};
use store::repo::{departure, group, lookup, member, user};
use store::{StoreError, Tx};

use crate::EngineError;

/// The schema of users without own extensions of a tenant: core and enterprise.
pub fn user_type() -> &'static ResourceType {
    static TYPE: OnceLock<ResourceType> = OnceLock::new();
    TYPE.get_or_init(ResourceType::user)
}

/// The schema of groups.
pub fn group_type() -> &'static ResourceType {
    static TYPE: OnceLock<ResourceType> = OnceLock::new();
    TYPE.get_or_init(ResourceType::group)
}

/// The document of a user as it may be stored; the error names the place. `active` is true unless it says otherwise.
pub fn user_document(user: &ResourceType, doc: &Value) -> Result<Value, String> {
    let unassigned = doc.get("active") == Some(&Value::Null);
    let mut doc = checked(user, doc)?;
    if let Some(fields) = doc.as_object_mut() {
        if fields.remove("password").is_some() {
            return Err("password is a secret that the directory does not keep; leave it out".to_owned());
        }
        // A client may take `active` away from what is shown: a null, and the state stays as it was.
        fields.entry("active").or_insert(if unassigned { Value::Null } else { Value::Bool(true) });
    }
    Ok(doc)
}

/// The document of a group as it may be stored, without members; the error names the place.
pub fn group_document(group: &ResourceType, doc: &Value) -> Result<Value, String> {
    let mut doc = checked(group, doc)?;
    if let Some(fields) = doc.as_object_mut() {
        fields.remove("members");
    }
    Ok(doc)
}

fn checked(resource_type: &ResourceType, doc: &Value) -> Result<Value, String> {
    let mut doc = scim::validate(resource_type, doc).map_err(|error| error.detail)?;
    if let Some(fields) = doc.as_object_mut()
        && fields.get("externalId").and_then(Value::as_str) == Some("")
    {
        fields.remove("externalId");
    }
    Ok(doc)
}

/// A user or a group. Texts are as in RFC 7643.
pub(crate) trait Resource: Clone + PartialEq {
    /// `user` or `group`.
    const KIND: &'static str;
    /// Which of the two.
    const OF: Kind;
    /// The attribute that is unique besides externalId.
    const NAME: &'static str;
    /// What the dispatcher is told.
    const MARK: ChangeKind;
    const CREATE: &'static str;
    const DELETE: &'static str;
    const RESTORE: &'static str;

    fn from_document(id: &str, source: &str, doc: Value) -> Self;
    /// The document as it may be stored, by the type of this kind.
    fn document(of: &ResourceType, doc: &Value) -> Result<Value, String>;
    fn set_document(&mut self, doc: Value);
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    fn external_id(&self) -> Option<&str>;
    fn doc(&self) -> &Value;
    fn version(&self) -> i64;
    fn deleted_ms(&self) -> Option<i64>;
    fn set_deleted_ms(&mut self, deleted_ms: Option<i64>);
    /// The action of an update.
    fn update_action(before: &Self, after: &Self) -> &'static str;

    fn by_names(tx: &mut Tx<'_>, tenant: &TenantId, names: &[&str]) -> Result<Vec<Self>, StoreError>;
    fn by_external_ids(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[&str]) -> Result<Vec<Self>, StoreError>;
    fn insert_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError>;
    fn update_row(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        before: &Self,
        now_ms: i64,
    ) -> Result<(), StoreError>;
    fn delete_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError>;
    fn restore_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError>;
    fn release_keys(&self, tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError>;

    /// Seats that it takes.
    fn seats(&self) -> i64;

    fn live(&self) -> bool {
        self.deleted_ms().is_none()
    }

    /// The error for an id that is unknown or deleted.
    fn not_found(id: &str) -> EngineError {
        let next = format!("it may have been deleted: look it up again with lockstep {} list", Self::KIND);
        EngineError::NotFound { kind: Self::KIND, name: id.to_owned(), next }
    }
}

fn text(doc: &Value, name: &str) -> Option<String> {
    doc.get(name).and_then(Value::as_str).map(str::to_owned)
}

impl Resource for User {
    const KIND: &'static str = "user";
    const OF: Kind = Kind::User;
    const NAME: &'static str = "userName";
    const MARK: ChangeKind = ChangeKind::User;
    const CREATE: &'static str = "user.create";
    const DELETE: &'static str = "user.delete";
    const RESTORE: &'static str = "user.restore";

    fn from_document(id: &str, source: &str, doc: Value) -> Self {
        let mut user = User {
            id: UserId::new(id),
            external_id: None,
            user_name: String::new(),
            active: true,
            source: source.to_owned(),
            doc: Value::Null,
            version: 1,
            deleted_ms: None,
        };
        user.set_document(doc);
        user
    }

    fn document(of: &ResourceType, doc: &Value) -> Result<Value, String> {
        user_document(of, doc)
    }

    fn set_document(&mut self, mut doc: Value) {
        // active changes only when it is named: an update without it keeps what is stored.
        if let Some(fields) = doc.as_object_mut() {
            fields.entry("active").or_insert(Value::Bool(self.active));
        }
        self.external_id = text(&doc, "externalId");
        self.user_name = text(&doc, "userName").unwrap_or_default();
        self.active = doc.get("active").and_then(Value::as_bool).unwrap_or(self.active);
        self.doc = doc;
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> &str {
        &self.user_name
    }

    fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    fn doc(&self) -> &Value {
        &self.doc
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn deleted_ms(&self) -> Option<i64> {
        self.deleted_ms
    }

    fn set_deleted_ms(&mut self, deleted_ms: Option<i64>) {
        self.deleted_ms = deleted_ms;
    }

    fn update_action(before: &Self, after: &Self) -> &'static str {
        match (before.active, after.active) {
            (true, false) => "user.deactivate",
            (false, true) => "user.reactivate",
            _ => "user.update",
        }
    }

    fn by_names(tx: &mut Tx<'_>, tenant: &TenantId, names: &[&str]) -> Result<Vec<Self>, StoreError> {
        user::find_by_user_names(tx, tenant, names)
    }

    fn by_external_ids(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[&str]) -> Result<Vec<Self>, StoreError> {
        user::find_by_external_ids(tx, tenant, ids)
    }

    fn insert_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        lookup::insert_user(tx, tenant, self, now_ms)?;
        resource::count_up(tx, tenant, Kind::User, self.id.as_str(), 1)
    }

    fn update_row(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        before: &Self,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        user::update(tx, tenant, self, now_ms)?;
        if self.active && !before.active {
            // Whatever a connection's policy had in mind is called off.
            member::touch_groups_of_departed(tx, tenant, &self.id, now_ms)?;
            departure::remove_user(tx, tenant, &self.id)?;
        }
        lookup::update(tx, tenant, &self.id, &before.doc, &self.doc)
    }

    fn delete_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        user::set_deleted(tx, tenant, self, now_ms)?;
        departure::remove_deleted(tx, tenant, &self.id)?;
        member::touch_groups_of(tx, tenant, self.id.as_str(), now_ms)?;
        resource::count_up(tx, tenant, Kind::User, self.id.as_str(), -1)
    }

    fn restore_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        user::set_restored(tx, tenant, self, now_ms)?;
        departure::remove_user(tx, tenant, &self.id)?;
        member::touch_groups_of(tx, tenant, self.id.as_str(), now_ms)?;
        resource::count_up(tx, tenant, Kind::User, self.id.as_str(), 1)
    }

    fn seats(&self) -> i64 {
        i64::from(self.live() && self.active)
    }

    fn release_keys(&self, tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
        user::release_keys(tx, tenant, &self.id)
    }
}

impl Resource for Group {
    const KIND: &'static str = "group";
    const OF: Kind = Kind::Group;
    const NAME: &'static str = "displayName";
    const MARK: ChangeKind = ChangeKind::Group;
    const CREATE: &'static str = "group.create";
    const DELETE: &'static str = "group.delete";
    const RESTORE: &'static str = "group.restore";

    fn from_document(id: &str, source: &str, doc: Value) -> Self {
        let mut group = Group {
            id: GroupId::new(id),
            external_id: None,
            display_name: String::new(),
            source: source.to_owned(),
            doc: Value::Null,
            version: 1,
            deleted_ms: None,
        };
        group.set_document(doc);
        group
    }

    fn document(of: &ResourceType, doc: &Value) -> Result<Value, String> {
        group_document(of, doc)
    }

    fn set_document(&mut self, doc: Value) {
        self.external_id = text(&doc, "externalId");
        self.display_name = text(&doc, "displayName").unwrap_or_default();
        self.doc = doc;
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> &str {
        &self.display_name
    }

    fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    fn doc(&self) -> &Value {
        &self.doc
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn deleted_ms(&self) -> Option<i64> {
        self.deleted_ms
    }

    fn set_deleted_ms(&mut self, deleted_ms: Option<i64>) {
        self.deleted_ms = deleted_ms;
    }

    fn update_action(_: &Self, _: &Self) -> &'static str {
        "group.update"
    }

    fn by_names(tx: &mut Tx<'_>, tenant: &TenantId, names: &[&str]) -> Result<Vec<Self>, StoreError> {
        group::find_by_display_names(tx, tenant, names)
    }

    fn by_external_ids(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[&str]) -> Result<Vec<Self>, StoreError> {
        group::find_by_external_ids(tx, tenant, ids)
    }

    fn insert_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        group::insert(tx, tenant, self, now_ms)?;
        resource::count_up(tx, tenant, Kind::Group, self.id.as_str(), 1)
    }

    fn update_row(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        _: &Self,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        group::update(tx, tenant, self, now_ms)
    }

    fn delete_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        group::set_deleted(tx, tenant, &self.id, now_ms)?;
        member::touch_groups_of(tx, tenant, self.id.as_str(), now_ms)?;
        resource::count_up(tx, tenant, Kind::Group, self.id.as_str(), -1)
    }

    fn restore_row(&self, tx: &mut Tx<'_>, tenant: &TenantId, now_ms: i64) -> Result<(), StoreError> {
        group::set_restored(tx, tenant, &self.id, now_ms)?;
        member::touch_groups_of(tx, tenant, self.id.as_str(), now_ms)?;
        resource::count_up(tx, tenant, Kind::Group, self.id.as_str(), 1)
    }

    fn seats(&self) -> i64 {
        0
    }

    fn release_keys(&self, tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
        group::release_keys(tx, tenant, &self.id)
    }
}
