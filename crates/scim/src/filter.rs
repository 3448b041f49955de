//! Filters (RFC 7644 section 3.4.2.2) as a tree of bounded size, with the canonical text.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Number, Value};

use crate::error::ScimError;
use crate::filter_check;
use crate::filter_eval;
use crate::filter_parse;
use crate::path::AttrPath;
use crate::resource_type::ResourceType;

/// The longest filter, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The deepest nesting of parentheses, `not` and brackets.
pub const MAX_DEPTH: usize = 32;
/// The largest number of comparisons and presence tests.
pub const MAX_TERMS: usize = 100;

/// A filter expression. One that [`Filter::parse`] made is at most [`MAX_DEPTH`] deep, so walking or dropping it
/// cannot exhaust a stack.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `path op value`.
    Compare {
        /// The attribute compared.
        path: AttrPath,
        /// The operator.
        op: CompareOp,
        /// The literal compared with.
        value: Literal,
    },
    /// `path pr`: the attribute has a non-empty value.
    Present(AttrPath),
    /// All hold; at least two.
    And(Vec<Filter>),
    /// At least one holds; at least two.
    Or(Vec<Filter>),
    /// `not (…)`.
    Not(Box<Filter>),
    /// `path[…]`: one element of the multi-valued attribute satisfies the whole inner filter, whose paths are
    /// relative to the element. `path[a].sub op v` is read as the equivalent `path[a and sub op v]`.
    ValuePath {
        /// The multi-valued attribute.
        path: AttrPath,
        /// What one element must satisfy.
        filter: Box<Filter>,
    },
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

/// A literal of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Text.
    String(String),
    /// A JSON number.
    Number(Number),
    /// true or false.
    Bool(bool),
    /// No value.
    Null,
}

/// Why a filter could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at position {position}: {message}")]
pub struct FilterError {
    /// Byte offset into the filter, from 0.
    pub position: usize,
    /// What was expected there and what was found.
    pub message: String,
}

/// One comparison of a filter with what a resource holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The clause as filter text.
    pub text: String,
    /// What the resource holds there, as compact JSON; values separated by `, `; `(none)` if it holds nothing.
    pub value: String,
    /// Whether the clause holds.
    pub verdict: bool,
}

impl Filter {
    /// Reads a filter. [`MAX_LENGTH`], [`MAX_DEPTH`] and [`MAX_TERMS`] are checked before or while reading, so
    /// hostile input costs no more than its capped length.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        filter_parse::parse_filter(text)
    }

    /// Whether a resource satisfies the filter (RFC 7644 section 3.4.2.2). The schema decides letter case and type;
    /// multi-valued attributes match if any value does; a complex attribute is compared by its `value`. Attributes
    /// that the schema does not know are compared without case, by what the resource holds: use [`Filter::check`]
    /// first where unknown names must be refused.
    pub fn matches(&self, rt: &ResourceType, resource: &Value) -> bool {
        filter_eval::matches(self, rt, resource)
    }

    /// Refuses, with `invalidFilter`, what has no meaning for the resource type: unknown attributes, an operator or
    /// literal that does not suit the attribute's type, a value path on a single value, attributes never returned.
    pub fn check(&self, rt: &ResourceType) -> Result<(), ScimError> {
        filter_check::check(self, rt)
    }

    /// Every comparison in order, with what the resource holds and its verdict. Negation is pushed down to the
    /// clauses (`not (a and b)` gives `not (a)` and `not (b)`); a value path is one clause.
    pub fn explain(&self, rt: &ResourceType, resource: &Value) -> Vec<Clause> {
        filter_eval::explain(self, rt, resource)
    }

    /// The paths that the filter looks at, as text: `emails[type eq "work"]` looks at `emails.type`.
    pub fn attributes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect_attributes(self, None, &mut names);
        names
    }

    /// `path eq "value"` with correct escaping.
    pub fn equals(path: AttrPath, value: impl Into<String>) -> Self {
        Self::Compare { path, op: CompareOp::Eq, value: Literal::String(value.into()) }
    }
}

/// A text literal as it stands in a filter: in quotes, with JSON escapes.
pub fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

impl CompareOp {
    /// Every operator with its keyword.
    pub const ALL: [(CompareOp, &'static str); 9] = [
        (CompareOp::Eq, "eq"),
        (CompareOp::Ne, "ne"),
        (CompareOp::Co, "co"),
        (CompareOp::Sw, "sw"),
        (CompareOp::Ew, "ew"),
        (CompareOp::Gt, "gt"),
        (CompareOp::Ge, "ge"),
        (CompareOp::Lt, "lt"),
        (CompareOp::Le, "le"),
    ];

    /// The keyword, such as `eq`.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(&quote(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Filter {
    /// The canonical text: it parses back to an equal filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { path, op, value } => write!(f, "{path} {op} {value}"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::ValuePath { path, filter } => write!(f, "{path}[{filter}]"),
            Self::And(terms) => {
                write_terms(f, terms, " and ", |term| matches!(term, Self::And(_) | Self::Or(_)))
            }
            Self::Or(terms) => write_terms(f, terms, " or ", |term| matches!(term, Self::Or(_))),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        Self::invalid_filter(format!("invalid filter {error}"))
    }
}

fn write_terms(
    f: &mut fmt::Formatter<'_>,
    terms: &[Filter],
    separator: &str,
    needs_parentheses: fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        if needs_parentheses(term) {
            write!(f, "({term})")?;
        } else {
            write!(f, "{term}")?;
        }
    }
    Ok(())
}

fn collect_attributes(filter: &Filter, parent: Option<&AttrPath>, names: &mut BTreeSet<String>) {
    let mut add = |path: &AttrPath| {
        names.insert(parent.map_or_else(|| path.to_string(), |parent| format!("{parent}.{path}")));
    };
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) => add(path),
        Filter::Not(inner) => collect_attributes(inner, parent, names),
        Filter::And(terms) | Filter::Or(terms) => {
            terms.iter().for_each(|term| collect_attributes(term, parent, names));
        }
        Filter::ValuePath { path, filter } => collect_attributes(filter, Some(path), names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_json() {
        assert_eq!(quote("plain"), "\"plain\"");
        assert_eq!(quote("a\"b\\c\n\u{1}é😀"), "\"a\\\"b\\\\c\\n\\u0001é😀\"");
        let filter = Filter::equals(AttrPath::attribute("userName"), "o\"x\\");
        assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn names_what_it_looks_at() {
        let filter = Filter::parse(
            r#"emails[type eq "work" and value co "@"] or not (userName pr) or emails.display pr"#,
        )
        .unwrap();
        assert_eq!(
            filter.attributes().into_iter().collect::<Vec<_>>(),
            ["emails.display", "emails.type", "emails.value", "userName"]
        );
    }

    #[test]
    fn canonical_text_keeps_precedence() {
        for (text, canonical) in [
            ("a eq 1 OR b EQ 2 And c pr", "a eq 1 or b eq 2 and c pr"),
            ("(a pr or b pr) and c pr", "(a pr or b pr) and c pr"),
            ("((a pr))", "a pr"),
            ("not(a pr)", "not (a pr)"),
            ("a eq TRUE and b eq False and c eq NULL", "a eq true and b eq false and c eq null"),
            (r#"emails[type eq "w"].value eq "x""#, r#"emails[type eq "w" and value eq "x"]"#),
            (
                r#"emails[type eq "w" or type pr].value pr"#,
                r#"emails[(type eq "w" or type pr) and value pr]"#,
            ),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.to_string(), canonical);
            assert_eq!(Filter::parse(canonical), Ok(filter));
        }
    }
}
