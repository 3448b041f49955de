//! Attributes of an extension named as if they were core attributes: `department`, `manager`.

use crate::dialect::quirk::{ENTRA, Quirk};
use crate::path::AttrPath;
use crate::resource_type::ResourceType;

pub(super) static QUIRK: Quirk = Quirk {
    path: Some(read),
    ..Quirk::new(
        "short_names",
        "An attribute that only one extension has is found without the extension's URN.",
        ENTRA,
        "the Entra provisioning tutorial (manager and department at the top level, filter manager eq)",
    )
};

fn read(rt: &ResourceType, path: &AttrPath) -> Option<AttrPath> {
    let is_core = path.urn.as_deref().is_none_or(|urn| urn.eq_ignore_ascii_case(&rt.schema.id));
    if !is_core || rt.top_level(&path.attr).is_some() {
        return None;
    }
    let mut holders = rt.extensions.iter().filter(|extension| extension.attribute(&path.attr).is_some());
    match (holders.next(), holders.next()) {
        (Some(only), None) => Some(AttrPath { urn: Some(only.id.clone()), ..path.clone() }),
        _ => None,
    }
}
