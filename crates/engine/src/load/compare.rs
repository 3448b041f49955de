//! Compares the rows of a file with the directory: which object each row means, what it becomes, who holds its keys.

use std::collections::BTreeMap;

use domain::ids::{IdSource, TenantId};
use serde_json::json;
use store::Tx;

use super::Input;
use super::problem::Problems;
use super::table::Table;
use crate::EngineError;
use crate::directory::attribute::shortened;
use crate::directory::resource::Resource;

/// A row with the object it means.
pub(super) struct Target<R> {
    line: usize,
    pub(super) before: Option<R>,
    pub(super) now: R,
}

impl<R: Resource> Target<R> {
    pub(super) fn changed(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.doc() != self.now.doc())
    }
}

/// The rows of a file, compared.
pub(super) struct Compared<R> {
    pub(super) targets: Vec<Target<R>>,
    /// Line of each object of the directory that a row means, by id.
    pub(super) lines: BTreeMap<String, usize>,
    /// Positions of changed targets; those of one list take keys from each other and are applied together.
    pub(super) together: Vec<Vec<usize>>,
}

impl<R> Default for Compared<R> {
    fn default() -> Self {
        Self { targets: Vec::new(), lines: BTreeMap::new(), together: Vec::new() }
    }
}

/// Compares a file. Problems are added; the result is of use only if there are none.
pub(super) fn compare<R: Resource>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    (table, input): (&Table, &Input),
    ids: &mut IdSource,
    problems: &mut Problems,
) -> Result<Compared<R>, EngineError> {
    let of = input.types.of(R::OF);
    let stored = Stored::<R>::read(tx, tenant, table)?;
    let mut compared = Compared::default();
    for row in &table.rows {
        let place = format!("{}:{}", table.file, row.line);
        let by_external_id = row.external_id.as_ref().and_then(|id| stored.by_external_id.get(id));
        let by_name = || row.name.as_ref().and_then(|name| stored.by_name.get(&scim::fold(name)));
        // The name of somebody with another externalId is no match: it may just be changing hands.
        let adoptable = |found: &&R| row.external_id.is_none() || found.external_id().is_none();
        let before = by_external_id.or_else(|| by_name().filter(adoptable)).cloned();
        let mut doc = before.as_ref().map_or_else(|| json!({}), |before| before.doc().clone());
        let checked = table.carry_out(row, &mut doc).and_then(|()| R::document(of, &doc));
        let doc = match checked {
            Ok(doc) => doc,
            Err(problem) => {
                problems.add(&place, &problem, "correct the value");
                continue;
            }
        };
        let now = match &before {
            Some(before) => {
                let mut now = before.clone();
                now.set_document(doc);
                now
            }
            None => R::from_document(&ids.uuid(), &input.source, doc),
        };
        if let Some(earlier) = compared.lines.insert(now.id().to_owned(), row.line) {
            let rule = format!("the row means the same {} as line {earlier}", R::KIND);
            problems.add(&place, &rule, "remove one of the rows, or correct its externalId");
            continue;
        }
        compared.targets.push(Target { line: row.line, before, now });
    }
    let mut clusters = Clusters::new(compared.targets.len());
    stored.check_keys(table, &compared, &mut clusters, problems);
    compared.together = clusters.lists(|at| compared.targets[at].changed());
    Ok(compared)
}

/// The objects that hold the keys of a file.
struct Stored<R> {
    by_external_id: BTreeMap<String, R>,
    by_name: BTreeMap<String, R>,
}

impl<R: Resource> Stored<R> {
    fn read(tx: &mut Tx<'_>, tenant: &TenantId, table: &Table) -> Result<Self, EngineError> {
        let external_ids: Vec<&str> =
            table.rows.iter().filter_map(|row| row.external_id.as_deref()).collect();
        let names: Vec<&str> = table.rows.iter().filter_map(|row| row.name.as_deref()).collect();
        let by_external_id = R::by_external_ids(tx, tenant, &external_ids)?.into_iter();
        let by_name = R::by_names(tx, tenant, &names)?.into_iter();
        Ok(Self {
            by_external_id: by_external_id
                .filter_map(|found| Some((found.external_id()?.to_owned(), found)))
                .collect(),
            by_name: by_name.map(|found| (scim::fold(found.name()), found)).collect(),
        })
    }

    /// After the load, nobody may hold a key twice. Rows that take a key from each other are joined.
    fn check_keys(
        &self,
        table: &Table,
        compared: &Compared<R>,
        clusters: &mut Clusters,
        problems: &mut Problems,
    ) {
        let position: BTreeMap<&str, usize> =
            compared.targets.iter().enumerate().map(|(at, target)| (target.now.id(), at)).collect();
        let mut finals: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (at, target) in compared.targets.iter().enumerate() {
            let name = (R::NAME, Some(target.now.name()), scim::fold(target.now.name()));
            let external_id = target.now.external_id();
            let external_id = ("externalId", external_id, external_id.unwrap_or_default().to_owned());
            for (attribute, value, key) in [name, external_id] {
                let Some(value) = value else { continue };
                let place = format!("{}:{}", table.file, target.line);
                let value = shortened(value);
                let known = if attribute == R::NAME { &self.by_name } else { &self.by_external_id };
                let holder = known.get(&key).filter(|holder| holder.id() != target.now.id());
                match holder.map(|holder| (holder, position.get(holder.id()))) {
                    Some((_, Some(other))) => clusters.join(at, *other),
                    Some((holder, None)) => {
                        let rule = format!(
                            "{attribute} '{value}' is already used by {} '{}' ({})",
                            R::KIND,
                            holder.name(),
                            holder.id()
                        );
                        problems.add(&place, &rule, "correct the value, or rename that one in the same load");
                    }
                    None => {}
                }
                if let Some(earlier) = finals.insert((attribute, key), at) {
                    let rule = format!(
                        "{attribute} '{value}' is that of line {} too",
                        compared.targets[earlier].line
                    );
                    problems.add(&place, &rule, "each must be unique: correct one of them");
                }
            }
        }
    }
}

/// Positions that belong together (union-find).
pub(super) struct Clusters {
    parent: Vec<usize>,
}

impl Clusters {
    pub(super) fn new(count: usize) -> Self {
        Self { parent: (0..count).collect() }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    pub(super) fn lists(&mut self, wanted: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
        let mut lists: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in (0..self.parent.len()).filter(|at| wanted(*at)) {
            lists.entry(self.root(at)).or_default().push(at);
        }
        lists.into_values().collect()
    }
}
