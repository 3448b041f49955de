//! Attribute paths (RFC 7644 section 3.10): `userName`, `name.givenName`, `urn:…:2.0:User:manager.value`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::ScimError;
use crate::filter_lexer::shorten;
use crate::urn;

/// The path of an attribute or sub-attribute, optionally qualified by its schema's URN. Kept as written; names
/// are compared without case wherever a path is applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttrPath {
    /// The schema's URN, without the colon before the attribute.
    pub urn: Option<String>,
    /// The attribute's name.
    pub attr: String,
    /// The sub-attribute's name.
    pub sub: Option<String>,
}

/// The longest path, in bytes, that is looked at.
pub(crate) const MAX_PATH_LENGTH: usize = 8 * 1024;

/// The longest name, in characters, that a message shows whole: a URN and an attribute fit well.
const MAX_SHOWN: usize = 160;

impl AttrPath {
    /// Reads a path. URNs contain dots and colons (`2.0:User`), so the attribute begins after the last colon.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        if text.len() > MAX_PATH_LENGTH {
            return Err(ScimError::invalid_path(format!("the path is longer than {MAX_PATH_LENGTH} bytes")));
        }
        split(text).map_err(|reason| ScimError::invalid_path(format!("path {:?}: {reason}", shorten(text))))
    }

    /// A path of one unqualified attribute name, as written in code.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self { urn: None, attr: name.into(), sub: None }
    }

    /// The values that a resource holds at this path: lists are flattened, null counts as absent, names match in
    /// any letter case, and extension attributes are looked up under their URN.
    pub fn get<'a>(&self, resource: &'a Value) -> Vec<&'a Value> {
        let Some(object) = resource.as_object() else { return Vec::new() };
        let mut values =
            flatten(attribute_value(object, self.urn.as_deref(), &self.attr, self.sub.as_deref()));
        if let Some(sub) = &self.sub {
            values = values
                .into_iter()
                .filter_map(Value::as_object)
                .flat_map(|element| flatten(member(element, sub)))
                .collect();
        }
        values
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attr)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl FromStr for AttrPath {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::parse(text)
    }
}

/// A name or path as a message shows it: hostile input must not come back as a long message.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The member of that name in any letter case; an exact match wins.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The key under which an object holds that name in any letter case; the name itself if it holds none.
pub(crate) fn key_of(object: &Map<String, Value>, name: &str) -> String {
    if object.contains_key(name) {
        return name.to_owned();
    }
    object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

/// Whether attributes of that schema stand at the top level of a resource.
pub(crate) fn is_core(urn: &str) -> bool {
    urn.get(..urn::CORE_PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn::CORE_PREFIX))
}

/// What stands at an attribute, before lists are flattened.
pub(crate) fn attribute_value<'a>(
    object: &'a Map<String, Value>,
    urn: Option<&str>,
    attr: &str,
    sub: Option<&str>,
) -> Option<&'a Value> {
    let Some(urn) = urn.filter(|urn| !is_core(urn)) else { return member(object, attr) };
    match member(object, urn) {
        Some(extension) => extension.as_object().and_then(|extension| member(extension, attr)),
        // A URN alone names the extension as a whole.
        None if sub.is_none() => member(object, &format!("{urn}:{attr}")),
        None => None,
    }
}

pub(crate) fn flatten(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().filter(|item| !item.is_null()).collect(),
        Some(single) => vec![single],
    }
}

/// Splits a path's text; the error says what is wrong without repeating the text.
pub(crate) fn split(text: &str) -> Result<AttrPath, String> {
    let (urn, rest) = match text.rsplit_once(':') {
        Some((urn, rest)) => (Some(urn), rest),
        None => (None, text),
    };
    if let Some(urn) = urn {
        let printable = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '(' | ')' | '[' | ']' | '\\');
        if !urn.contains(':') || urn.starts_with(':') || urn.ends_with(':') || !urn.chars().all(printable) {
            return Err("what stands before the last ':' must be a schema URN".to_owned());
        }
    }
    let (attr, sub) = match rest.split_once('.') {
        Some((attr, sub)) => (attr, Some(sub)),
        None => (rest, None),
    };
    check_name(attr)?;
    if let Some(sub) = sub {
        check_name(sub)?;
    }
    Ok(AttrPath { urn: urn.map(str::to_owned), attr: attr.to_owned(), sub: sub.map(str::to_owned) })
}

/// ATTRNAME of RFC 7644: a letter, then letters, digits, `-` and `_`; `$ref` is the one name with a dollar.
fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.strip_prefix('$').unwrap_or(name).chars();
    let first = chars.next();
    if first.is_none() {
        return Err("an attribute name is missing".to_owned());
    }
    let starts = first.is_some_and(|c| c.is_ascii_alphabetic());
    if starts && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        Ok(())
    } else {
        Err(format!("{:?} is no attribute name (letters, digits, '-' and '_')", shorten(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<String>) {
        let path = AttrPath::parse(text).unwrap();
        assert_eq!(path.to_string(), text);
        (path.urn, path.attr, path.sub)
    }

    #[test]
    fn parses_names_sub_attributes_and_urns_with_dots() {
        assert_eq!(parts("userName"), (None, "userName".into(), None));
        assert_eq!(parts("name.givenName"), (None, "name".into(), Some("givenName".into())));
        assert_eq!(parts("members.$ref"), (None, "members".into(), Some("$ref".into())));
        assert_eq!(
            parts("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"),
            (Some(urn::ENTERPRISE_USER.into()), "manager".into(), Some("value".into()))
        );
        assert_eq!(parts(urn::ENTERPRISE_USER).1, "User");
    }

    #[test]
    fn refuses_malformed_paths() {
        for text in [
            "", ".", "a.", ".b", "a.b.c", "a b", "1a", "a:b", "urn:x:", ":a", "urn::a", "é", "a[b]", "$",
            "a\"", "urn:2.0",
        ] {
            let error = AttrPath::parse(text).unwrap_err();
            assert_eq!(error.scim_type, Some(crate::ScimType::InvalidPath), "{text}");
        }
        assert!(AttrPath::parse(&"a".repeat(MAX_PATH_LENGTH + 1)).is_err());
        let error = AttrPath::parse(&"\u{feff}".repeat(2_000)).unwrap_err();
        assert!(error.detail.len() < 1_000, "a message stays short: {} bytes", error.detail.len());
    }

    #[test]
    fn gets_values_in_any_case_flattened() {
        let user = json!({
            "username": "ann",
            "emails": [{"value": "a@x", "type": "work"}, {"VALUE": "a@y"}, null, {"value": null}],
            "title": null,
            "schemas": ["a", "b"],
            (urn::ENTERPRISE_USER): {"department": "R&D", "manager": {"value": "m1"}},
        });
        let get =
            |path: &str| AttrPath::parse(path).unwrap().get(&user).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(get("userName"), [json!("ann")]);
        assert_eq!(get("emails.value"), [json!("a@x"), json!("a@y")]);
        assert_eq!(get("schemas"), [json!("a"), json!("b")]);
        assert_eq!(get("title"), Vec::<Value>::new());
        assert_eq!(get("userName.x"), Vec::<Value>::new());
        assert_eq!(get(&format!("{}:Department", urn::ENTERPRISE_USER)), [json!("R&D")]);
        assert_eq!(get(&format!("{}:manager.value", urn::ENTERPRISE_USER)), [json!("m1")]);
        assert_eq!(get(&format!("{}:userName", urn::USER)), [json!("ann")]);
        assert_eq!(get(urn::ENTERPRISE_USER).len(), 1);
        assert_eq!(get("department"), Vec::<Value>::new());
    }
}
