//! `"True"` and `"False"` for booleans, in values and in filters; texts stay texts.

use serde_json::Value;

use super::reading::{Quirk, Reading, Slot};
use super::{Dialect, QuirkInfo};
use crate::filter::{Filter, Literal};
use crate::patch::PatchOperation;
use crate::path::AttrPath;
use crate::schema::AttributeType;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "booleans-as-text",
        about: "A boolean is given as text, such as \"False\": the boolean is meant.",
        dialects: &[Dialect::Entra],
    },
    value,
    operation,
    term,
    ..Quirk::NONE
};

fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn value(reading: &mut Reading<'_>, slot: &Slot<'_>, value: &mut Value) {
    if slot.attribute.kind == AttributeType::Boolean
        && let Some(meant) = value.as_str().and_then(boolean)
    {
        *value = Value::Bool(meant);
        reading.report(&QUIRK, slot.place.clone(), format!("read as {meant}"));
    }
}

fn operation(reading: &mut Reading<'_>, operation: &mut PatchOperation) -> bool {
    if let Some(path) = &mut operation.path {
        reading.selection(path);
    }
    true
}

fn term(reading: &mut Reading<'_>, parent: Option<&AttrPath>, filter: &mut Filter) {
    let Filter::Compare { path, value, .. } = filter else { return };
    let Literal::String(text) = value else { return };
    let whole = match parent {
        None => path.clone(),
        Some(parent) => {
            AttrPath { urn: parent.urn.clone(), attr: parent.attr.clone(), sub: Some(path.attr.clone()) }
        }
    };
    let is_boolean =
        reading.rt.resolve(&whole).is_some_and(|attribute| attribute.kind == AttributeType::Boolean);
    if let Some(meant) = boolean(text).filter(|_| is_boolean) {
        *value = Literal::Bool(meant);
        reading.report(&QUIRK, whole.to_string(), format!("read as {meant}"));
    }
}
