//! The one evaluator of filters: whether a resource matches, and clause by clause why.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::datetime::parse_datetime;
use crate::filter::{Clause, CompareOp, Filter, Literal};
use crate::path::{AttrPath, flatten, member};
use crate::resource::fold;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType, Returned};

/// The most values that one clause of an explanation shows.
const SHOWN_VALUES: usize = 20;

/// What the paths of a filter are relative to.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// A whole resource.
    Resource(&'a ResourceType),
    /// One element of that multi-valued attribute.
    Element(&'a Attribute),
    /// Something without a schema: text is compared without case.
    Untyped,
}

impl<'a> Scope<'a> {
    /// The attribute that a path names here.
    pub(crate) fn resolve(self, path: &AttrPath) -> Option<&'a Attribute> {
        match self {
            Scope::Resource(rt) => rt.resolve(path),
            Scope::Element(parent) if path.urn.is_none() && path.sub.is_none() => {
                // An element of a simple list is its own `value`.
                let itself = parent.kind != AttributeType::Complex && path.attr.eq_ignore_ascii_case("value");
                if itself { Some(parent) } else { parent.sub(&path.attr) }
            }
            Scope::Element(_) | Scope::Untyped => None,
        }
    }
}

pub(crate) fn matches(filter: &Filter, rt: &ResourceType, resource: &Value) -> bool {
    holds(filter, Scope::Resource(rt), resource)
}

/// Whether an element of `attribute` satisfies a filter whose paths are relative to the element.
pub(crate) fn matches_element(filter: &Filter, attribute: &Attribute, element: &Value) -> bool {
    holds(filter, Scope::Element(attribute), element)
}

pub(crate) fn matches_untyped(filter: &Filter, element: &Value) -> bool {
    holds(filter, Scope::Untyped, element)
}

pub(crate) fn explain(filter: &Filter, rt: &ResourceType, resource: &Value) -> Vec<Clause> {
    let mut clauses = Vec::new();
    explain_into(filter, false, rt, resource, &mut clauses);
    clauses
}

fn holds(filter: &Filter, scope: Scope<'_>, value: &Value) -> bool {
    match filter {
        Filter::And(terms) => terms.iter().all(|term| holds(term, scope, value)),
        Filter::Or(terms) => terms.iter().any(|term| holds(term, scope, value)),
        Filter::Not(inner) => !holds(inner, scope, value),
        Filter::Present(path) => held(path, value).into_iter().any(is_present),
        Filter::Compare { path, op, value: literal } => {
            let attribute = scope.resolve(path).and_then(Attribute::comparable);
            compare_any(*op, held(path, value), literal, attribute)
        }
        Filter::ValuePath { path, filter } => {
            let inner = scope.resolve(path).map_or(Scope::Untyped, Scope::Element);
            held(path, value).into_iter().any(|element| holds(filter, inner, element))
        }
    }
}

/// The values at a path; an element of a simple list holds itself as `value`.
fn held<'v>(path: &AttrPath, value: &'v Value) -> Vec<&'v Value> {
    let itself = path.urn.is_none() && path.sub.is_none() && path.attr.eq_ignore_ascii_case("value");
    if itself && !value.is_object() { flatten(Some(value)) } else { path.get(value) }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => list.iter().any(is_present),
        Value::Object(object) => object.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare_any(op: CompareOp, held: Vec<&Value>, literal: &Literal, attribute: Option<&Attribute>) -> bool {
    let mut values = held
        .into_iter()
        // A complex value is compared by its `value` (RFC 7644 section 3.4.2.2).
        .flat_map(|value| {
            value.as_object().map_or_else(|| vec![value], |object| flatten(member(object, "value")))
        })
        .peekable();
    match (literal, op) {
        (Literal::Null, CompareOp::Eq) => values.peek().is_none(),
        (Literal::Null, CompareOp::Ne) => values.peek().is_some(),
        (Literal::Null, _) => false,
        (_, CompareOp::Ne) if values.peek().is_none() => true,
        _ => values.any(|value| compare(op, value, literal, attribute)),
    }
}

