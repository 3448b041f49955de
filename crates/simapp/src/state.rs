//! What the app holds: users, groups and member rows, with the indexes that keep 20,000 users fast.

use crate::history::{Before, History};
use crate::members::MemberEdit;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// The id the app gave to a user or group, for example `u-000001`.
pub type Id = Arc<str>;

/// A user as stored: the document without `meta` and `groups`, and what `meta` is made of.
#[derive(Clone, Debug)]
pub struct User {
    /// The resource with `id` and `schemas`.
    pub doc: Value,
    /// Counts changes of the representation; starts at 1.
    pub version: u64,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

/// A group as stored: like a user, with its members apart.
#[derive(Clone, Debug)]
pub struct Group {
    /// The resource with `id` and `schemas`, without `members`.
    pub doc: Value,
    /// Ids of users and groups, and of nobody where unknown members are accepted.
    pub members: Arc<BTreeSet<Id>>,
    /// Counts changes of the representation; starts at 1.
    pub version: u64,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

/// An index from a key to the ids that have it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeSet<(String, Id)>,
}

/// All content of the app.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) users: BTreeMap<Id, Arc<User>>,
    pub(crate) groups: BTreeMap<Id, Arc<Group>>,
    /// Soft-deleted users: they answer 404 but keep their keys.
    pub(crate) graves: BTreeMap<Id, Arc<User>>,
    pub(crate) user_names: Index,
    pub(crate) user_external_ids: Index,
    pub(crate) group_names: Index,
    pub(crate) group_external_ids: Index,
    /// The groups that each id is a direct member of.
    member_of: BTreeMap<Id, BTreeSet<Id>>,
    active: usize,
    created_users: u64,
    created_groups: u64,
    id_prefix: String,
    pub(crate) history: History,
}

impl State {
    pub(crate) fn new(id_prefix: &str) -> Self {
        Self { id_prefix: id_prefix.to_owned(), ..Self::default() }
    }

    /// How many users are active, which is how seats are counted.
    pub fn active_users(&self) -> usize {
        self.active
    }

    /// How many users exist, soft-deleted ones not counted.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many groups exist.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    /// The group with this id.
    pub fn group(&self, id: &str) -> Option<&Arc<Group>> {
        self.groups.get(id)
    }

    /// Whether the id is a user or a group that a group can have as a member.
    pub fn exists(&self, id: &str) -> bool {
        self.users.contains_key(id) || self.groups.contains_key(id)
    }

    /// The groups that the id is a direct member of, in the order of their ids.
    pub fn groups_of(&self, id: &str) -> impl Iterator<Item = &Id> {
        self.member_of.get(id).into_iter().flatten()
    }

    /// The user as a reader of the moment `as_of_ms` sees it; `None` as the moment means now.
    pub fn user_at(&self, id: &str, as_of_ms: Option<i64>) -> Option<Arc<User>> {
        match as_of_ms.and_then(|moment| self.history.at(id, moment)) {
            Some(Before::User(user)) => user.clone(),
            Some(Before::Group(_)) => None,
            None => self.users.get(id).cloned(),
        }
    }

    /// The group as a reader of the moment `as_of_ms` sees it; `None` as the moment means now.
    pub fn group_at(&self, id: &str, as_of_ms: Option<i64>) -> Option<Arc<Group>> {
        match as_of_ms.and_then(|moment| self.history.at(id, moment)) {
            Some(Before::Group(group)) => group.clone(),
            Some(Before::User(_)) => None,
            None => self.groups.get(id).cloned(),
        }
    }

    /// Stores a new user and returns its id.
    pub fn create_user(&mut self, mut doc: Value, now_ms: i64) -> Id {
        self.created_users += 1;
        let id = Id::from(format!("{}u-{:06}", self.id_prefix, self.created_users));
        put_id(&mut doc, &id);
        self.index_user(&id, &doc);
        self.history.record(&id, Before::User(None), now_ms);
        let user = User { doc, version: 1, created_ms: now_ms, modified_ms: now_ms };
        self.users.insert(id.clone(), Arc::new(user));
        id
    }

    /// Replaces a user's document; false when that changes nothing (the version then stays).
    pub fn update_user(&mut self, id: &str, mut doc: Value, now_ms: i64) -> bool {
        let Some((id, old)) = self.users.get_key_value(id).map(|(id, user)| (id.clone(), user.clone()))
        else {
            return false;
        };
        put_id(&mut doc, &id);
        if doc == old.doc {
            return false;
        }
        self.unindex_user(&id, &old.doc);
        self.index_user(&id, &doc);
        let user = User { doc, version: old.version + 1, created_ms: old.created_ms, modified_ms: now_ms };
        self.history.record(&id, Before::User(Some(old)), now_ms);
        self.users.insert(id, Arc::new(user));
        true
    }

    /// Deletes a user and its memberships; false when there was none.
    pub fn delete_user(&mut self, id: &str, now_ms: i64) -> bool {
        let Some((id, old)) = self.users.remove_entry(id) else { return false };
        self.unindex_user(&id, &old.doc);
        self.leave_all_groups(&id, now_ms);
        self.history.record(&id, Before::User(Some(old)), now_ms);
        true
    }

    /// Deletes a user for readers only: the row stays, inactive, and keeps its keys taken.
    pub fn bury_user(&mut self, id: &str, now_ms: i64) -> bool {
        let Some((id, old)) = self.users.remove_entry(id) else { return false };
        self.active -= usize::from(is_active(&old.doc));
        let mut user = (*old).clone();
        user.doc["active"] = Value::Bool(false);
        self.leave_all_groups(&id, now_ms);
        self.history.record(&id, Before::User(Some(old)), now_ms);
        self.graves.insert(id, Arc::new(user));
        true
    }

