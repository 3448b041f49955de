//! Evaluating a filter on stored resources: each with as much of its representation as the filter looks at.

use scim::Filter;
use serde_json::Value;
use store::Tx;
use store::repo::resource::{self, Stored};

use super::{Call, Kind, departure, render};
use crate::EngineError;

/// Rows read at once.
const PAGE: i64 = 500;

/// A filter with what it needs to see.
pub(super) struct Test<'f> {
    filter: Option<&'f Filter>,
    rendered: bool,
    groups: bool,
    members: bool,
}

impl<'f> Test<'f> {
    /// A test by a filter; without one everything passes.
    pub(super) fn new(filter: Option<&'f Filter>) -> Self {
        let names: Vec<String> = filter
            .map(|filter| filter.attributes().iter().map(|name| name.to_ascii_lowercase()).collect())
            .unwrap_or_default();
        let looks_at = |what: &str| {
            names.iter().any(|name| {
                let name = name.rsplit(':').next().unwrap_or(name);
                name == what || name.starts_with(&format!("{what}."))
            })
        };
        let (groups, members) = (looks_at("groups"), looks_at("members"));
        Self { filter, groups, members, rendered: groups || members || looks_at("meta") || looks_at("id") }
    }

    /// The resources of a batch that pass.
    pub(super) fn passing(
        &self,
        tx: &mut Tx<'_>,
        call: &Call,
        kind: Kind,
        batch: Vec<Stored>,
    ) -> Result<Vec<Stored>, EngineError> {
        let batch = seen(tx, call, kind, batch)?;
        let Some(filter) = self.filter else { return Ok(batch) };
        let rt = call.type_of(kind);
        if !self.rendered {
            return Ok(batch.into_iter().filter(|stored| filter.matches(rt, &stored.doc)).collect());
        }
        let groups =
            if self.groups { render::containing(tx, call, kind, &batch)? } else { Default::default() };
        let mut out = vec![];
        for stored in batch {
            let members = if self.members && kind == Kind::Group {
                render::members_of(tx, call, &stored.id)?
            } else {
                vec![]
            };
            let containing = groups.get(&stored.id).map_or(&[][..], Vec::as_slice);
            let etag = render::etag(&stored, containing);
            let (whole, _): (Value, _) =
                render::assemble(call, kind, stored.clone(), containing, members, &etag);
            if filter.matches(rt, &whole) {
                out.push(stored);
            }
        }
        Ok(out)
    }
}

/// What the caller sees of a batch.
fn seen(tx: &mut Tx<'_>, call: &Call, kind: Kind, batch: Vec<Stored>) -> Result<Vec<Stored>, EngineError> {
    if batch.iter().all(|stored| !stored.departed) {
        return Ok(batch);
    }
    let mut out = Vec::with_capacity(batch.len());
    for stored in batch {
        if !departure::hidden(tx, call, kind, &stored)? {
            out.push(stored);
        }
    }
    Ok(out)
}

/// Walks over everything after an id that passes, in the order of ids, until `take` says stop.
pub(super) fn walk(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    test: &Test<'_>,
    after: &str,
    mut take: impl FnMut(Stored) -> Result<bool, EngineError>,
) -> Result<(), EngineError> {
    let mut after = after.to_owned();
    loop {
        let batch = resource::scan(tx, &call.caller.tenant, kind, &after, PAGE)?;
        let Some(last) = batch.last() else { return Ok(()) };
        last.id.clone_into(&mut after);
        for stored in test.passing(tx, call, kind, batch)? {
            if !take(stored)? {
                return Ok(());
            }
        }
    }
}
