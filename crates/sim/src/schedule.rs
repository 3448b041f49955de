//! What happens in the directory: its first content, and random changes that are always valid.

use domain::directory::{Change, Member};
use domain::ids::{GroupId, IdSource, Subject, UserId};

use crate::change::{Act, Step};
use crate::dice::Dice;
use crate::model::{Mirror, Model, Person, Team};

const SOURCE: &str = "sim";
const TITLES: [&str; 4] = ["Engineer", "Nurse", "Pilot", "Zoë's aide"];
const DEPARTMENTS: [&str; 3] = ["Sales", "R&D", "Küche"];
const FAMILIES: [&str; 4] = ["Müller", "O'Neil", "Smith", "李"];

/// Random changes of one seed.
pub(crate) struct Schedule {
    dice: Dice,
    /// Changes that are still to come.
    pub(crate) left: usize,
    named: usize,
}

impl Schedule {
    pub(crate) fn new(seed: u64, left: usize) -> Self {
        Self { dice: Dice::new(seed, "schedule"), left, named: 0 }
    }

    /// The first content: users, groups and members in one batch, then assignments and push groups one by one.
    pub(crate) fn first(&mut self, users: usize, groups: usize, now_ms: i64) -> Vec<Step> {
        let mut model = Model::default();
        let mut batch = vec![];
        for _ in 0..users {
            batch.push(self.add_person(&mut model, now_ms));
        }
        for _ in 0..groups {
            batch.push(self.add_team(&mut model, now_ms));
        }
        for team in 0..groups {
            for person in 0..users {
                if self.dice.per_mille(450) {
                    batch.push(join(&mut model, team, person));
                }
            }
            if team > 0 && self.dice.per_mille(350) {
                let inner = self.dice.below(team);
                batch.push(nest(&mut model, team, inner));
            }
        }
        let label = format!("first load of {users} users and {groups} groups");
        let mut steps = vec![Step { label, act: Act::Directory(batch), after: model.clone() }];
        // The first group both assigns and is pushed; the others do what the dice say.
        for team in 0..groups {
            if team == 0 || self.dice.per_mille(300) {
                steps.push(assign_team(&mut model, team, true));
            }
            if team == 0 || self.dice.per_mille(600) {
                steps.push(push(&mut model, team));
            }
        }
        for person in 0..users {
            if self.dice.per_mille(400) {
                steps.push(assign_person(&mut model, person, true));
            }
        }
        steps
    }

    /// The next change; none: the dice asked for something that is not possible now.
    pub(crate) fn next(&mut self, model: &Model, now_ms: i64) -> Option<Step> {
        let mut after = model.clone();
        let roll = self.dice.below(100);
        let person = self.person(model);
        let team = self.team(model);
        let (label, batch) = match roll {
            0..6 => ("hires".to_owned(), vec![self.add_person(&mut after, now_ms)]),
            6..20 => self.edit(&mut after, person?),
            20..26 => self.rename(&mut after, person?),
            26..32 => self.swap(&mut after, person?)?,
            32..46 => self.toggle(&mut after, person?),
            46..52 => {
                delete_or_restore(&mut after, person, self.dice.below(model.people.len().max(1)), roll)?
            }
            52..66 => self.membership(&mut after, team?, person?),
            66..72 => self.nesting(&mut after, team?)?,
            72..75 => ("a new group".to_owned(), vec![self.add_team(&mut after, now_ms)]),
            75..79 => self.rename_team(&mut after, team?),
            79..81 => delete_team(&mut after, team?),
            81..88 => {
                let on = !after.people[person?].assigned;
                return Some(assign_person(&mut after, person?, on));
            }
            88..93 => {
                let on = !after.teams[team?].assigned;
                return Some(assign_team(&mut after, team?, on));
            }
            _ => return Some(self.toggle_push(&mut after, team?)),
        };
        Some(Step { label, act: Act::Directory(batch), after })
    }

    fn person(&mut self, model: &Model) -> Option<usize> {
        let here: Vec<usize> =
            (0..model.people.len()).filter(|index| !model.people[*index].deleted).collect();
        self.dice.pick(&here).copied()
    }

