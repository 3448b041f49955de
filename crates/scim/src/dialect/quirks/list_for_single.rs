//! One value in a list where the attribute has a single value: `manager: [{"value": "…"}]`.

use serde_json::Value;

use crate::dialect::given::Given;
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "list_for_single",
        "A list of one, for an attribute of a single value, means its element; an empty one clears.",
        ENTRA,
        "the Entra provisioning tutorial (Add manager with a list of one reference)",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    if given.slot(rt).is_none_or(|slot| slot.list) {
        return;
    }
    let Some(Value::Array(list)) = &mut given.value else { return };
    let note = match list.as_mut_slice() {
        [] => {
            given.clear();
            "an empty list clears"
        }
        [one] => {
            let one = one.take();
            given.value = Some(one);
            "a list of one is read as its element"
        }
        _ => return,
    };
    notes.add(given.place(), note);
}
