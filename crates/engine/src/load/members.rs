//! Resolves the references of a members file: within the other files first, then in the directory.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::{Change, Group, Member, User};
use domain::ids::{GroupId, TenantId, UserId};
use store::Tx;
use store::repo::{group, member, user};

use super::compare::Compared;
use super::problem::Problems;
use super::table::Pairs;
use crate::EngineError;
use crate::directory::attribute::shortened;
use crate::directory::membership::way;

/// The memberships to add, and how many are there already.
#[derive(Default)]
pub(super) struct Memberships {
    pub(super) add: Vec<Change>,
    pub(super) unchanged: usize,
}

/// Resolves and compares the file. Problems are added.
pub(super) fn resolve(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    pairs: &Pairs,
    users: &Compared<User>,
    groups: &Compared<Group>,
    problems: &mut Problems,
) -> Result<Memberships, EngineError> {
    let book = Book::read(tx, tenant, pairs, users, groups)?;
    let mut present: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
    let mut memberships = Memberships::default();
    let mut nested: Vec<(usize, GroupId, GroupId)> = Vec::new();
    for (line, group, member) in &pairs.rows {
        let place = format!("{}:{line}", pairs.file);
        let (group, member) = match (book.group(group), book.member(member)) {
            (Ok(group), Ok(member)) => (group, member),
            (group, member) => {
                for problem in [group.err(), member.err()].into_iter().flatten() {
                    problems.add(&place, &problem, "correct it, or add it to the users or groups file");
                }
                continue;
            }
        };
        let rows = match present.entry(group.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(member::rows_of(tx, tenant, &group)?.into_iter().collect())
            }
        };
        if !rows.insert(member.id().to_owned()) {
            memberships.unchanged += 1;
            continue;
        }
        if let Member::Group(inner) = &member {
            nested.push((*line, group.clone(), inner.clone()));
        }
        memberships.add.push(Change::AddMember { group, member });
    }
    if !nested.is_empty() {
        check_circles(member::nestings(tx, tenant)?, &nested, &book, &pairs.file, problems);
    }
    Ok(memberships)
}

/// A circle of groups is a problem of the first row that closes it.
fn check_circles(
    mut nestings: Vec<(GroupId, GroupId)>,
    nested: &[(usize, GroupId, GroupId)],
    book: &Book,
    file: &str,
    problems: &mut Problems,
) {
    nestings.extend(nested.iter().map(|(_, outer, inner)| (outer.clone(), inner.clone())));
    let in_circle = left_over(&nestings);
    let suspect = nested.iter().find(|(_, outer, inner)| {
        in_circle.contains(outer)
            && in_circle.contains(inner)
            && way(&nestings, inner, outer).first() == Some(inner)
    });
    let Some((line, outer, inner)) = suspect else { return };
    let mut path = vec![outer.clone()];
    path.extend(way(&nestings, inner, outer));
    let names: Vec<&str> = path.iter().map(|id| book.group_name(id)).collect();
    let rule = format!("a group cannot be a member of itself: {}", names.join(" > "));
    problems.add(&format!("{file}:{line}"), &rule, "leave out one of these memberships");
}

/// The groups that are in a circle, or lead from one to another: what remains when groups without inner or without outer
/// ones are taken away again and again.
fn left_over(nestings: &[(GroupId, GroupId)]) -> BTreeSet<GroupId> {
    let mut edges: Vec<&(GroupId, GroupId)> = nestings.iter().collect();
    loop {
        let outer: BTreeSet<&GroupId> = edges.iter().map(|(outer, _)| outer).collect();
        let inner: BTreeSet<&GroupId> = edges.iter().map(|(_, inner)| inner).collect();
        let before = edges.len();
        edges.retain(|(a, b)| inner.contains(a) && outer.contains(b));
        if edges.len() == before {
            return edges.into_iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        }
    }
}

/// Who is meant by which text. The first level that knows a text decides.
struct Book {
    levels: Vec<Level>,
    names: BTreeMap<GroupId, String>,
}

#[derive(Default)]
struct Level {
    /// Texts are folded.
    fold: bool,
    users: BTreeMap<String, UserId>,
    groups: BTreeMap<String, GroupId>,
}

