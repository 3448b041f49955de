//! The list of quirks; each is a module of its own, which says what it understands and where that was seen.

mod bare_value;
mod boolean_text;
mod composed_names;
mod empty_text;
mod extra_members;
mod legacy_urns;
mod list_for_single;
mod missing_schemas;
mod missing_values;
mod read_only_parts;
mod remove_listed;
mod several_primaries;
mod short_names;
mod single_for_list;
mod stray_value;
mod unknown_attributes;
mod wrapped_value;

use super::quirk::Quirk;

/// Every quirk, in the order in which they look: first what is meant, then its shape, then its content.
pub(super) static ALL: &[&Quirk] = &[
    &extra_members::QUIRK,
    &legacy_urns::QUIRK,
    &short_names::QUIRK,
    &composed_names::QUIRK,
    &read_only_parts::QUIRK,
    &wrapped_value::QUIRK,
    &unknown_attributes::QUIRK,
    &missing_schemas::QUIRK,
    &stray_value::QUIRK,
    &list_for_single::QUIRK,
    &bare_value::QUIRK,
    &single_for_list::QUIRK,
    &empty_text::QUIRK,
    &boolean_text::QUIRK,
    &several_primaries::QUIRK,
    &remove_listed::QUIRK,
    &missing_values::QUIRK,
];
