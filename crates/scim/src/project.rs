//! Which attributes an answer contains: the returned characteristic, `attributes` and `excludedAttributes`.

use serde_json::{Map, Value};

use crate::path::{AttrPath, is_core};
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, Returned};

/// The representation of a stored resource (RFC 7644 section 3.9): attributes that are never returned are left out,
/// those always returned are kept; otherwise only `attributes` if any are given, and none of `excluded`.
pub fn project(rt: &ResourceType, resource: &Value, attributes: &[AttrPath], excluded: &[AttrPath]) -> Value {
    let Some(object) = resource.as_object() else { return resource.clone() };
    let mut kept = Map::new();
    for (name, value) in object {
        let Some(extension) = rt.extension(name) else {
            let selection = Selection::of(None, name, attributes, excluded);
            if let Some(value) = selection.apply(rt.top_level(name), value) {
                kept.insert(name.clone(), value);
            }
            continue;
        };
        let inner = value.as_object().into_iter().flatten();
        let inner: Map<String, Value> = inner
            .filter_map(|(name, value)| {
                let selection = Selection::of(Some(&extension.id), name, attributes, excluded);
                Some((name.clone(), selection.apply(extension.attribute(name), value)?))
            })
            .collect();
        if !inner.is_empty() {
            kept.insert(name.clone(), Value::Object(inner));
        }
    }
    Value::Object(kept)
}

/// [`project`] of a resource that is not needed any more: where no attributes are named almost nothing is copied.
pub fn into_projection(
    rt: &ResourceType,
    mut resource: Value,
    attributes: &[AttrPath],
    excluded: &[AttrPath],
) -> Value {
    if !attributes.is_empty() || !excluded.is_empty() {
        return project(rt, &resource, attributes, excluded);
    }
    if let Some(object) = resource.as_object_mut() {
        object.retain(|name, value| {
            let Some(extension) = rt.extension(name) else { return shows(rt.top_level(name), value) };
            let Some(inner) = value.as_object_mut() else { return false };
            inner.retain(|name, value| shows(extension.attribute(name), value));
            !inner.is_empty()
        });
    }
    resource
}

/// Whether an attribute shows that nobody asked for by name; takes away what does not show of its value.
fn shows(attribute: Option<&Attribute>, value: &mut Value) -> bool {
    match attribute.map_or(Returned::Default, |attribute| attribute.returned) {
        Returned::Never | Returned::Request => false,
        Returned::Always => true,
        Returned::Default => shows_inside(attribute, value),
    }
}

fn shows_inside(attribute: Option<&Attribute>, value: &mut Value) -> bool {
    match value {
        Value::Array(list) => {
            list.retain_mut(|element| shows_inside(attribute, element));
            !list.is_empty()
        }
        Value::Object(object) => {
            let sub = |name: &str| attribute.and_then(|attribute| attribute.sub(name));
            object.retain(|name, _| {
                let returned = sub(name).map_or(Returned::Default, |sub| sub.returned);
                matches!(returned, Returned::Default | Returned::Always)
            });
            !object.is_empty()
        }
        _ => true,
    }
}

/// What the two parameters say about one attribute.
struct Selection<'a> {
    /// Whether `attributes` was given at all.
    restricted: bool,
    requested: Part<'a>,
    excluded: Part<'a>,
}

enum Part<'a> {
    Nothing,
    Whole,
    Subs(Vec<&'a str>),
}

impl<'a> Selection<'a> {
    fn of(urn: Option<&str>, name: &str, attributes: &'a [AttrPath], excluded: &'a [AttrPath]) -> Self {
        Self {
            restricted: !attributes.is_empty(),
            requested: Part::of(urn, name, attributes),
            excluded: Part::of(urn, name, excluded),
        }
    }

    fn apply(&self, attribute: Option<&Attribute>, value: &Value) -> Option<Value> {
        let returned = attribute.map_or(Returned::Default, |attribute| attribute.returned);
        match (returned, &self.requested, &self.excluded) {
            (Returned::Never, _, _) => return None,
            (Returned::Always, _, _) => return Some(value.clone()),
            (Returned::Request, Part::Nothing, _) | (Returned::Default, _, Part::Whole) => return None,
            (Returned::Request, _, Part::Whole) => return None,
            (Returned::Default, Part::Nothing, _) if self.restricted => return None,
            _ => {}
        }
        self.subs_of(attribute, value)
    }

