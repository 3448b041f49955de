//! What identity providers send, turned into what the RFCs say, before anything is checked against a schema.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::{PatchRequest, apply};
use crate::resource_type::ResourceType;

/// How much of what the RFCs do not allow is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Everything that any identity provider was seen to send.
    #[default]
    Auto,
    /// What Okta sends.
    Okta,
    /// What Microsoft Entra sends.
    Entra,
    /// What the RFCs allow, and nothing more.
    Strict,
}

impl Dialect {
    const ALL: [Dialect; 4] = [Self::Auto, Self::Okta, Self::Entra, Self::Strict];

    /// The name: `auto`, `okta`, `entra`, `strict`.
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

    /// Reads the name in any letter case.
    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            ScimError::invalid_value(format!("{text:?} is no dialect: auto, okta, entra or strict"))
        })
    }
}

/// A tolerated deviation, for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tolerated {
    /// Which quirk understood it.
    pub quirk: &'static str,
    /// Where it stood, such as `Operations[0]: active`.
    pub place: String,
    /// What was decided. Never a value that was sent.
    pub note: String,
}

/// What a quirk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuirkInfo {
    /// The name of its module.
    pub name: &'static str,
    /// What it understands, in a sentence.
    pub about: &'static str,
    /// The dialects that use it.
    pub dialects: &'static [Dialect],
    /// Where it was seen.
    pub source: &'static str,
}

/// Every quirk.
pub fn quirks() -> &'static [QuirkInfo] {
    &[]
}

/// The body of a POST or PUT as the RFCs would have it; [`crate::validate`] checks it.
pub fn normalise_resource(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    let _ = (rt, dialect);
    Ok((body.clone(), Vec::new()))
}

/// The body of a PATCH as the RFCs would have it; [`apply_patch`] carries it out.
pub fn normalise_patch(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(PatchRequest, Vec<Tolerated>), ScimError> {
    let _ = (rt, dialect);
    Ok((PatchRequest::from_json(body)?, Vec::new()))
}

/// Carries a PATCH out, with what the dialect tolerates about values that are not there.
pub fn apply_patch(
    rt: &ResourceType,
    dialect: Dialect,
    resource: &Value,
    request: &PatchRequest,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    let _ = dialect;
    Ok((apply(rt, resource, request)?, Vec::new()))
}

/// A filter's text as a filter that has a meaning for the resource type.
pub fn normalise_filter(
    rt: &ResourceType,
    dialect: Dialect,
    text: &str,
) -> Result<(Filter, Vec<Tolerated>), ScimError> {
    let _ = dialect;
    let filter = Filter::parse(text)?;
    filter.check(rt)?;
    Ok((filter, Vec::new()))
}
