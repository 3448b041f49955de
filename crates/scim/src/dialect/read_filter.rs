//! Filters of a list request, or inside a path, as the dialect reads them.

use super::notes::{Notes, shown};
use super::{Dialect, lawful};
use crate::error::ScimError;
use crate::filter::Filter;
use crate::filter_eval::Scope;
use crate::path::AttrPath;
use crate::resource_type::ResourceType;
use crate::schema::AttributeType;

pub(super) fn read(
    rt: &ResourceType,
    dialect: Dialect,
    text: &str,
    notes: &mut Notes,
) -> Result<Filter, ScimError> {
    let mut filter = Filter::parse(text)?;
    each_path(&mut filter, &mut |path| *path = read_path(rt, dialect, path, notes));
    let mut filter = comparisons(filter, Scope::Resource(rt), dialect, notes, "filter");
    lawful::filter(&filter, Scope::Resource(rt)).map_err(ScimError::invalid_filter)?;
    filter.check(rt)?;
    imply_value(&mut filter, rt);
    Ok(filter)
}

/// Shows every comparison to the quirks.
pub(super) fn comparisons(
    mut filter: Filter,
    scope: Scope<'_>,
    dialect: Dialect,
    notes: &mut Notes,
    place: &str,
) -> Filter {
    each_comparison(&mut filter, scope, &mut |scope, comparison| {
        for quirk in dialect.quirks() {
            if let Some(note) = quirk.comparison.and_then(|look| look(scope, comparison)) {
                notes.quirk = quirk.info.name;
                notes.add(place, note);
            }
        }
    });
    filter
}

fn read_path(rt: &ResourceType, dialect: Dialect, path: &AttrPath, notes: &mut Notes) -> AttrPath {
    let mut path = path.clone();
    for quirk in dialect.quirks() {
        let read = quirk.text.and_then(|read| read(rt, &path.to_string()));
        let read = read.and_then(|text| AttrPath::parse(&text).ok());
        let read = read.or_else(|| quirk.path.and_then(|read| read(rt, &path)));
        if let Some(read) = read {
            notes.quirk = quirk.info.name;
            notes.add(
                format!("filter: {}", shown(&path.to_string())),
                format!("read as {}", shown(&read.to_string())),
            );
            path = read;
        }
    }
    path
}

/// Every path that is relative to the resource.
fn each_path(filter: &mut Filter, change: &mut impl FnMut(&mut AttrPath)) {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => change(path),
        Filter::Not(inner) => each_path(inner, change),
        Filter::And(terms) | Filter::Or(terms) => terms.iter_mut().for_each(|term| each_path(term, change)),
    }
}

fn each_comparison(filter: &mut Filter, scope: Scope<'_>, look: &mut impl FnMut(Scope<'_>, &mut Filter)) {
    match filter {
        Filter::Compare { .. } => look(scope, filter),
        Filter::Present(_) => {}
        Filter::Not(inner) => each_comparison(inner, scope, look),
        Filter::And(terms) | Filter::Or(terms) => {
            terms.iter_mut().for_each(|term| each_comparison(term, scope, look));
        }
        Filter::ValuePath { path, filter } => {
            let inner = scope.resolve(path).map_or(Scope::Untyped, Scope::Element);
            each_comparison(filter, inner, look);
        }
    }
}

/// `manager eq "x"` means `manager.value eq "x"` (RFC 7644 section 3.4.2.2).
fn imply_value(filter: &mut Filter, rt: &ResourceType) {
    each_comparison(filter, Scope::Resource(rt), &mut |scope, comparison| {
        let Filter::Compare { path, .. } = comparison else { return };
        let complex = scope.resolve(path).filter(|found| found.kind == AttributeType::Complex);
        if let Some(value) = complex.and_then(|found| found.sub("value")).filter(|_| path.sub.is_none()) {
            path.sub = Some(value.name.clone());
        }
    });
}
