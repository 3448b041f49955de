//! A value beside `remove`, where the path already says everything.

use crate::dialect::given::Given;
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::patch::PatchOp;
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "stray_value",
        "A value beside \"remove\" is ignored where the path names one attribute, or selects.",
        ENTRA,
        "the Entra provisioning tutorial (Remove phoneNumbers[type eq \"work\"].value with the old value)",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let names_all = given.slot(rt).is_none_or(|slot| slot.list);
    if given.op == Some(PatchOp::Remove) && given.stray && !names_all {
        given.value = None;
        given.stray = false;
        notes.add(given.place(), "the value beside remove is ignored");
    }
}
