//! Attributes that only the server sets, among others in a PATCH value without path: Okta and Entra send the `id`.

use crate::dialect::given::{Given, Target};
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{Quirk, TOLERANT};
use crate::resource_type::ResourceType;
use crate::schema::Mutability;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "read_only_parts",
        "readOnly attributes in a PATCH value without path are ignored, as they are in POST and PUT.",
        TOLERANT,
        "Okta group push (id beside displayName in every rename)",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let Target::Attribute { attribute, sub } = given.target(rt) else { return };
    let read_only =
        [Some(attribute), sub].into_iter().flatten().any(|a| a.mutability == Mutability::ReadOnly);
    if read_only && given.op.is_some() && !given.at_path {
        given.dropped = true;
        notes.add(given.place(), "ignored: it is readOnly");
    }
}
