//! The order of a list answer (RFC 7644 section 3.4.2.3).

use std::cmp::Ordering;

use serde_json::Value;

use crate::datetime::parse_datetime;
use crate::error::ScimError;
use crate::path::{AttrPath, attribute_value, flatten, member};
use crate::resource::{fold, is_primary};
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType, Returned};

/// What a resource is sorted by. Keys of one attribute are of one kind, so they compare as the RFC asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// false before true.
    Bool(bool),
    /// By size.
    Integer(i128),
    /// By size.
    Decimal(Decimal),
    /// Seconds since 1970 and nanoseconds: earlier first.
    Time(i64, u32),
    /// By code points, folded unless the attribute is case-exact.
    Text(String),
}

impl SortKey {
    /// As text; [`SortKey::parse`] reads it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Bool(value) => format!("b{}", u8::from(*value)),
            Self::Integer(value) => format!("i{value}"),
            Self::Decimal(Decimal(value)) => format!("d{}", value.to_bits()),
            Self::Time(seconds, nanos) => format!("t{seconds}.{nanos}"),
            Self::Text(text) => format!("x{text}"),
        }
    }

    /// From the text of [`SortKey::to_text`].
    pub fn parse(text: &str) -> Option<Self> {
        let kind = text.chars().next()?;
        let rest = &text[kind.len_utf8()..];
        match kind {
            'b' => Some(Self::Bool(rest == "1")),
            'i' => rest.parse().ok().map(Self::Integer),
            'd' => rest.parse().ok().map(|bits| Self::Decimal(Decimal(f64::from_bits(bits)))),
            't' => {
                let (seconds, nanos) = rest.split_once('.')?;
                Some(Self::Time(seconds.parse().ok()?, nanos.parse().ok()?))
            }
            'x' => Some(Self::Text(rest.to_owned())),
            _ => None,
        }
    }
}

/// A number that has a total order.
#[derive(Clone, Copy, Debug)]
pub struct Decimal(f64);

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

/// What a resource is sorted by; `None` if it holds nothing there. Of several values the primary one counts, else
/// the first; of a complex value its `value`.
pub fn sort_key(rt: &ResourceType, path: &AttrPath, resource: &Value) -> Option<SortKey> {
    let (parent, leaf) = rt.resolve_with_parent(path)?;
    let object = resource.as_object()?;
    let held = attribute_value(object, path.urn.as_deref(), &path.attr, path.sub.as_deref());
    let chosen = chosen(held)?;
    let value = match parent {
        Some(_) => chosen_sub(chosen, &leaf.name)?,
        None => chosen,
    };
    let compared = leaf.comparable()?;
    let value = if leaf.kind == AttributeType::Complex { chosen_sub(value, "value")? } else { value };
    key_of(compared, value)
}

/// Refuses, with `invalidPath`, what nothing can be sorted by: unknown attributes, complex ones without `value`,
/// and those never returned, whose order would give them away.
pub fn check_sort(rt: &ResourceType, path: &AttrPath) -> Result<(), ScimError> {
    let refuse = |reason: String| Err(ScimError::invalid_path(format!("sortBy: {reason}")));
    let Some((parent, leaf)) = rt.resolve_with_parent(path) else {
        return refuse(format!("a {} has no attribute {path}", rt.name));
    };
    if parent.into_iter().chain([leaf]).any(|attribute| attribute.returned == Returned::Never) {
        return refuse(format!("{path} is never returned, so nothing is sorted by it"));
    }
    if leaf.comparable().is_none() {
        let example = leaf.sub_attributes.first().map_or("value", |sub| sub.name.as_str());
        return refuse(format!("{path} is complex: sort by a sub-attribute, such as {path}.{example}"));
    }
    Ok(())
}

/// The order of two resources by their keys: who has none comes last, and first when descending.
pub fn compare(a: Option<&SortKey>, b: Option<&SortKey>, descending: bool) -> Ordering {
    let order = match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (None, None) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    };
    if descending { order.reverse() } else { order }
}

fn chosen(held: Option<&Value>) -> Option<&Value> {
    let values = flatten(held);
    values.iter().find(|value| is_primary(value)).or(values.first()).copied()
}

