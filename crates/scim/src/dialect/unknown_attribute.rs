//! Attributes that no schema here has, in a body: left out and named, instead of refusing the whole push.

use serde_json::{Map, Value};

use super::reading::{Quirk, Reading, Slot};
use super::unknown_schema::short;
use super::{Dialect, QuirkInfo};
use crate::patch_path::PatchPath;
use crate::schema::AttributeType;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "unknown-attribute",
        about: "A body has an attribute that no schema has: it is left out.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    body,
    value,
    ..Quirk::NONE
};

fn body(reading: &mut Reading<'_>, fields: &mut Map<String, Value>) {
    let rt = reading.rt;
    let unknown: Vec<String> = fields
        .keys()
        .filter(|name| {
            !name.eq_ignore_ascii_case("schemas")
                && rt.extension(name).is_none()
                && rt.top_level(name).is_none()
        })
        .cloned()
        .collect();
    for name in unknown {
        let Some(value) = fields.remove(&name) else { continue };
        if !moved(reading, fields, &name, value) {
            reading.report(&QUIRK, short(&name), "left out: no schema has it");
        }
    }
    for (urn, value) in fields.iter_mut() {
        let (Some(extension), Some(inner)) = (rt.extension(urn), value.as_object_mut()) else { continue };
        let unknown: Vec<String> =
            inner.keys().filter(|name| extension.attribute(name).is_none()).cloned().collect();
        for name in unknown {
            inner.remove(&name);
            reading.report(
                &QUIRK,
                format!("{}:{}", extension.id, short(&name)),
                "left out: no schema has it",
            );
        }
    }
}

/// A key that is the full path of an attribute goes where it belongs.
fn moved(reading: &mut Reading<'_>, fields: &mut Map<String, Value>, name: &str, value: Value) -> bool {
    let Ok(path) = PatchPath::parse(name) else { return false };
    if reading.rt.resolve(&path.attr_path()).is_none() {
        return false;
    }
    let mut whole = Value::Object(std::mem::take(fields));
    let set = path.set(&mut whole, value).is_ok();
    if let Value::Object(back) = whole {
        *fields = back;
    }
    if set {
        reading.report(&QUIRK, short(name), "read as a path");
    }
    set
}

/// Sub-attributes that the schema does not have.
fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    if slot.attribute.kind != AttributeType::Complex {
        return;
    }
    let elements = match value {
        Value::Array(list) if slot.list => list.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for element in elements {
        let Some(fields) = element.as_object_mut() else { continue };
        let unknown: Vec<String> =
            fields.keys().filter(|name| slot.attribute.sub(name).is_none()).cloned().collect();
        for name in unknown {
            fields.remove(&name);
            reading.report(&QUIRK, format!("{}.{}", slot.place, short(&name)), "left out: no schema has it");
        }
    }
}

/// Whether an attribute that was named without a path is known; reports it if not.
pub(super) fn keep(reading: &mut Reading<'_>, path: &PatchPath) -> bool {
    let named = |urn: &Option<String>| {
        let path = crate::AttrPath { urn: urn.clone(), attr: path.attr.clone(), sub: path.sub.clone() };
        reading.rt.resolve(&path).is_some()
    };
    // Other quirks know short names and old URNs.
    let elsewhere = super::short_name::extension_of(reading, &path.attr).is_some() || path.urn.is_some();
    if named(&path.urn) || elsewhere {
        return true;
    }
    reading.report(&QUIRK, short(&path.to_string()), "left out: no schema has it");
    false
}
