//! Refuses filters that have no meaning for a resource type, with the reason.

use crate::datetime::parse_datetime;
use crate::error::ScimError;
use crate::filter::{CompareOp, Filter, Literal};
use crate::filter_eval::{Scope, read_bool};
use crate::path::AttrPath;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType, Returned};

pub(crate) fn check(filter: &Filter, rt: &ResourceType) -> Result<(), ScimError> {
    check_in(filter, Scope::Resource(rt)).map_err(ScimError::invalid_filter)
}

/// The same for a filter inside the brackets of a path, relative to an element of `attribute`.
pub(crate) fn check_element(filter: &Filter, attribute: &Attribute) -> Result<(), ScimError> {
    check_in(filter, Scope::Element(attribute)).map_err(ScimError::invalid_filter)
}

fn check_in(filter: &Filter, scope: Scope<'_>) -> Result<(), String> {
    match filter {
        Filter::And(terms) | Filter::Or(terms) => terms.iter().try_for_each(|term| check_in(term, scope)),
        Filter::Not(inner) => check_in(inner, scope),
        Filter::Present(path) => resolve(path, scope).map(|_| ()),
        Filter::Compare { path, op, value } => {
            let attribute = resolve(path, scope)?;
            let comparable = attribute.comparable().ok_or_else(|| {
                let example = attribute.sub_attributes.first().map_or("value", |sub| sub.name.as_str());
                format!("{path} is complex: compare one of its sub-attributes, such as {path}.{example}")
            })?;
            check_comparison(path, comparable.kind, *op, value)
        }
        Filter::ValuePath { path, filter } => {
            let attribute = resolve(path, scope)?;
            if !attribute.multi_valued {
                return Err(format!("{path} has one value, so nothing can be selected with \"[…]\""));
            }
            check_in(filter, Scope::Element(attribute))
        }
    }
}

fn resolve<'a>(path: &AttrPath, scope: Scope<'a>) -> Result<&'a Attribute, String> {
    let attribute = scope.resolve(path).ok_or_else(|| match scope {
        Scope::Resource(rt) => format!("a {} has no attribute {path}", rt.name),
        Scope::Element(parent) => format!("{} has no sub-attribute {path}", parent.name),
        Scope::Untyped => format!("unknown attribute {path}"),
    })?;
    if attribute.returned == Returned::Never {
        return Err(format!("{path} is never returned, so it cannot be filtered on"));
    }
    Ok(attribute)
}

fn check_comparison(
    path: &AttrPath,
    kind: AttributeType,
    op: CompareOp,
    value: &Literal,
) -> Result<(), String> {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let ordered = matches!(op, Gt | Ge | Lt | Le);
    let substring = matches!(op, Co | Sw | Ew);
    if *value == Literal::Null {
        let equality = matches!(op, Eq | Ne);
        return if equality {
            Ok(())
        } else {
            Err(format!("{path} {op} null: null has no order and no parts"))
        };
    }
    let (operator_fits, value_fits) = match kind {
        AttributeType::Boolean => {
            let is_bool = match value {
                Literal::Bool(_) => true,
                Literal::String(text) => read_bool(text).is_some(),
                _ => false,
            };
            (!ordered && !substring, is_bool)
        }
        AttributeType::Integer | AttributeType::Decimal => (!substring, matches!(value, Literal::Number(_))),
        AttributeType::Binary => (!ordered, matches!(value, Literal::String(_))),
        AttributeType::DateTime => {
            let is_time =
                matches!(value, Literal::String(text) if substring || parse_datetime(text).is_some());
            (true, is_time)
        }
        AttributeType::String | AttributeType::Reference | AttributeType::Complex => {
            (true, matches!(value, Literal::String(_)))
        }
    };
    if !operator_fits {
        return Err(format!("{path} is {}, which operator {op} does not apply to", kind.with_article()));
    }
    if !value_fits {
        let hint = match (kind, value) {
            (AttributeType::String | AttributeType::Reference, _) => "; write the value in quotes",
            (AttributeType::DateTime, _) => ", such as \"2026-01-31T08:00:00Z\"",
            _ => "",
        };
        return Err(format!("{path} is {}, which {value} is not{hint}", kind.with_article()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScimType;

    fn refusal(text: &str) -> String {
        let error = Filter::parse(text).unwrap().check(&ResourceType::user()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)));
        error.detail
    }

    #[test]
    fn accepts_what_the_schema_allows() {
        let user = ResourceType::user();
        for text in [
            r#"userName eq "ann" and active eq true"#,
            r#"active eq "True""#,
            r#"emails eq "a@x" or emails.value co "@x""#,
            r#"emails[type eq "work" and primary eq true]"#,
            r#"emails[type eq "work"].value ew "x""#,
            r#"meta.lastModified ge "2026-01-01T00:00:00Z""#,
            r#"meta.lastModified sw "2026-01""#,
            "title eq null",
            "name pr",
            r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "m1""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "a""#,
        ] {
            assert_eq!(Filter::parse(text).unwrap().check(&user), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, reason) in [
            ("nick eq \"x\"", "a User has no attribute nick"),
            ("not (nick pr)", "a User has no attribute nick"),
            ("emails[kind eq \"x\"]", "emails has no sub-attribute kind"),
            ("active gt true", "active is a boolean, which operator gt does not apply to"),
            ("active eq \"maybe\"", "active is a boolean, which \"maybe\" is not"),
            ("userName eq 7", "userName is a string, which 7 is not; write the value in quotes"),
            ("name eq \"x\"", "name is complex: compare one of its sub-attributes, such as name.formatted"),
            ("password eq \"x\"", "password is never returned, so it cannot be filtered on"),
            ("password pr", "password is never returned, so it cannot be filtered on"),
            ("userName[value eq \"x\"]", "userName has one value, so nothing can be selected with \"[…]\""),
            ("title gt null", "title gt null: null has no order and no parts"),
            (
                "x509Certificates.value gt \"a\"",
                "x509Certificates.value is base 64 text, which operator gt does not apply to",
            ),
            (
                "meta.created gt \"yesterday\"",
                "meta.created is a dateTime, which \"yesterday\" is not, such as \"2026-01-31T08:00:00Z\"",
            ),
        ] {
            assert_eq!(refusal(text), reason, "{text}");
        }
    }
}
