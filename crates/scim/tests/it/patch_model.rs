//! PATCH against a small reference model: a user with three flat attributes and two sets, described independently.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use scim::patch::apply;
use scim::{PatchRequest, ResourceType, validate};
use serde_json::{Map, Value, json};

/// What the model knows: names to text, and role values.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    flat: BTreeMap<&'static str, String>,
    roles: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Change {
    Set { op: &'static str, name: &'static str, value: Option<String> },
    Unset(&'static str),
    SetMany { op: &'static str, values: BTreeMap<&'static str, String>, roles: Option<Vec<String>> },
    AddRoles(Vec<String>),
    ReplaceRoles(Vec<String>),
    RemoveRole(String),
    RemoveListed(Vec<String>),
    RemoveAllRoles,
    Unknown(&'static str),
    ReadOnly(&'static str),
}

const NAMES: [&str; 4] = ["userName", "title", "name.givenName", "name.familyName"];

impl Model {
    /// `None` if the change must be refused.
    fn after(mut self, change: &Change) -> Option<Self> {
        match change {
            Change::Set { op, name, value } => self.set(op, name, value.as_deref())?,
            Change::Unset(name) => self.set("remove", name, None)?,
            Change::SetMany { op, values, roles } => {
                for (name, value) in values {
                    self.set(op, name, Some(value))?;
                }
                match roles {
                    Some(roles) if *op == "replace" => self.roles = roles.iter().cloned().collect(),
                    Some(roles) => self.roles.extend(roles.iter().cloned()),
                    None => {}
                }
            }
            Change::AddRoles(roles) => self.roles.extend(roles.iter().cloned()),
            Change::ReplaceRoles(roles) => self.roles = roles.iter().cloned().collect(),
            Change::RemoveRole(role) => {
                if !self.roles.remove(role) {
                    return None;
                }
            }
            Change::RemoveListed(roles) => self.roles.retain(|role| !roles.contains(role)),
            Change::RemoveAllRoles => self.roles.clear(),
            Change::Unknown(_) | Change::ReadOnly(_) => return None,
        }
        Some(self)
    }

    fn set(&mut self, op: &str, name: &'static str, value: Option<&str>) -> Option<()> {
        match value {
            Some(value) => {
                if name == "userName" && value.is_empty() {
                    return None;
                }
                self.flat.insert(name, value.to_owned());
            }
            None if op == "add" => {}
            None if name == "userName" => return None,
            None => {
                self.flat.remove(name);
            }
        }
        Some(())
    }

    fn resource(&self) -> Value {
        let mut resource = Map::from_iter([("id".to_owned(), json!("u1"))]);
        for (name, value) in &self.flat {
            match name.split_once('.') {
                None => resource.insert((*name).to_owned(), json!(value)),
                Some((parent, sub)) => {
                    let parent = resource.entry(parent).or_insert_with(|| json!({}));
                    parent.as_object_mut().expect("an object").insert(sub.to_owned(), json!(value))
                }
            };
        }
        if !self.roles.is_empty() {
            resource.insert("roles".to_owned(), values(self.roles.iter()));
        }
        Value::Object(resource)
    }
}

impl Change {
    fn operation(&self) -> Value {
        match self {
            Change::Set { op, name, value } => json!({"op": op, "path": name, "value": value}),
            Change::Unset(name) => json!({"op": "remove", "path": name}),
            Change::SetMany { op, values: flat, roles } => {
                let mut value: Map<String, Value> =
                    flat.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                if let Some(roles) = roles {
                    value.insert("ROLES".to_owned(), values(roles.iter()));
                }
                json!({"op": op, "value": value})
            }
            Change::AddRoles(roles) => json!({"op": "ADD", "path": "roles", "value": values(roles.iter())}),
            Change::ReplaceRoles(roles) => {
                json!({"op": "Replace", "path": "roles", "value": values(roles.iter())})
            }
            Change::RemoveRole(role) => {
                json!({"op": "remove", "path": format!("roles[value eq \"{role}\"]")})
            }
            Change::RemoveListed(roles) => {
                json!({"op": "remove", "path": "roles", "value": values(roles.iter())})
            }
            Change::RemoveAllRoles => json!({"op": "remove", "path": "roles"}),
            Change::Unknown(op) => json!({"op": op, "path": "shoeSize", "value": 44}),
            Change::ReadOnly(op) => json!({"op": op, "path": "id", "value": "other"}),
        }
    }
}

fn values<'a>(roles: impl Iterator<Item = &'a String>) -> Value {
    roles.map(|role| json!({"value": role})).collect()
}

fn role() -> impl Strategy<Value = String> {
    "[a-d]"
}

fn change() -> impl Strategy<Value = Change> {
    let op = || prop_oneof![Just("add"), Just("replace")];
    let name = || proptest::sample::select(&NAMES[..]);
    let text = || "[xyz]{1,2}";
    prop_oneof![
        4 => (op(), name(), proptest::option::weighted(0.9, text())).prop_map(|(op, name, value)| Change::Set { op, name, value }),
        2 => name().prop_map(Change::Unset),
        3 => (op(), proptest::collection::btree_map(name(), text(), 0..3), proptest::option::of(vec(role(), 0..3)))
            .prop_map(|(op, values, roles)| Change::SetMany { op, values, roles }),
        3 => vec(role(), 0..4).prop_map(Change::AddRoles),
        1 => vec(role(), 0..4).prop_map(Change::ReplaceRoles),
        3 => role().prop_map(Change::RemoveRole),
        2 => vec(role(), 0..3).prop_map(Change::RemoveListed),
        1 => Just(Change::RemoveAllRoles),
        1 => prop_oneof![Just("add"), Just("remove")].prop_map(Change::Unknown),
        1 => prop_oneof![Just("replace"), Just("remove")].prop_map(Change::ReadOnly),
    ]
}

/// The order of values in a list does not count.
fn sorted(mut resource: Value) -> Value {
    if let Some(list) = resource.get_mut("roles").and_then(Value::as_array_mut) {
        list.sort_by_key(Value::to_string);
    }
    resource
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn apply_does_what_the_model_does_or_nothing(requests in vec(vec(change(), 1..5), 1..6)) {
        let rt = ResourceType::user();
        let mut model = Model::default();
        model.flat.insert("userName", "ann".to_owned());
        let mut resource = model.resource();
        for request in requests {
            let operations: Vec<Value> = request.iter().map(Change::operation).collect();
            let body = PatchRequest::from_json(&json!({"Operations": operations})).expect("a request");
            let before = resource.clone();
            let expected = request.iter().try_fold(model.clone(), |model, change| model.after(change));
            match (apply(&rt, &resource, &body), expected) {
                (Ok(changed), Some(after)) => {
                    prop_assert_eq!(sorted(changed.clone()), after.resource(), "{:?}", request);
                    // What PATCH leaves is what POST would accept.
                    prop_assert!(validate(&rt, &changed).is_ok());
                    resource = changed;
                    model = after;
                }
                (Err(error), None) => {
                    prop_assert_eq!(error.status, 400);
                    prop_assert_eq!(&resource, &before);
                }
                (actual, expected) => prop_assert!(false, "{:?}\n{:?}\n{:?}", request, actual, expected),
            }
        }
    }

    #[test]
    fn applying_twice_changes_nothing_more(change in change().prop_filter("repeatable", |change| {
        matches!(change, Change::Set { .. } | Change::SetMany { .. } | Change::ReplaceRoles(_) | Change::RemoveListed(_))
    })) {
        let operations = [change.operation()];
        let body = PatchRequest::from_json(&json!({"Operations": operations})).expect("a request");
        let user = json!({"userName": "ann", "roles": [{"value": "a"}]});
        if let Ok(once) = apply(&ResourceType::user(), &user, &body) {
            prop_assert_eq!(apply(&ResourceType::user(), &once, &body), Ok(once));
        }
    }
}