    fn team(&mut self, model: &Model) -> Option<usize> {
        let here: Vec<usize> = (0..model.teams.len()).filter(|index| !model.teams[*index].deleted).collect();
        self.dice.pick(&here).copied()
    }

    fn id(&mut self, now_ms: i64) -> String {
        IdSource::new(now_ms, self.dice.bits()).uuid()
    }

    /// A user name that nobody has; now and then one that somebody had who is deleted.
    fn free_name(&mut self, model: &Model) -> String {
        let taken = |name: &str| model.people.iter().any(|other| !other.deleted && other.user_name == name);
        let old: Vec<&String> =
            model.people.iter().filter(|person| person.deleted).map(|person| &person.user_name).collect();
        if self.dice.per_mille(400)
            && let Some(name) = self.dice.pick(&old).filter(|name| !taken(name))
        {
            return (*name).clone();
        }
        self.named += 1;
        format!("user{}", self.named)
    }

    fn text(&mut self, choice: &[&str], always: bool) -> Option<String> {
        (always || self.dice.per_mille(700))
            .then(|| self.dice.pick(choice).map(|text| (*text).to_owned()))
            .flatten()
    }

    fn add_person(&mut self, model: &mut Model, now_ms: i64) -> Change {
        let id = UserId::new(self.id(now_ms));
        let manager = self.person(model).filter(|_| self.dice.per_mille(600));
        let user_name = self.free_name(model);
        let person = Person {
            id: id.clone(),
            user_name,
            given: format!("Given{}", self.dice.below(9)),
            family: self.text(&FAMILIES, true).unwrap_or_default(),
            title: self.text(&TITLES, false),
            department: self.text(&DEPARTMENTS, false),
            manager,
            active: self.dice.per_mille(900),
            deleted: false,
            assigned: false,
        };
        model.people.push(person);
        let doc = model.user_doc(model.people.len() - 1);
        Change::CreateUser { id, source: SOURCE.into(), doc }
    }

    fn add_team(&mut self, model: &mut Model, now_ms: i64) -> Change {
        let id = GroupId::new(self.id(now_ms));
        model.teams.push(Team {
            id: id.clone(),
            name: format!("Team {}", model.teams.len()),
            deleted: false,
            users: [].into(),
            groups: [].into(),
            assigned: false,
            mirror: Mirror::Never,
        });
        let doc = model.group_doc(model.teams.len() - 1);
        Change::CreateGroup { id, source: SOURCE.into(), doc }
    }

    fn edit(&mut self, model: &mut Model, person: usize) -> (String, Vec<Change>) {
        let manager = self.person(model).filter(|other| *other != person);
        let (title, department) = (self.text(&TITLES, false), self.text(&DEPARTMENTS, false));
        let family = self.text(&FAMILIES, true).unwrap_or_default();
        let found = &mut model.people[person];
        match self.dice.below(4) {
            0 => found.title = title,
            1 => found.department = department,
            2 => found.family = family,
            _ => found.manager = manager,
        }
        (format!("edits u{person}"), vec![update(model, person)])
    }

    fn rename(&mut self, model: &mut Model, person: usize) -> (String, Vec<Change>) {
        let name = self.free_name(model);
        let label = format!("renames u{person} to {name}");
        model.people[person].user_name = name;
        (label, vec![update(model, person)])
    }

    fn swap(&mut self, model: &mut Model, person: usize) -> Option<(String, Vec<Change>)> {
        let other = self.person(model).filter(|other| *other != person)?;
        let name = model.people[person].user_name.clone();
        model.people[person].user_name = std::mem::replace(&mut model.people[other].user_name, name);
        let batch = vec![update(model, person), update(model, other)];
        Some((format!("u{person} and u{other} swap their names"), batch))
    }

    fn toggle(&mut self, model: &mut Model, person: usize) -> (String, Vec<Change>) {
        let active = !model.people[person].active;
        model.people[person].active = active;
        let verb = if active { "reactivates" } else { "deactivates" };
        (format!("{verb} u{person}"), vec![update(model, person)])
    }

    fn membership(&mut self, model: &mut Model, team: usize, person: usize) -> (String, Vec<Change>) {
        if model.teams[team].users.contains(&person) {
            model.teams[team].users.remove(&person);
            let member = Member::User(model.people[person].id.clone());
            let change = Change::RemoveMember { group: model.teams[team].id.clone(), member };
            return (format!("u{person} leaves g{team}"), vec![change]);
        }
        (format!("u{person} joins g{team}"), vec![join(model, team, person)])
    }

