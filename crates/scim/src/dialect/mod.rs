//! What identity providers send, turned into what the RFCs say, before anything is checked against a schema.
//!
//! A quirk is a file in `quirks` and a line in its list; it rewrites what it understands and says so. Whatever is left
//! after that must be lawful: [`Dialect::Strict`] is the same way without quirks.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::PatchRequest;
use crate::patch_apply::carry_out;
use crate::resource_type::ResourceType;

mod given;
mod lawful;
mod notes;
mod quirk;
mod quirks;
mod read_filter;
mod read_patch;
mod read_resource;

use notes::Notes;
use quirk::Quirk;

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

    /// The quirks that it understands, in the order in which they look at a request.
    fn quirks(self) -> impl Iterator<Item = &'static Quirk> {
        quirks::ALL.iter().copied().filter(move |quirk| quirk.info.dialects.contains(&self))
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

/// Every quirk, in the order in which they look at a request.
pub fn quirks() -> &'static [QuirkInfo] {
    static INFOS: OnceLock<Vec<QuirkInfo>> = OnceLock::new();
    INFOS.get_or_init(|| quirks::ALL.iter().map(|quirk| quirk.info).collect())
}

/// The body of a POST or PUT as the RFCs would have it: one object per extension, names in the schema's letter case.
/// [`crate::validate`] checks it. Fails only where the meaning is not clear, or the dialect does not allow the form.
pub fn normalise_resource(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    take_resource(rt, dialect, body.clone())
}

/// [`normalise_resource`] of a body that is not needed any more: nothing of it is copied, and a group may be large.
pub fn take_resource(
    rt: &ResourceType,
    dialect: Dialect,
    body: Value,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    let mut notes = Notes::default();
    let resource = read_resource::read(rt, dialect, body, &mut notes)?;
    Ok((resource, notes.into_list()))
}

/// The body of a PATCH as the RFCs would have it; [`apply_patch`] carries it out.
///
/// Every operation of the result has a path whose names are in the schema's letter case; a value without path was taken
/// apart, one operation for each attribute. There may be none left. What is done to a whole multi-valued attribute,
/// such as `members`, has one of these forms, each list checked against the schema and not empty:
/// - `add` of a list;
/// - `replace` with a list, or with null: no value stays;
/// - `remove` without value: no value stays;
/// - `remove` of a list: exactly these values.
///
/// Besides there are operations on a selection, such as `remove members[value eq "…"]`.
pub fn normalise_patch(
    rt: &ResourceType,
    dialect: Dialect,
    body: &Value,
) -> Result<(PatchRequest, Vec<Tolerated>), ScimError> {
    take_patch(rt, dialect, body.clone())
}

/// [`normalise_patch`] of a body that is not needed any more.
pub fn take_patch(
    rt: &ResourceType,
    dialect: Dialect,
    body: Value,
) -> Result<(PatchRequest, Vec<Tolerated>), ScimError> {
    let mut notes = Notes::default();
    let request = read_patch::read(rt, dialect, body, &mut notes)?;
    Ok((request, notes.into_list()))
}

/// Carries a normalised PATCH out, with what the dialect tolerates about values that are not there: [`patch::apply`]
/// says what the rest means. Errors and notes name the path; there is no number of an operation that the client knows.
///
/// [`patch::apply`]: crate::patch::apply
pub fn apply_patch(
    rt: &ResourceType,
    dialect: Dialect,
    resource: &Value,
    request: &PatchRequest,
) -> Result<(Value, Vec<Tolerated>), ScimError> {
    let quirk = dialect.quirks().find(|quirk| quirk.values_may_be_absent);
    let done = carry_out(rt, resource, request, quirk.is_some());
    let (changed, absent) = done.map_err(|(_, error)| error)?;
    let mut notes = Notes::default();
    notes.quirk = quirk.map_or("", |quirk| quirk.info.name);
    for absent in absent {
        let note = if absent.created { "no value matched, so it was created" } else { "no value matched" };
        notes.add(absent.path.to_string(), note);
    }
    Ok((changed, notes.into_list()))
}

/// A filter's text as a filter that has a meaning for the resource type: quoted booleans are booleans where the dialect
/// understands them, and a complex attribute is compared by its `value`.
pub fn normalise_filter(
    rt: &ResourceType,
    dialect: Dialect,
    text: &str,
) -> Result<(Filter, Vec<Tolerated>), ScimError> {
    let mut notes = Notes::default();
    let filter = read_filter::read(rt, dialect, text, &mut notes)?;
    Ok((filter, notes.into_list()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.as_str().to_uppercase().parse(), Ok(dialect));
            assert_eq!(serde_json::to_value(dialect).unwrap(), dialect.as_str());
        }
        assert!("saml".parse::<Dialect>().is_err());
        assert_eq!(Dialect::default(), Dialect::Auto);
    }

    #[test]
    fn auto_understands_everything_and_strict_nothing() {
        let count = |dialect: Dialect| dialect.quirks().count();
        assert_eq!(count(Dialect::Auto), quirks().len());
        assert_eq!(count(Dialect::Strict), 0);
        assert!(count(Dialect::Okta) > 0 && count(Dialect::Entra) > count(Dialect::Okta));
        for quirk in quirks() {
            assert!(quirk.about.ends_with('.') && !quirk.source.is_empty(), "{}", quirk.name);
        }
    }
}
