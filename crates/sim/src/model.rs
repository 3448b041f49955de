//! The directory as it should be, kept apart from the engine: what the checks compare with.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{GroupId, UserId};
use serde_json::{Value, json};

/// A user of the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) user_name: String,
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) title: Option<String>,
    pub(crate) department: Option<String>,
    /// Index of the manager.
    pub(crate) manager: Option<usize>,
    pub(crate) active: bool,
    pub(crate) deleted: bool,
    /// Assigned directly.
    pub(crate) assigned: bool,
}

/// What the app shall have of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mirror {
    Never,
    Active,
    Delete,
    Leave,
}

/// A group of the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Team {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) deleted: bool,
    pub(crate) users: BTreeSet<usize>,
    pub(crate) groups: BTreeSet<usize>,
    pub(crate) assigned: bool,
    pub(crate) mirror: Mirror,
}

/// The whole directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) people: Vec<Person>,
    pub(crate) teams: Vec<Team>,
}

impl Model {
    /// The SCIM document of a user.
    pub(crate) fn user_doc(&self, index: usize) -> Value {
        let person = &self.people[index];
        let mut doc = json!({
            "schemas": [scim::urn::USER, scim::urn::ENTERPRISE_USER],
            "userName": person.user_name,
            "name": {"givenName": person.given, "familyName": person.family},
            "displayName": format!("{} {}", person.given, person.family),
            "emails": [{"type": "work", "value": email(person)}],
            "active": person.active,
        });
        if let Some(title) = &person.title {
            doc["title"] = json!(title);
        }
        if let Some(department) = &person.department {
            doc[scim::urn::ENTERPRISE_USER]["department"] = json!(department);
        }
        if let Some(manager) = person.manager {
            doc[scim::urn::ENTERPRISE_USER]["manager"] = json!({"value": self.people[manager].id.as_str()});
        }
        doc
    }

    /// The SCIM document of a group.
    pub(crate) fn group_doc(&self, index: usize) -> Value {
        json!({"schemas": [scim::urn::GROUP], "displayName": self.teams[index].name})
    }

    /// Everybody who is in a group, directly or nested; deleted groups neither count nor pass on.
    pub(crate) fn effective(&self, team: usize) -> BTreeSet<usize> {
        let (mut members, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![team]);
        while let Some(next) = todo.pop() {
            if self.teams[next].deleted || !seen.insert(next) {
                continue;
            }
            members.extend(self.teams[next].users.iter().filter(|user| !self.people[**user].deleted));
            todo.extend(&self.teams[next].groups);
        }
        members
    }

    /// Assigned to the app, directly or through a group.
    pub(crate) fn entitled(&self, person: usize) -> bool {
        self.people[person].assigned
            || (0..self.teams.len())
                .any(|team| self.teams[team].assigned && self.effective(team).contains(&person))
    }

    /// Shall have an active account.
    pub(crate) fn wanted(&self, person: usize) -> bool {
        let found = &self.people[person];
        found.active && !found.deleted && self.entitled(person)
    }

    /// Shall be in the app.
    pub(crate) fn pushed(&self, team: usize) -> bool {
        self.teams[team].mirror == Mirror::Active && !self.teams[team].deleted
    }

    /// Nesting `inner` in `outer` would make a circle.
    pub(crate) fn would_cycle(&self, outer: usize, inner: usize) -> bool {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![inner]);
        while let Some(next) = todo.pop() {
            if next == outer {
                return true;
            }
            if seen.insert(next) {
                todo.extend(&self.teams[next].groups);
            }
        }
        false
    }

    /// The index of the user with this id.
    pub(crate) fn person_of(&self, id: &str) -> Option<usize> {
        self.people.iter().position(|person| person.id.as_str() == id)
    }

    /// What an account shall hold, by JSON pointer; null: nothing. `accounts`: id of the account by person.
    pub(crate) fn account(&self, person: usize, accounts: &BTreeMap<usize, String>) -> Vec<(String, Value)> {
        let found = &self.people[person];
        let enterprise = format!("/{}", scim::urn::ENTERPRISE_USER);
        let manager =
            found.manager.filter(|manager| self.wanted(*manager)).and_then(|manager| accounts.get(&manager));
        vec![
            ("/userName".into(), json!(found.user_name)),
            ("/name/givenName".into(), json!(found.given)),
            ("/name/familyName".into(), json!(found.family)),
            ("/displayName".into(), json!(format!("{} {}", found.given, found.family))),
            ("/title".into(), json!(found.title)),
            ("/emails/0/value".into(), json!(email(found))),
            (format!("{enterprise}/department"), json!(found.department)),
            (format!("{enterprise}/manager/value"), json!(manager)),
            ("/externalId".into(), json!(found.id.as_str())),
            ("/active".into(), json!(true)),
        ]
    }
}

fn email(person: &Person) -> String {
    format!("{}@example.com", person.user_name)
}
