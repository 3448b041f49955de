//! Findings from the requests of an identity provider: what each shows beside its answer, as a pure function over the
//! request and what the directory says about the ids in it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cause::{Cause, Finding};
use crate::exchange::Exchange;
use crate::finding_group::{of_group, unknown_attributes};
use crate::ids::{GroupId, Subject, UserId};

/// The same refusal so often within [`CONFLICT_WINDOW_MS`] is a finding.
pub const CONFLICTS: i64 = 3;
/// An hour.
pub const CONFLICT_WINDOW_MS: i64 = 3_600_000;

/// The most ids of one request that are looked up.
const IDS_MAX: usize = 200;

/// The most elements that a list in evidence grows to.
const LIST_MAX: usize = 100;

/// What must be known to judge a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Ids that it names: the object of its path, and members.
    pub ids: Vec<String>,
    /// The externalId of a user that was created.
    pub external_id: Option<String>,
    /// `user` or `group`, and the name that a refused request wanted.
    pub name: Option<(&'static str, String)>,
}

impl Asks {
    /// Nothing has to be looked up.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.external_id.is_none() && self.name.is_none()
    }
}

/// What the directory says about an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub subject: Subject,
    /// Its user name or display name.
    pub name: String,
    /// Since when it is deleted.
    pub deleted_ms: Option<i64>,
    /// The identity provider deleted it itself.
    pub by_provider: bool,
}

/// What the directory says; an id that is absent was never given.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By id.
    pub standing: BTreeMap<String, Standing>,
    /// The deleted user with the externalId of the one that was created.
    pub returned: Option<Standing>,
    /// Who holds the name that was refused.
    pub holder: Option<Standing>,
}

/// What a request shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// Something is wrong.
    Raise {
        /// About whom; none: the connection.
        subject: Option<Subject>,
        /// What.
        finding: Finding,
    },
    /// A finding, if it is open, is over.
    Over {
        /// About whom.
        subject: Subject,
        /// Which.
        cause: Cause,
    },
    /// A refusal that is a finding if it comes again and again.
    Refused {
        /// What stands for the same request.
        key: String,
        /// About whom.
        subject: Subject,
        /// What shows it.
        evidence: Value,
    },
}

/// Whether a request can show anything at all: a cheap test before it is set aside for judgement.
pub fn tells(exchange: &Exchange) -> bool {
    !exchange.connection.is_empty()
        && (!exchange.accepted() || writes(exchange) || unknown_attributes(exchange))
}

/// Whether a group was written, and accepted.
pub fn wrote_group(exchange: &Exchange) -> bool {
    exchange.accepted() && writes(exchange) && exchange.object_kind == "group"
}

/// What must be looked up before [`judge`].
pub fn asks(exchange: &Exchange) -> Asks {
    let mut asks = Asks::default();
    if !tells(exchange) {
        return asks;
    }
    if exchange.status == 404 {
        asks.ids.extend(object_of_path(exchange).map(str::to_owned));
    }
    if endpoint(exchange) == "Groups" && writes(exchange) {
        asks.ids.extend(members(exchange));
    }
    if exchange.status == 201 && endpoint(exchange) == "Users" {
        asks.external_id = text_of(exchange, "externalId").map(str::to_owned);
    }
    if exchange.status == 409 {
        let (kind, attribute) = match endpoint(exchange) {
            "Users" => ("user", "userName"),
            "Groups" => ("group", "displayName"),
            _ => return asks,
        };
        asks.name = text_of(exchange, attribute).map(|name| (kind, name.to_owned()));
    }
    asks
}

/// What a request shows.
pub fn judge(exchange: &Exchange, facts: &Facts) -> Vec<Sign> {
    if !tells(exchange) {
        return vec![];
    }
    let mut signs = vec![];
    match exchange.status {
        404 => signs.extend(deleted_written(exchange, facts)),
        409 => signs.extend(refused(exchange, facts)),
        201 => signs.extend(returned(exchange, facts)),
        _ => {}
    }
    if endpoint(exchange) == "Groups" {
        signs.extend(of_group(exchange, facts));
    }
    if exchange.accepted() && writes(exchange) {
        signs.extend(over(exchange));
    }
    signs
}

/// A finding with what was known before: lists of members, users and attributes grow, everything else is as seen last.
pub fn merged(before: Option<&Value>, finding: Finding) -> Finding {
    let Finding { cause, mut evidence } = finding;
    for list in ["members", "users", "attributes"] {
        let Some(new) = evidence.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let old = before.and_then(|before| before.get(list)).and_then(Value::as_array);
        let same = |one: &Value, other: &Value| match (one.get("id"), other.get("id")) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        };
        for one in old.into_iter().flatten() {
            if new.len() < LIST_MAX && !new.iter().any(|other| same(one, other)) {
                new.push(one.clone());
            }
        }
    }
    Finding { cause, evidence }
}

/// The deleted object is asked for or written. Its own DELETE, and a look afterwards, show nothing.
fn deleted_written(exchange: &Exchange, facts: &Facts) -> Option<Sign> {
    let id = object_of_path(exchange)?;
    let standing = facts.standing.get(id)?;
    let deleted_ms = standing.deleted_ms?;
    let harmless = exchange.method == "DELETE" || (standing.by_provider && exchange.method == "GET");
    let evidence = json!({"name": standing.name, "id": id, "deleted_ms": deleted_ms, "deleted_by_it": standing.by_provider,
        "request": request(exchange), "trace": exchange.trace});
    (!harmless).then(|| raise(Some(standing.subject.clone()), Cause::DeletedWritten, evidence))
}

