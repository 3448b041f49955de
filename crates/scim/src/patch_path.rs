//! Paths that select and write: `emails[type eq "work"].value`, as in PATCH (RFC 7644 section 3.5.2).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::ScimError;
use crate::filter::{CompareOp, Filter, Literal};
use crate::filter_eval;
use crate::filter_parse::parse_value_path;
use crate::path::{AttrPath, attribute_value, flatten, is_core, key_of, member};

/// An attribute, optionally one selected element of it, optionally a sub-attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchPath {
    /// The schema's URN, without the colon before the attribute.
    pub urn: Option<String>,
    /// The attribute's name.
    pub attr: String,
    /// Which elements of a multi-valued attribute are meant.
    pub filter: Option<Filter>,
    /// The sub-attribute's name.
    pub sub: Option<String>,
}

impl PatchPath {
    /// Reads a path; the same caps as for filters hold.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let (path, filter, sub) = parse_value_path(text)
            .map_err(|error| ScimError::invalid_path(format!("invalid path {error}")))?;
        Ok(Self { urn: path.urn, attr: path.attr, filter, sub })
    }

    /// The path without its element selection.
    pub fn attr_path(&self) -> AttrPath {
        AttrPath { urn: self.urn.clone(), attr: self.attr.clone(), sub: self.sub.clone() }
    }

    /// The values that a resource holds at this path. Without a schema, text is compared without case.
    pub fn get<'a>(&self, resource: &'a Value) -> Vec<&'a Value> {
        let Some(object) = resource.as_object() else { return Vec::new() };
        let mut values =
            flatten(attribute_value(object, self.urn.as_deref(), &self.attr, self.sub.as_deref()));
        if let Some(filter) = &self.filter {
            values.retain(|element| filter_eval::matches_untyped(filter, element));
        }
        match &self.sub {
            None => values,
            Some(sub) => values
                .into_iter()
                .filter_map(Value::as_object)
                .flat_map(|element| flatten(member(element, sub)))
                .collect(),
        }
    }

    /// Writes a value and creates what is missing on the way: the extension object, the complex attribute, and for
    /// an element selection made of `eq` terms the element itself. A null resource becomes an object. Fails, and
    /// changes nothing, if something of another shape stands in the way.
    pub fn set(&self, resource: &mut Value, value: Value) -> Result<(), ScimError> {
        let mut changed = resource.clone();
        if changed.is_null() {
            changed = Value::Object(Map::new());
        }
        let object = self.container(&mut changed)?;
        let key = key_of(object, &self.attr);
        match (&self.filter, &self.sub) {
            (None, None) => {
                object.insert(key, value);
            }
            (None, Some(sub)) => {
                let parent = object.entry(key).or_insert(Value::Null);
                self.write_sub(parent, sub, value)?;
            }
            (Some(filter), sub) => {
                let list = object.entry(key).or_insert(Value::Null);
                self.write_elements(list, filter, sub.as_deref(), value)?;
            }
        }
        *resource = changed;
        Ok(())
    }

    /// Removes what stands at this path, and parents that become empty; whether anything was there.
    pub fn unset(&self, resource: &mut Value) -> bool {
        let Some(object) = resource.as_object_mut() else { return false };
        let Some(urn) = self.urn.as_deref().filter(|urn| !is_core(urn)) else {
            return self.remove_from(object);
        };
        let key = key_of(object, urn);
        match object.get_mut(&key) {
            Some(Value::Object(extension)) => {
                let removed = self.remove_from(extension);
                if extension.is_empty() {
                    object.remove(&key);
                }
                removed
            }
            _ if self.sub.is_none() && self.filter.is_none() => {
                let whole = key_of(object, &format!("{urn}:{}", self.attr));
                object.remove(&whole).is_some()
            }
            _ => false,
        }
    }

    /// The object that holds the attribute: the resource, or the extension's object under its URN.
    fn container<'a>(&self, resource: &'a mut Value) -> Result<&'a mut Map<String, Value>, ScimError> {
        let object = resource.as_object_mut().ok_or_else(|| {
            ScimError::invalid_value(format!("cannot set {self}: the resource is no object"))
        })?;
        let Some(urn) = self.urn.as_deref().filter(|urn| !is_core(urn)) else { return Ok(object) };
        let key = key_of(object, urn);
        let extension = object.entry(key).or_insert(Value::Null);
        if extension.is_null() {
            *extension = Value::Object(Map::new());
        }
        extension
            .as_object_mut()
            .ok_or_else(|| ScimError::invalid_value(format!("cannot set {self}: {urn} is no object")))
    }

    fn write_sub(&self, parent: &mut Value, sub: &str, value: Value) -> Result<(), ScimError> {
        if parent.is_null() {
            *parent = Value::Object(Map::new());
        }
        let object = parent.as_object_mut().ok_or_else(|| {
            ScimError::invalid_value(format!("cannot set {self}: {} is no object", self.attr))
        })?;
        let key = key_of(object, sub);
        object.insert(key, value);
        Ok(())
    }

    fn write_elements(
        &self,
        list: &mut Value,
        filter: &Filter,
        sub: Option<&str>,
        value: Value,
    ) -> Result<(), ScimError> {
        if list.is_null() {
            *list = Value::Array(Vec::new());
        }
        let list = list.as_array_mut().ok_or_else(|| {
            ScimError::invalid_value(format!("cannot set {self}: {} is no list", self.attr))
        })?;
        let mut written = false;
        for element in list.iter_mut().filter(|element| filter_eval::matches_untyped(filter, element)) {
            match sub {
                Some(sub) => self.write_sub(element, sub, value.clone())?,
                None => *element = value.clone(),
            }
            written = true;
        }
        if written {
            return Ok(());
        }
        let mut element = element_from(filter).ok_or_else(|| {
            ScimError::no_target(format!("{self}: no element matches, and only \"eq\" terms make one"))
        })?;
        match (sub, value) {
            (Some(sub), value) => self.write_sub(&mut element, sub, value)?,
            (None, Value::Object(given)) => {
                for (name, value) in given {
                    self.write_sub(&mut element, &name, value)?;
                }
            }
            (None, other) => element = other,
        }
        list.push(element);
        Ok(())
    }

    fn remove_from(&self, object: &mut Map<String, Value>) -> bool {
        let key = key_of(object, &self.attr);
        if self.filter.is_none() && self.sub.is_none() {
            return object.remove(&key).is_some();
        }
        let Some(held) = object.get_mut(&key) else { return false };
        let mut removed = false;
        let mut strip = |element: &mut Value| {
            let selected =
                self.filter.as_ref().is_none_or(|filter| filter_eval::matches_untyped(filter, element));
            match (&self.sub, element.as_object_mut()) {
                (_, _) if !selected => true,
                (None, _) => {
                    removed = true;
                    false
                }
                (Some(sub), Some(element)) => {
                    let key = key_of(element, sub);
                    let held = element.remove(&key).is_some();
                    removed |= held;
                    // An element that was empty before is none of our business.
                    !held || !element.is_empty()
                }
                (Some(_), None) => true,
            }
        };
        let empty = match held {
            Value::Array(list) => {
                list.retain_mut(&mut strip);
                list.is_empty()
            }
            single => !strip(single),
        };
        if empty && removed {
            object.remove(&key);
        }
        removed
    }
}

