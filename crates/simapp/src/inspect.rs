//! Out of band: looking at what the app holds and saw, editing it by hand as an admin of the app would, switching faults.

use crate::app::App;
use crate::call::Kind;
use crate::faults::{Fault, FaultStatus};
use crate::members::MemberEdit;
use crate::seen::{Seen, SeenRequest};
use crate::state::Id;
use crate::users;
use scim::Projection;
use scim::{PatchPath, ScimError};
use serde_json::Value;

/// Why an edit by hand was refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Nobody has this id or name.
    #[error("there is no {kind} with the id or name {name:?}")]
    NotFound {
        /// `user`, `group`, `member` or `fault`.
        kind: &'static str,
        /// The id or name that was given.
        name: String,
    },
    /// The edit makes no valid resource.
    #[error("the edit is not valid: {0}")]
    Invalid(String),
}

impl App {
    /// All users as a GET shows them, in the order of their ids.
    pub fn users(&self) -> Vec<Value> {
        let all = Projection::default();
        self.state.users.values().map(|user| self.view().user(user, &all)).collect()
    }

    /// All groups as a GET shows them, members included, in the order of their ids.
    pub fn groups(&self) -> Vec<Value> {
        let all = Projection::default();
        self.state.groups.values().map(|group| self.view().group(group, &all)).collect()
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<Value> {
        self.state.user(id).map(|user| self.view().user(user, &Projection::default()))
    }

    /// The group with this id.
    pub fn group(&self, id: &str) -> Option<Value> {
        self.state.group(id).map(|group| self.view().group(group, &Projection::default()))
    }

    /// The first user with this `userName`, compared without case.
    pub fn user_by_name(&self, user_name: &str) -> Option<Value> {
        let id =
            self.state.user_names.ids(&scim::fold(user_name)).find(|id| self.state.user(id).is_some())?;
        self.user(id)
    }

    /// The first group with this `displayName`, compared without case.
    pub fn group_by_name(&self, display_name: &str) -> Option<Value> {
        self.group(self.state.group_names.ids(&scim::fold(display_name)).next()?)
    }

    /// Deletes a user, given by id or `userName`, and its memberships.
    pub fn delete_user(&mut self, user: &str, now_ms: i64) -> Result<(), EditError> {
        let id = self.find(Kind::Users, user)?;
        self.state.delete_user(&id, now_ms);
        Ok(())
    }

    /// Deletes a group, given by id or `displayName`.
    pub fn delete_group(&mut self, group: &str, now_ms: i64) -> Result<(), EditError> {
        let id = self.find(Kind::Groups, group)?;
        self.state.delete_group(&id, now_ms);
        Ok(())
    }

    /// Gives a group, named by id or `displayName`, another `displayName`.
    pub fn rename_group(&mut self, group: &str, display_name: &str, now_ms: i64) -> Result<(), EditError> {
        let id = self.find(Kind::Groups, group)?;
        let mut doc = self.state.group(&id).map(|group| group.doc.clone()).unwrap_or_default();
        doc["displayName"] = Value::from(display_name);
        self.state.update_group(&id, doc, MemberEdit::default(), now_ms);
        Ok(())
    }

    /// Sets an attribute of a user (by id or `userName`) at a SCIM path; null removes it. No rule of uniqueness applies.
    pub fn set_user(&mut self, user: &str, path: &str, value: Value, now_ms: i64) -> Result<(), EditError> {
        let id = self.find(Kind::Users, user)?;
        let path = PatchPath::parse(path).map_err(invalid)?;
        let mut doc = self.state.user(&id).map(|user| user.doc.clone()).unwrap_or_default();
        if value.is_null() {
            path.unset(&mut doc);
        } else {
            path.set(&mut doc, value).map_err(invalid)?;
        }
        let mut doc = scim::validate(&self.types.user, &doc).map_err(invalid)?;
        users::tidy(&mut doc, true);
        self.state.update_user(&id, doc, now_ms);
        Ok(())
    }

    /// Adds a member (a user or group, by id or name) to a group (by id or `displayName`).
    pub fn add_member(&mut self, group: &str, member: &str, now_ms: i64) -> Result<(), EditError> {
        let (group, member) = (self.find(Kind::Groups, group)?, self.find_member(member)?);
        self.edit_members(&group, now_ms, |edit, base| edit.add(base, member));
        Ok(())
    }

    /// Removes a member (a user or group, by id or name) from a group (by id or `displayName`).
    pub fn remove_member(&mut self, group: &str, member: &str, now_ms: i64) -> Result<(), EditError> {
        let (group, member) = (self.find(Kind::Groups, group)?, self.find_member(member)?);
        self.edit_members(&group, now_ms, |edit, base| edit.remove(base, &member));
        Ok(())
    }

    /// Accepts this token from now on, and no other; `None` accepts everybody.
    pub fn set_token(&mut self, token: Option<String>) {
        self.config.token = token;
    }

    /// Sets what stands before the path in locations, for example `http://127.0.0.1:8080`.
    pub fn set_public_url(&mut self, url: &str) {
        self.config.public_url = url.trim_end_matches('/').to_owned();
    }

    /// The counters since the start or the last [`App::reset_seen`].
    pub fn seen(&self) -> &Seen {
        &self.watch.seen
    }

    /// The last 10,000 requests, oldest first.
    pub fn recent_requests(&self) -> impl Iterator<Item = &SeenRequest> {
        self.watch.log()
    }

    /// Sets all counters to zero and empties the request log.
    pub fn reset_seen(&mut self) {
        self.watch.reset();
    }

    /// Unloads all faults and loads these.
    pub fn set_faults(&mut self, faults: Vec<Fault>) {
        self.rules.set(faults);
        self.faults_changed();
    }

    /// Loads one more fault, after those already there.
    pub fn add_fault(&mut self, fault: Fault) {
        self.rules.add(fault);
        self.faults_changed();
    }

    /// Switches the loaded faults that have this name, or were written like this.
    pub fn switch_fault(&mut self, name: &str, on: bool) -> Result<(), EditError> {
        let count = self.rules.switch(name, on);
        self.fault_found(name, count)
    }

    /// Unloads the faults that have this name, or were written like this.
    pub fn remove_fault(&mut self, name: &str) -> Result<(), EditError> {
        let count = self.rules.remove(name);
        self.fault_found(name, count)
    }

    /// The loaded faults and how often each took effect.
    pub fn faults(&self) -> Vec<FaultStatus> {
        self.rules.status()
    }

    fn faults_changed(&mut self) {
        self.state.history.keep(self.rules.history_ms());
    }

    fn fault_found(&mut self, name: &str, count: usize) -> Result<(), EditError> {
        self.faults_changed();
        if count == 0 { Err(EditError::NotFound { kind: "fault", name: name.to_owned() }) } else { Ok(()) }
    }

    fn find(&self, kind: Kind, name: &str) -> Result<Id, EditError> {
        let (by_id, index, word) = match kind {
            Kind::Users => {
                (self.state.users.get_key_value(name).map(|(id, _)| id), &self.state.user_names, "user")
            }
            Kind::Groups => {
                (self.state.groups.get_key_value(name).map(|(id, _)| id), &self.state.group_names, "group")
            }
        };
        let key = scim::fold(name);
        let found = by_id.or_else(|| index.ids(&key).find(|id| self.state.exists(id)));
        found.cloned().ok_or_else(|| EditError::NotFound { kind: word, name: name.to_owned() })
    }

    fn find_member(&self, name: &str) -> Result<Id, EditError> {
        let found = self.find(Kind::Users, name).or_else(|_| self.find(Kind::Groups, name));
        found.map_err(|_| EditError::NotFound { kind: "member", name: name.to_owned() })
    }

    fn edit_members(
        &mut self,
        group: &Id,
        now_ms: i64,
        change: impl FnOnce(&mut MemberEdit, &std::collections::BTreeSet<Id>),
    ) {
        let Some(found) = self.state.group(group) else { return };
        let mut edit = MemberEdit::default();
        change(&mut edit, &found.members);
        let doc = found.doc.clone();
        self.state.update_group(group, doc, edit, now_ms);
    }
}

fn invalid(error: ScimError) -> EditError {
    EditError::Invalid(error.detail)
}
