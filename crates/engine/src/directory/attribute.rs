//! Attributes of users and groups named by SCIM paths and given as text, typed by the schema.

use scim::{AttributeType, Mutability, PatchPath, ResourceType};
use serde_json::{Value, json};

/// A path that takes one value written as text: a column of a file, or `--set PATH=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct TextAttribute {
    path: PatchPath,
    kind: AttributeType,
}

impl TextAttribute {
    /// Reads a path such as `userName`, `name.givenName`, `emails[type eq "work"].value` (RFC 7644 section 3.5.2). The
    /// error says what is wrong and what to do next.
    pub fn parse(resource_type: &ResourceType, text: &str) -> Result<Self, String> {
        Self::parse_hinting(resource_type, text, true)
    }

    /// The same; an error says what was most likely meant only if that is wanted, since it takes a search.
    pub(crate) fn parse_hinting(
        resource_type: &ResourceType,
        text: &str,
        hint: bool,
    ) -> Result<Self, String> {
        let parsed = PatchPath::parse(text).ok().and_then(|path| {
            let (parent, leaf) = resource_type.resolve_with_parent(&path.attr_path())?;
            Some((path, parent, leaf))
        });
        let Some((mut path, parent, leaf)) = parsed else {
            return Err(unknown(resource_type, text, hint));
        };
        let outer = parent.unwrap_or(leaf);
        if outer.name == "password" {
            return Err(format!("'{text}' is a secret that the directory does not keep; leave it out"));
        }
        if outer.name == "members" {
            return Err("members belong in a file of their own with the columns group,member".to_owned());
        }
        if leaf.mutability == Mutability::ReadOnly
            || outer.mutability == Mutability::ReadOnly
            || outer.name == "schemas"
        {
            return Err(format!("'{text}' is set by the directory and cannot be given; leave it out"));
        }
        if outer.multi_valued && (path.filter.is_none() || parent.is_none()) {
            let example = default_path(&outer.name, outer.sub("value").is_some());
            return Err(format!(
                "'{text}' holds several values; say which one is meant, for example {example}"
            ));
        }
        if path.filter.is_some() && !outer.multi_valued {
            return Err(format!("'{text}' holds one value; leave out the part in brackets"));
        }
        if leaf.kind == AttributeType::Complex {
            let part = leaf.sub_attributes.first().map_or("value", |sub| sub.name.as_str());
            return Err(format!("'{text}' consists of parts; name one, for example {text}.{part}"));
        }
        path.urn =
            path.urn.and_then(|urn| resource_type.extension(&urn).map(|extension| extension.id.clone()));
        path.attr.clone_from(&outer.name);
        path.sub = parent.map(|_| leaf.name.clone());
        path.set(&mut json!({}), Value::Null).map_err(|error| error.detail)?;
        Ok(Self { path, kind: leaf.kind })
    }

    /// The path in the schema's letter case.
    pub fn text(&self) -> String {
        self.path.to_string()
    }

    /// Whether it is the core attribute of that name.
    pub fn is(&self, name: &str) -> bool {
        self.path.urn.is_none() && self.path.sub.is_none() && self.path.attr == name
    }

    /// Writes the value. The error says what the attribute takes.
    pub fn set(&self, doc: &mut Value, text: &str) -> Result<(), String> {
        let value = match self.kind {
            AttributeType::Boolean => match text.trim().to_ascii_lowercase().as_str() {
                "true" => json!(true),
                "false" => json!(false),
                _ => return Err(format!("must be true or false, not '{}'", shortened(text))),
            },
            AttributeType::Integer => {
                let whole = text.trim().parse::<i64>();
                json!(whole.map_err(|_| format!("must be a whole number, not '{}'", shortened(text)))?)
            }
            AttributeType::Decimal => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => json!(number),
                _ => return Err(format!("must be a number, not '{}'", shortened(text))),
            },
            _ => json!(text),
        };
        self.path.set(doc, value).map_err(|error| error.detail)
    }

    /// Takes the value away; with `.value` of a selected element, the whole element.
    pub fn clear(&self, doc: &mut Value) {
        if self.path.filter.is_some() && self.path.sub.as_deref() == Some("value") {
            PatchPath { sub: None, ..self.path.clone() }.unset(doc);
        } else {
            self.path.unset(doc);
        }
    }
}

/// The part of a text that a message quotes.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn unknown(resource_type: &ResourceType, text: &str, hint: bool) -> String {
    let near = if hint { nearest(resource_type, text) } else { None };
    let hint = near.map(|path| format!("; the nearest known is {path}")).unwrap_or_default();
    format!("'{}' is no attribute of a {}{hint}", shortened(text), resource_type.name)
}

/// Letters by which a text may differ from what it most likely means.
const DISTANCE_MAX: usize = 12;

