//! An operation without a path whose value's keys are paths: `name.givenName`, `emails[type eq "work"].value`, full URNs.

use serde_json::Value;

use super::reading::{Quirk, Reading};
use super::unknown_schema::short;
use super::{Dialect, QuirkInfo};
use crate::patch::{PatchOp, PatchOperation};
use crate::patch_path::PatchPath;

pub(super) const QUIRK: Quirk = Quirk {
    info: QuirkInfo {
        name: "keys-as-paths",
        about: "An operation without a path names paths as keys: each key is an operation of its own.",
        dialects: &[Dialect::Okta, Dialect::Entra],
    },
    expand,
    ..Quirk::NONE
};

fn expand(reading: &mut Reading<'_>, operation: &PatchOperation) -> Option<Vec<PatchOperation>> {
    if operation.op == PatchOp::Remove {
        return None;
    }
    let fields = operation.value.as_ref()?.as_object()?;
    let mut out = vec![];
    for (name, value) in fields {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        if let (Some(extension), Value::Object(inner)) = (reading.rt.extension(name), value) {
            for (name, value) in inner {
                push(reading, operation.op, &format!("{}:{name}", extension.id), value, &mut out);
            }
            continue;
        }
        if name.contains(['.', '[', ':']) {
            reading.report(&QUIRK, short(name), "read as a path");
        }
        push(reading, operation.op, name, value, &mut out);
    }
    Some(out)
}

fn push(reading: &mut Reading<'_>, op: PatchOp, name: &str, value: &Value, out: &mut Vec<PatchOperation>) {
    match PatchPath::parse(name) {
        Ok(path) => {
            // Without a path an unknown name is a name too many, not a wrong path.
            let known = super::unknown_attribute::keep(reading, &path);
            if known {
                out.push(PatchOperation { op, path: Some(path), value: Some(value.clone()) });
            }
        }
        Err(_) => reading.report(&QUIRK, short(name), "left out: it is no path"),
    }
}
