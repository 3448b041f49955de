//! Merging two users that are one person: what moves, what speaks against it, and how it is taken back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::{Change, Member, User};
use crate::ids::{GroupId, UserId};

/// How long a merge can be undone.
pub const UNDO_MS: i64 = 30 * 24 * 3_600_000;

/// An issuer's subject that a user is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Whose assertions.
    pub issuer: String,
    /// The identifier in them.
    pub subject: String,
}

/// A user with what a merge looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The user, deleted or not.
    pub user: User,
    /// Groups that have a row for it as direct member; none that are deleted.
    pub groups: BTreeSet<GroupId>,
    /// Who it is for issuers.
    pub identities: Vec<Identity>,
}

/// What a merge did or would do, and all that is needed to take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRecord {
    /// Who stays.
    pub kept: UserId,
    /// Who goes.
    pub gone: UserId,
    /// The userName of the one who goes.
    pub gone_name: String,
    /// Groups that the one who stays comes into.
    pub joined: BTreeSet<GroupId>,
    /// Groups that the one who goes was in.
    pub left: BTreeSet<GroupId>,
    /// Identities that move.
    pub identities: Vec<Identity>,
    /// The externalId that moves.
    pub external_id: Option<String>,
    /// False: the one who goes was deleted before.
    pub deleted: bool,
}

/// How things are when a merge is taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Present {
    /// Who stayed.
    pub kept: User,
    /// Who went, deleted as a rule.
    pub gone: User,
    /// Those groups of the record that are not deleted.
    pub live_groups: BTreeSet<GroupId>,
}

/// What merging `gone` into `kept` does. The error says why it cannot be.
pub fn plan(kept: &Side, gone: &Side) -> Result<MergeRecord, String> {
    if kept.user.id == gone.user.id {
        return Err(format!(
            "both name the same user, '{}' ({}); name a deleted one by its id: lockstep user list --deleted",
            kept.user.user_name, kept.user.id
        ));
    }
    if kept.user.deleted_ms.is_some() {
        return Err(format!(
            "'{}' is deleted and cannot take anything over; bring it back first: lockstep user restore {}",
            kept.user.user_name, kept.user.id
        ));
    }
    let issuer = |identity: &&Identity| kept.identities.iter().any(|own| own.issuer == identity.issuer);
    if let Some(double) = gone.identities.iter().find(issuer) {
        return Err(format!(
            "both sign in with the issuer {}, and a user has one subject of an issuer; forget the one that is wrong: \
             lockstep signin unlink {}",
            double.issuer, gone.user.id
        ));
    }
    let external_id = gone.user.external_id.clone().filter(|_| kept.user.external_id.is_none());
    Ok(MergeRecord {
        kept: kept.user.id.clone(),
        gone: gone.user.id.clone(),
        gone_name: gone.user.user_name.clone(),
        joined: gone.groups.difference(&kept.groups).cloned().collect(),
        left: gone.groups.clone(),
        identities: gone.identities.clone(),
        external_id,
        deleted: gone.user.deleted_ms.is_none(),
    })
}

/// What speaks against a merge until somebody says yes.
pub fn doubts(kept: &User, gone: &User) -> Vec<String> {
    let mut doubts = vec![];
    let state = |active: bool| if active { "active" } else { "inactive" };
    if gone.deleted_ms.is_none() && kept.active != gone.active {
        doubts.push(format!(
            "'{}' is {} and '{}' is {}; afterwards there is one user, {}",
            kept.user_name,
            state(kept.active),
            gone.user_name,
            state(gone.active),
            state(kept.active)
        ));
    }
    let managed = |user: &User| user.source.starts_with(crate::connection::SOURCE_PREFIX);
    if managed(kept) && managed(gone) && kept.source != gone.source {
        doubts.push(format!(
            "the two are managed by different connections ({} and {}); the second one will not find its user any more",
            kept.source, gone.source
        ));
    }
    doubts
}

