//! Filters: what was read prints and reads back the same, and evaluation, negation and explanation agree.

use scim::filter::{MAX_LENGTH, MAX_TERMS};
use scim::{Clause, Filter, ResourceType, ScimType};
use serde_json::Value;

use crate::parts::{both, fields, json_field};

/// Fields: a filter; optionally a resource as JSON.
pub fn filter(data: &[u8]) {
    let fields = fields(data);
    let text = &fields[0];
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(error.position <= text.len(), "the place {} is inside of {text:?}", error.position);
            assert!(!error.message.is_empty() && error.message.len() < 1_000, "{error}");
            return;
        }
    };
    let printed = filter.to_string();
    assert!(printed.len() <= MAX_LENGTH, "the canonical text fits: {} bytes", printed.len());
    let again = Filter::parse(&printed);
    assert_eq!(again.as_ref(), Ok(&filter), "{text:?} is printed as {printed:?}");
    assert_eq!(again.map(|filter| filter.to_string()).as_ref(), Ok(&printed), "one canonical text");
    assert!(!filter.attributes().is_empty(), "it looks at something: {printed:?}");
    for (rt, resource) in both(json_field(&fields, 1).as_ref()) {
        evaluate(&filter, rt, &resource);
        evaluate(&filter, rt, &Value::Null);
    }
}

fn evaluate(filter: &Filter, rt: &ResourceType, resource: &Value) {
    let verdict = filter.matches(rt, resource);
    let negated = Filter::Not(Box::new(filter.clone()));
    assert_eq!(negated.matches(rt, resource), !verdict, "not ({filter})");
    let clauses = filter.explain(rt, resource);
    assert!(!clauses.is_empty() && clauses.len() <= MAX_TERMS, "{} clauses", clauses.len());
    let mut left = clauses.iter();
    assert_eq!(follows(filter, false, &mut left), verdict, "{filter} follows from its clauses {clauses:?}");
    assert!(left.next().is_none(), "every clause belongs to a comparison");
    if let Err(error) = filter.check(rt) {
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{error}");
    }
}

/// What the verdicts of the clauses amount to.
fn follows<'a>(filter: &Filter, negated: bool, clauses: &mut impl Iterator<Item = &'a Clause>) -> bool {
    let terms = match filter {
        Filter::Not(inner) => return follows(inner, !negated, clauses),
        Filter::And(terms) | Filter::Or(terms) => terms,
        Filter::Compare { .. } | Filter::Present(_) | Filter::ValuePath { .. } => {
            return clauses.next().expect("there is a clause for each comparison").verdict;
        }
    };
    let verdicts: Vec<bool> = terms.iter().map(|term| follows(term, negated, clauses)).collect();
    // A negated `and` holds if one of its negated terms does.
    if matches!(filter, Filter::And(_)) == negated {
        verdicts.contains(&true)
    } else {
        !verdicts.contains(&false)
    }
}
