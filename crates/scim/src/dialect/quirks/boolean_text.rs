//! Booleans as text: `"True"` and `"False"` in values, in filters, and in the selections of paths.

use serde_json::Value;

use crate::dialect::given::{Given, each_simple};
use crate::dialect::notes::{Notes, Parts};
use crate::dialect::quirk::{ENTRA, Quirk};
use crate::filter::{Filter, Literal};
use crate::filter_eval::{Scope, read_bool};
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType};

pub(super) static QUIRK: Quirk = Quirk {
    given: Some(look),
    comparison: Some(compare),
    ..Quirk::new(
        "boolean_text",
        "\"True\" and \"False\", in any case, are booleans where the attribute is one.",
        ENTRA,
        "Entra without aadOptscim062020 (active \"False\", roles[primary eq \"True\"]); rancher issue 54025",
    )
};

fn look(rt: &ResourceType, given: &mut Given, notes: &mut Notes) {
    let Some(slot) = given.slot(rt) else { return };
    let Some(mut value) = given.value.take() else { return };
    let mut parts = Parts::default();
    each_simple(slot, &mut value, &mut |attribute, value| {
        let read = value.as_str().and_then(read_bool).filter(|_| attribute.kind == AttributeType::Boolean);
        if let Some(read) = read {
            *value = Value::Bool(read);
            parts.add(&attribute.name);
        }
    });
    given.value = Some(value);
    given.note_parts(slot, parts, notes, "a text is read as a boolean");
}

fn compare(scope: Scope<'_>, comparison: &mut Filter) -> Option<&'static str> {
    let Filter::Compare { path, value, .. } = comparison else { return None };
    let kind = scope.resolve(path).and_then(Attribute::comparable).map(|found| found.kind);
    let Literal::String(text) = value else { return None };
    let read = read_bool(text).filter(|_| kind == Some(AttributeType::Boolean))?;
    *value = Literal::Bool(read);
    Some("a text is compared as a boolean")
}
