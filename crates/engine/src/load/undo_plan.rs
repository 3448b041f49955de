//! What a load changed, read from its audit entries, against what is there now: the changes that take it back.

use std::collections::{BTreeMap, BTreeSet};

use domain::audit::Entry;
use domain::directory::{Change, Group, Member, User};
use domain::ids::{GroupId, TenantId, UserId};
use serde_json::Value;
use store::Tx;
use store::repo::load_job::LoadJob;
use store::repo::{audit, group, member, user};

use super::compare::Clusters;
use super::job::StagedRow;
use super::undo::UndoPreview;
use crate::EngineError;
use crate::directory::resource::Resource;

/// Audit entries that are read at a time.
const PAGE: i64 = 1_000;

/// The changes that take a load back.
pub(super) struct Reverts {
    pub(super) preview: UndoPreview,
    /// What changed since and is left as it is.
    pub(super) kept: Vec<String>,
    pub(super) rows: Vec<StagedRow>,
    /// Active users that will be deleted or inactive.
    pub(super) leavers: usize,
}

/// An object as a load found it and left it: its document, or none if it was not there.
struct Touched {
    before: Option<Value>,
    after: Option<Value>,
}

/// Everything that a load touched.
#[derive(Default)]
struct Trace {
    users: BTreeMap<String, Touched>,
    groups: BTreeMap<String, Touched>,
    /// Whether a membership was there before and after, by (group, member).
    members: BTreeMap<(String, Member), (bool, bool)>,
}

/// One object that is to be as before.
struct Revert<R> {
    now: R,
    then: Option<R>,
}

/// Compares the load with the directory.
pub(super) fn make(tx: &mut Tx<'_>, tenant: &TenantId, load: &LoadJob) -> Result<Reverts, EngineError> {
    let trace = read(tx, tenant, load)?;
    let mut kept = Kept::default();
    let mut preview = UndoPreview::default();
    let user_ids: Vec<UserId> = trace.users.keys().map(UserId::new).collect();
    let group_ids: Vec<GroupId> = trace.groups.keys().map(GroupId::new).collect();
    let users = user::get_many(tx, tenant, &user_ids)?;
    let groups = group::get_many(tx, tenant, &group_ids)?;
    let mut users = unchanged(users, &trace.users, &mut kept, &mut preview.already);
    let mut groups = unchanged(groups, &trace.groups, &mut kept, &mut preview.already);
    keep_used(tx, tenant, &trace, &mut users, &mut groups, &mut kept)?;
    let leavers = users.iter().filter(|revert| {
        let stays = revert.then.as_ref().is_some_and(|then| then.active);
        revert.now.live() && revert.now.active && !stays
    });
    let leavers = leavers.count();
    for revert in &users {
        let count = match (revert.now.live(), &revert.then) {
            (true, None) => &mut preview.users_delete,
            (false, Some(_)) => &mut preview.users_restore,
            _ => &mut preview.users_update,
        };
        *count += 1;
        let stays = revert.then.as_ref().is_some_and(|then| !then.active);
        preview.users_deactivate += usize::from(revert.now.live() && revert.now.active && stays);
    }
    for revert in &groups {
        let count = match (revert.now.live(), &revert.then) {
            (true, None) => &mut preview.groups_delete,
            (false, Some(_)) => &mut preview.groups_restore,
            _ => &mut preview.groups_update,
        };
        *count += 1;
    }
    let members = memberships(tx, tenant, &trace, (&users, &groups), &kept, &mut preview)?;
    let mut rows: Vec<StagedRow> = members.remove.into_iter().map(alone).collect();
    rows.extend(staged(&users, user_changes));
    rows.extend(staged(&groups, group_changes));
    rows.extend(members.add.into_iter().map(alone));
    Ok(Reverts { preview, kept: kept.reasons, rows, leavers })
}

/// What is left as it is.
#[derive(Default)]
struct Kept {
    /// Objects whose memberships are left alone, too.
    stay: BTreeSet<String>,
    reasons: Vec<String>,
}

fn read(tx: &mut Tx<'_>, tenant: &TenantId, load: &LoadJob) -> Result<Trace, EngineError> {
    let mut trace = Trace::default();
    // Ids sort by time; the clock of another machine may be a little behind.
    let mut after = domain::ids::uuid_v7(load.created_ms - 600_000, 0);
    loop {
        let page = audit::of_trace(tx, tenant, load.id.as_str(), &after, PAGE)?;
        let Some(last) = page.last() else { return Ok(trace) };
        after.clone_from(&last.entry.id);
        for recorded in page {
            trace.note(recorded.entry);
        }
    }
}

