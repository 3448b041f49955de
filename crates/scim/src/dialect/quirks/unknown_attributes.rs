//! Attributes, sub-attributes and schemas that the resource type does not have.

use serde_json::Value;

use crate::dialect::given::{Given, Target, elements_mut};
use crate::dialect::notes::{Notes, Parts, shown};
use crate::dialect::quirk::{Message, Quirk, TOLERANT};
use crate::path::key_of;
use crate::resource_type::ResourceType;
use crate::schema::AttributeType;

pub(super) static QUIRK: Quirk = Quirk {
    body: Some(look_at_schemas),
    given: Some(look),
    ..Quirk::new(
        "unknown_attributes",
        "Attributes and schemas that are not known are dropped, and reported by their names.",
        TOLERANT,
        "Okta custom attributes of an app; Entra mappings to attributes an app does not have",
    )
};

fn look_at_schemas(rt: &ResourceType, message: Message<'_>, notes: &mut Notes) {
    let Message::Resource(body) = message else { return };
    let key = key_of(body, "schemas");
    let Some(schemas) = body.get_mut(&key).and_then(Value::as_array_mut) else { return };
    schemas.retain(|item| {
        let Some(urn) = item.as_str() else { return true };
        let known = urn.eq_ignore_ascii_case(&rt.schema.id) || rt.extension(urn).is_some();
        if !known {
            notes.add(format!("schemas: {}", shown(urn)), "dropped: the schema is unknown");
        }
        known
    });
}

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    if matches!(given.target(rt), Target::Unknown) {
        given.dropped = true;
        notes.add(given.place(), "dropped: the attribute is unknown");
        return;
    }
    let Some(slot) = given.slot(rt).filter(|slot| slot.attribute.kind == AttributeType::Complex) else {
        return;
    };
    let Some(value) = &mut given.value else { return };
    let mut parts = Parts::default();
    for element in elements_mut(slot, value).iter_mut().filter_map(Value::as_object_mut) {
        element.retain(|name, _| {
            let known = slot.attribute.sub(name).is_some();
            if !known {
                parts.add(name);
            }
            known
        });
    }
    given.note_parts(slot, parts, notes, "dropped: the sub-attribute is unknown");
}
