//! One value without its list: `emails` as an object.

use serde_json::Value;

use crate::dialect::given::Given;
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "single_for_list",
        "One value for an attribute of many means a list of it.",
        ENTRA,
        "OneLogin templates (emails as one object); Entra (add of one member without a list)",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    if !given.slot(rt).is_some_and(|slot| slot.list) {
        return;
    }
    if let Some(value) = given.value.as_mut().filter(|value| !value.is_array() && !value.is_null()) {
        *value = Value::Array(vec![value.take()]);
        notes.add(given.place(), "one value is read as a list of it");
    }
}
