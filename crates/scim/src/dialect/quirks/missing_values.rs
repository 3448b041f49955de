//! Selections that match nothing: `emails[type eq "work"].value` where there is no such e-mail yet, or no longer.

use crate::dialect::quirk::{ENTRA, Quirk};

pub(super) static QUIRK: Quirk = Quirk {
    values_may_be_absent: true,
    ..Quirk::new(
        "missing_values",
        "\"replace\" creates what its selection describes; \"remove\" of what is not there is done already.",
        ENTRA,
        "Entra (Replace emails[type eq \"work\"].value on a user without it); SCIM-SDK issue 416",
    )
};