impl Trace {
    fn note(&mut self, entry: Entry) {
        let value = |text: &Option<String>| text.as_ref().and_then(|text| serde_json::from_str(text).ok());
        let (before, after): (Option<Value>, Option<Value>) = (value(&entry.before), value(&entry.after));
        let objects = match entry.action.split_once('.') {
            Some(("member", _)) => {
                let part =
                    |name: &str| before.as_ref().or(after.as_ref())?.get(name)?.as_str().map(str::to_owned);
                if let (Some(id), Some(kind)) = (part("member"), part("kind")) {
                    let member = match kind.as_str() {
                        "group" => Member::Group(GroupId::new(id)),
                        _ => Member::User(UserId::new(id)),
                    };
                    let was = self.members.entry((entry.object, member)).or_insert((before.is_some(), false));
                    was.1 = after.is_some();
                }
                return;
            }
            Some(("user", _)) => &mut self.users,
            Some(("group", _)) => &mut self.groups,
            _ => return,
        };
        let touched = objects.entry(entry.object).or_insert(Touched { before, after: None });
        touched.after = after;
    }
}

/// The objects that are as the load left them. Others are as before already, or changed since and kept.
fn unchanged<R: Resource>(
    stored: Vec<R>,
    touched: &BTreeMap<String, Touched>,
    kept: &mut Kept,
    already: &mut usize,
) -> Vec<Revert<R>> {
    let mut reverts = Vec::new();
    for now in stored {
        let Some(touched) = touched.get(now.id()) else { continue };
        let held = now.live().then(|| now.doc());
        if held == touched.before.as_ref() {
            *already += 1;
            if held.is_none() {
                kept.stay.insert(now.id().to_owned());
            }
        } else if held != touched.after.as_ref() {
            kept.note(&now, touched.before.is_none(), "was changed after the load");
        } else {
            let then = touched.before.as_ref().map(|doc| {
                let mut then = now.clone();
                then.set_document(doc.clone());
                then.set_deleted_ms(None);
                then
            });
            reverts.push(Revert { now, then });
        }
    }
    reverts
}

impl Kept {
    fn note<R: Resource>(&mut self, object: &R, created: bool, reason: &str) {
        self.reasons.push(format!("{} '{}' ({}) {reason}", R::KIND, object.name(), object.id()));
        if created {
            self.stay.insert(object.id().to_owned());
        }
    }
}

/// Users and groups that the load created and that somebody has used since in other memberships are not deleted.
fn keep_used(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    trace: &Trace,
    users: &mut Vec<Revert<User>>,
    groups: &mut Vec<Revert<Group>>,
    kept: &mut Kept,
) -> Result<(), EngineError> {
    let mut used = BTreeSet::new();
    for revert in users.iter().filter(|revert| revert.then.is_none()) {
        let member = Member::User(revert.now.id.clone());
        if in_other_groups(tx, tenant, trace, &member)? {
            used.insert(revert.now.id.as_str().to_owned());
        }
    }
    for revert in groups.iter().filter(|revert| revert.then.is_none()) {
        let id = revert.now.id.as_str();
        let own: BTreeSet<&str> = trace
            .members
            .iter()
            .filter(|((group, _), was)| group == id && !was.0)
            .map(|((_, member), _)| member.id())
            .collect();
        let strange =
            member::rows_of(tx, tenant, &revert.now.id)?.iter().any(|row| !own.contains(row.as_str()));
        if strange || in_other_groups(tx, tenant, trace, &Member::Group(revert.now.id.clone()))? {
            used.insert(id.to_owned());
        }
    }
    for revert in users.iter().filter(|revert| used.contains(revert.now.id.as_str())) {
        kept.note(&revert.now, true, "was created by the load and put into a group after it");
    }
    for revert in groups.iter().filter(|revert| used.contains(revert.now.id.as_str())) {
        kept.note(&revert.now, true, "was created by the load and got other memberships after it");
    }
    users.retain(|revert| !used.contains(revert.now.id.as_str()));
    groups.retain(|revert| !used.contains(revert.now.id.as_str()));
    Ok(())
}

