//! Paths: printed and read back, what is set is found, what is unset is gone, and a refusal changes nothing.

use scim::filter::MAX_LENGTH;
use scim::{AttrPath, Filter, PatchPath};
use serde_json::{Value, json};

use crate::parts::{both, fields, json_field, names_are_distinct};

/// Fields: a path; optionally a resource as JSON.
pub fn path(data: &[u8]) {
    let fields = fields(data);
    let text = &fields[0];
    let resource = json_field(&fields, 1);
    if let Ok(path) = AttrPath::parse(text) {
        assert_eq!(&path.to_string(), text, "paths are kept as written");
        let same = PatchPath::parse(text);
        assert_eq!(same.as_ref(), Ok(&PatchPath::from(path.clone())), "a plain path means the same in PATCH");
        for (rt, resource) in both(resource.as_ref()) {
            assert_eq!(path.get(&resource), PatchPath::from(path.clone()).get(&resource), "{path}");
            if let Some((parent, leaf)) = rt.resolve_with_parent(&path) {
                assert_eq!(parent.is_some(), path.sub.is_some(), "{path}");
                assert_eq!(rt.resolve(&path), Some(leaf));
            }
        }
    }
    let Ok(path) = PatchPath::parse(text) else { return };
    let printed = path.to_string();
    assert!(printed.len() <= MAX_LENGTH, "the canonical text fits: {} bytes", printed.len());
    assert_eq!(PatchPath::parse(&printed).as_ref(), Ok(&path), "{text:?} is printed as {printed:?}");
    for (_, resource) in both(resource.as_ref()) {
        set(&path, &resource);
        unset(&path, &resource);
    }
    set(&path, &Value::Null);
}

fn set(path: &PatchPath, before: &Value) {
    let mut resource = before.clone();
    let value = json!("what was set");
    if let Err(error) = path.set(&mut resource, value.clone()) {
        assert_eq!(&resource, before, "{path}: a refusal changes nothing ({error})");
        return;
    }
    // What is selected by the very attribute that is written may be selected no longer.
    let selects_itself = path.filter.as_ref().is_some_and(|filter| match &path.sub {
        Some(sub) => looks_at(filter, sub),
        None => true,
    });
    if !selects_itself && names_are_distinct(before) {
        let found = path.get(&resource);
        assert!(
            !found.is_empty() && found.iter().all(|found| **found == value),
            "{path}: {found:?} in {resource}"
        );
    }
    let once = resource.clone();
    if path.set(&mut resource, value).is_ok() && !selects_itself {
        assert_eq!(resource, once, "{path}: setting again changes nothing");
    }
}

fn unset(path: &PatchPath, before: &Value) {
    let mut resource = before.clone();
    if !path.unset(&mut resource) {
        assert_eq!(&resource, before, "{path}: nothing was there, nothing changes");
        return;
    }
    assert_ne!(&resource, before, "{path}: something was there");
    if names_are_distinct(before) {
        let once = resource.clone();
        assert!(!path.unset(&mut resource), "{path}: it is gone from {once}");
        assert_eq!(resource, once);
        assert!(path.get(&resource).is_empty(), "{path}: nothing is found in {resource}");
    }
}

fn looks_at(filter: &Filter, name: &str) -> bool {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => {
            path.attr.eq_ignore_ascii_case(name)
        }
        Filter::And(terms) | Filter::Or(terms) => terms.iter().any(|term| looks_at(term, name)),
        Filter::Not(inner) => looks_at(inner, name),
    }
}