impl Level {
    fn key(&self, text: &str) -> String {
        if self.fold { scim::fold(text) } else { text.to_owned() }
    }
}

impl Book {
    fn read(
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        pairs: &Pairs,
        users: &Compared<User>,
        groups: &Compared<Group>,
    ) -> Result<Self, EngineError> {
        let users: Vec<User> = users.targets.iter().map(|target| target.now.clone()).collect();
        let groups: Vec<Group> = groups.targets.iter().map(|target| target.now.clone()).collect();
        let mut book = Self { levels: Vec::new(), names: BTreeMap::new() };
        book.add_levels(&users, &groups);
        let texts: BTreeSet<&str> =
            pairs.rows.iter().flat_map(|(_, group, member)| [group.as_str(), member.as_str()]).collect();
        let open: Vec<&str> = texts.into_iter().filter(|text| !book.knows(text)).collect();
        let mut users = user::find_by_external_ids(tx, tenant, &open)?;
        users.extend(user::find_by_user_names(tx, tenant, &open)?);
        let by_id: Vec<UserId> = open.iter().map(|text| UserId::new(*text)).collect();
        users
            .extend(user::get_many(tx, tenant, &by_id)?.into_iter().filter(|user| user.deleted_ms.is_none()));
        let mut groups = group::find_by_external_ids(tx, tenant, &open)?;
        groups.extend(group::find_by_display_names(tx, tenant, &open)?);
        let by_id: Vec<GroupId> = open.iter().map(|text| GroupId::new(*text)).collect();
        groups.extend(
            group::get_many(tx, tenant, &by_id)?.into_iter().filter(|group| group.deleted_ms.is_none()),
        );
        book.add_levels(&users, &groups);
        let by_id = Level {
            fold: false,
            users: users.iter().map(|user| (user.id.as_str().to_owned(), user.id.clone())).collect(),
            groups: groups.iter().map(|group| (group.id.as_str().to_owned(), group.id.clone())).collect(),
        };
        book.levels.push(by_id);
        // For messages about circles that run through groups that the files do not name.
        for (outer, inner) in member::nestings(tx, tenant)? {
            let unnamed: Vec<GroupId> =
                [outer, inner].into_iter().filter(|id| !book.names.contains_key(id)).collect();
            for group in group::get_many(tx, tenant, &unnamed)? {
                book.names.insert(group.id, group.display_name);
            }
        }
        Ok(book)
    }

    fn add_levels(&mut self, users: &[User], groups: &[Group]) {
        let mut exact = Level::default();
        let mut named = Level { fold: true, ..Level::default() };
        for user in users {
            if let Some(external_id) = &user.external_id {
                exact.users.insert(external_id.clone(), user.id.clone());
            }
            named.users.insert(scim::fold(&user.user_name), user.id.clone());
        }
        for group in groups {
            if let Some(external_id) = &group.external_id {
                exact.groups.insert(external_id.clone(), group.id.clone());
            }
            named.groups.insert(scim::fold(&group.display_name), group.id.clone());
            self.names.insert(group.id.clone(), group.display_name.clone());
        }
        self.levels.extend([exact, named]);
    }

    fn knows(&self, text: &str) -> bool {
        self.levels.iter().any(|level| {
            let key = level.key(text);
            level.users.contains_key(&key) || level.groups.contains_key(&key)
        })
    }

    fn group(&self, text: &str) -> Result<GroupId, String> {
        let found = self.levels.iter().find_map(|level| level.groups.get(&level.key(text)));
        found.cloned().ok_or_else(|| format!("there is no group '{}'", shortened(text)))
    }

    fn member(&self, text: &str) -> Result<Member, String> {
        for level in &self.levels {
            let key = level.key(text);
            match (level.users.get(&key), level.groups.get(&key)) {
                (Some(user), None) => return Ok(Member::User(user.clone())),
                (None, Some(group)) => return Ok(Member::Group(group.clone())),
                (Some(_), Some(_)) => {
                    return Err(format!("'{}' is a user and a group", shortened(text)));
                }
                (None, None) => {}
            }
        }
        Err(format!("there is no user or group '{}'", shortened(text)))
    }

    fn group_name<'a>(&'a self, id: &'a GroupId) -> &'a str {
        self.names.get(id).map_or(id.as_str(), String::as_str)
    }
}
