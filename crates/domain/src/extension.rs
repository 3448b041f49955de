//! A tenant's own extension schemas: what may be one, and what may become of one that is in use.

use std::collections::BTreeSet;

use scim::{Attribute, AttributeType, Mutability, ResourceType, Returned, Schema, Uniqueness, urn};

/// Bytes of a definition at most.
pub const MAX_BYTES: usize = 64 * 1024;
/// Attributes and sub-attributes of one schema at most.
pub const MAX_ATTRIBUTES: usize = 100;
/// Extension schemas of users, and of groups, at most.
pub const MAX_EXTENSIONS: usize = 20;
/// Bytes of a URN at most.
const MAX_URN: usize = 200;
/// Bytes of an attribute's name at most.
const MAX_NAME: usize = 60;

/// Names that mean something for every resource. Under an extension's URN they would be lawful, and always misread.
const RESERVED: [&str; 7] = ["schemas", "id", "externalId", "meta", "password", "groups", "members"];

/// Reads a definition in the form of RFC 7643 section 7 and checks it against the type that it extends. The error names the
/// place, the rule and what to do.
pub fn read(text: &str, extended: &ResourceType) -> Result<Schema, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the definition has {} bytes, at most {MAX_BYTES} are allowed", text.len()));
    }
    let schema: Schema = serde_json::from_str(text)
        .map_err(|error| format!("the definition is no schema in the form of RFC 7643 section 7: {error}"))?;
    check(&schema, extended)?;
    Ok(schema)
}

/// Checks a schema against the type that it extends; one of the same URN is taken to be replaced.
pub fn check(schema: &Schema, extended: &ResourceType) -> Result<(), String> {
    check_urn(&schema.id, extended)?;
    let others = extended.extensions.iter().filter(|other| !other.id.eq_ignore_ascii_case(&schema.id));
    // The enterprise extension is not the tenant's own.
    if others.filter(|other| !is_standard(&other.id)).count() >= MAX_EXTENSIONS {
        return Err(format!(
            "a {} has {MAX_EXTENSIONS} extension schemas already; remove one first",
            extended.name
        ));
    }
    if schema.attributes.is_empty() {
        return Err("the schema has no attributes; name at least one under \"attributes\"".to_owned());
    }
    let subs: usize = schema.attributes.iter().map(|attribute| attribute.sub_attributes.len()).sum();
    let count = schema.attributes.len() + subs;
    if count > MAX_ATTRIBUTES {
        return Err(format!(
            "the schema has {count} attributes with their sub-attributes, at most {MAX_ATTRIBUTES} are allowed"
        ));
    }
    check_each(&schema.attributes, "", false)
}

/// Whether data that is stored under a schema stays valid when a newer one takes its place.
pub fn check_replacement(before: &Schema, after: &Schema) -> Result<(), String> {
    for old in &before.attributes {
        let new = after.attribute(&old.name);
        compatible(old, new, &old.name)?;
    }
    match after.attributes.iter().find(|new| new.required && before.attribute(&new.name).is_none()) {
        Some(new) => Err(format!(
            "{}: a new attribute cannot be required, since what is stored does not have it; leave out \"required\"",
            new.name
        )),
        None => Ok(()),
    }
}

/// Whether a URN is one of the RFCs' own.
pub fn is_standard(text: &str) -> bool {
    let begins =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    begins(urn::CORE_PREFIX)
        || begins("urn:ietf:params:scim:api:")
        || text.eq_ignore_ascii_case(urn::ENTERPRISE_USER)
}

