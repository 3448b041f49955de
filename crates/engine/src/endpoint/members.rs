//! Member operations of a group: what they ask for, and which rows change. The cost follows the change, not the group.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::{Change, Member};
use domain::ids::{GroupId, UserId};
use scim::dialect::Dialect;
use scim::{CompareOp, Filter, Literal, PatchOp, PatchOperation, ScimError};
use serde_json::{Value, json};
use store::Tx;
use store::repo::{group, member, user};

use super::{Call, Kind};
use crate::EngineError;

/// Members that the selections of one request look at before a further selection is refused.
const LOOKS_MAX: usize = 20_000;
/// Members that a request adds at most before it selects among them.
const ADDED_MAX: usize = 1_000;
/// Ids that are looked up at once: the first one that nobody was ever given ends the request.
const KNOWN_AT_ONCE: usize = 500;

/// The members that a request leaves, told as differences where that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// Start from nobody instead of the present members.
    from_nobody: bool,
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
    /// A selection was made among the present members.
    selected: bool,
    /// How many members the selections have looked at.
    looks: usize,
}

impl Edits {
    /// Exactly these members.
    pub(super) fn exactly(list: &Value) -> Result<Self, ScimError> {
        let add = ids(list)?;
        Ok(Self { from_nobody: true, add, ..Self::default() })
    }

    /// Whether the changes follow from who is a member now, and not only from what the request names.
    pub(super) fn looked(&self) -> bool {
        self.from_nobody || self.selected
    }

    fn insert(&mut self, ids: BTreeSet<String>) {
        for id in ids {
            self.remove.remove(&id);
            self.add.insert(id);
        }
    }

    fn take_out(&mut self, ids: BTreeSet<String>) {
        for id in ids {
            self.add.remove(&id);
            self.remove.insert(id);
        }
    }

    /// Adds one operation whose path is `members`.
    pub(super) fn operation(
        &mut self,
        tx: &mut Tx<'_>,
        call: &Call,
        group: &str,
        operation: &PatchOperation,
    ) -> Result<(), EngineError> {
        let (filter, sub) = match &operation.path {
            Some(path) => (path.filter.as_ref(), path.sub.as_deref()),
            None => (None, None),
        };
        if let Some(sub) = sub.filter(|sub| !sub.eq_ignore_ascii_case("value")) {
            return check_sub(sub);
        }
        let value = operation.value.as_ref().unwrap_or(&Value::Null);
        match (operation.op, filter) {
            (PatchOp::Add, None) => self.insert(ids(value)?),
            (PatchOp::Add | PatchOp::Replace, Some(_)) => {
                return Err(ScimError::invalid_path(
                    "members are added and replaced as a list: use the path \"members\" without a selection",
                )
                .into());
            }
            (PatchOp::Replace, None) => {
                *self = Self { selected: self.selected, looks: self.looks, ..Self::exactly(value)? }
            }
            (PatchOp::Remove, None) if value.is_null() => {
                *self =
                    Self { from_nobody: true, selected: self.selected, looks: self.looks, ..Self::default() }
            }
            (PatchOp::Remove, None) => self.take_out(ids(value)?),
            (PatchOp::Remove, Some(filter)) => match named(filter) {
                Some(id) => self.take_out(BTreeSet::from([id])),
                None => self.remove_matching(tx, call, group, filter)?,
            },
        }
        Ok(())
    }

    /// A selection by anything but an id needs the members as they are at this point.
    fn remove_matching(
        &mut self,
        tx: &mut Tx<'_>,
        call: &Call,
        group: &str,
        filter: &Filter,
    ) -> Result<(), EngineError> {
        let members = call
            .type_of(Kind::Group)
            .top_level("members")
            .map(|attribute| scim::AttrPath::attribute(attribute.name.clone()))
            .ok_or_else(|| ScimError::invalid_path("groups have no members"))?;
        let selection = Filter::ValuePath { path: members, filter: Box::new(filter.clone()) };
        selection.check(call.type_of(Kind::Group)).map_err(|error| ScimError::invalid_path(error.detail))?;
        if self.looks > LOOKS_MAX || self.add.len() > ADDED_MAX {
            let detail = "the operations look through too many members, or too often; use fewer operations, or value eq";
            return Err(ScimError::new(413, None, detail).into());
        }
        let present = if self.from_nobody { vec![] } else { super::render::members_of(tx, call, group)? };
        self.selected = true;
        self.looks += present.len() + self.add.len();
        let mut chosen = BTreeSet::new();
        let added = self.add.iter().map(|id| json!({"value": id}));
        let mut one = json!({"members": [null]});
        for element in present.into_iter().chain(added) {
            one["members"][0] = element;
            if selection.matches(call.type_of(Kind::Group), &one) {
                chosen.extend(one["members"][0]["value"].as_str().map(str::to_owned));
            }
        }
        self.take_out(chosen);
        Ok(())
    }

