//! `""` for an attribute that was cleared.

use serde_json::Value;

use crate::dialect::given::{Given, Slot, each_simple, elements_mut};
use crate::dialect::notes::{Notes, Parts};
use crate::dialect::quirk::{Quirk, TOLERANT};
use crate::patch::PatchOp;
use crate::path::member;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType};

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "empty_text",
        "An empty text means that an attribute that is not required has no value.",
        TOLERANT,
        "Okta profile push (middleName \"\" for a cleared field)",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let Some(slot) = given.slot(rt) else { return };
    let Some(mut value) = given.value.take() else { return };
    let mut parts = Parts::default();
    if slot.list {
        drop_without_value(slot, &mut value, &mut parts);
    }
    each_simple(slot, &mut value, &mut |attribute, value| {
        if is_empty(attribute, value) {
            *value = Value::Null;
            parts.add(&attribute.name);
        }
    });
    given.value = Some(value);
    let cleared = !parts.is_empty();
    given.note_parts(slot, parts, notes, "cleared");
    // Null does nothing in `add`: what is to clear is a `replace`. An element as a whole would lose its other parts.
    let element = given.path.filter.is_some() && given.path.sub.is_none();
    if cleared && !slot.list && !element && given.op == Some(PatchOp::Add) {
        given.op = Some(PatchOp::Replace);
    }
}

fn is_empty(attribute: &Attribute, value: &Value) -> bool {
    use AttributeType::{Binary, DateTime, Reference, String};
    let text = matches!(attribute.kind, String | Reference | DateTime | Binary);
    text && !attribute.required && value.as_str() == Some("")
}

/// An element whose `value` is empty says nothing, whatever its type.
fn drop_without_value(slot: Slot<'_>, value: &mut Value, parts: &mut Parts) {
    let Some(part) = slot.attribute.sub("value") else { return };
    for element in elements_mut(slot, value) {
        let Some(object) = element.as_object() else { continue };
        if member(object, "value").is_some_and(|value| is_empty(part, value)) {
            *element = Value::Null;
            parts.add(&part.name);
        }
    }
}
