//! A `remove` that also carries a value: the path says what goes.

use super::reading::{Quirk, Reading, resolve};
use super::{Dialect, QuirkInfo};
use crate::patch::{PatchOp, PatchOperation};

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "stray-value",
        about: "A remove names a value beside its path: the path says what goes.",
        dialects: &[Dialect::Entra],
    },
    operation,
    ..Quirk::NONE
};

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    if operation.op != PatchOp::Remove || operation.value.is_none() {
        return true;
    }
    let Some(path) = &operation.path else { return true };
    let whole_list = path.filter.is_none() && path.sub.is_none();
    let list = resolve(reading.rt, path).is_some_and(|(attribute, _)| attribute.multi_valued);
    // For a whole list the value says which elements go: see the removal by value.
    if whole_list && list {
        return true;
    }
    let place = path.to_string();
    operation.value = None;
    reading.report(&QUIRK, place, "the value is not looked at");
    true
}