fn check_urn(text: &str, extended: &ResourceType) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '_' | '+');
    let parts: Vec<&str> = text.split(':').collect();
    let namespace = parts.get(1).copied().unwrap_or_default();
    let shape = parts.len() >= 3
        && parts[0].eq_ignore_ascii_case("urn")
        && parts.iter().all(|part| !part.is_empty())
        && namespace.len() >= 2
        && namespace.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if text.len() > MAX_URN || !text.chars().all(fits) || !shape {
        return Err(format!(
            "id: '{}' cannot be the URN of a schema; write it as urn:ietf:params:scim:schemas:extension:NAME:2.0:{} \
             (at most {MAX_URN} letters, digits and . - _ + between colons)",
            text.chars().take(80).collect::<String>(),
            extended.name
        ));
    }
    if is_standard(text) {
        return Err(format!(
            "id: {text} is a schema of the RFCs and cannot be defined anew; choose another URN"
        ));
    }
    // In a path the attribute follows the URN after a colon, so one URN inside another could not be told apart.
    let inside = |outer: &str, inner: &str| {
        inner.len() > outer.len()
            && inner.get(..outer.len()).is_some_and(|head| head.eq_ignore_ascii_case(outer))
            && inner.as_bytes()[outer.len()] == b':'
    };
    let near = extended.extensions.iter().find(|other| inside(&other.id, text) || inside(text, &other.id));
    match near {
        Some(other) => {
            Err(format!("id: {text} cannot be told apart from {} in a path; choose another URN", other.id))
        }
        None => Ok(()),
    }
}

fn check_each(attributes: &[Attribute], above: &str, is_sub: bool) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for attribute in attributes {
        let place = format!("{above}{}", attribute.name);
        check_name(&attribute.name, &place, is_sub)?;
        if !seen.insert(attribute.name.to_ascii_lowercase()) {
            return Err(format!("{place}: the name is there twice; letter case does not count"));
        }
        check_one(attribute, &place, is_sub)?;
    }
    Ok(())
}

fn check_name(name: &str, place: &str, is_sub: bool) -> Result<(), String> {
    if is_sub && name == "$ref" {
        return Ok(());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty()
        || name.len() > MAX_NAME
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(fits)
    {
        return Err(format!(
            "'{place}' cannot be an attribute's name: a letter and then letters, digits, hyphens and underscores, \
             {MAX_NAME} at most (RFC 7643 section 2.1)"
        ));
    }
    if !is_sub && RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(format!("{place}: the name means something else in every resource; choose another one"));
    }
    Ok(())
}

fn check_one(attribute: &Attribute, place: &str, is_sub: bool) -> Result<(), String> {
    let complex = attribute.kind == AttributeType::Complex;
    if is_sub && (complex || attribute.multi_valued) {
        return Err(format!("{place}: a sub-attribute has one simple value (RFC 7643 section 2.3.8)"));
    }
    if complex == attribute.sub_attributes.is_empty() {
        return Err(if complex {
            format!("{place}: a complex attribute needs subAttributes")
        } else {
            format!("{place}: only an attribute of the type complex has subAttributes")
        });
    }
    if attribute.mutability == Mutability::WriteOnly || attribute.returned == Returned::Never {
        return Err(format!(
            "{place}: the directory keeps no secrets; leave out mutability writeOnly and returned never"
        ));
    }
    if attribute.uniqueness != Uniqueness::None {
        return Err(format!("{place}: uniqueness of own attributes is not enforced; set it to none"));
    }
    check_each(&attribute.sub_attributes, &format!("{place}."), true)
}