    /// The changes of rows that make it so. An id that was never given is refused; one that was deleted is parked, or refused
    /// in the strict dialect.
    pub(super) fn changes(
        self,
        tx: &mut Tx<'_>,
        call: &Call,
        group: &str,
    ) -> Result<Vec<Change>, EngineError> {
        let target = GroupId::new(group);
        let (mut add, mut remove) = (self.add, self.remove);
        if self.from_nobody {
            let present: BTreeSet<String> =
                member::rows_of(tx, &call.caller.tenant, &target)?.into_iter().collect();
            remove = present.difference(&add).cloned().collect();
            add.retain(|id| !present.contains(id));
        }
        let mut known = Known::default();
        for some in add.iter().collect::<Vec<_>>().chunks(KNOWN_AT_ONCE) {
            known.load(tx, call, some)?;
            if let Some(id) = some.iter().find(|id| known.of(id).is_none()) {
                return Err(unknown(id).into());
            }
        }
        known.load(tx, call, &remove.iter().collect::<Vec<_>>())?;
        let mut changes = vec![];
        for id in &add {
            let group = target.clone();
            match known.of(id) {
                Some((member, false)) => changes.push(Change::AddMember { group, member }),
                Some((member, true)) if call.caller.dialect() != Dialect::Strict => {
                    changes.push(Change::ParkMember { group, member });
                }
                _ => return Err(unknown(id).into()),
            }
        }
        let gone = remove.iter().filter_map(|id| known.of(id));
        changes.extend(gone.map(|(member, _)| Change::RemoveMember { group: target.clone(), member }));
        Ok(changes)
    }
}

/// `display` and `type` of a member follow from the member: what is said about them is no change.
fn check_sub(sub: &str) -> Result<(), EngineError> {
    if ["display", "type", "$ref"].iter().any(|name| name.eq_ignore_ascii_case(sub)) {
        return Ok(());
    }
    Err(ScimError::invalid_path("members have value, type, display and $ref").into())
}

fn unknown(id: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "members: no user or group was ever given the id {id:?}; nothing was changed. Create the user first"
    ))
}

/// Which of the ids are users or groups, and whether they are deleted.
#[derive(Default)]
struct Known(BTreeMap<String, (Member, bool)>);

impl Known {
    fn load(&mut self, tx: &mut Tx<'_>, call: &Call, ids: &[&String]) -> Result<(), EngineError> {
        let users: Vec<UserId> = ids.iter().map(|id| UserId::new(id.as_str())).collect();
        for (id, _, deleted) in user::versions(tx, &call.caller.tenant, &users)? {
            self.0.insert(id.to_string(), (Member::User(id), deleted));
        }
        let rest: Vec<GroupId> =
            ids.iter().filter(|id| !self.0.contains_key(**id)).map(|id| GroupId::new(id.as_str())).collect();
        for (id, _, deleted) in group::versions(tx, &call.caller.tenant, &rest)? {
            self.0.insert(id.to_string(), (Member::Group(id), deleted));
        }
        Ok(())
    }

    fn of(&self, id: &str) -> Option<(Member, bool)> {
        self.0.get(id).cloned()
    }
}

/// The ids of a member list: `[{"value": id}]`, as the normalised form has it.
fn ids(list: &Value) -> Result<BTreeSet<String>, ScimError> {
    let elements = match list {
        Value::Null => return Ok(BTreeSet::new()),
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut out = BTreeSet::new();
    for (at, element) in elements.iter().enumerate() {
        let value = element.get("value").or_else(|| {
            element.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("value")).map(|(_, v)| v)
        });
        match value.and_then(Value::as_str) {
            Some(id) if !id.is_empty() => out.insert(id.to_owned()),
            _ => {
                return Err(ScimError::invalid_value(format!(
                    "members[{at}].value must be the id of a user or group, as text"
                )));
            }
        };
    }
    Ok(out)
}

/// The id in `value eq "…"`.
fn named(filter: &Filter) -> Option<String> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(id) }
            if path.sub.is_none() && path.urn.is_none() && path.attr.eq_ignore_ascii_case("value") =>
        {
            Some(id.clone())
        }
        _ => None,
    }
}
