//! `remove members` with a list of values: exactly these go, an empty list removes nobody.

use super::reading::{Quirk, Reading};
use super::{Dialect, QuirkInfo};
use crate::patch::{PatchOp, PatchOperation};

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "removal-by-value",
        about: "A remove names a list and the values that shall go: exactly these go.",
        dialects: &[Dialect::Entra],
    },
    operation,
    ..Quirk::NONE
};

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    if let (PatchOp::Remove, Some(path), Some(value)) = (operation.op, &operation.path, &operation.value)
        && path.filter.is_none()
        && !value.is_null()
    {
        reading.report(&QUIRK, path.to_string(), "exactly the values that are named go");
    }
    true
}
