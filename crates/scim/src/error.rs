//! SCIM errors: the value every function of this crate fails with, and its message form (RFC 7644 section 3.12).

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::path::member;
use crate::urn;

/// The detail error keyword of RFC 7644 table 9, or of RFC 9865 section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScimType {
    /// The filter's syntax, or its combination of attribute and operator, is not supported.
    InvalidFilter,
    /// The filter yields more results than the server is willing to return.
    TooMany,
    /// A value that must be unique is in use.
    Uniqueness,
    /// The change contradicts the attribute's mutability.
    Mutability,
    /// The body does not conform to the request's schema.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed or names nothing.
    InvalidPath,
    /// The path yields no attribute or value that could be operated on.
    NoTarget,
    /// A required value is missing, or a value does not suit its attribute.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request carried sensitive information in its URI.
    Sensitive,
    /// The cursor is none that an answer gave.
    InvalidCursor,
    /// The cursor was valid once.
    ExpiredCursor,
    /// The count does not suit paging by cursor.
    InvalidCount,
}

const WIRE_NAMES: [(ScimType, &str); 13] = [
    (ScimType::InvalidFilter, "invalidFilter"),
    (ScimType::TooMany, "tooMany"),
    (ScimType::Uniqueness, "uniqueness"),
    (ScimType::Mutability, "mutability"),
    (ScimType::InvalidSyntax, "invalidSyntax"),
    (ScimType::InvalidPath, "invalidPath"),
    (ScimType::NoTarget, "noTarget"),
    (ScimType::InvalidValue, "invalidValue"),
    (ScimType::InvalidVers, "invalidVers"),
    (ScimType::Sensitive, "sensitive"),
    (ScimType::InvalidCursor, "invalidCursor"),
    (ScimType::ExpiredCursor, "expiredCursor"),
    (ScimType::InvalidCount, "invalidCount"),
];

impl ScimType {
    /// The name on the wire, such as `invalidFilter`.
    pub fn as_str(self) -> &'static str {
        WIRE_NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ScimType {
    type Err = ScimError;

    /// Reads the wire name in any letter case.
    fn from_str(text: &str) -> Result<Self, ScimError> {
        WIRE_NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(kind, _)| *kind)
            .ok_or_else(|| ScimError::invalid_value(format!("{text:?} is no scimType of RFC 7644 table 9")))
    }
}

/// An error as RFC 7644 section 3.12 describes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}{}: {detail}", scim_type.map(|kind| format!(" {kind}")).unwrap_or_default())]
pub struct ScimError {
    /// The HTTP status code; 0 if an answer read by [`ScimError::from_json`] named none.
    pub status: u16,
    /// The detail error keyword, if one applies.
    pub scim_type: Option<ScimType>,
    /// What a person should read: the place, the rule, what was found.
    pub detail: String,
}

impl ScimError {
    /// An error with every part given.
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Self { status, scim_type, detail: detail.into() }
    }

    /// 400 `invalidFilter`.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidFilter), detail)
    }

    /// 400 `invalidPath`.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidPath), detail)
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidValue), detail)
    }

    /// 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidSyntax), detail)
    }

    /// 400 `noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::NoTarget), detail)
    }

    /// 400 `mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::Mutability), detail)
    }

    /// 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, Some(ScimType::Uniqueness), detail)
    }

    /// 404 without a keyword.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, None, detail)
    }

    /// The message body; `status` is a string there, as the RFC demands.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [urn::ERROR],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.scim_type {
            body["scimType"] = json!(kind.as_str());
        }
        body
    }

    /// Reads an error body as real apps write it: numeric status, no scimType, nested in `response` or `detail`
    /// or in the `Errors` list of SCIM 1.1. `None` if the body is no SCIM error at all.
    pub fn from_json(body: &Value) -> Option<Self> {
        read_error(body, 4)
    }
}

