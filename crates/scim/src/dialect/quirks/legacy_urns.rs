//! URNs of SCIM 1, of drafts, and misspelt ones, in `schemas`, in names and in paths.

use serde_json::Value;

use crate::dialect::notes::{Notes, shown};
use crate::dialect::quirk::{Message, Quirk, TOLERANT};
use crate::path::key_of;
use crate::resource_type::ResourceType;
use crate::urn;

pub(super) static QUIRK: Quirk = Quirk {
    body: Some(look),
    text: Some(read),
    ..Quirk::new(
        "legacy_urns",
        "Schema URNs of SCIM 1 and of drafts, and Microsoft's own for groups, mean those of the RFC.",
        TOLERANT,
        "OneLogin's SCIM 2.0 template; the Entra gallery (2.0User without a colon, ADSCIM/2.0/Group)",
    )
};

/// Legacy URNs of the enterprise extension; a longer one before the one it begins with.
const ENTERPRISE: [&str; 4] = [
    "urn:scim:schemas:extension:enterprise:2.0:User",
    "urn:scim:schemas:extension:enterprise:2.0",
    "urn:scim:schemas:extension:enterprise:1.0",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
];

/// Legacy URNs of the core schema; a longer one before the one it begins with.
const CORE: [&str; 7] = [
    "urn:scim:schemas:core:2.0:User",
    "urn:scim:schemas:core:2.0:Group",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0:User",
    "urn:scim:schemas:core:1.0:Group",
    "urn:scim:schemas:core:1.0",
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
];

/// `Some("")` if the text is a legacy URN, `Some(rest)` if it is one and an attribute after it.
fn after<'t>(text: &'t str, legacy: &[&str]) -> Option<&'t str> {
    legacy.iter().find_map(|urn| {
        let head = text.get(..urn.len())?;
        let rest = &text[urn.len()..];
        let attribute = if rest.is_empty() { Some("") } else { rest.strip_prefix(':') };
        attribute.filter(|_| head.eq_ignore_ascii_case(urn))
    })
}

fn read(rt: &ResourceType, text: &str) -> Option<String> {
    if let Some(attribute) = after(text, &ENTERPRISE) {
        let separator = if attribute.is_empty() { "" } else { ":" };
        let known = rt.extension(urn::ENTERPRISE_USER).is_some();
        return known.then(|| format!("{}{separator}{attribute}", urn::ENTERPRISE_USER));
    }
    after(text, &CORE).filter(|attribute| !attribute.is_empty()).map(str::to_owned)
}

fn look(rt: &ResourceType, message: Message<'_>, notes: &mut Notes) {
    let Message::Resource(body) = message else { return };
    let key = key_of(body, "schemas");
    let Some(schemas) = body.get_mut(&key).and_then(Value::as_array_mut) else { return };
    let mut read: Vec<Value> = Vec::with_capacity(schemas.len());
    for item in schemas.iter() {
        let text = item.as_str().unwrap_or_default();
        let modern = if after(text, &CORE) == Some("") {
            Some(rt.schema.id.clone())
        } else if after(text, &ENTERPRISE) == Some("") && rt.extension(urn::ENTERPRISE_USER).is_some() {
            Some(urn::ENTERPRISE_USER.to_owned())
        } else {
            None
        };
        let Some(modern) = modern else {
            read.push(item.clone());
            continue;
        };
        notes.add(format!("schemas: {}", shown(text)), format!("read as {modern}"));
        let is_there = |item: &Value| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(&modern));
        if !schemas.iter().chain(&read).any(is_there) {
            read.push(Value::from(modern));
        }
    }
    *schemas = read;
}