    fn nesting(&mut self, model: &mut Model, team: usize) -> Option<(String, Vec<Change>)> {
        let inner = self.team(model)?;
        if model.teams[team].groups.remove(&inner) {
            let member = Member::Group(model.teams[inner].id.clone());
            let change = Change::RemoveMember { group: model.teams[team].id.clone(), member };
            return Some((format!("g{inner} is taken out of g{team}"), vec![change]));
        }
        if model.would_cycle(team, inner) {
            return None;
        }
        Some((format!("g{inner} is nested in g{team}"), vec![nest(model, team, inner)]))
    }

    fn rename_team(&mut self, model: &mut Model, team: usize) -> (String, Vec<Change>) {
        self.named += 1;
        model.teams[team].name = format!("Team {team}-{}", self.named);
        let change = Change::UpdateGroup { id: model.teams[team].id.clone(), doc: model.group_doc(team) };
        (format!("renames g{team}"), vec![change])
    }

    fn toggle_push(&mut self, model: &mut Model, team: usize) -> Step {
        if model.teams[team].mirror != Mirror::Active {
            return push(model, team);
        }
        let leave = self.dice.per_mille(250);
        model.teams[team].mirror = if leave { Mirror::Leave } else { Mirror::Delete };
        let act = Act::EndPush { group: model.teams[team].id.clone(), leave };
        Step { label: format!("ends the push of g{team}, leave: {leave}"), act, after: model.clone() }
    }
}

fn update(model: &Model, person: usize) -> Change {
    Change::UpdateUser { id: model.people[person].id.clone(), doc: model.user_doc(person) }
}

fn join(model: &mut Model, team: usize, person: usize) -> Change {
    model.teams[team].users.insert(person);
    let member = Member::User(model.people[person].id.clone());
    Change::AddMember { group: model.teams[team].id.clone(), member }
}

fn nest(model: &mut Model, team: usize, inner: usize) -> Change {
    model.teams[team].groups.insert(inner);
    let member = Member::Group(model.teams[inner].id.clone());
    Change::AddMember { group: model.teams[team].id.clone(), member }
}

fn delete_or_restore(
    model: &mut Model,
    here: Option<usize>,
    any: usize,
    roll: usize,
) -> Option<(String, Vec<Change>)> {
    if model.people.get(any).is_some_and(|person| person.deleted) {
        let name = model.people[any].user_name.clone();
        if model.people.iter().any(|other| !other.deleted && other.user_name == name) {
            return None;
        }
        model.people[any].deleted = false;
        return Some((
            format!("restores u{any}"),
            vec![Change::RestoreUser { id: model.people[any].id.clone() }],
        ));
    }
    let person = here.filter(|_| roll < 50)?;
    model.people[person].deleted = true;
    Some((format!("deletes u{person}"), vec![Change::DeleteUser { id: model.people[person].id.clone() }]))
}

fn delete_team(model: &mut Model, team: usize) -> (String, Vec<Change>) {
    model.teams[team].deleted = true;
    (format!("deletes g{team}"), vec![Change::DeleteGroup { id: model.teams[team].id.clone() }])
}

fn assign_person(model: &mut Model, person: usize, on: bool) -> Step {
    model.people[person].assigned = on;
    let subject = Subject::User(model.people[person].id.clone());
    let verb = if on { "assigns" } else { "unassigns" };
    Step { label: format!("{verb} u{person}"), act: Act::Assign { subject, on }, after: model.clone() }
}

fn assign_team(model: &mut Model, team: usize, on: bool) -> Step {
    model.teams[team].assigned = on;
    let subject = Subject::Group(model.teams[team].id.clone());
    let verb = if on { "assigns" } else { "unassigns" };
    Step { label: format!("{verb} g{team}"), act: Act::Assign { subject, on }, after: model.clone() }
}

fn push(model: &mut Model, team: usize) -> Step {
    model.teams[team].mirror = Mirror::Active;
    let act = Act::Push(model.teams[team].id.clone());
    Step { label: format!("pushes g{team}"), act, after: model.clone() }
}
