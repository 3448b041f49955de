//! URNs of SCIM 1.1 and misspelt ones: `urn:scim:schemas:core:1.0`, `…enterprise:2.0User`.

use serde_json::{Map, Value};

use super::reading::{Quirk, Reading};
use super::{Dialect, QuirkInfo};
use crate::patch::PatchOperation;
use crate::urn;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "legacy-urn",
        about: "A schema is named as in SCIM 1.1 or misspelt: the schema of today is meant.",
        dialects: &[Dialect::Entra],
    },
    body,
    operation,
    ..Quirk::NONE
};

const ENTERPRISE: [&str; 4] = [
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
    "urn:scim:schemas:extension:enterprise:2.0:User",
    "urn:scim:schemas:extension:enterprise:2.0",
    "urn:scim:schemas:extension:enterprise:1.0",
];
const CORE: [&str; 4] = [
    "urn:scim:schemas:core:1.0",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:2.0:User",
    "urn:scim:schemas:core:2.0:Group",
];

fn today(reading: &Reading<'_>, name: &str) -> Option<String> {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if ENTERPRISE.iter().any(is) && reading.rt.extension(urn::ENTERPRISE_USER).is_some() {
        return Some(urn::ENTERPRISE_USER.to_owned());
    }
    CORE.iter().any(is).then(|| reading.rt.schema.id.clone())
}

fn body(reading: &mut Reading<'_>, fields: &mut Map<String, Value>) {
    let old: Vec<(String, String)> =
        fields.keys().filter_map(|name| Some((name.clone(), today(reading, name)?))).collect();
    for (name, meant) in old {
        if fields.contains_key(&meant) {
            continue;
        }
        if let Some(value) = fields.remove(&name) {
            fields.insert(meant.clone(), value);
            reading.report(&QUIRK, name, format!("read as {meant}"));
        }
    }
    let schemas = fields.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("schemas"));
    for item in schemas.and_then(|(_, list)| list.as_array_mut()).into_iter().flatten() {
        let Some(meant) = item.as_str().and_then(|name| today(reading, name)) else { continue };
        reading.report(&QUIRK, "schemas", format!("{item} read as {meant}"));
        *item = Value::String(meant);
    }
}

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    if let Some(path) = &mut operation.path
        && let Some(meant) = path.urn.as_deref().and_then(|name| today(reading, name))
    {
        reading.report(&QUIRK, path.to_string(), format!("read as {meant}"));
        path.urn = Some(meant);
    }
    true
}
