//! List queries: filter, order, page and attributes are consistent, in a query and in a search.

use std::cmp::Ordering;

use scim::dialect::normalise_filter;
use scim::sort::{check_sort, compare, sort_key};
use scim::{Dialect, Filter, ListQuery, Paging, ResourceType, ScimError, query::parameters};
use serde_json::{Value, json};

use crate::parts::{both, fields, json_field};

/// Fields: a query as in an address; optionally the body of a search as JSON, optionally a resource as JSON.
pub fn query(data: &[u8]) {
    let fields = fields(data);
    let pairs = parameters(fields.first().map_or("", String::as_str));
    let given = json_field(&fields, 2);
    let asked = [
        ListQuery::from_parameters(&pairs),
        json_field(&fields, 1).map_or(Err(ScimError::not_found("-")), |body| ListQuery::from_search(&body)),
    ];
    for query in asked {
        match query {
            Ok(query) => both(given.as_ref()).iter().for_each(|(rt, resource)| asks(rt, resource, &query)),
            Err(error) => assert!(matches!(error.status, 400 | 404) && !error.detail.is_empty(), "{error}"),
        }
    }
}

fn asks(rt: &ResourceType, resource: &Value, query: &ListQuery) {
    match &query.paging {
        Paging::Index { start, .. } => assert!(*start >= 1),
        Paging::Cursor { cursor, count } => {
            assert!(cursor.as_deref() != Some("") && *count != Some(0), "{:?}", query.paging);
        }
    }
    let projection = &query.projection;
    assert!(projection.attributes.is_empty() || projection.excluded.is_empty(), "they exclude each other");
    let shown = projection.apply(rt, resource);
    for name in ["members", "groups", "emails", "password", "id"] {
        let stands = shown.get(name).is_some();
        assert!(projection.wants(rt, name) || !stands, "{name} is shown and was not wanted");
    }
    if let Some(text) = &query.filter {
        filters(rt, resource, text);
    }
    if let Some(path) = query.sort_by.as_ref().filter(|path| check_sort(rt, path).is_ok()) {
        let (key, none) = (sort_key(rt, path, resource), sort_key(rt, path, &json!({})));
        assert_eq!(none, None);
        let order = compare(key.as_ref(), None, query.descending);
        assert_eq!(compare(None, key.as_ref(), query.descending), order.reverse());
        assert_eq!(compare(key.as_ref(), key.as_ref(), query.descending), Ordering::Equal);
    }
}

fn filters(rt: &ResourceType, resource: &Value, text: &str) {
    let strict = normalise_filter(rt, Dialect::Strict, text);
    for dialect in [Dialect::Auto, Dialect::Okta, Dialect::Entra] {
        let Ok((filter, _)) = normalise_filter(rt, dialect, text) else {
            assert!(strict.is_err(), "{dialect} refuses what is lawful: {text}");
            continue;
        };
        if let Ok((lawful, notes)) = &strict {
            assert!(notes.is_empty() && *lawful == filter, "{dialect} reads {filter} where {lawful} stands");
            let plain = Filter::parse(text).expect("it was parsed before");
            assert_eq!(
                plain.matches(rt, resource),
                filter.matches(rt, resource),
                "it means the same: {text}"
            );
        }
        let printed = filter.to_string();
        if printed.len() <= scim::filter::MAX_LENGTH {
            let again = normalise_filter(rt, Dialect::Strict, &printed);
            assert_eq!(again, Ok((filter, Vec::new())), "read once, it is lawful: {text}");
        }
    }
}
