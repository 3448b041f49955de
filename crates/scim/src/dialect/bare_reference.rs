//! A complex value given as a bare text, an empty text or a list of one: `manager` as Entra sends it.

use serde_json::{Value, json};

use super::reading::{Quirk, Reading, Slot};
use super::{Dialect, QuirkInfo};
use crate::schema::AttributeType;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "bare-reference",
        about: "manager is given as an id, as an empty text or as a list of one: its value is meant, or that there is none.",
        dialects: &[Dialect::Entra],
    },
    value,
    ..Quirk::NONE
};

fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    let complex = slot.attribute.kind == AttributeType::Complex && slot.attribute.sub("value").is_some();
    if slot.list || slot.attribute.multi_valued || !complex {
        return;
    }
    let meant = match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(text) => json!({"value": text}),
        Value::Array(list) => match list.as_slice() {
            [] => Value::Null,
            [Value::String(text)] => json!({"value": text}),
            [one @ Value::Object(_)] => one.clone(),
            _ => return,
        },
        Value::Object(fields) if fields.get("value").and_then(Value::as_str) == Some("") => Value::Null,
        _ => return,
    };
    *value = meant;
    reading.report(&QUIRK, slot.place.clone(), "read as the value of the reference");
}