fn compatible(old: &Attribute, new: Option<&Attribute>, place: &str) -> Result<(), String> {
    let Some(new) = new else {
        return Err(format!("{place}: the newer definition does not have it any more"));
    };
    if (new.kind, new.multi_valued) != (old.kind, old.multi_valued) {
        return Err(format!("{place}: its type or multiValued is another one now"));
    }
    if new.required && !old.required {
        return Err(format!("{place}: it was optional and cannot become required"));
    }
    for sub in &old.sub_attributes {
        compatible(sub, new.sub(&sub.name), &format!("{place}.{}", sub.name))?;
    }
    match new.sub_attributes.iter().find(|sub| sub.required && old.sub(&sub.name).is_none()) {
        Some(sub) => Err(format!("{place}.{}: a new sub-attribute cannot be required", sub.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const URN: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

    fn badge() -> Value {
        json!({"id": URN, "name": "Acme", "attributes": [
            {"name": "badge", "type": "string"},
            {"name": "desk", "type": "complex", "subAttributes": [{"name": "floor", "type": "integer"}]},
        ]})
    }

    fn refusal(definition: &Value) -> String {
        read(&definition.to_string(), &ResourceType::user()).unwrap_err()
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut definition = badge();
        *definition.pointer_mut(pointer).unwrap() = value;
        definition
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert_eq!(read(&badge().to_string(), &ResourceType::user()).unwrap().id, URN);
        for (pointer, value, part) in [
            ("/id", json!("acme"), "cannot be the URN"),
            ("/id", json!("urn:acme"), "cannot be the URN"),
            ("/id", json!("urn:ac me:x"), "cannot be the URN"),
            ("/id", json!("urn:acme::x"), "cannot be the URN"),
            ("/id", json!(urn::USER), "schema of the RFCs"),
            ("/id", json!(urn::ENTERPRISE_USER.to_lowercase()), "schema of the RFCs"),
            ("/id", json!(format!("{}:more", urn::ENTERPRISE_USER)), "cannot be told apart"),
            ("/attributes", json!([]), "no attributes"),
            ("/attributes/0/name", json!("2nd"), "'2nd' cannot be"),
            ("/attributes/0/name", json!("a.b"), "'a.b' cannot be"),
            ("/attributes/0/name", json!("Members"), "means something else"),
            ("/attributes/0/name", json!("DESK"), "there twice"),
            ("/attributes/0/type", json!("text"), "unknown variant"),
            ("/attributes/0/type", json!("complex"), "needs subAttributes"),
            ("/attributes/1/type", json!("string"), "only an attribute of the type complex"),
            (
                "/attributes/1/subAttributes/0",
                json!({"name": "x", "multiValued": true}),
                "desk.x: a sub-attribute",
            ),
            (
                "/attributes/0",
                json!({"name": "pin", "returned": "never"}),
                "pin: the directory keeps no secrets",
            ),
            ("/attributes/0", json!({"name": "nr", "uniqueness": "server"}), "nr: uniqueness"),
        ] {
            let message = refusal(&with(pointer, value.clone()));
            assert!(message.contains(part), "{pointer} {value}: {message}");
        }
        let many: Vec<Value> = (0..101).map(|n| json!({"name": format!("a{n}")})).collect();
        assert!(refusal(&with("/attributes", json!(many))).contains("at most 100"));
        assert!(refusal(&with("/name", json!("x".repeat(MAX_BYTES)))).contains("bytes"));
        let mut full = ResourceType::user();
        for n in 0..MAX_EXTENSIONS {
            full = full.with_extension(Schema { id: format!("urn:x:s{n}"), ..Schema::enterprise_user() });
        }
        assert!(read(&badge().to_string(), &full).unwrap_err().contains("remove one first"));
    }

    #[test]
    fn a_newer_definition_keeps_what_is_stored_valid() {
        let read = |value: &Value| read(&value.to_string(), &ResourceType::user()).unwrap();
        let old = read(&badge());
        let mut wider = badge();
        wider["attributes"].as_array_mut().unwrap().push(json!({"name": "team"}));
        assert_eq!(check_replacement(&old, &read(&wider)), Ok(()));
        wider["attributes"][2]["required"] = json!(true);
        assert!(check_replacement(&old, &read(&wider)).unwrap_err().starts_with("team: a new attribute"));
        for (pointer, value, part) in [
            ("/attributes/0/name", json!("card"), "badge: the newer definition"),
            ("/attributes/0/type", json!("integer"), "badge: its type"),
            ("/attributes/0", json!({"name": "badge", "required": true}), "badge: it was optional"),
            ("/attributes/1/subAttributes/0/type", json!("string"), "desk.floor: its type"),
        ] {
            let message = check_replacement(&old, &read(&with(pointer, value))).unwrap_err();
            assert!(message.starts_with(part), "{message}");
        }
    }
}
