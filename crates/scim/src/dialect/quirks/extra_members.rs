//! Members of a PATCH request or of an operation that mean nothing: `id` beside `Operations`, `name` beside `op`.

use serde_json::{Map, Value};

use crate::dialect::lawful::{ENVELOPE, OPERATION, is_among};
use crate::dialect::notes::{Notes, shown};
use crate::dialect::quirk::{Message, Quirk, TOLERANT};
use crate::path::key_of;
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    body: Some(look),
    ..Quirk::new(
        "extra_members",
        "Members of a PATCH request and of its operations that the RFC does not have are ignored.",
        TOLERANT,
        "the Entra provisioning tutorial (id and operation name in the PATCH body)",
    )
};

fn look(_: &ResourceType, message: Message<'_>, notes: &mut Notes) {
    let Message::Patch(body) = message else { return };
    keep(body, &ENVELOPE, "", notes);
    let key = key_of(body, "Operations");
    let operations = body.get_mut(&key).and_then(Value::as_array_mut).into_iter().flatten();
    for (index, operation) in operations.enumerate() {
        if let Some(operation) = operation.as_object_mut() {
            keep(operation, &OPERATION, &format!("Operations[{index}]: "), notes);
        }
    }
}

fn keep(object: &mut Map<String, Value>, known: &[&str], place: &str, notes: &mut Notes) {
    object.retain(|name, _| {
        let known = is_among(known, name);
        if !known {
            notes.add(format!("{place}{}", shown(name)), "ignored");
        }
        known
    });
}
