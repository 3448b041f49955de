//! Dialects of identity providers (provisional).
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Filter, PatchRequest, ResourceType, ScimError};

/// How requests are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Every deviation that is known is tolerated.
    #[default]
    Auto,
    /// Okta.
    Okta,
    /// Entra.
    Entra,
    /// Nothing beyond the RFCs.
    Strict,
}

impl Dialect {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::Strict => "strict",
        }
    }
}

/// A tolerated deviation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tolerated {
    /// Which quirk.
    pub quirk: &'static str,
    /// Where.
    pub place: String,
    /// What was decided.
    pub note: String,
}

/// Provisional.
pub fn normalise_resource(
    _rt: &ResourceType,
    _dialect: Dialect,
    body: &Value,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    Ok((body.clone(), vec![]))
}

/// Provisional.
pub fn normalise_patch(
    _rt: &ResourceType,
    _dialect: Dialect,
    body: &Value,
) -> Result<(PatchRequest, Vec<Tolerated>), ScimError> {
    Ok((PatchRequest::from_json(body)?, vec![]))
}

/// Provisional.
pub fn normalise_filter(
    rt: &ResourceType,
    _dialect: Dialect,
    text: &str,
) -> Result<(Filter, Vec<Tolerated>), ScimError> {
    let filter = Filter::parse(text)?;
    filter.check(rt)?;
    Ok((filter, vec![]))
}
