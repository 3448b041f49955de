//! What the app should hold, derived from the example files alone: nothing here uses the planner or the database.

use std::collections::{BTreeMap, BTreeSet};

use super::read_back::{Account, Held};

/// The example directory, built into the program so that the demo runs anywhere.
pub(crate) const USERS: &str = include_str!("../../../../examples/users.csv");
/// Groups.
pub(crate) const GROUPS: &str = include_str!("../../../../examples/groups.csv");
/// Members.
pub(crate) const MEMBERS: &str = include_str!("../../../../examples/members.csv");
/// Everybody is assigned through this group, and it is pushed too.
pub(crate) const EVERYONE: &str = "Everyone at Meridian";

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Accounts by userName and groups by name, as they should be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Users in the directory, inactive ones included.
    pub(crate) users_in_directory: usize,
    /// Accounts by userName.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Members (userNames) by displayName.
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
}

impl Expected {
    /// Derives everything from the files: active users have an account, groups hold their active members, nested ones
    /// included.
    pub(crate) fn from_files() -> Self {
        let users = rows(USERS);
        let active: BTreeMap<&str, &BTreeMap<String, String>> = users
            .iter()
            .filter(|row| row["active"] == "true")
            .map(|row| (row["externalId"].as_str(), row))
            .collect();
        let accounts = active.values().map(|row| (row["userName"].clone(), account(row, &active))).collect();
        let names: BTreeMap<String, String> = rows(GROUPS)
            .into_iter()
            .map(|row| (row["externalId"].clone(), row["displayName"].clone()))
            .collect();
        let mut direct: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows(MEMBERS) {
            direct.entry(row["group"].clone()).or_default().push(row["member"].clone());
        }
        let groups = names
            .iter()
            .map(|(id, name)| {
                let mut keys = BTreeSet::new();
                gather(id, &direct, &names, &mut keys);
                let members = keys.iter().filter_map(|key| active.get(key.as_str()));
                (name.clone(), members.map(|row| row["userName"].clone()).collect())
            })
            .collect();
        Self { users_in_directory: users.len(), accounts, groups }
    }

    /// What differs between this and what the app holds, one line each.
    pub(crate) fn differences(&self, held: &Held) -> Vec<String> {
        let mut found = vec![];
        for (name, expected) in &self.accounts {
            match held.accounts.get(name) {
                None => found.push(format!("account {name} is missing")),
                Some(account) if account != expected => {
                    found.push(format!("account {name} is {account:?} instead of {expected:?}"));
                }
                Some(_) => {}
            }
        }
        found.extend(
            held.accounts
                .keys()
                .filter(|name| !self.accounts.contains_key(*name))
                .map(|name| format!("account {name} is surplus")),
        );
        found.extend(held.duplicates.iter().map(|name| format!("{name} is there twice")));
        for (name, expected) in &self.groups {
            match held.groups.get(name) {
                None => found.push(format!("group {name} is missing")),
                Some(members) => {
                    found.extend(
                        expected.difference(members).map(|user| format!("{user} is missing in {name}")),
                    );
                    found.extend(
                        members.difference(expected).map(|user| format!("{user} is surplus in {name}")),
                    );
                }
            }
        }
        found.extend(
            held.groups
                .keys()
                .filter(|name| !self.groups.contains_key(*name))
                .map(|name| format!("group {name} is surplus")),
        );
        found
    }
}

fn gather(
    group: &str,
    direct: &BTreeMap<String, Vec<String>>,
    groups: &BTreeMap<String, String>,
    into: &mut BTreeSet<String>,
) {
    for member in direct.get(group).into_iter().flatten() {
        if groups.contains_key(member) {
            gather(member, direct, groups, into);
        } else {
            into.insert(member.clone());
        }
    }
}

fn account(row: &BTreeMap<String, String>, active: &BTreeMap<&str, &BTreeMap<String, String>>) -> Account {
    let text = |name: &str| row.get(name).cloned().unwrap_or_default();
    Account {
        given_name: text("name.givenName"),
        family_name: text("name.familyName"),
        display_name: text("displayName"),
        title: text("title"),
        user_type: text("userType"),
        locale: text("locale"),
        email: text("emails[type eq \"work\"].value"),
        department: text(&format!("{ENTERPRISE}:department")),
        manager: active
            .get(text(&format!("{ENTERPRISE}:manager.value")).as_str())
            .map(|manager| manager["userName"].clone())
            .unwrap_or_default(),
        active: true,
    }
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("the built-in example files are well-formed CSV")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_give_accounts_for_active_users_only_and_nested_members() {
        let expected = Expected::from_files();
        assert!(expected.users_in_directory >= 200 && expected.groups.len() >= 12);
        assert!(expected.accounts.len() < expected.users_in_directory);
        assert_eq!(expected.groups[EVERYONE].len(), expected.accounts.len());
        assert!(expected.groups["Platform"].is_subset(&expected.groups["Engineering"]));
        assert!(!expected.accounts.keys().any(|name| name.starts_with("pieter.")));
        let differences = expected.differences(&Held::default());
        assert_eq!(differences.len(), expected.accounts.len() + expected.groups.len());
    }
}
