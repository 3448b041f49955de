//! One value where a list belongs: `"emails": {…}`, `members` as one object or as a bare id.

use serde_json::{Value, json};

use super::reading::{Quirk, Reading, Slot};
use super::{Dialect, QuirkInfo};
use crate::schema::AttributeType;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "single-for-list",
        about: "One value, or a bare text, is given where a list of values belongs: a list of one is meant.",
        dialects: &[Dialect::Entra],
    },
    value,
    ..Quirk::NONE
};

fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    if !slot.list {
        return;
    }
    let bare = slot.attribute.kind == AttributeType::Complex && slot.attribute.sub("value").is_some();
    if let Value::Array(list) = value {
        for (at, element) in list.iter_mut().enumerate().filter(|(_, element)| bare && element.is_string()) {
            *element = json!({"value": element});
            reading.report(&QUIRK, format!("{}[{at}]", slot.place), "a bare text read as its value");
        }
        return;
    }
    if value.is_null() {
        return;
    }
    let element = match value.as_str() {
        Some("") => {
            *value = Value::Null;
            return;
        }
        Some(text) if bare => json!({"value": text}),
        _ => value.take(),
    };
    *value = Value::Array(vec![element]);
    reading.report(&QUIRK, slot.place.clone(), "one value read as a list of one");
}