fn chosen_sub<'a>(value: &'a Value, sub: &str) -> Option<&'a Value> {
    chosen(member(value.as_object()?, sub))
}

fn key_of(attribute: &Attribute, value: &Value) -> Option<SortKey> {
    match (attribute.kind, value) {
        (AttributeType::Boolean, Value::Bool(value)) => Some(SortKey::Bool(*value)),
        (AttributeType::Integer, Value::Number(number)) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.map(SortKey::Integer)
        }
        // Adding zero makes -0 and 0 the same.
        (AttributeType::Decimal, Value::Number(number)) => {
            Some(SortKey::Decimal(Decimal(number.as_f64()? + 0.0)))
        }
        (AttributeType::DateTime, Value::String(text)) => {
            parse_datetime(text).map(|(seconds, nanos)| SortKey::Time(seconds, nanos))
        }
        (_, Value::String(text)) if attribute.case_exact => Some(SortKey::Text(text.clone())),
        (_, Value::String(text)) => Some(SortKey::Text(fold(text))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::urn;

    fn key(path: &str, resource: Value) -> Option<SortKey> {
        sort_key(&ResourceType::user(), &AttrPath::parse(path).unwrap(), &resource)
    }

    fn text(text: &str) -> Option<SortKey> {
        Some(SortKey::Text(text.to_owned()))
    }

    #[test]
    fn keys_follow_the_schema() {
        assert_eq!(key("userName", json!({"username": "ANN"})), text("ann"));
        assert_eq!(key("externalId", json!({"externalId": "ANN"})), text("ANN"));
        assert_eq!(key("active", json!({"active": true})), Some(SortKey::Bool(true)));
        assert_eq!(
            key("meta.created", json!({"meta": {"created": "1970-01-01T00:00:01Z"}})),
            Some(SortKey::Time(1, 0))
        );
        let emails = json!({"emails": [{"value": "b"}, {"value": "A", "primary": true}]});
        assert_eq!(key("emails", emails.clone()), text("a"));
        assert_eq!(key("emails.value", emails.clone()), text("a"));
        assert_eq!(key("emails.display", emails), None);
        assert_eq!(key("emails", json!({"emails": [null, {"value": "b"}]})), text("b"));
        let manager = format!("{}:manager", urn::ENTERPRISE_USER);
        assert_eq!(
            key(&manager, json!({(urn::ENTERPRISE_USER): {"manager": {"value": "M"}}})),
            key(&format!("{manager}.value"), json!({(urn::ENTERPRISE_USER): {"manager": {"value": "M"}}}))
        );
        for (path, resource) in
            [("name", json!({"name": {}})), ("nick", json!({"nick": 1})), ("title", json!({"title": 1}))]
        {
            assert_eq!(key(path, resource), None);
        }
    }

    #[test]
    fn who_has_no_value_comes_last_and_first_when_descending() {
        let mut names = vec![None, text("b"), text("a"), None, text("c")];
        names.sort_by(|a, b| compare(a.as_ref(), b.as_ref(), false));
        assert_eq!(names, [text("a"), text("b"), text("c"), None, None]);
        names.sort_by(|a, b| compare(a.as_ref(), b.as_ref(), true));
        assert_eq!(names, [None, None, text("c"), text("b"), text("a")]);
    }

    #[test]
    fn numbers_sort_by_size() {
        let decimal = |number: f64| SortKey::Decimal(Decimal(number + 0.0));
        assert!(decimal(-1.5) < decimal(0.0) && decimal(9.0) < decimal(10.0));
        assert_eq!(decimal(-0.0), decimal(0.0));
        assert!(SortKey::Integer(9) < SortKey::Integer(10));
    }

    #[test]
    fn refuses_what_has_no_order() {
        let check = |path: &str| {
            check_sort(&ResourceType::user(), &AttrPath::parse(path).unwrap()).map_err(|e| e.detail)
        };
        for path in ["userName", "emails", "emails.type", "name.familyName", "meta.lastModified", "groups"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for (path, reason) in [
            ("nick", "sortBy: a User has no attribute nick"),
            ("name", "sortBy: name is complex: sort by a sub-attribute, such as name.formatted"),
            ("password", "sortBy: password is never returned, so nothing is sorted by it"),
        ] {
            assert_eq!(check(path), Err(reason.to_owned()));
        }
    }
}