    /// Stores a new group and returns its id.
    pub fn create_group(&mut self, mut doc: Value, members: BTreeSet<Id>, now_ms: i64) -> Id {
        self.created_groups += 1;
        let id = Id::from(format!("{}g-{:06}", self.id_prefix, self.created_groups));
        put_id(&mut doc, &id);
        self.index_group(&id, &doc);
        for member in &members {
            self.member_of.entry(member.clone()).or_default().insert(id.clone());
        }
        self.history.record(&id, Before::Group(None), now_ms);
        let members = Arc::new(members);
        let group = Group { doc, members, version: 1, created_ms: now_ms, modified_ms: now_ms };
        self.groups.insert(id.clone(), Arc::new(group));
        id
    }

    /// Replaces a group's document and edits its members; false when both change nothing.
    pub fn update_group(&mut self, id: &str, mut doc: Value, edit: MemberEdit, now_ms: i64) -> bool {
        let Some((id, old)) = self.groups.get_key_value(id) else { return false };
        let id = id.clone();
        put_id(&mut doc, &id);
        let (added, gone) = edit.difference(&old.members);
        let same_doc = doc == old.doc;
        if same_doc && added.is_empty() && gone.is_empty() {
            return false;
        }
        if !same_doc {
            let old_doc = old.doc.clone();
            self.unindex_group(&id, &old_doc);
            self.index_group(&id, &doc);
        }
        for member in &gone {
            self.forget_membership(member, &id);
        }
        for member in &added {
            self.member_of.entry(member.clone()).or_default().insert(id.clone());
        }
        self.change_group(&id, now_ms, |group| {
            group.doc = doc;
            if !added.is_empty() || !gone.is_empty() {
                let members = Arc::make_mut(&mut group.members);
                gone.iter().for_each(|member| {
                    members.remove(member);
                });
                members.extend(added);
            }
        });
        true
    }

    /// Deletes a group, its member rows and its own memberships; false when there was none.
    pub fn delete_group(&mut self, id: &str, now_ms: i64) -> bool {
        let Some((id, old)) = self.groups.remove_entry(id) else { return false };
        self.unindex_group(&id, &old.doc);
        for member in old.members.iter() {
            self.forget_membership(member, &id);
        }
        self.leave_all_groups(&id, now_ms);
        self.history.record(&id, Before::Group(Some(old)), now_ms);
        true
    }

    fn leave_all_groups(&mut self, id: &Id, now_ms: i64) {
        for group in self.member_of.remove(id).unwrap_or_default() {
            self.change_group(&group, now_ms, |group| {
                Arc::make_mut(&mut group.members).remove(id);
            });
        }
    }

    /// Changes a group in place; copies it only where the history still holds the old one.
    fn change_group(&mut self, id: &Id, now_ms: i64, change: impl FnOnce(&mut Group)) {
        let Some(slot) = self.groups.get_mut(id) else { return };
        if self.history.is_on() {
            self.history.record(id, Before::Group(Some(slot.clone())), now_ms);
        }
        let group = Arc::make_mut(slot);
        change(group);
        group.version += 1;
        group.modified_ms = now_ms;
    }

    fn forget_membership(&mut self, member: &Id, group: &Id) {
        if let Some(groups) = self.member_of.get_mut(member) {
            groups.remove(group);
            if groups.is_empty() {
                self.member_of.remove(member);
            }
        }
    }

    fn index_user(&mut self, id: &Id, doc: &Value) {
        self.user_names.insert(folded(doc, "userName"), id);
        self.user_external_ids.insert(text(doc, "externalId"), id);
        self.active += usize::from(is_active(doc));
    }

    fn unindex_user(&mut self, id: &Id, doc: &Value) {
        self.user_names.remove(folded(doc, "userName"), id);
        self.user_external_ids.remove(text(doc, "externalId"), id);
        self.active -= usize::from(is_active(doc));
    }

    fn index_group(&mut self, id: &Id, doc: &Value) {
        self.group_names.insert(folded(doc, "displayName"), id);
        self.group_external_ids.insert(text(doc, "externalId"), id);
    }

    fn unindex_group(&mut self, id: &Id, doc: &Value) {
        self.group_names.remove(folded(doc, "displayName"), id);
        self.group_external_ids.remove(text(doc, "externalId"), id);
    }
}

impl Index {
    /// The ids with this key, in order.
    pub(crate) fn ids(&self, key: &str) -> impl Iterator<Item = &Id> {
        let from = Bound::Included((key.to_owned(), Id::from("")));
        let rows = self.rows.range((from, Bound::Unbounded));
        let key = key.to_owned();
        rows.take_while(move |(found, _)| *found == key).map(|(_, id)| id)
    }

    fn insert(&mut self, key: Option<String>, id: &Id) {
        if let Some(key) = key {
            self.rows.insert((key, id.clone()));
        }
    }

    fn remove(&mut self, key: Option<String>, id: &Id) {
        if let Some(key) = key {
            self.rows.remove(&(key, id.clone()));
        }
    }
}

/// Whether a user document counts as active; one that does not say is active.
pub(crate) fn is_active(doc: &Value) -> bool {
    doc.get("active").and_then(Value::as_bool).unwrap_or(true)
}

/// A string attribute of a document.
pub(crate) fn text(doc: &Value, name: &str) -> Option<String> {
    doc.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn folded(doc: &Value, name: &str) -> Option<String> {
    doc.get(name).and_then(Value::as_str).map(scim::resource::fold)
}

fn put_id(doc: &mut Value, id: &Id) {
    if let Some(members) = doc.as_object_mut() {
        members.insert("id".to_owned(), Value::from(&**id));
    }
}
