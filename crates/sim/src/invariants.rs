//! What must hold once faults have stopped and the lane has drained: the app against the model, and the store against both.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::Member;
use domain::ids::Subject;
use domain::snapshot::LinkState;
use serde_json::{Value, json};
use store::repo::{app, group, intent, link, mark, member, task, user};

use crate::model::{Mirror, Model};
use crate::network::Wire;
use crate::world::World;

const ALL: i64 = 10_000;

/// Checks I1, I2, I3, I9 (nothing acknowledged is lost) and I10; gives how many subjects are excused by an open task.
pub(crate) fn check_all(world: &mut World, model: &Model, wire: &Wire) -> usize {
    let tasks = open_tasks(world);
    let accounts = check_users(world, model, &tasks);
    check_orphans(world, model, wire, &tasks);
    check_groups(world, model, &accounts, &tasks);
    check_directory(world, model);
    check_rest(world, model);
    tasks.len()
}

/// I5: a further look at everything sends nothing; only what the app refuses, and a task names, is tried again.
pub(crate) fn check_quiet(world: &mut World, wire: &Wire) {
    let tasks = open_tasks(world);
    for subject in wire.writes.iter().filter(|subject| !tasks.contains_key(subject.id())) {
        let label = world.label(subject);
        world.violated(format!("I5: a further look at everything sends a write for {label}"));
    }
}

/// Subjects with an open task, with its causes.
pub(crate) fn open_tasks(world: &World) -> BTreeMap<String, Vec<String>> {
    let (tenant, _) = world.keys();
    let mut by_subject: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in world.look(move |tx| Ok(task::list(tx, &tenant, ALL)?)) {
        let subject = row.subject.map_or(String::new(), |subject| subject.id().to_owned());
        by_subject.entry(subject).or_default().push(row.cause);
    }
    by_subject
}

