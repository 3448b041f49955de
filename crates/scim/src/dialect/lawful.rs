//! What must hold once the quirks have looked: the forms that the RFCs allow, where nothing else checks them.

use serde_json::{Map, Value};

use super::given::{Given, Target};
use super::notes::shown;
use crate::error::ScimError;
use crate::filter::{Filter, Literal};
use crate::filter_eval::Scope;
use crate::patch::check_schemas;
use crate::path::member;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType};

/// The members of a PATCH request.
pub(super) const ENVELOPE: [&str; 2] = ["schemas", "Operations"];
/// The members of an operation.
pub(super) const OPERATION: [&str; 3] = ["op", "path", "value"];

/// A PATCH body: what it says it is, and no member that means nothing.
pub(super) fn patch_body(object: &Map<String, Value>) -> Result<(), ScimError> {
    check_schemas(object)?;
    only(object, &ENVELOPE, "a PATCH request")?;
    let operations = member(object, "Operations").and_then(Value::as_array).into_iter().flatten();
    operations
        .filter_map(Value::as_object)
        .try_for_each(|operation| only(operation, &OPERATION, "an operation"))
}

pub(super) fn is_among(known: &[&str], name: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn only(object: &Map<String, Value>, known: &[&str], what: &str) -> Result<(), ScimError> {
    match object.keys().find(|name| !is_among(known, name)) {
        None => Ok(()),
        Some(name) => Err(ScimError::invalid_syntax(format!(
            "{what} has no member {:?}, only {}",
            shown(name),
            known.join(", ")
        ))),
    }
}

/// `schemas` of a POST or PUT: there, and every schema known.
pub(super) fn resource_schemas(rt: &ResourceType, object: &Map<String, Value>) -> Result<(), ScimError> {
    let list = member(object, "schemas")
        .and_then(Value::as_array)
        .ok_or_else(|| ScimError::invalid_value(format!("schemas must be a list with {}", rt.schema.id)))?;
    let is = |item: &Value, urn: &str| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(urn));
    if !list.iter().any(|item| is(item, &rt.schema.id)) {
        return Err(ScimError::invalid_value(format!("schemas must name {}", rt.schema.id)));
    }
    let known = |item: &Value| {
        is(item, &rt.schema.id) || rt.extensions.iter().any(|extension| is(item, &extension.id))
    };
    match list.iter().find(|item| !known(item)) {
        None => Ok(()),
        Some(item) => Err(ScimError::invalid_value(format!(
            "schemas names {}, which a {} does not have",
            shown(&item.to_string()),
            rt.name
        ))),
    }
}

/// An attribute: named by its own name in a value, and removed without a value.
pub(super) fn given(rt: &ResourceType, given: &Given) -> Result<(), ScimError> {
    let Target::Attribute { attribute, .. } = given.target(rt) else { return Ok(()) };
    if given.composed {
        let path = given.path.attr_path();
        return Err(ScimError::invalid_syntax(format!(
            "{path} is a path; as a name in a value stands an attribute, or the URN of an extension"
        )));
    }
    if given.stray {
        let path = given.path.attr_path();
        let whole = given.path.filter.is_none() && attribute.multi_valued;
        let hint = if whole { format!("; select by \"{path}[…]\"") } else { String::new() };
        return Err(ScimError::invalid_syntax(format!("{path}: \"remove\" takes no value{hint}")));
    }
    match &given.path.filter {
        Some(inner) => filter(inner, Scope::Element(attribute)).map_err(ScimError::invalid_path),
        None => Ok(()),
    }
}

/// A filter: booleans without quotes.
pub(super) fn filter(filter: &Filter, scope: Scope<'_>) -> Result<(), String> {
    match filter {
        Filter::Present(_) => Ok(()),
        Filter::Not(inner) => self::filter(inner, scope),
        Filter::And(terms) | Filter::Or(terms) => terms.iter().try_for_each(|term| self::filter(term, scope)),
        Filter::ValuePath { path, filter } => {
            self::filter(filter, scope.resolve(path).map_or(Scope::Untyped, Scope::Element))
        }
        Filter::Compare { path, value, .. } => {
            let kind = scope.resolve(path).and_then(Attribute::comparable).map(|found| found.kind);
            if kind == Some(AttributeType::Boolean) && matches!(value, Literal::String(_)) {
                return Err(format!("{path} is a boolean: write true or false, without quotes"));
            }
            Ok(())
        }
    }
}