fn compare(op: CompareOp, held: &Value, literal: &Literal, attribute: Option<&Attribute>) -> bool {
    let kind = attribute.map(|attribute| attribute.kind);
    match (held, literal) {
        (Value::Bool(held), Literal::Bool(wanted)) => equality(op, held == wanted),
        (Value::Bool(held), Literal::String(text)) => match read_bool(text) {
            Some(wanted) => equality(op, *held == wanted),
            None => op == CompareOp::Ne,
        },
        (Value::String(text), Literal::Bool(wanted)) if kind == Some(AttributeType::Boolean) => {
            equality(op, read_bool(text) == Some(*wanted))
        }
        (Value::Number(held), Literal::Number(wanted)) => {
            order_numbers(held, wanted).map_or(op == CompareOp::Ne, |order| decide(op, order))
        }
        (Value::String(held), Literal::String(wanted)) => {
            let times = (kind == Some(AttributeType::DateTime))
                .then(|| (parse_datetime(held), parse_datetime(wanted)));
            match (times, op) {
                (Some((Some(held), Some(wanted))), op) if !is_substring(op) => decide(op, held.cmp(&wanted)),
                _ => compare_text(op, held, wanted, attribute.is_some_and(|attribute| attribute.case_exact)),
            }
        }
        // Values of different types are never identical and have no order.
        _ => op == CompareOp::Ne,
    }
}

fn equality(op: CompareOp, equal: bool) -> bool {
    match op {
        CompareOp::Eq => equal,
        CompareOp::Ne => !equal,
        _ => false,
    }
}

fn is_substring(op: CompareOp) -> bool {
    matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew)
}

fn decide(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

fn compare_text(op: CompareOp, held: &str, wanted: &str, case_exact: bool) -> bool {
    let (held, wanted): (Cow<'_, str>, Cow<'_, str>) = if case_exact {
        (held.into(), wanted.into())
    } else if matches!(op, CompareOp::Eq | CompareOp::Ne) && held.is_ascii() && wanted.is_ascii() {
        // The common case, without two allocations for each value of a long list.
        return equality(op, held.eq_ignore_ascii_case(wanted));
    } else {
        (fold(held).into(), fold(wanted).into())
    };
    match op {
        CompareOp::Co => held.contains(wanted.as_ref()),
        CompareOp::Sw => held.starts_with(wanted.as_ref()),
        CompareOp::Ew => held.ends_with(wanted.as_ref()),
        _ => decide(op, held.cmp(&wanted)),
    }
}

fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Some clients write booleans as text, in any case.
pub(crate) fn read_bool(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| value)
}

fn explain_into(
    filter: &Filter,
    negated: bool,
    rt: &ResourceType,
    resource: &Value,
    clauses: &mut Vec<Clause>,
) {
    let path = match filter {
        Filter::And(terms) | Filter::Or(terms) => {
            terms.iter().for_each(|term| explain_into(term, negated, rt, resource, clauses));
            return;
        }
        Filter::Not(inner) => return explain_into(inner, !negated, rt, resource, clauses),
        Filter::Present(path) | Filter::Compare { path, .. } | Filter::ValuePath { path, .. } => path,
    };
    let text = if negated { format!("not ({filter})") } else { filter.to_string() };
    let hidden = rt.resolve(path).is_some_and(|attribute| attribute.returned == Returned::Never);
    let value = if hidden { "(hidden)".to_owned() } else { show(&held(path, resource)) };
    clauses.push(Clause { text, value, verdict: matches(filter, rt, resource) != negated });
}

fn show(values: &[&Value]) -> String {
    if values.is_empty() {
        return "(none)".to_owned();
    }
    let mut shown =
        values.iter().take(SHOWN_VALUES).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    if values.len() > SHOWN_VALUES {
        shown.push_str(&format!(", … ({} values)", values.len()));
    }
    shown
}