    /// The same for the sub-attributes of a complex value, or of each element of a list.
    fn subs_of(&self, attribute: Option<&Attribute>, value: &Value) -> Option<Value> {
        match value {
            Value::Array(list) => {
                let list: Vec<_> =
                    list.iter().filter_map(|element| self.subs_of(attribute, element)).collect();
                (!list.is_empty()).then_some(Value::Array(list))
            }
            Value::Object(object) => {
                let keeps = |name: &str| {
                    let sub = attribute.and_then(|attribute| attribute.sub(name));
                    self.keeps_sub(name, sub.map_or(Returned::Default, |sub| sub.returned))
                };
                let object: Map<_, _> = object
                    .iter()
                    .filter(|(name, _)| keeps(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                (!object.is_empty()).then_some(Value::Object(object))
            }
            simple => Some(simple.clone()),
        }
    }

    fn keeps_sub(&self, name: &str, returned: Returned) -> bool {
        let named = |part: &Part<'_>| matches!(part, Part::Subs(subs) if subs.iter().any(|sub| sub.eq_ignore_ascii_case(name)));
        match returned {
            Returned::Never => false,
            Returned::Always => true,
            Returned::Request => named(&self.requested) && !named(&self.excluded),
            Returned::Default => {
                let requested = !matches!(self.requested, Part::Subs(_)) || named(&self.requested);
                requested && !named(&self.excluded)
            }
        }
    }
}

impl<'a> Part<'a> {
    fn of(urn: Option<&str>, name: &str, paths: &'a [AttrPath]) -> Self {
        let mut subs = Vec::new();
        for path in paths {
            let same_place = match (urn, path.urn.as_deref()) {
                (None, None) => true,
                (None, Some(given)) => is_core(given),
                (Some(urn), Some(given)) => urn.eq_ignore_ascii_case(given),
                (Some(_), None) => false,
            };
            // The URN of an extension alone names all its attributes.
            if urn.is_some_and(|urn| path.sub.is_none() && path.to_string().eq_ignore_ascii_case(urn)) {
                return Part::Whole;
            }
            if same_place && path.attr.eq_ignore_ascii_case(name) {
                match path.sub.as_deref() {
                    None => return Part::Whole,
                    Some(sub) => subs.push(sub),
                }
            }
        }
        if subs.is_empty() { Part::Nothing } else { Part::Subs(subs) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::urn;

    fn user() -> Value {
        json!({
            "schemas": [urn::USER], "id": "1", "userName": "ann", "password": "secret", "active": true,
            "name": {"givenName": "Ann", "familyName": "Lee"},
            "emails": [{"value": "a", "type": "work"}, {"value": "b"}],
            (urn::ENTERPRISE_USER): {"department": "R", "manager": {"value": "m", "$ref": "x"}},
        })
    }

    fn shown(attributes: &[&str], excluded: &[&str]) -> Value {
        let paths =
            |list: &[&str]| list.iter().map(|text| AttrPath::parse(text).unwrap()).collect::<Vec<_>>();
        project(&ResourceType::user(), &user(), &paths(attributes), &paths(excluded))
    }

    #[test]
    fn default_leaves_out_only_what_is_never_returned() {
        let mut expected = user();
        expected.as_object_mut().unwrap().remove("password");
        assert_eq!(shown(&[], &[]), expected);
        assert_eq!(shown(&["password"], &[]), json!({"schemas": [urn::USER], "id": "1"}));
    }

    #[test]
    fn a_resource_that_is_given_away_shows_the_same() {
        let mut rt = ResourceType::user();
        let hide = |attribute: &mut Attribute, returned| attribute.returned = returned;
        for attribute in &mut rt.schema.attributes {
            match attribute.name.as_str() {
                "title" => hide(attribute, Returned::Request),
                "emails" => hide(&mut attribute.sub_attributes[0], Returned::Never),
                "name" => hide(&mut attribute.sub_attributes[1], Returned::Always),
                _ => {}
            }
        }
        hide(&mut rt.extensions[0].attributes[0], Returned::Never);
        let mut user = user();
        let more = json!({"title": "T", "phoneNumbers": [], "addresses": [{}], "name": {}, "x": [{"y": 1}],
            (urn::ENTERPRISE_USER): {"employeeNumber": "1"}, "photos": [{"value": "p"}, {}]});
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        for resource in [user, self::user(), json!({}), json!({(urn::ENTERPRISE_USER): 1})] {
            for rt in [&rt, &ResourceType::user(), &ResourceType::group()] {
                assert_eq!(into_projection(rt, resource.clone(), &[], &[]), project(rt, &resource, &[], &[]));
            }
        }
    }

    #[test]
    fn requested_attributes_and_subs() {
        assert_eq!(
            shown(&["USERNAME", "name.givenname", "emails.type"], &[]),
            json!({"schemas": [urn::USER], "id": "1", "userName": "ann", "name": {"givenName": "Ann"}, "emails": [{"type": "work"}]})
        );
        let manager = format!("{}:manager.value", urn::ENTERPRISE_USER);
        assert_eq!(
            shown(&[&manager], &[]),
            json!({"schemas": [urn::USER], "id": "1", (urn::ENTERPRISE_USER): {"manager": {"value": "m"}}})
        );
        assert_eq!(shown(&[urn::ENTERPRISE_USER], &[])[urn::ENTERPRISE_USER], user()[urn::ENTERPRISE_USER]);
        let qualified = format!("{}:userName", urn::USER);
        assert_eq!(shown(&[&qualified], &[])["userName"], json!("ann"));
    }

    #[test]
    fn excluded_attributes_and_subs_but_never_id() {
        let rest = shown(&[], &["id", "schemas", "emails", "name.familyName", urn::ENTERPRISE_USER]);
        assert_eq!(
            rest,
            json!({"schemas": [urn::USER], "id": "1", "userName": "ann", "active": true, "name": {"givenName": "Ann"}})
        );
    }
}
