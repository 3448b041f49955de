//! Names that are paths, in values without a path: `name.givenName`, `urn:…:User:department`.

use crate::dialect::given::{Given, Target};
use crate::dialect::notes::Notes;
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    ..Quirk::new(
        "composed_names",
        "A name in a value may be a path: split at the longest schema URN, then at the dot.",
        ENTRA,
        "Entra with aadOptscim062020, and its validator; scim-patch issue 132",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    if given.composed && !matches!(given.target(rt), Target::Unknown) {
        given.composed = false;
        notes.add(given.place(), "the name is read as a path");
    }
}