/// The element that an `eq` selection describes: `type eq "work" and primary eq true`. `None` if the filter says
/// anything else, because then no single element follows from it.
pub(crate) fn element_from(filter: &Filter) -> Option<Value> {
    let mut element = Map::new();
    let terms = match filter {
        Filter::And(terms) => terms.as_slice(),
        single => std::slice::from_ref(single),
    };
    for term in terms {
        let Filter::Compare { path: AttrPath { urn: None, attr, sub: None }, op: CompareOp::Eq, value } =
            term
        else {
            return None;
        };
        let value = match value {
            Literal::String(text) => Value::from(text.as_str()),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Null => return None,
        };
        let key = key_of(&element, attr);
        if element.insert(key, value.clone()).is_some_and(|earlier| earlier != value) {
            return None;
        }
    }
    Some(Value::Object(element))
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attr)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PatchPath {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::parse(text)
    }
}

impl From<AttrPath> for PatchPath {
    fn from(path: AttrPath) -> Self {
        Self { urn: path.urn, attr: path.attr, filter: None, sub: path.sub }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::urn;

    fn path(text: &str) -> PatchPath {
        PatchPath::parse(text).unwrap()
    }

    #[test]
    fn parses_and_prints() {
        for text in [
            "userName",
            "name.givenName",
            r#"emails[type eq "work"].value"#,
            r#"members[value eq "x:y]"]"#,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            r#"urn:example:2.0:Badge:cards[active eq true and kind co "a"].number"#,
        ] {
            assert_eq!(path(text).to_string(), text);
        }
        let parsed = path(r#"emails[type eq "work"].value"#);
        assert_eq!((parsed.attr.as_str(), parsed.sub.as_deref()), ("emails", Some("value")));
        for bad in [
            "",
            "a b",
            "a[",
            "a[]",
            "a[b]",
            "a.b[c pr]",
            "a[b pr] .c",
            "a[b pr].c.d",
            "a[b pr]c",
            "a[b[c pr]]",
            "[a pr]",
        ] {
            assert!(PatchPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn set_creates_parents_extensions_and_elements() {
        let mut user = Value::Null;
        for (target, value) in [
            ("userName", "ann"),
            ("name.givenName", "Ann"),
            (r#"emails[type eq "work"].value"#, "a@x"),
            (r#"emails[type eq "work"].display"#, "Ann"),
            (r#"emails[type eq "home"].value"#, "a@y"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "m1"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:NAME.familyName", "Lee"),
        ] {
            path(target).set(&mut user, json!(value)).unwrap();
            assert_eq!(path(target).get(&user), [&json!(value)], "{target}");
        }
        assert_eq!(
            user,
            json!({
                "userName": "ann",
                "name": {"givenName": "Ann", "familyName": "Lee"},
                "emails": [{"type": "work", "value": "a@x", "display": "Ann"}, {"type": "home", "value": "a@y"}],
                (urn::ENTERPRISE_USER): {"manager": {"value": "m1"}},
            })
        );
    }

    #[test]
    fn set_refuses_other_shapes_and_changes_nothing() {
        let mut user = json!({"name": "text", "emails": {"value": "x"}});
        let before = user.clone();
        for target in ["name.givenName", r#"emails[type eq "work"].value"#, r#"phones[type co "w"].value"#] {
            assert!(path(target).set(&mut user, json!("v")).is_err(), "{target}");
            assert_eq!(user, before);
        }
        assert!(path("a").set(&mut json!([]), json!(1)).is_err());
    }

    #[test]
    fn unset_removes_and_prunes() {
        let mut user = json!({
            "name": {"givenName": "Ann"},
            "emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "b"}],
            (urn::ENTERPRISE_USER): {"department": "R"},
        });
        assert!(path("name.givenName").unset(&mut user));
        assert!(path(r#"emails[type eq "WORK"]"#).unset(&mut user));
        assert!(
            path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department").unset(&mut user)
        );
        assert_eq!(user, json!({"emails": [{"type": "home", "value": "b"}]}));
        assert!(!path(r#"emails[type eq "work"]"#).unset(&mut user));
        assert!(path("emails.value").unset(&mut user));
        assert!(path("emails.type").unset(&mut user));
        assert_eq!(user, json!({}));
        let mut odd = json!({"emails": [{}, {"type": "x"}]});
        assert!(!path("emails.value").unset(&mut odd));
        assert_eq!(odd, json!({"emails": [{}, {"type": "x"}]}), "nothing was there, nothing changes");
    }
}