/// The known path that a text most likely means.
fn nearest(resource_type: &ResourceType, text: &str) -> Option<String> {
    let wanted = plain(text);
    if wanted.is_empty() || wanted.chars().count() > 100 {
        return None;
    }
    let letters = wanted.chars().count();
    let farthest = letters.div_ceil(2).min(DISTANCE_MAX);
    // The lengths alone rule most candidates out, before anything is copied.
    let near = |candidate: &str| {
        let others = candidate.chars().filter(|c| c.is_alphanumeric()).count();
        let possible = others.abs_diff(letters) <= farthest;
        if possible { distance(&wanted, &plain(candidate), farthest) } else { usize::MAX }
    };
    let candidates = known_paths(resource_type).into_iter().map(|(path, name)| {
        // `phone` most likely means phoneNumbers.
        let is_part = wanted.len() > 3 && name.len() >= wanted.len() && plain(&name).contains(&wanted);
        let far = if is_part { 1 } else { usize::MAX };
        (near(&path).min(near(&name)).min(far), path)
    });
    let (far, path) = candidates.min_by_key(|(far, _)| *far)?;
    (far <= farthest).then_some(path)
}

/// Every path that may be given, and the short name that people use for it.
fn known_paths(resource_type: &ResourceType) -> Vec<(String, String)> {
    let mut known = vec![("externalId".to_owned(), "id".to_owned())];
    let core = resource_type.schema.attributes.iter().map(|attribute| (String::new(), attribute));
    let extended = resource_type.extensions.iter().flat_map(|extension| {
        extension.attributes.iter().map(|attribute| (format!("{}:", extension.id), attribute))
    });
    for (prefix, attribute) in core.chain(extended) {
        let name = &attribute.name;
        if attribute.mutability == Mutability::ReadOnly || name == "password" || name == "members" {
            continue;
        }
        if attribute.multi_valued {
            let path = default_path(name, attribute.sub("value").is_some());
            known.push((format!("{prefix}{path}"), name.trim_end_matches('s').to_owned()));
        } else if attribute.kind == AttributeType::Complex {
            let parts = attribute.sub_attributes.iter().filter(|sub| sub.mutability != Mutability::ReadOnly);
            known.extend(parts.map(|sub| {
                let short = if sub.name == "value" { name } else { &sub.name };
                (format!("{prefix}{name}.{}", sub.name), short.clone())
            }));
        } else {
            known.push((format!("{prefix}{name}"), name.clone()));
        }
    }
    known
}

fn default_path(name: &str, has_value: bool) -> String {
    format!("{name}[type eq \"work\"].{}", if has_value { "value" } else { "formatted" })
}

/// Letters and digits in lower case: `Given Name`, `given_name` and `givenName` are the same.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Levenshtein distance in characters, as far as it is at most `farthest`: of most texts that is soon clear.
fn distance(a: &str, b: &str, farthest: usize) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().all(|so_far| *so_far > farthest) {
            return usize::MAX;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::resource::{group_type, user_type};

    fn refusal(text: &str) -> String {
        TextAttribute::parse(user_type(), text).unwrap_err()
    }

    #[test]
    fn text_is_typed_by_the_schema_and_written_in_its_letter_case() {
        let mut doc = json!({});
        for (path, text) in [
            ("USERNAME", "ann"),
            ("name.givenname", "Ann"),
            ("emails[type eq \"work\"].VALUE", "a@x"),
            ("active", "FALSE"),
            ("URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager.value", "m"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", "Dr"),
        ] {
            TextAttribute::parse(user_type(), path).unwrap().set(&mut doc, text).unwrap();
        }
        let expected = json!({
            "userName": "ann", "name": {"givenName": "Ann"}, "emails": [{"type": "work", "value": "a@x"}],
            "active": false, "title": "Dr", (scim::urn::ENTERPRISE_USER): {"manager": {"value": "m"}},
        });
        assert_eq!(doc, expected);
        let email = TextAttribute::parse(user_type(), "emails[type eq \"work\"].value").unwrap();
        email.clear(&mut doc);
        assert_eq!(doc.get("emails"), None);
        let active = TextAttribute::parse(user_type(), "active").unwrap();
        assert_eq!(active.set(&mut doc, "ja").unwrap_err(), "must be true or false, not 'ja'");
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (path, part) in [
            ("id", "set by the directory"),
            ("groups.value", "set by the directory"),
            ("password", "secret"),
            ("emails", "for example emails[type eq \"work\"].value"),
            ("emails.value", "holds several values"),
            ("name", "name one, for example name.formatted"),
            ("userName[type eq \"x\"]", "leave out the part in brackets"),
            ("Given Name", "the nearest known is name.givenName"),
            (
                "departement",
                "the nearest known is urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            ),
            ("email", "the nearest known is emails[type eq \"work\"].value"),
            (
                "manager",
                "the nearest known is urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            ),
            ("emails[type co \"w\"].value", "only \"eq\" terms make one"),
        ] {
            let message = refusal(path);
            assert!(message.contains(part), "{path}: {message}");
        }
        assert!(!refusal("zzqqxxzzqq").contains("nearest"));
        assert!(
            TextAttribute::parse(group_type(), "members.value").unwrap_err().contains("file of their own")
        );
        assert!(TextAttribute::parse(group_type(), "name").unwrap_err().contains("displayName"));
    }
}
