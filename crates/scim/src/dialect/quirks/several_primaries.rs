//! More than one primary value in a list.

use serde_json::Value;

use crate::dialect::given::{Given, elements_mut};
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{Quirk, TOLERANT};
use crate::path::key_of;
use crate::resource::is_primary;
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "several_primaries",
        "Of several primary values the last one is it.",
        TOLERANT,
        "mappings that mark each e-mail as primary",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let slot = given.slot(rt).filter(|slot| slot.list && slot.attribute.sub("primary").is_some());
    let (Some(slot), Some(value)) = (slot, &mut given.value) else { return };
    let primaries: Vec<&mut Value> =
        elements_mut(slot, value).iter_mut().filter(|element| is_primary(element)).collect();
    let Some(others) = primaries.len().checked_sub(1).filter(|others| *others > 0) else { return };
    for element in primaries.into_iter().take(others).filter_map(Value::as_object_mut) {
        let key = key_of(element, "primary");
        element.insert(key, Value::Bool(false));
    }
    notes.add(given.place(), "more than one is primary: the last one is taken");
}
