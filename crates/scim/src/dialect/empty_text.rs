//! An empty text for an attribute that was cleared.

use serde_json::Value;

use super::reading::{Quirk, Reading, Slot};
use super::{Dialect, QuirkInfo};
use crate::schema::AttributeType;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "empty-text",
        about: "An optional attribute is given as an empty text: it has no value.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    value,
    ..Quirk::NONE
};

fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    let textual = !matches!(slot.attribute.kind, AttributeType::Complex);
    if textual && !slot.attribute.required && value.as_str() == Some("") {
        *value = Value::Null;
        reading.report(&QUIRK, slot.place.clone(), "read as: no value");
    }
}