fn read_error(body: &Value, depth_left: u8) -> Option<ScimError> {
    let depth_left = depth_left.checked_sub(1)?;
    let object = body.as_object()?;
    for wrapper in ["response", "detail", "error"] {
        if let Some(inner) = member(object, wrapper).filter(|inner| inner.is_object())
            && let Some(mut error) = read_error(inner, depth_left)
        {
            if error.status == 0 {
                error.status = member(object, "status").and_then(read_status).unwrap_or(0);
            }
            return Some(error);
        }
    }
    if let Some(first) = member(object, "Errors").and_then(Value::as_array).and_then(|list| list.first()) {
        let detail = first.get("description").and_then(Value::as_str)?;
        let status = first.get("code").and_then(read_status).unwrap_or(0);
        return Some(ScimError::new(status, None, detail));
    }
    let named = member(object, "schemas").and_then(Value::as_array).is_some_and(|list| {
        list.iter().any(|item| item.as_str().is_some_and(|id| id.eq_ignore_ascii_case(urn::ERROR)))
    });
    let detail = member(object, "detail").and_then(Value::as_str);
    let scim_type = member(object, "scimType").and_then(Value::as_str);
    if !named && detail.is_none() && scim_type.is_none() {
        return None;
    }
    Some(ScimError {
        status: member(object, "status").and_then(read_status).unwrap_or(0),
        // An app's own keyword is kept readable in the detail rather than lost.
        scim_type: scim_type.and_then(|name| name.parse().ok()),
        detail: detail.or(scim_type).unwrap_or_default().to_owned(),
    })
}

fn read_status(value: &Value) -> Option<u16> {
    let status = match value {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.trim().get(..3).and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    status.filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_survives_the_wire() {
        for (kind, name) in WIRE_NAMES {
            assert_eq!(kind.as_str(), name);
            assert_eq!(name.to_uppercase().parse::<ScimType>(), Ok(kind));
            let error = ScimError::new(400, Some(kind), "why");
            assert_eq!(ScimError::from_json(&error.to_json()), Some(error));
        }
        assert!("invalid".parse::<ScimType>().is_err());
    }

    #[test]
    fn status_is_a_string_on_the_wire() {
        let body = ScimError::uniqueness("userName is in use").to_json();
        assert_eq!(body["status"], json!("409"));
        assert_eq!(body["schemas"], json!([urn::ERROR]));
        assert_eq!(ScimError::not_found("gone").to_json().get("scimType"), None);
    }

    #[test]
    fn reads_the_shapes_of_real_apps() {
        let expected = ScimError::new(409, None, "taken");
        for body in [
            json!({"schemas": [urn::ERROR], "status": 409, "detail": "taken"}),
            json!({"status": "409", "detail": "taken"}),
            json!({"status": "409 Conflict", "detail": "taken"}),
            json!({"response": {"status": "409", "detail": "taken"}}),
            json!({"detail": {"schemas": [urn::ERROR], "detail": "taken", "status": 409}}),
            json!({"status": 409, "response": {"detail": "taken"}}),
            json!({"Errors": [{"description": "taken", "code": "409"}]}),
        ] {
            assert_eq!(ScimError::from_json(&body), Some(expected.clone()), "{body}");
        }
        assert_eq!(ScimError::from_json(&json!({"detail": "no"})), Some(ScimError::new(0, None, "no")));
    }

    #[test]
    fn other_bodies_are_no_errors() {
        for body in [json!({}), json!([]), json!(null), json!("x"), json!({"id": "1", "userName": "ann"})] {
            assert_eq!(ScimError::from_json(&body), None, "{body}");
        }
        let mut deep = json!({"detail": "x"});
        for _ in 0..50 {
            deep = json!({"response": deep});
        }
        assert_eq!(ScimError::from_json(&deep), None);
    }

    #[test]
    fn displays_status_keyword_and_detail() {
        assert_eq!(ScimError::no_target("nothing there").to_string(), "400 noTarget: nothing there");
        assert_eq!(ScimError::not_found("no user u1").to_string(), "404: no user u1");
    }
}
