//! A text where an object with `value` belongs: the manager, or a member, by nothing but the id.

use serde_json::Value;

use crate::dialect::given::{Given, elements_mut};
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::resource_type::ResourceType;
use crate::schema::AttributeType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "bare_value",
        "A text for a complex attribute means its value sub-attribute; an empty text clears.",
        ENTRA,
        "Entra (manager as a bare string, and \"\" to clear it; add members as a bare string)",
    )
};

fn object(text: String) -> Value {
    Value::Object(std::iter::once(("value".to_owned(), Value::String(text))).collect())
}

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let Some(slot) = given.slot(rt) else { return };
    let complex = slot.attribute.kind == AttributeType::Complex;
    if !complex || slot.attribute.sub("value").is_none() {
        return;
    }
    let Some(value) = &mut given.value else { return };
    if value.as_str() == Some("") {
        given.clear();
        notes.add(given.place(), "an empty text clears");
        return;
    }
    let mut found = false;
    for element in elements_mut(slot, value) {
        if let Value::String(text) = element {
            let text = std::mem::take(text);
            *element = if text.is_empty() { Value::Null } else { object(text) };
            found = true;
        }
    }
    if found {
        notes.add(given.place(), "a text is read as the value of an object");
    }
}
