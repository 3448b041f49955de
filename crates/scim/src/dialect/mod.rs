//! Dialects: what identity providers really send, read as what it means, before anything is validated.
//!
//! One normaliser decides: [`normalise_resource`], [`normalise_patch`] and [`normalise_filter`]. Each deviation that is
//! tolerated is a quirk, a file of its own in this folder and a line in [`QUIRKS`]; what was tolerated is reported. In the
//! strict dialect none is. What the RFCs allow needs no quirk: names and operations in any letter case, null for unassigned.

mod bare_reference;
mod booleans_as_text;
mod empty_text;
mod keys_as_paths;
mod legacy_urn;
mod missing_element;
mod read_only_repeated;
mod reading;
mod removal_by_value;
mod several_primaries;
mod short_name;
mod single_for_list;
mod stray_value;
mod unknown_attribute;
mod unknown_schema;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::PatchRequest;
use crate::resource_type::ResourceType;

use reading::{Quirk, Reading};

/// How the requests of a connection are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Everything that any identity provider is known to send.
    #[default]
    Auto,
    /// What Okta sends.
    Okta,
    /// What Microsoft Entra sends.
    Entra,
    /// Only what the RFCs allow: for developers of clients.
    Strict,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 4] = [Dialect::Auto, Dialect::Okta, Dialect::Entra, Dialect::Strict];

    /// As stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        let found = Self::ALL.into_iter().find(|dialect| dialect.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            ScimError::invalid_value(format!("{text:?} is no dialect: auto, okta, entra or strict"))
        })
    }
}

/// A deviation that was tolerated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tolerated {
    /// Which quirk.
    pub quirk: &'static str,
    /// Where in the request.
    pub place: String,
    /// What it was taken for.
    pub note: String,
}

/// What a quirk is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuirkInfo {
    /// Its name in the SCIM log.
    pub name: &'static str,
    /// What is sent, and how it is read.
    pub about: &'static str,
    /// Which dialects besides `auto` have it.
    pub dialects: &'static [Dialect],
}

/// Every quirk, in the order in which they look at a request.
const QUIRKS: &[&Quirk] = &[
    &legacy_urn::QUIRK,
    &unknown_schema::QUIRK,
    &keys_as_paths::QUIRK,
    &short_name::QUIRK,
    &read_only_repeated::QUIRK,
    &unknown_attribute::QUIRK,
    &single_for_list::QUIRK,
    &bare_reference::QUIRK,
    &booleans_as_text::QUIRK,
    &empty_text::QUIRK,
    &several_primaries::QUIRK,
    &stray_value::QUIRK,
    &removal_by_value::QUIRK,
    &missing_element::QUIRK,
];

/// Every quirk there is.
pub fn quirks() -> Vec<QuirkInfo> {
    QUIRKS.iter().map(|quirk| quirk.info).collect()
}

/// The body of a POST or PUT as it was meant. It is not validated yet: see [`crate::validate`].
pub fn normalise_resource(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    let Some(fields) = body.as_object() else {
        return Err(ScimError::invalid_syntax(format!("a {} must be a JSON object", rt.name)));
    };
    let mut reading = Reading::new(rt, dialect);
    let mut fields = fields.clone();
    reading.resource(&mut fields);
    Ok((Value::Object(fields), reading.tolerated))
}

/// The body of a PATCH as operations. Changes of members are operations whose path is `members`.
pub fn normalise_patch(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(PatchRequest, Vec<Tolerated>), ScimError> {
    let request = PatchRequest::from_json(body)?;
    let mut reading = Reading::new(rt, dialect);
    let operations = reading.patch(request.operations)?;
    Ok((PatchRequest { operations }, reading.tolerated))
}

/// A filter as it was meant, checked against the schema: unknown attributes and operators that do not suit are
/// `invalidFilter`.
pub fn normalise_filter(
    rt: &ResourceType,
    dialect: Dialect,
    text: &str,
) -> Result<(Filter, Vec<Tolerated>), ScimError> {
    let mut filter = Filter::parse(text)?;
    let mut reading = Reading::new(rt, dialect);
    reading.filter(&mut filter);
    filter.check(rt)?;
    Ok((filter, reading.tolerated))
}
