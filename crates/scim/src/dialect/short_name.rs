//! Attributes of the enterprise extension without its URN: `department` at the top level, the path `manager`.

use serde_json::{Map, Value};

use super::reading::{Quirk, Reading};
use super::{Dialect, QuirkInfo};
use crate::filter::Filter;
use crate::patch::PatchOperation;
use crate::path::AttrPath;
use crate::schema::Schema;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "short-name",
        about: "An attribute of an extension is named without its URN: the extension's is meant.",
        dialects: &[Dialect::Entra],
    },
    body,
    operation,
    term,
    ..Quirk::NONE
};

/// The one extension that has this attribute, if the core schema has none.
pub(super) fn extension_of<'a>(reading: &Reading<'a>, name: &str) -> Option<&'a Schema> {
    let rt = reading.rt;
    if rt.top_level(name).is_some() {
        return None;
    }
    let mut having = rt.extensions.iter().filter(|extension| extension.attribute(name).is_some());
    having.next().filter(|_| having.next().is_none())
}

fn body(reading: &mut Reading<'_>, fields: &mut Map<String, Value>) {
    let meant: Vec<(String, String)> = fields
        .keys()
        .filter_map(|name| Some((name.clone(), extension_of(reading, name)?.id.clone())))
        .collect();
    for (name, urn) in meant {
        let Some(value) = fields.remove(&name) else { continue };
        let key = fields.keys().find(|key| key.eq_ignore_ascii_case(&urn)).cloned().unwrap_or(urn);
        let extension = fields.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
        if extension.is_null() {
            *extension = Value::Object(Map::new());
        }
        if let Some(extension) = extension.as_object_mut() {
            extension.entry(name.clone()).or_insert(value);
            reading.report(&QUIRK, name, format!("read as an attribute of {key}"));
        }
    }
}

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    if let Some(path) = &mut operation.path
        && path.urn.is_none()
        && let Some(extension) = extension_of(reading, &path.attr)
    {
        reading.report(&QUIRK, path.to_string(), format!("read as an attribute of {}", extension.id));
        path.urn = Some(extension.id.clone());
    }
    true
}

fn term(reading: &mut Reading<'_>, parent: Option<&AttrPath>, filter: &mut Filter) {
    let (Filter::Compare { path, .. } | Filter::Present(path)) = filter else { return };
    if parent.is_none()
        && path.urn.is_none()
        && let Some(extension) = extension_of(reading, &path.attr)
    {
        reading.report(&QUIRK, path.to_string(), format!("read as an attribute of {}", extension.id));
        path.urn = Some(extension.id.clone());
    }
}
