//! The directory's content as plain values, and the changes that may be made to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{GroupId, UserId};

/// A user of the directory. `doc` is the SCIM resource (RFC 7643 section 4.1) without `id`, `meta` and `groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Ours, opaque, never reused.
    pub id: UserId,
    /// The source's identifier.
    pub external_id: Option<String>,
    /// As the source wrote it; unique without regard to case.
    pub user_name: String,
    /// False for leavers.
    pub active: bool,
    /// Who writes this user: the name of a file source, a connection, `console`.
    pub source: String,
    /// The SCIM document.
    pub doc: Value,
    /// Rises with every change.
    pub version: i64,
    /// Set while the user is deleted but still restorable.
    pub deleted_ms: Option<i64>,
}

impl User {
    /// The name to show a person: `displayName`, else `userName`.
    pub fn label(&self) -> &str {
        self.doc.get("displayName").and_then(Value::as_str).unwrap_or(&self.user_name)
    }

    /// What the document says about the manager: an id, externalId or userName of another user.
    pub fn manager_ref(&self) -> Option<&str> {
        manager_ref(&self.doc)
    }
}

/// The manager reference inside a user document (enterprise extension, RFC 7643 section 4.3).
pub fn manager_ref(doc: &Value) -> Option<&str> {
    let manager = doc.get(scim::urn::ENTERPRISE_USER)?.get("manager")?;
    manager.get("value").and_then(Value::as_str).or_else(|| manager.as_str()).filter(|text| !text.is_empty())
}

/// A group of the directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Ours, opaque, never reused.
    pub id: GroupId,
    /// The source's identifier.
    pub external_id: Option<String>,
    /// Unique without regard to case.
    pub display_name: String,
    /// Who writes this group.
    pub source: String,
    /// The SCIM document without members.
    pub doc: Value,
    /// Rises with every change.
    pub version: i64,
    /// Set while the group is deleted but still restorable.
    pub deleted_ms: Option<i64>,
}

/// A member of a group: a user or another group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Member {
    /// A direct member.
    User(UserId),
    /// A nested group: its users are members through it.
    Group(GroupId),
}

impl Member {
    /// The id without its kind.
    pub fn id(&self) -> &str {
        match self {
            Member::User(id) => id.as_str(),
            Member::Group(id) => id.as_str(),
        }
    }

    /// `user` or `group`, as stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Member::User(_) => "user",
            Member::Group(_) => "group",
        }
    }
}

/// One change of the directory. A batch of them is applied as a whole or not at all; ids of new objects are chosen by
/// the caller, so that a batch can refer to what it creates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A new user with this document (`userName` required, `externalId` and `active` inside).
    CreateUser {
        /// The new id.
        id: UserId,
        /// Who owns the user.
        source: String,
        /// The SCIM document.
        doc: Value,
    },
    /// Replaces the document of a user.
    UpdateUser {
        /// Which user.
        id: UserId,
        /// The whole new document.
        doc: Value,
    },
    /// Marks the user deleted; restorable.
    DeleteUser {
        /// Which user.
        id: UserId,
    },
    /// Brings a deleted user back, inactive or active as its document says.
    RestoreUser {
        /// Which user.
        id: UserId,
    },
    /// A new group with this document (`displayName` required).
    CreateGroup {
        /// The new id.
        id: GroupId,
        /// Who owns the group.
        source: String,
        /// The SCIM document, without members.
        doc: Value,
    },
    /// Replaces the document of a group.
    UpdateGroup {
        /// Which group.
        id: GroupId,
        /// The whole new document, without members.
        doc: Value,
    },
    /// Marks the group deleted; restorable.
    DeleteGroup {
        /// Which group.
        id: GroupId,
    },
    /// Brings a deleted group back, with the members that it had.
    RestoreGroup {
        /// Which group.
        id: GroupId,
    },
    /// Adds a member; already being one is no change.
    AddMember {
        /// Which group.
        group: GroupId,
        /// The new member.
        member: Member,
    },
    /// Notes the membership of a user or group that was deleted: it takes effect if the member is restored.
    ParkMember {
        /// Which group.
        group: GroupId,
        /// The deleted member.
        member: Member,
    },
    /// Removes a member; not being one is no change.
    RemoveMember {
        /// Which group.
        group: GroupId,
        /// The member to remove.
        member: Member,
    },
}
