//! `replace` of a part of an element that is not there yet: `emails[type eq "work"].value` makes it.

use super::reading::{Quirk, Reading};
use super::{Dialect, QuirkInfo};
use crate::filter::{CompareOp, Filter, Literal};
use crate::patch::{PatchOp, PatchOperation};

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "missing-element",
        about: "A replace selects an element that may be missing: it is made from what the selection says.",
        dialects: &[Dialect::Entra],
    },
    operation,
    ..Quirk::NONE
};

/// `add` at such a path sets the part where the element is there, and makes the element where it is not.
fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    let Some(path) = &operation.path else { return true };
    let made = path.sub.is_some() && path.filter.as_ref().is_some_and(says_what_it_is);
    let given = operation.value.as_ref().is_some_and(|value| !value.is_null() && value.as_str() != Some(""));
    if operation.op == PatchOp::Replace && made && given {
        let place = path.to_string();
        operation.op = PatchOp::Add;
        reading.report(&QUIRK, place, "the element is made if it is missing");
    }
    true
}

fn says_what_it_is(filter: &Filter) -> bool {
    match filter {
        Filter::Compare { op: CompareOp::Eq, value, .. } => !matches!(value, Literal::Null),
        Filter::And(terms) => terms.iter().all(says_what_it_is),
        _ => false,
    }
}
