//! What only the server sets, repeated by the client without a path: `{"id": …, "displayName": …}`, `groups`, `meta`.

use super::reading::{Quirk, Reading, resolve};
use super::{Dialect, QuirkInfo};
use crate::patch::PatchOperation;
use crate::schema::Mutability;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "read-only-repeated",
        about: "A PATCH repeats id, meta or groups: what only the server sets is left out.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    expand: |_, _| None,
    operation,
    ..Quirk::NONE
};

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    let Some(path) = &operation.path else { return true };
    // Only what can have come as a key beside others: an explicit part of it is a wrong request.
    if path.sub.is_some() || path.filter.is_some() || operation.value.is_none() {
        return true;
    }
    let read_only =
        resolve(reading.rt, path).is_some_and(|(attribute, _)| attribute.mutability == Mutability::ReadOnly);
    let repeated =
        read_only && ["id", "meta", "groups"].iter().any(|name| name.eq_ignore_ascii_case(&path.attr));
    if repeated {
        reading.report(&QUIRK, path.to_string(), "left out: only the server sets it");
    }
    !repeated
}
