//! Schemas that this server does not serve, in `schemas` or as an extension: left out.

use serde_json::{Map, Value};

use super::reading::{Quirk, Reading};
use super::{Dialect, QuirkInfo};
use crate::patch::PatchOperation;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "unknown-schema",
        about: "A schema or an extension that this server does not know is named: it is left out.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    body,
    operation,
    ..Quirk::NONE
};

fn body(reading: &mut Reading<'_>, fields: &mut Map<String, Value>) {
    let rt = reading.rt;
    let known = |name: &str| rt.schema.id.eq_ignore_ascii_case(name) || rt.extension(name).is_some();
    if let Some((_, schemas)) = fields.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("schemas"))
        && let Some(list) = schemas.as_array_mut()
    {
        let before = std::mem::take(list);
        for item in before {
            match item.as_str() {
                Some(name) if !known(name) => {
                    reading.report(&QUIRK, "schemas", format!("left out {}", short(name)));
                }
                _ => list.push(item),
            }
        }
        if list.is_empty() {
            *schemas = Value::Null;
        }
    }
    let unknown: Vec<String> = fields
        .keys()
        .filter(|name| name.contains(':') && !known(name) && !is_path(rt, name))
        .cloned()
        .collect();
    for name in unknown {
        fields.remove(&name);
        reading.report(&QUIRK, short(&name), "left out");
    }
}

/// Whether a key is the full path of an attribute, as `urn:…:User:department`.
fn is_path(rt: &crate::ResourceType, name: &str) -> bool {
    crate::AttrPath::parse(name).is_ok_and(|path| rt.resolve(&path).is_some())
}

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    let Some(path) = &operation.path else { return true };
    let Some(urn) = path.urn.as_deref() else { return true };
    let rt = reading.rt;
    let whole = format!("{urn}:{}", path.attr);
    let known = rt.schema.id.eq_ignore_ascii_case(urn)
        || rt.extension(urn).is_some()
        || rt.extension(&whole).is_some()
        || rt.schema.id.eq_ignore_ascii_case(&whole);
    if !known {
        let place = short(&path.to_string());
        reading.report(&QUIRK, place, "left out: the schema is not known here");
    }
    known
}

/// A name from outside, cut for a report.
pub(super) fn short(name: &str) -> String {
    name.chars().take(120).collect()
}
