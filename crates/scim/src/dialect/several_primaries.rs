//! More than one value marked as primary: the last one is.

use serde_json::Value;

use super::reading::{Quirk, Reading, Slot};
use super::{Dialect, QuirkInfo};
use crate::path::key_of;
use crate::resource::is_primary;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "several-primaries",
        about: "Several values of a list are marked as primary: the last one is.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    value,
    ..Quirk::NONE
};

fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    let Some(list) = value.as_array_mut().filter(|_| slot.list) else { return };
    let marked: Vec<usize> =
        list.iter().enumerate().filter(|(_, element)| is_marked(element)).map(|(at, _)| at).collect();
    let Some((_, others)) = marked.split_last().filter(|(_, others)| !others.is_empty()) else { return };
    for at in others {
        if let Some(fields) = list[*at].as_object_mut() {
            let key = key_of(fields, "primary");
            fields.insert(key, Value::Bool(false));
        }
    }
    reading.report(&QUIRK, slot.place.clone(), "the last primary value is the primary one");
}

/// Also as text: this looks at the list before its parts are read.
fn is_marked(element: &Value) -> bool {
    let text = element.as_object().and_then(|fields| crate::path::member(fields, "primary")?.as_str());
    is_primary(element) || text.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
