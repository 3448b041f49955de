//! What one SCIM document says and another does not: for comparing an export of an identity provider with the directory.

use serde::Serialize;
use serde_json::Value;

/// An attribute that the two hold differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeDifference {
    /// Its SCIM path.
    pub path: String,
    /// What the export says.
    pub theirs: String,
    /// What the directory says; empty: nothing.
    pub ours: String,
}

/// What `theirs` says and `ours` does not, in the order of the paths. What only `ours` has is no difference: an export seldom
/// has every attribute. Names and addresses are compared without regard to letter case.
pub fn differences(theirs: &Value, ours: &Value) -> Vec<AttributeDifference> {
    let mut found = vec![];
    walk("", theirs, Some(ours), &mut found);
    found
}

fn walk(path: &str, theirs: &Value, ours: Option<&Value>, found: &mut Vec<AttributeDifference>) {
    match theirs {
        Value::Object(fields) => {
            for (name, value) in
                fields.iter().filter(|(name, _)| !["schemas", "id", "meta"].contains(&name.as_str()))
            {
                let inner = match path {
                    "" => name.clone(),
                    // An attribute of an extension follows its URN with a colon (RFC 7644 section 3.10).
                    urn if urn.starts_with("urn:") && !urn.contains(":User:") => format!("{urn}:{name}"),
                    _ => format!("{path}.{name}"),
                };
                walk(&inner, value, ours.and_then(|ours| ours.get(name)), found);
            }
        }
        Value::Array(elements) => {
            let held = ours.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for element in
                elements.iter().filter(|element| !held.iter().any(|one| within(path, element, one)))
            {
                let kind = element.get("type").and_then(Value::as_str);
                let same_kind =
                    |one: &&Value| kind.is_some() && one.get("type").and_then(Value::as_str) == kind;
                found.push(AttributeDifference {
                    path: kind.map_or_else(|| path.to_owned(), |kind| format!("{path}[type eq \"{kind}\"]")),
                    theirs: shown(element),
                    ours: held.iter().find(same_kind).map(shown).unwrap_or_default(),
                });
            }
        }
        Value::Null => {}
        single => {
            let same = ours.is_some_and(|ours| equal(path, single, ours));
            if !same {
                let ours = ours.map(shown).unwrap_or_default();
                found.push(AttributeDifference { path: path.to_owned(), theirs: shown(single), ours });
            }
        }
    }
}

/// Whether an element says nothing that the other does not; `primary` is left out, since exports seldom know it.
fn within(path: &str, theirs: &Value, ours: &Value) -> bool {
    match theirs.as_object() {
        Some(fields) => fields
            .iter()
            .filter(|(name, _)| name.as_str() != "primary")
            .all(|(name, value)| ours.get(name).is_some_and(|held| equal(path, value, held))),
        None => equal(path, theirs, ours),
    }
}

fn equal(path: &str, theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::String(theirs), Value::String(ours))
            if matches!(path, "userName" | "emails" | "displayName") =>
        {
            scim::fold(theirs) == scim::fold(ours)
        }
        _ => theirs == ours,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.get("value").map_or_else(|| value.to_string(), shown),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(theirs: &Value, ours: &Value) -> Vec<String> {
        differences(theirs, ours)
            .into_iter()
            .map(|one| format!("{} {}|{}", one.path, one.theirs, one.ours))
            .collect()
    }

    #[test]
    fn only_what_the_export_says_is_compared() {
        let ours = json!({
            "userName": "Ada@x", "title": "Engineer", "active": true, "name": {"givenName": "Ada"},
            "emails": [{"value": "ada@x", "type": "work", "primary": true}, {"value": "a@home", "type": "home"}],
            scim::urn::ENTERPRISE_USER: {"department": "R&D"},
        });
        let same = json!({
            "userName": "ada@X", "emails": [{"value": "ADA@x", "type": "work", "primary": false}], "locale": null,
            "schemas": ["a"], scim::urn::ENTERPRISE_USER: {"department": "R&D"},
        });
        assert_eq!(paths(&same, &ours), Vec::<String>::new());
        let other = json!({
            "userName": "ada@x", "title": "Chief", "active": false, "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"value": "ada@y", "type": "work"}], scim::urn::ENTERPRISE_USER: {"department": "Ops"},
        });
        assert_eq!(
            paths(&other, &ours),
            [
                "active false|true",
                "emails[type eq \"work\"] ada@y|ada@x",
                "name.familyName King|",
                "title Chief|Engineer",
                &format!("{}:department Ops|R&D", scim::urn::ENTERPRISE_USER),
            ]
        );
    }
}