fn in_other_groups(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    trace: &Trace,
    member: &Member,
) -> Result<bool, EngineError> {
    let added = |group: &GroupId| {
        trace.members.get(&(group.as_str().to_owned(), member.clone())).is_some_and(|was| !was.0)
    };
    Ok(member::groups_of(tx, tenant, member.id())?.iter().any(|group| !added(group)))
}

#[derive(Default)]
struct MemberChanges {
    add: Vec<Change>,
    remove: Vec<Change>,
}

/// Memberships go with whom they belong to: those of a deleted object stay as rows (it may be restored), those of an object
/// that the load created and that is kept stay.
fn memberships(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    trace: &Trace,
    (users, groups): (&[Revert<User>], &[Revert<Group>]),
    kept: &Kept,
    preview: &mut UndoPreview,
) -> Result<MemberChanges, EngineError> {
    let deleted_users =
        users.iter().filter(|revert| revert.then.is_none()).map(|revert| revert.now.id.as_str());
    let deleted_groups =
        groups.iter().filter(|revert| revert.then.is_none()).map(|revert| revert.now.id.as_str());
    let mut stay: BTreeSet<&str> = deleted_users.chain(deleted_groups).collect();
    stay.extend(kept.stay.iter().map(String::as_str));
    let mut changes = MemberChanges::default();
    let mut present: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((group, member), (before, after)) in &trace.members {
        if before == after || stay.contains(group.as_str()) || stay.contains(member.id()) {
            continue;
        }
        if !present.contains_key(group.as_str()) {
            let rows = member::rows_of(tx, tenant, &GroupId::new(group))?;
            present.insert(group, rows.into_iter().collect());
        }
        let is_member = present[group.as_str()].contains(member.id());
        let (group, member) = (GroupId::new(group), member.clone());
        match (before, is_member) {
            (false, true) => {
                preview.members_remove += 1;
                changes.remove.push(Change::RemoveMember { group, member });
            }
            (true, false) => {
                preview.members_add += 1;
                changes.add.push(Change::AddMember { group, member });
            }
            _ => preview.already += 1,
        }
    }
    Ok(changes)
}

fn alone(change: Change) -> StagedRow {
    StagedRow { changes: vec![change], was: BTreeMap::new() }
}

/// Objects that take a key from each other are changed together.
fn staged<R: Resource>(reverts: &[Revert<R>], changes: impl Fn(&Revert<R>) -> Vec<Change>) -> Vec<StagedRow> {
    let mut holders: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for (at, revert) in reverts.iter().enumerate().filter(|(_, revert)| revert.now.live()) {
        holders.extend(keys(&revert.now).into_iter().map(|key| (key, at)));
    }
    let mut clusters = Clusters::new(reverts.len());
    for (at, then) in reverts.iter().enumerate().filter_map(|(at, revert)| Some((at, revert.then.as_ref()?)))
    {
        for holder in keys(then).iter().filter_map(|key| holders.get(key)) {
            clusters.join(at, *holder);
        }
    }
    let row = |together: Vec<usize>| {
        let mut row = StagedRow { changes: Vec::new(), was: BTreeMap::new() };
        for revert in together.into_iter().map(|at| &reverts[at]) {
            row.changes.extend(changes(revert));
            row.was.insert(revert.now.id().to_owned(), revert.now.version());
        }
        row
    };
    clusters.lists(|_| true).into_iter().map(row).collect()
}

fn keys<R: Resource>(object: &R) -> Vec<(bool, String)> {
    let external_id = object.external_id().map(|id| (true, id.to_owned()));
    external_id.into_iter().chain([(false, scim::fold(object.name()))]).collect()
}

fn user_changes(revert: &Revert<User>) -> Vec<Change> {
    let id = revert.now.id.clone();
    let Some(then) = &revert.then else { return vec![Change::DeleteUser { id }] };
    let back = (!revert.now.live()).then(|| Change::RestoreUser { id: id.clone() });
    back.into_iter().chain([Change::UpdateUser { id, doc: then.doc.clone() }]).collect()
}

fn group_changes(revert: &Revert<Group>) -> Vec<Change> {
    let id = revert.now.id.clone();
    let Some(then) = &revert.then else { return vec![Change::DeleteGroup { id }] };
    let back = (!revert.now.live()).then(|| Change::RestoreGroup { id: id.clone() });
    back.into_iter().chain([Change::UpdateGroup { id, doc: then.doc.clone() }]).collect()
}
