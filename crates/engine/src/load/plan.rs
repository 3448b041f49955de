//! What a load will do: the changes in the order in which they are applied, counted and guarded.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::{Change, Group, User};
use domain::ids::{GroupId, IdSource, TenantId, UserId};
use serde_json::{Value, json};
use store::Tx;
use store::repo::user;

use super::compare::{Compared, Target, compare};
use super::job::StagedRow;
use super::members::{self, Memberships};
use super::problem::Problems;
use super::{Counts, Input, Preview};
use crate::EngineError;
use crate::directory::resource::Resource;

/// How many users a page holds.
const PAGE: i64 = 1_000;

/// A checked load.
pub(super) struct Plan {
    pub(super) preview: Preview,
    pub(super) rows: Vec<StagedRow>,
    /// Ids of the users in the file.
    pub(super) named: BTreeSet<String>,
    source: String,
    active_before: usize,
}

impl Plan {
    /// Compares the files with the directory.
    pub(super) fn make(
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        input: &Input,
        ids: &mut IdSource,
    ) -> Result<Self, EngineError> {
        let mut problems = Problems::default();
        let source = input.source.as_str();
        let users = match &input.users {
            Some(table) => compare::<User>(tx, tenant, (table, input), ids, &mut problems)?,
            None => Compared::default(),
        };
        let groups = match &input.groups {
            Some(table) => compare::<Group>(tx, tenant, (table, input), ids, &mut problems)?,
            None => Compared::default(),
        };
        // References to rows that have problems would only be further problems.
        problems.check()?;
        let mut problems = Problems::default();
        let memberships = match &input.members {
            Some(pairs) => members::resolve(tx, tenant, pairs, &users, &groups, &mut problems)?,
            None => Memberships::default(),
        };
        problems.check()?;
        let mut preview = Preview {
            users: counts(&users.targets),
            groups: counts(&groups.targets),
            members_add: memberships.add.len(),
            members_unchanged: memberships.unchanged,
        };
        let mut rows = staged(&users, user_change);
        if input.complete {
            let leavers = leavers(tx, tenant, source, &users)?;
            preview.users.deactivate += leavers.len();
            rows.extend(leavers);
        }
        rows.extend(staged(&groups, group_change));
        rows.extend(
            memberships
                .add
                .into_iter()
                .map(|change| StagedRow { changes: vec![change], was: BTreeMap::new() }),
        );
        let active = user::count_active_of(tx, tenant, source)?;
        let active_before = usize::try_from(active).unwrap_or(0);
        let named = users.lines.into_keys().collect();
        Ok(Self { preview, rows, named, source: source.to_owned(), active_before })
    }

    /// Why the guard holds this load, unless exactly its deactivations are allowed.
    pub(super) fn held(&self, allowed: Option<usize>) -> Option<String> {
        let due = self.preview.users.deactivate;
        let threshold = threshold(self.active_before);
        if due <= threshold || allowed == Some(due) {
            return None;
        }
        Some(format!(
            "this load would deactivate {due} users (source '{}' has {} active ones); the guard lets {threshold} through, so nothing \
             was loaded; check the users file, and if they are meant, say so: --allow-deactivations {due}",
            self.source, self.active_before
        ))
    }
}

/// How many deactivations pass: the smaller of 20 % and 500, never below 5.
pub(super) fn threshold(active: usize) -> usize {
    (active / 5).clamp(5, 500)
}

fn counts<R: Resource>(targets: &[Target<R>]) -> Counts {
    let mut counts = Counts::default();
    for target in targets {
        let count = match &target.before {
            None => &mut counts.create,
            Some(_) if !target.changed() => &mut counts.unchanged,
            Some(before) if R::update_action(before, &target.now) == "user.deactivate" => {
                &mut counts.deactivate
            }
            Some(_) => &mut counts.update,
        };
        *count += 1;
    }
    counts
}

fn staged<R: Resource>(
    compared: &Compared<R>,
    change: impl Fn(&Target<R>) -> (Change, Option<i64>),
) -> Vec<StagedRow> {
    let row = |together: &Vec<usize>| {
        let mut row = StagedRow { changes: Vec::new(), was: BTreeMap::new() };
        for target in together.iter().map(|at| &compared.targets[*at]) {
            let (change, version) = change(target);
            row.changes.push(change);
            row.was.extend(version.map(|version| (target.now.id().to_owned(), version)));
        }
        row
    };
    compared.together.iter().map(row).collect()
}

fn user_change(target: &Target<User>) -> (Change, Option<i64>) {
    let (id, doc): (UserId, Value) = (target.now.id.clone(), target.now.doc.clone());
    match &target.before {
        Some(before) => (Change::UpdateUser { id, doc }, Some(before.version)),
        None => (Change::CreateUser { id, source: target.now.source.clone(), doc }, None),
    }
}

fn group_change(target: &Target<Group>) -> (Change, Option<i64>) {
    let (id, doc): (GroupId, Value) = (target.now.id.clone(), target.now.doc.clone());
    match &target.before {
        Some(before) => (Change::UpdateGroup { id, doc }, Some(before.version)),
        None => (Change::CreateGroup { id, source: target.now.source.clone(), doc }, None),
    }
}

/// Deactivates the active users of the source that the file lacks.
fn leavers(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    source: &str,
    users: &Compared<User>,
) -> Result<Vec<StagedRow>, EngineError> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = user::list_active_of(tx, tenant, source, &after, PAGE)?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = last.id.as_str().to_owned();
        for user in page.into_iter().filter(|user| !users.lines.contains_key(user.id.as_str())) {
            let mut doc = user.doc;
            if let Some(fields) = doc.as_object_mut() {
                fields.insert("active".to_owned(), json!(false));
            }
            let was = BTreeMap::from([(user.id.as_str().to_owned(), user.version)]);
            rows.push(StagedRow { changes: vec![Change::UpdateUser { id: user.id, doc }], was });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::threshold;

    #[test]
    fn the_guard_is_a_fifth_within_five_and_five_hundred() {
        let cases = [(0, 5), (24, 5), (30, 6), (220, 44), (2_500, 500), (100_000, 500)];
        assert_eq!(cases.map(|(active, _)| threshold(active)), cases.map(|(_, passes)| passes));
    }
}
