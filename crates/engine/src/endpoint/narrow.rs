//! Which resources a filter can match at all, found in the indexes before anything is evaluated.

use std::collections::BTreeSet;

use domain::ids::GroupId;
use scim::{CompareOp, Filter, Literal, urn};
use store::Tx;
use store::repo::{group, lookup, member, resource, user};

use super::{Call, Kind, departure};
use crate::EngineError;

/// More candidates than this are not collected: reading everything in order is cheaper then.
const CANDIDATES_MAX: i64 = 20_000;

/// The candidates of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Candidates {
    /// No index helps.
    All,
    /// Only these, and what is left to evaluate for each.
    Ids(BTreeSet<String>, Option<Filter>),
}

/// Splits a filter into what indexes answer and the rest.
pub(super) fn narrow(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    filter: &Filter,
) -> Result<Candidates, EngineError> {
    let terms = match filter {
        Filter::And(terms) => terms.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut found: Option<BTreeSet<String>> = None;
    let mut rest = vec![];
    for term in terms {
        // What an index gave already is few; a wide range beside it would only cost.
        let asked = found.is_none() || !is_range(term);
        let Some(hit) = (if asked { look_up(tx, call, kind, term)? } else { None }) else {
            rest.push(term.clone());
            continue;
        };
        if !hit.decides {
            rest.push(term.clone());
        }
        found = Some(match found {
            None => hit.ids,
            Some(before) => before.intersection(&hit.ids).cloned().collect(),
        });
    }
    let rest = match rest.len() {
        0 => None,
        1 => rest.pop(),
        _ => Some(Filter::And(rest)),
    };
    Ok(found.map_or(Candidates::All, |ids| Candidates::Ids(ids, rest)))
}

/// Whether a term names a key that few resources have.
pub(super) fn is_key(term: &Filter) -> bool {
    let core = |path: &scim::AttrPath| {
        let urn = path.urn.as_deref();
        urn.is_none_or(|name| [urn::USER, urn::GROUP].iter().any(|core| name.eq_ignore_ascii_case(core)))
    };
    match term {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(_) } if core(path) => {
            let name = path.attr.to_ascii_lowercase();
            match path.sub.as_deref() {
                None => ["id", "username", "externalid", "emails"].contains(&name.as_str()),
                Some(sub) => name == "emails" && sub.eq_ignore_ascii_case("value"),
            }
        }
        Filter::ValuePath { path, filter } if core(path) => {
            path.attr.eq_ignore_ascii_case("emails") && value_inside(filter).is_some()
        }
        _ => false,
    }
}

fn is_range(term: &Filter) -> bool {
    !matches!(term, Filter::Compare { op: CompareOp::Eq, .. } | Filter::ValuePath { .. })
}

struct Hit {
    ids: BTreeSet<String>,
    /// Whether the index says the same as the evaluation would.
    decides: bool,
}

fn look_up(tx: &mut Tx<'_>, call: &Call, kind: Kind, term: &Filter) -> Result<Option<Hit>, EngineError> {
    match term {
        Filter::Or(terms) => {
            let mut ids = BTreeSet::new();
            for term in terms {
                // Each branch must be answered by an index, or everything has to be read anyway.
                let Candidates::Ids(found, _) = narrow(tx, call, kind, term)? else { return Ok(None) };
                ids.extend(found);
            }
            Ok(Some(Hit { ids, decides: false }))
        }
        Filter::ValuePath { path, filter } => {
            let Some(value) = value_inside(filter) else { return Ok(None) };
            let name = format!("{}.value", path.attr.to_ascii_lowercase());
            if path.urn.is_some() || path.sub.is_some() {
                return Ok(None);
            }
            Ok(equal(tx, call, kind, &name, &value)?.map(|hit| Hit { decides: false, ..hit }))
        }
        Filter::Compare { path, op, value: Literal::String(text) } => {
            let core = if kind == Kind::User { urn::USER } else { urn::GROUP };
            if path.urn.as_deref().is_some_and(|name| !name.eq_ignore_ascii_case(core)) {
                return Ok(None);
            }
            let name = match &path.sub {
                Some(sub) => format!("{}.{sub}", path.attr),
                None => path.attr.clone(),
            };
            let name = name.to_ascii_lowercase();
            match op {
                CompareOp::Eq => equal(tx, call, kind, &name, text),
                CompareOp::Sw => starts_with(tx, call, kind, &name, text),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The text in `value eq "…"`, alone or among other terms that must hold too.
fn value_inside(filter: &Filter) -> Option<String> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) }
            if path.sub.is_none() && path.attr.eq_ignore_ascii_case("value") =>
        {
            Some(text.clone())
        }
        Filter::And(terms) => terms.iter().find_map(value_inside),
        _ => None,
    }
}

fn equal(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    name: &str,
    text: &str,
) -> Result<Option<Hit>, EngineError> {
    let tenant = &call.caller.tenant;
    let one = |id: Option<String>| Some(Hit { ids: id.into_iter().collect(), decides: false });
    Ok(match (kind, name) {
        (_, "id") => one(Some(text.to_owned())),
        (Kind::User, "username") => one(user::id_of_user_name(tx, tenant, text)?.map(|id| id.to_string())),
        (Kind::User, "externalid") => {
            one(user::find_by_external_id(tx, tenant, text)?.map(|found| found.id.to_string()))
        }
        (Kind::Group, "displayname") => {
            let found = group::find_by_display_names(tx, tenant, &[text])?;
            one(found.into_iter().next().map(|found| found.id.to_string()))
        }
        (Kind::Group, "externalid") => {
            let found = group::find_by_external_ids(tx, tenant, &[text])?;
            one(found.into_iter().next().map(|found| found.id.to_string()))
        }
        (Kind::Group, "members" | "members.value") => {
            let live = matches!(resource::ever(tx, tenant, text)?, Some((_, None)));
            let live = live && !departure::hides(tx, call, text)?;
            let groups = if live { member::groups_of(tx, tenant, text)? } else { vec![] };
            Some(Hit { ids: groups.iter().map(ToString::to_string).collect(), decides: true })
        }
        (Kind::User, "groups" | "groups.value") => {
            let users =
                member::effective_users(tx, tenant, &GroupId::new(text), "", CANDIDATES_MAX + 1, false)?;
            within_limit(users.iter().map(ToString::to_string).collect(), true)
        }
        (Kind::User, "emails") => {
            within_limit(lookup::equal(tx, tenant, "emails.value", text, CANDIDATES_MAX + 1)?, false)
        }
        (Kind::User, name) if lookup::ATTRIBUTES.contains(&name) => {
            within_limit(lookup::equal(tx, tenant, name, text, CANDIDATES_MAX + 1)?, false)
        }
        _ => None,
    })
}

fn starts_with(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    name: &str,
    text: &str,
) -> Result<Option<Hit>, EngineError> {
    let tenant = &call.caller.tenant;
    let ids = match (kind, name) {
        (Kind::User, "username") | (Kind::Group, "displayname") => {
            resource::name_starts_with(tx, tenant, kind, text, CANDIDATES_MAX + 1)?
        }
        (Kind::User, name) if lookup::ATTRIBUTES.contains(&name) => {
            lookup::starts_with(tx, tenant, name, text, CANDIDATES_MAX + 1)?
        }
        _ => return Ok(None),
    };
    Ok(within_limit(ids, false))
}

fn within_limit(ids: Vec<String>, decides: bool) -> Option<Hit> {
    let few = i64::try_from(ids.len()).is_ok_and(|count| count <= CANDIDATES_MAX);
    few.then(|| Hit { ids: ids.into_iter().collect(), decides })
}
