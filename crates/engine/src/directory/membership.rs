//! Writing memberships: a group never becomes a member of itself, however long the way.

use std::collections::{BTreeMap, VecDeque};

use domain::directory::{Change, Member};
use domain::ids::GroupId;
use serde_json::json;
use store::Tx;
use store::repo::change::ChangeKind;
use store::repo::{group, member, tenant};

use super::record::Record;
use crate::{Context, EngineError};

/// Adds or removes one member; nothing if that changes nothing.
pub(super) fn write(tx: &mut Tx<'_>, ctx: &Context, change: &Change) -> Result<Option<Record>, EngineError> {
    match change {
        Change::AddMember { group, member: added } => {
            if let Member::Group(nested) = added {
                // Two nestings at the same time could close a circle that neither sees.
                tenant::one_by_one(tx, &ctx.tenant)?;
                if member::would_cycle(tx, &ctx.tenant, group, nested)? {
                    return Err(circle(tx, ctx, group, nested)?);
                }
            }
            let new = member::insert(tx, &ctx.tenant, group, added)?;
            Ok(new.then(|| record("member.add", group, added)))
        }
        Change::ParkMember { group, member: parked } => {
            let new = member::insert(tx, &ctx.tenant, group, parked)?;
            Ok(new.then(|| record("member.park", group, parked)))
        }
        Change::RemoveMember { group, member: removed } => {
            let was = member::delete(tx, &ctx.tenant, group, removed)?;
            Ok(was.then(|| record("member.remove", group, removed)))
        }
        _ => Ok(None),
    }
}

/// Refuses a group that is a member of itself, over whichever groups.
pub(super) fn check_circle(tx: &mut Tx<'_>, ctx: &Context, group: &GroupId) -> Result<(), EngineError> {
    if !member::ancestors(tx, &ctx.tenant, group.as_str())?.contains(group) {
        return Ok(());
    }
    let nestings = member::nestings(tx, &ctx.tenant)?;
    let back = |inner: &GroupId| !way(&nestings, inner, group).is_empty();
    let inner = nestings.iter().find(|(outer, inner)| outer == group && back(inner)).map(|(_, inner)| inner);
    Err(circle(tx, ctx, group, inner.unwrap_or(group))?)
}

fn record(action: &'static str, group: &GroupId, member: &Member) -> Record {
    let value = Some(json!({"member": member.id(), "kind": member.kind()}));
    let (before, after) = if action == "member.remove" { (value, None) } else { (None, value) };
    Record {
        action,
        object_kind: "group",
        object: group.as_str().to_owned(),
        before,
        after,
        mark: match member {
            Member::User(_) => ChangeKind::MemberUser,
            Member::Group(_) => ChangeKind::MemberGroup,
        },
        member: member.id().to_owned(),
    }
}

/// Names the way from the nested group back to the outer one.
fn circle(
    tx: &mut Tx<'_>,
    ctx: &Context,
    outer: &GroupId,
    nested: &GroupId,
) -> Result<EngineError, EngineError> {
    let nestings = member::nestings(tx, &ctx.tenant)?;
    let mut path = vec![outer.clone()];
    path.extend(way(&nestings, nested, outer));
    let mut names = Vec::with_capacity(path.len());
    for id in &path {
        let name = group::get(tx, &ctx.tenant, id)?.map(|group| group.display_name);
        names.push(name.unwrap_or_else(|| id.as_str().to_owned()));
    }
    Ok(EngineError::Invalid(format!(
        "a group cannot be a member of itself: {}; leave out one of these memberships",
        names.join(" > ")
    )))
}

/// The shortest way from a group down to another, both included.
pub(crate) fn way(nestings: &[(GroupId, GroupId)], from: &GroupId, to: &GroupId) -> Vec<GroupId> {
    let mut inner: BTreeMap<&GroupId, Vec<&GroupId>> = BTreeMap::new();
    for (outer, nested) in nestings {
        inner.entry(outer).or_default().push(nested);
    }
    let mut came_from: BTreeMap<&GroupId, &GroupId> = BTreeMap::from([(from, from)]);
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            break;
        }
        for next in inner.get(at).into_iter().flatten() {
            if !came_from.contains_key(next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    let mut path = vec![to.clone()];
    let mut at = to;
    while let Some(previous) = came_from.get(at).copied().filter(|previous| *previous != at) {
        path.push(previous.clone());
        at = previous;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_down_is_the_shortest() {
        let id = |text: &str| GroupId::new(text);
        let nestings: Vec<_> = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("d", "a")]
            .map(|(outer, inner)| (id(outer), id(inner)))
            .to_vec();
        assert_eq!(way(&nestings, &id("a"), &id("d")), [id("a"), id("c"), id("d")]);
        assert_eq!(way(&nestings, &id("a"), &id("a")), [id("a")]);
    }
}
