//! `apply`: the one function that changes the directory.

use domain::directory::{Change, Group, Member, User};
use domain::ids::{GroupId, UserId};
use std::collections::BTreeSet;
use store::Tx;

use super::draft::Draft;
use super::membership;
use super::record::Record;
use crate::schemas::ResourceTypes;
use crate::{Context, EngineError};

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Users and groups created.
    pub created: usize,
    /// Users and groups whose document changed.
    pub updated: usize,
    /// Changes that changed nothing: they left no version, no audit entry and no mark.
    pub unchanged: usize,
    /// Users and groups deleted.
    pub deleted: usize,
    /// Users and groups brought back.
    pub restored: usize,
    /// Memberships added.
    pub members_added: usize,
    /// Memberships removed.
    pub members_removed: usize,
}

impl Applied {
    /// How many changes had an effect.
    pub fn effective(&self) -> usize {
        self.created + self.updated + self.deleted + self.restored + self.members_added + self.members_removed
    }

    /// Adds the counts of another batch.
    pub fn add(&mut self, other: Applied) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.restored += other.restored;
        self.members_added += other.members_added;
        self.members_removed += other.members_removed;
    }
}

/// Applies a batch as a whole or not at all, in its order: validates documents against the schema (RFC 7643), refuses
/// keys that another user or group holds, unknown ids and circles of groups; writes rows, one audit entry per effective
/// change, and what the dispatcher spreads over the apps. Keys are compared as they stand after the whole batch, so two
/// users may swap their names in one.
pub fn apply(tx: &mut Tx<'_>, ctx: &mut Context, batch: &[Change]) -> Result<Applied, EngineError> {
    let mut draft = Drafts::load(tx, ctx, batch)?;
    let mut records = Vec::new();
    let mut memberships = Vec::new();
    let mut applied = Applied::default();
    for change in batch {
        match change {
            Change::CreateUser { id, source, doc } => {
                records.extend(draft.users.create(id.as_str(), source, doc)?)
            }
            Change::UpdateUser { id, doc } => records.extend(draft.users.update(id.as_str(), doc)?),
            Change::DeleteUser { id } => records.extend(draft.users.delete(id.as_str(), ctx.now_ms)?),
            Change::RestoreUser { id } => records.extend(draft.users.restore(id.as_str())?),
            Change::CreateGroup { id, source, doc } => {
                records.extend(draft.groups.create(id.as_str(), source, doc)?)
            }
            Change::UpdateGroup { id, doc } => records.extend(draft.groups.update(id.as_str(), doc)?),
            Change::DeleteGroup { id } => records.extend(draft.groups.delete(id.as_str(), ctx.now_ms)?),
            Change::RestoreGroup { id } => records.extend(draft.groups.restore(id.as_str())?),
            Change::AddMember { group, member } => {
                draft.check_member(group, Some(member))?;
                memberships.push(change);
            }
            Change::ParkMember { group, .. } | Change::RemoveMember { group, .. } => {
                draft.check_member(group, None)?;
                memberships.push(change);
            }
        }
    }
    let objects = batch.len() - memberships.len();
    applied.unchanged = objects - records.len();
    for record in &records {
        record.count(&mut applied);
    }
    draft.users.write(tx, ctx)?;
    draft.groups.write(tx, ctx)?;
    for change in batch {
        // While it was deleted, its memberships closed no circle; now they may.
        if let Change::RestoreGroup { id } = change {
            membership::check_circle(tx, ctx, id)?;
        }
    }
    let mut changed_groups = BTreeSet::new();
    for change in memberships {
        match membership::write(tx, ctx, change)? {
            Some(record) => {
                record.count(&mut applied);
                // A membership that does not count yet shows nowhere.
                if record.action == "member.add" || draft.shows(&record.member) {
                    changed_groups.insert(record.object.clone());
                }
                records.push(record);
            }
            None => applied.unchanged += 1,
        }
    }
    for group in changed_groups {
        store::repo::member::touch_group(tx, &ctx.tenant, &group, ctx.now_ms)?;
    }
    for record in records {
        record.save(tx, ctx)?;
    }
    Ok(applied)
}

/// The users and groups that a batch touches, as they will be after it.
struct Drafts {
    users: Draft<User>,
    groups: Draft<Group>,
    /// Users that are only named as members: not deleted.
    members: BTreeSet<UserId>,
}

impl Drafts {
    fn load(tx: &mut Tx<'_>, ctx: &Context, batch: &[Change]) -> Result<Self, EngineError> {
        let (mut users, mut groups, mut members) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for change in batch {
            match change {
                Change::CreateUser { id, .. }
                | Change::UpdateUser { id, .. }
                | Change::DeleteUser { id }
                | Change::RestoreUser { id } => drop(users.insert(id)),
                Change::CreateGroup { id, .. }
                | Change::UpdateGroup { id, .. }
                | Change::DeleteGroup { id }
                | Change::RestoreGroup { id } => {
                    groups.insert(id);
                }
                Change::AddMember { group, member }
                | Change::ParkMember { group, member }
                | Change::RemoveMember { group, member } => {
                    groups.insert(group);
                    match member {
                        Member::User(id) => drop(members.insert(id)),
                        Member::Group(id) => drop(groups.insert(id)),
                    }
                }
            }
        }
        members.retain(|id| !users.contains(id));
        // Memberships have no document, so what one may hold is not asked then.
        let documents = batch.iter().any(|change| {
            !matches!(
                change,
                Change::AddMember { .. } | Change::ParkMember { .. } | Change::RemoveMember { .. }
            )
        });
        let types = if documents { ctx.schemas.get(tx, &ctx.tenant)? } else { ResourceTypes::standard() };
        let known = store::repo::user::versions(tx, &ctx.tenant, members)?;
        let groups = store::repo::group::get_many(tx, &ctx.tenant, groups)?;
        Ok(Self {
            users: Draft::new(store::repo::user::get_many(tx, &ctx.tenant, users)?, types.clone()),
            groups: Draft::new(groups, types),
            members: known.into_iter().filter(|(_, _, deleted)| !deleted).map(|(id, _, _)| id).collect(),
        })
    }

    /// Whether a user or group of that id is there after the batch.
    fn shows(&self, id: &str) -> bool {
        self.members.contains(&UserId::new(id)) || self.users.live(id).is_ok() || self.groups.live(id).is_ok()
    }

    /// The group, and the member if one is to be added, are there at this point of the batch.
    fn check_member(&self, group: &GroupId, added: Option<&Member>) -> Result<(), EngineError> {
        self.groups.live(group.as_str())?;
        match added {
            Some(Member::User(id)) if self.members.contains(id) => Ok(()),
            Some(Member::User(id)) => self.users.live(id.as_str()).map(drop),
            Some(Member::Group(id)) => self.groups.live(id.as_str()).map(drop),
            None => Ok(()),
        }
    }
}

impl Record {
    fn count(&self, applied: &mut Applied) {
        let count = match self.action {
            "user.create" | "group.create" => &mut applied.created,
            "user.delete" | "group.delete" => &mut applied.deleted,
            "user.restore" | "group.restore" => &mut applied.restored,
            "member.add" | "member.park" => &mut applied.members_added,
            "member.remove" => &mut applied.members_removed,
            _ => &mut applied.updated,
        };
        *count += 1;
    }
}
