//! Messages and resources that do not say what they are.

use serde_json::{Value, json};

use crate::dialect::notes::Notes;
use crate::dialect::quirk::{Message, Quirk, TOLERANT};
use crate::path::key_of;
use crate::resource_type::ResourceType;
use crate::urn;

pub(super) static QUIRK: Quirk = Quirk {
    body: Some(look),
    ..Quirk::new(
        "missing_schemas",
        "A request without schemas is what its address says it is.",
        TOLERANT,
        "hand-written clients and older templates of several identity providers",
    )
};

fn look(rt: &ResourceType, message: Message<'_>, notes: &mut Notes) {
    let (body, wanted) = match message {
        Message::Patch(body) => (body, urn::PATCH_OP),
        Message::Resource(body) => (body, rt.schema.id.as_str()),
    };
    let key = key_of(body, "schemas");
    let is_wanted = |item: &Value| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(wanted));
    match body.get_mut(&key) {
        None | Some(Value::Null) => {
            body.insert(key, json!([wanted]));
        }
        Some(Value::Array(list)) if list.is_empty() => list.push(Value::from(wanted)),
        // A resource that names an extension only; another message, however, is not meant for us.
        Some(Value::Array(list)) if wanted != urn::PATCH_OP && !list.iter().any(is_wanted) => {
            list.insert(0, Value::from(wanted));
        }
        Some(_) => return,
    }
    notes.add("schemas", format!("taken to name {wanted}"));
}
