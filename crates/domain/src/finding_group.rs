//! What a request about a group shows: members that were never created or are deleted, and what of a group is refused.

use serde_json::{Value, json};

use crate::cause::Cause;
use crate::exchange::Exchange;
use crate::finding::{
    Facts, Sign, Standing, endpoint, members, nameless, raise, request, text_of, wanted_name, writes,
};
use crate::ids::{GroupId, Subject};

/// A name above this length, in characters, is why a group is refused.
const NAME_MAX: usize = 255;

/// The most members that evidence names.
const SHOWN: usize = 20;

/// The signs of a request to `/Groups`.
pub(crate) fn of_group(exchange: &Exchange, facts: &Facts) -> Vec<Sign> {
    let mut signs = vec![];
    if writes(exchange) {
        if exchange.accepted() {
            signs.extend(member_deleted(exchange, facts));
        } else if exchange.status != 404 {
            signs.extend(refused(exchange, facts));
        }
    }
    if unknown_attributes(exchange) {
        let names: Vec<&str> = unknown(exchange).map(|(_, place, _)| place.as_str()).collect();
        let evidence = json!({"attributes": names, "trace": exchange.trace});
        signs.push(raise(None, Cause::GroupAttributeUnknown, evidence));
    }
    signs
}

/// Whether something about a group was dropped because no schema has it.
pub(crate) fn unknown_attributes(exchange: &Exchange) -> bool {
    endpoint(exchange) == "Groups" && unknown(exchange).next().is_some()
}

fn unknown(exchange: &Exchange) -> impl Iterator<Item = &(String, String, String)> {
    exchange.tolerated.iter().filter(|(quirk, ..)| quirk.contains("unknown"))
}

fn refused(exchange: &Exchange, facts: &Facts) -> Option<Sign> {
    let subject = subject(exchange);
    let name = wanted_name(exchange);
    let evidence = |more: Value| json!({"name": name, "answer": exchange.detail, "request": request(exchange), "trace": exchange.trace, "more": more});
    if exchange.status == 409 {
        // Once is enough: it is refused again with every push.
        let holder = facts.holder.as_ref().filter(|holder| matches!(holder.subject, Subject::Group(_)))?;
        let more = json!({"held_by": holder.subject.id()});
        return Some(raise(Some(subject), Cause::GroupNameTaken, evidence(more)));
    }
    if !matches!(exchange.status, 400 | 413 | 422) {
        return None;
    }
    let named = text_of(exchange, "displayName");
    if named.is_some_and(|name| name.trim().is_empty()) || (exchange.method == "POST" && named.is_none()) {
        return Some(raise(Some(subject), Cause::GroupNameEmpty, evidence(Value::Null)));
    }
    if let Some(long) = named.map(|name| name.chars().count()).filter(|length| *length > NAME_MAX) {
        return Some(raise(Some(subject), Cause::GroupNameTooLong, evidence(json!({"characters": long}))));
    }
    let members = members(exchange);
    let never: Vec<&String> =
        members.iter().filter(|id| !facts.standing.contains_key(*id)).take(SHOWN).collect();
    if !never.is_empty() {
        return Some(raise(Some(subject), Cause::MemberUnknown, evidence(json!({"never_created": never}))));
    }
    let nested = |id: &&String| {
        facts.standing.get(*id).is_some_and(|standing| matches!(standing.subject, Subject::Group(_)))
    };
    let nested: Vec<&String> = members.iter().filter(nested).take(SHOWN).collect();
    (!nested.is_empty())
        .then(|| raise(Some(subject), Cause::GroupNested, evidence(json!({"groups_inside": nested}))))
}

/// Members that were deleted here: their memberships wait until they come back.
fn member_deleted(exchange: &Exchange, facts: &Facts) -> Option<Sign> {
    let deleted: Vec<&Standing> = members(exchange)
        .iter()
        .filter_map(|id| facts.standing.get(id))
        .filter(|standing| standing.deleted_ms.is_some())
        .take(SHOWN)
        .collect();
    if deleted.is_empty() || exchange.object.is_empty() {
        return None;
    }
    let shown: Vec<Value> = deleted
        .iter()
        .map(|standing| json!({"id": standing.subject.id(), "name": standing.name, "deleted_ms": standing.deleted_ms}))
        .collect();
    let evidence = json!({"name": exchange.object_name, "members": shown, "trace": exchange.trace});
    Some(raise(Some(subject(exchange)), Cause::MemberDeleted, evidence))
}

/// The group; where it was never created, its name stands for it.
fn subject(exchange: &Exchange) -> Subject {
    let from_path = exchange.path.split(['/', '?']).filter(|part| !part.is_empty()).nth(1);
    let id = match (exchange.object.as_str(), from_path) {
        ("", Some(id)) if exchange.method != "POST" => id.to_owned(),
        ("", _) => nameless(&wanted_name(exchange)),
        (id, _) => id.to_owned(),
    };
    Subject::Group(GroupId::new(id))
}