/// I1; gives the account of everybody who has exactly one as it should be.
fn check_users(
    world: &mut World,
    model: &Model,
    tasks: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<usize, String> {
    let docs = world.remote.users();
    let (mut accounts, mut found) = (BTreeMap::new(), vec![]);
    for (index, person) in model.people.iter().enumerate().filter(|(index, _)| model.wanted(*index)) {
        let excused = tasks.contains_key(person.id.as_str());
        let own: Vec<&Value> =
            docs.iter().filter(|doc| text(doc, "/externalId") == person.id.as_str()).collect();
        // Somebody else's account with her user name is one too many, unless a task says so.
        let taken = docs.iter().any(|doc| is_strange(doc, &person.user_name));
        match own.as_slice() {
            [only] if excused || !taken => drop(accounts.insert(index, text(only, "/id"))),
            // An account that was taken over and refuses our id is hers all the same.
            [] if excused => accounts.extend(
                linked(world, person.id.as_str())
                    .filter(|(state, _)| *state == LinkState::Live)
                    .map(|(_, id)| (index, id)),
            ),
            many => {
                found.push(format!("I1: u{index} has {} accounts (and a stranger's: {taken})", many.len()))
            }
        }
    }
    for (index, id) in &accounts {
        let person = &model.people[*index];
        if tasks.contains_key(person.id.as_str()) {
            continue;
        }
        let doc = docs.iter().find(|doc| text(doc, "/id") == *id).unwrap_or(&Value::Null);
        for (pointer, wanted) in model.account(*index, &accounts) {
            let held = doc.pointer(&pointer).cloned().unwrap_or(Value::Null);
            // Whether a manager's account counts while it has a task of its own is open.
            let manager = person.manager.map(|manager| model.people[manager].id.as_str()).unwrap_or_default();
            if held != wanted && !(pointer.ends_with("/manager/value") && tasks.contains_key(manager)) {
                found.push(format!("I1: {pointer} of u{index} is {held}, not {wanted}"));
            }
        }
        if linked(world, person.id.as_str()) != Some((LinkState::Live, id.clone())) {
            found.push(format!("I1: u{index} is not linked to {id}"));
        }
    }
    found.into_iter().for_each(|text| world.violated(text));
    accounts
}

/// An account of this user name that carries nobody's id.
fn is_strange(doc: &Value, user_name: &str) -> bool {
    doc.get("externalId").is_none() && scim::fold(&text(doc, "/userName")) == scim::fold(user_name)
}

/// I2: no account that we created is active for somebody who shall have none.
fn check_orphans(world: &mut World, model: &Model, wire: &Wire, tasks: &BTreeMap<String, Vec<String>>) {
    for doc in world.remote.users() {
        let (id, owner) = (text(&doc, "/id"), text(&doc, "/externalId"));
        let active = doc.get("active").and_then(Value::as_bool).unwrap_or(true);
        let ours = wire.created.contains(&id) || model.person_of(&owner).is_some();
        let wanted = model.person_of(&owner).is_some_and(|person| model.wanted(person));
        if ours && active && !wanted && !tasks.contains_key(&owner) {
            world.violated(format!("I2: the account {id} is active for nobody who is entitled"));
        }
        if ours && active && wanted && linked(world, &owner) != Some((LinkState::Live, id.clone())) {
            world.violated(format!("I2: the account {id} is active besides the linked one"));
        }
    }
}

/// I3: every push group is there once with exactly the right members; others that we deleted are not there.
fn check_groups(
    world: &mut World,
    model: &Model,
    accounts: &BTreeMap<usize, String>,
    tasks: &BTreeMap<String, Vec<String>>,
) {
    let docs = world.remote.groups();
    let by_account: BTreeMap<&String, usize> = accounts.iter().map(|(index, id)| (id, *index)).collect();
    for (index, team) in model.teams.iter().enumerate() {
        let own: Vec<&Value> =
            docs.iter().filter(|doc| text(doc, "/externalId") == team.id.as_str()).collect();
        if !model.pushed(index) {
            // A push that was ended for good once, and then only between two looks of the lane, stays ended.
            let left = team.mirror == Mirror::Leave || is_unmanaged(world, team.id.as_str());
            if !left && !own.is_empty() && !tasks.contains_key(team.id.as_str()) {
                world.violated(format!("I3: g{index} is not pushed, but is in the app"));
            }
            continue;
        }
        let [only] = own.as_slice() else {
            if own.len() > 1 || !tasks.contains_key(team.id.as_str()) {
                world.violated(format!("I3: g{index} is {} times in the app", own.len()));
            }
            continue;
        };
        if tasks.contains_key(team.id.as_str()) {
            continue;
        }
        if text(only, "/displayName") != team.name {
            world.violated(format!(
                "I3: g{index} is named {}, not {}",
                text(only, "/displayName"),
                team.name
            ));
        }
        let held: BTreeSet<String> = members(only);
        let excused = |person: usize| tasks.contains_key(model.people[person].id.as_str());
        let wanted: BTreeSet<String> =
            model.effective(index).iter().filter_map(|person| accounts.get(person).cloned()).collect();
        for id in wanted.difference(&held).filter(|id| !by_account.get(id).copied().is_some_and(excused)) {
            world.violated(format!("I3: {id} is missing in g{index}"));
        }
        for id in held.difference(&wanted) {
            world.violated(format!("I3: {id} should not be in g{index}"));
        }
    }
}

/// I9: every change that was acknowledged is in the directory.
fn check_directory(world: &mut World, model: &Model) {
    let (people, teams, (tenant, app_id)) = (model.people.clone(), model.teams.clone(), world.keys());
    let expected = model.clone();
    let found = world.look(move |tx| {
        let mut found = vec![];
        for (index, person) in people.iter().enumerate() {
            let Some(stored) = user::get(tx, &tenant, &person.id)? else {
                found.push(format!("I9: u{index} is lost"));
                continue;
            };
            let name = stored.doc.get("title").and_then(Value::as_str).map(str::to_owned);
            let held = (stored.user_name, stored.active, stored.deleted_ms.is_some(), name);
            if held != (person.user_name.clone(), person.active, person.deleted, person.title.clone()) {
                found.push(format!("I9: a change of u{index} is lost: {held:?}"));
            }
        }
        for (index, team) in teams.iter().enumerate() {
            let stored = group::get(tx, &tenant, &team.id)?;
            if stored.is_none_or(|stored| {
                stored.display_name != team.name || stored.deleted_ms.is_some() != team.deleted
            }) {
                found.push(format!("I9: a change of g{index} is lost"));
            }
            if team.deleted {
                continue;
            }
            let held: BTreeSet<Member> =
                member::direct(tx, &tenant, &team.id, "", ALL)?.into_iter().collect();
            let users = team
                .users
                .iter()
                .filter(|user| !people[**user].deleted)
                .map(|user| Member::User(people[*user].id.clone()));
            let groups = team
                .groups
                .iter()
                .filter(|inner| !teams[**inner].deleted)
                .map(|inner| Member::Group(teams[*inner].id.clone()));
            if held != users.chain(groups).collect() {
                found.push(format!("I9: a membership of g{index} is lost"));
            }
        }
        let assigned: BTreeSet<Subject> = app::assignments(tx, &tenant, &app_id)?
            .into_iter()
            .map(|assignment| assignment.subject)
            .collect();
        if assigned != assignments(&expected) {
            found.push("I9: an assignment is lost".to_owned());
        }
        Ok(found)
    });
    found.into_iter().for_each(|text| world.violated(text));
}

fn assignments(model: &Model) -> BTreeSet<Subject> {
    let users =
        model.people.iter().filter(|person| person.assigned).map(|person| Subject::User(person.id.clone()));
    let groups = model.teams.iter().filter(|team| team.assigned).map(|team| Subject::Group(team.id.clone()));
    users.chain(groups).collect()
}

/// Nothing is left: every mark is parked with its task, and no intent is open.
fn check_rest(world: &mut World, model: &Model) {
    let (tenant, app_id) = world.keys();
    let people = model.people.iter().map(|person| Subject::User(person.id.clone()));
    let subjects: Vec<Subject> =
        people.chain(model.teams.iter().map(|team| Subject::Group(team.id.clone()))).collect();
    let found = world.look(move |tx| {
        let mut found = vec![];
        for row in mark::page(tx, &tenant, &app_id, "", ALL)? {
            let named = !task::of_subject(tx, &tenant, &app_id, row.subject.id())?.is_empty();
            if !matches!(row.state.as_str(), "parked" | "waiting") || !named {
                found.push((row.subject, format!("is left in state {} ({:?})", row.state, row.reason)));
            }
        }
        for subject in &subjects {
            if intent::open(tx, &tenant, &app_id, subject.id())?.is_some() {
                found.push((subject.clone(), "still has an open intent".to_owned()));
            }
        }
        Ok(found)
    });
    for (subject, text) in found {
        let label = world.label(&subject);
        world.violated(format!("I4: {label} {text}"));
    }
}

fn is_unmanaged(world: &World, subject: &str) -> bool {
    linked(world, subject).is_some_and(|(state, _)| state == LinkState::Unmanaged)
}

fn linked(world: &World, subject: &str) -> Option<(LinkState, String)> {
    let ((tenant, app), subject) = (world.keys(), subject.to_owned());
    let found = world.look(move |tx| Ok(link::get(tx, &tenant, &app, &subject)?))?;
    Some((found.state, found.remote_id?))
}

fn members(doc: &Value) -> BTreeSet<String> {
    let all = doc.get("members").and_then(Value::as_array).into_iter().flatten();
    all.map(|member| text(member, "/value")).collect()
}

fn text(doc: &Value, pointer: &str) -> String {
    doc.pointer(pointer).unwrap_or(&json!("")).as_str().unwrap_or_default().to_owned()
}