fn refused(exchange: &Exchange, facts: &Facts) -> Option<Sign> {
    let name = facts.holder.as_ref().map_or_else(|| wanted_name(exchange), |holder| holder.name.clone());
    let subject = match (&facts.holder, endpoint(exchange)) {
        (Some(holder), _) => holder.subject.clone(),
        (None, "Users") => Subject::User(UserId::new(nameless(&name))),
        (None, "Groups") => Subject::Group(GroupId::new(nameless(&name))),
        _ => return None,
    };
    let evidence = json!({"name": name, "answer": exchange.detail, "type": exchange.scim_type, "request": request(exchange),
        "trace": exchange.trace});
    Some(Sign::Refused { key: format!("{} {}", exchange.operation(), subject.id()), subject, evidence })
}

fn returned(exchange: &Exchange, facts: &Facts) -> Option<Sign> {
    let before = facts.returned.as_ref()?;
    // The same id again is a restoration.
    if exchange.object.is_empty() || exchange.object == before.subject.id() {
        return None;
    }
    let evidence = json!({"new": {"id": exchange.object, "name": exchange.object_name},
        "deleted": {"id": before.subject.id(), "name": before.name, "deleted_ms": before.deleted_ms}, "trace": exchange.trace});
    let subject = Subject::User(UserId::new(exchange.object.as_str()));
    Some(raise(Some(subject), Cause::ReturnedAsNew, evidence))
}

/// What is over once a write of this object was accepted.
fn over(exchange: &Exchange) -> Vec<Sign> {
    let subject = |id: &str| match exchange.object_kind.as_str() {
        "group" => Some(Subject::Group(GroupId::new(id))),
        "user" => Some(Subject::User(UserId::new(id))),
        _ => None,
    };
    let named = nameless(&exchange.object_name);
    let subjects = [exchange.object.as_str(), &named].map(subject).into_iter().flatten();
    let causes = [
        Cause::DeletedWritten,
        Cause::ConflictRepeated,
        Cause::MemberUnknown,
        Cause::GroupNested,
        Cause::GroupNameEmpty,
        Cause::GroupNameTaken,
        Cause::GroupNameTooLong,
    ];
    subjects.flat_map(|subject| causes.map(|cause| Sign::Over { subject: subject.clone(), cause })).collect()
}

/// Stands for an object that was refused and so has no id.
pub(crate) fn nameless(name: &str) -> String {
    format!("name:{}", scim::fold(name))
}

pub(crate) fn raise(subject: Option<Subject>, cause: Cause, evidence: Value) -> Sign {
    Sign::Raise { subject, finding: Finding { cause, evidence } }
}

pub(crate) fn request(exchange: &Exchange) -> String {
    let place = exchange.path.split('?').next().unwrap_or_default();
    format!("{} {place}: {}", exchange.method, exchange.status)
}

/// The name that a request about a user or group wants.
pub(crate) fn wanted_name(exchange: &Exchange) -> String {
    let attribute = if endpoint(exchange) == "Groups" { "displayName" } else { "userName" };
    text_of(exchange, attribute).unwrap_or(&exchange.object_name).to_owned()
}

pub(crate) fn writes(exchange: &Exchange) -> bool {
    matches!(exchange.method.as_str(), "POST" | "PUT" | "PATCH") && !exchange.path.contains(".search")
}

pub(crate) fn endpoint(exchange: &Exchange) -> &str {
    segments(exchange).next().unwrap_or_default()
}

fn object_of_path(exchange: &Exchange) -> Option<&str> {
    matches!(endpoint(exchange), "Users" | "Groups").then(|| segments(exchange).nth(1)).flatten()
}

fn segments(exchange: &Exchange) -> impl Iterator<Item = &str> {
    let place = exchange.path.split('?').next().unwrap_or_default();
    place.split('/').filter(|segment| !segment.is_empty())
}

/// A text attribute of the body, whatever the letter case of its name; in a PATCH the value that an operation gives it.
pub(crate) fn text_of<'a>(exchange: &'a Exchange, name: &str) -> Option<&'a str> {
    let body = exchange.request.as_ref()?;
    let direct = member(body, name).and_then(Value::as_str);
    direct.or_else(|| {
        operations(body).find_map(|operation| {
            let value = member(operation, "value")?;
            let path = member(operation, "path").and_then(Value::as_str).unwrap_or_default();
            if path.eq_ignore_ascii_case(name) { value.as_str() } else { member(value, name)?.as_str() }
        })
    })
}

/// The ids that a group request gives as members, in whatever form.
pub(crate) fn members(exchange: &Exchange) -> Vec<String> {
    let Some(body) = &exchange.request else { return vec![] };
    let mut lists: Vec<&Value> = member(body, "members").into_iter().collect();
    for operation in operations(body) {
        let op = member(operation, "op").and_then(Value::as_str).unwrap_or_default();
        if op.eq_ignore_ascii_case("remove") {
            continue;
        }
        let Some(value) = member(operation, "value") else { continue };
        let path = member(operation, "path").and_then(Value::as_str).unwrap_or_default();
        lists.extend(if path.eq_ignore_ascii_case("members") {
            Some(value)
        } else {
            member(value, "members")
        });
    }
    let elements = lists.into_iter().flat_map(|list| match list {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    });
    let id = |element: &Value| match element {
        Value::String(id) => Some(id.clone()),
        other => member(other, "value")?.as_str().map(str::to_owned),
    };
    elements.filter_map(id).filter(|id| !id.is_empty()).take(IDS_MAX).collect()
}

fn operations(body: &Value) -> impl Iterator<Item = &Value> {
    member(body, "Operations").and_then(Value::as_array).into_iter().flatten()
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