impl MergeRecord {
    /// The changes of the directory that carry the merge out.
    pub fn changes(&self, kept: &User) -> Vec<Change> {
        let mut changes = vec![];
        for group in &self.left {
            if self.joined.contains(group) {
                changes.push(Change::AddMember {
                    group: group.clone(),
                    member: Member::User(self.kept.clone()),
                });
            }
            changes
                .push(Change::RemoveMember { group: group.clone(), member: Member::User(self.gone.clone()) });
        }
        if let Some(external_id) = &self.external_id {
            let mut doc = kept.doc.clone();
            if let Some(fields) = doc.as_object_mut() {
                fields.insert("externalId".to_owned(), Value::String(external_id.clone()));
            }
            changes.push(Change::UpdateUser { id: self.kept.clone(), doc });
        }
        if self.deleted {
            changes.push(Change::DeleteUser { id: self.gone.clone() });
        }
        changes
    }

    /// The changes that put both back. What was changed since stays, but for what the merge moved.
    pub fn undone(&self, present: &Present) -> Vec<Change> {
        let mut changes = vec![];
        if self.deleted && present.gone.deleted_ms.is_some() {
            changes.push(Change::RestoreUser { id: self.gone.clone() });
        }
        if self.external_id.is_some() && present.kept.external_id == self.external_id {
            let mut doc = present.kept.doc.clone();
            if let Some(fields) = doc.as_object_mut() {
                fields.remove("externalId");
            }
            changes.push(Change::UpdateUser { id: self.kept.clone(), doc });
        }
        let live = self.deleted || present.gone.deleted_ms.is_none();
        for group in self.left.intersection(&present.live_groups) {
            let (group, member) = (group.clone(), Member::User(self.gone.clone()));
            if self.joined.contains(&group) {
                let member = Member::User(self.kept.clone());
                changes.push(Change::RemoveMember { group: group.clone(), member });
            }
            changes.push(match live {
                true => Change::AddMember { group, member },
                false => Change::ParkMember { group, member },
            });
        }
        changes
    }

    /// Whether a person who writes `reference` means this merge: by the id or the userName of who went.
    pub fn is_of(&self, reference: &str) -> bool {
        self.gone.as_str() == reference || scim::fold(&self.gone_name) == scim::fold(reference)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn side(id: &str, groups: &[&str], issuers: &[&str]) -> Side {
        let user = User {
            id: UserId::new(id),
            external_id: None,
            user_name: format!("{id}@x"),
            active: true,
            source: "connection:okta".into(),
            doc: json!({"userName": format!("{id}@x")}),
            version: 1,
            deleted_ms: None,
        };
        let identities =
            issuers.iter().map(|issuer| Identity { issuer: (*issuer).into(), subject: id.into() });
        Side {
            user,
            groups: groups.iter().map(|id| GroupId::new(*id)).collect(),
            identities: identities.collect(),
        }
    }

    #[test]
    fn memberships_move_once_and_the_external_id_only_where_there_is_none() {
        let (kept, mut gone) = (side("a", &["g1"], &[]), side("b", &["g1", "g2"], &["i"]));
        gone.user.external_id = Some("00b".into());
        let record = plan(&kept, &gone).unwrap();
        assert_eq!((record.joined.len(), record.left.len(), record.identities.len()), (1, 2, 1));
        assert_eq!((record.external_id.as_deref(), record.deleted), (Some("00b"), true));
        let changes = record.changes(&kept.user);
        assert_eq!(changes.len(), 5);
        assert!(matches!(changes.last(), Some(Change::DeleteUser { .. })));
        let mut named = kept.clone();
        named.user.external_id = Some("00a".into());
        assert_eq!(plan(&named, &gone).unwrap().external_id, None);
        gone.user.deleted_ms = Some(1);
        assert!(!plan(&kept, &gone).unwrap().deleted && doubts(&kept.user, &gone.user).is_empty());
    }

    #[test]
    fn what_cannot_be_and_what_is_doubtful_is_said() {
        let (kept, gone) = (side("a", &[], &["i"]), side("b", &[], &["i"]));
        assert!(plan(&kept, &gone).unwrap_err().contains("signin unlink b"));
        assert!(plan(&kept, &kept).unwrap_err().contains("same user"));
        let mut deleted = side("a", &[], &[]);
        deleted.user.deleted_ms = Some(1);
        assert!(plan(&deleted, &gone).unwrap_err().contains("user restore a"));
        let mut other = gone.user.clone();
        (other.active, other.source) = (false, "connection:entra".into());
        assert_eq!(doubts(&kept.user, &other).len(), 2);
        other.source = "console".into();
        assert_eq!(doubts(&kept.user, &other).len(), 1);
    }
}
