//! `remove` of a list of values: Entra means these, where the RFC would remove all.

use serde_json::Value;

use crate::dialect::given::Given;
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::patch::PatchOp;
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "remove_listed",
        "\"remove\" with a list of values removes exactly these; an empty list removes none.",
        ENTRA,
        "Entra without aadOptscim062020, JumpCloud, authentik; SCIMReferenceCode issue 10",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let names_all = given.slot(rt).is_some_and(|slot| slot.list);
    if given.op != Some(PatchOp::Remove) || !given.stray || !names_all {
        return;
    }
    let Some(Value::Array(list)) = &given.value else { return };
    given.dropped = list.is_empty();
    given.stray = false;
    let note = if list.is_empty() { "an empty list removes none" } else { "exactly the listed values go" };
    notes.add(given.place(), note);
}
