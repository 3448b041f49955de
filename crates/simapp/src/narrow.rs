//! Which resources a filter can match at all, found in the indexes before anything is evaluated.

use crate::call::Kind;
use crate::state::{Id, State};
use scim::{CompareOp, Filter, Literal, urn};
use std::collections::BTreeSet;

/// The candidates of a filter, and what is left to evaluate for each of them.
pub(crate) struct Narrowed {
    /// `None` when no index helps and everything is a candidate.
    pub(crate) ids: Option<BTreeSet<Id>>,
    /// `None` when the indexes have decided everything.
    pub(crate) rest: Option<Filter>,
}

/// Splits a filter. With `exact` the member index is trusted alone, which saves building member lists.
pub(crate) fn narrow(state: &State, kind: Kind, filter: &Filter, exact: bool) -> Narrowed {
    let conjuncts = match filter {
        Filter::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut ids: Option<BTreeSet<Id>> = None;
    let mut rest = Vec::new();
    for conjunct in conjuncts {
        let found = look_up(state, kind, conjunct);
        let decided = found.as_ref().is_some_and(|found| found.decides) && exact;
        if let Some(found) = found {
            ids = Some(match ids {
                None => found.ids,
                Some(before) => before.intersection(&found.ids).cloned().collect(),
            });
        }
        if !decided {
            rest.push(conjunct.clone());
        }
    }
    let rest = match rest.len() {
        0 => None,
        1 => rest.pop(),
        _ => Some(Filter::And(rest)),
    };
    Narrowed { ids, rest }
}

struct Found {
    ids: BTreeSet<Id>,
    /// Whether the index says the same as the evaluation would.
    decides: bool,
}

fn look_up(state: &State, kind: Kind, filter: &Filter) -> Option<Found> {
    let Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } = filter else {
        return None;
    };
    let core = if kind == Kind::Users { urn::USER } else { urn::GROUP };
    if path.urn.as_deref().is_some_and(|name| !name.eq_ignore_ascii_case(core)) {
        return None;
    }
    let all = |ids: &mut dyn Iterator<Item = &Id>| ids.cloned().collect::<BTreeSet<Id>>();
    let ids = match (kind, path.attr.to_ascii_lowercase().as_str(), path.sub.as_deref()) {
        (_, "id", None) => BTreeSet::from([Id::from(text.as_str())]),
        (Kind::Users, "username", None) => all(&mut state.user_names.ids(&scim::fold(text))),
        (Kind::Users, "externalid", None) => all(&mut state.user_external_ids.ids(text)),
        (Kind::Groups, "displayname", None) => all(&mut state.group_names.ids(&scim::fold(text))),
        (Kind::Groups, "externalid", None) => all(&mut state.group_external_ids.ids(text)),
        (Kind::Groups, "members", sub) if sub.is_none_or(|sub| sub.eq_ignore_ascii_case("value")) => {
            return Some(Found { ids: all(&mut state.groups_of(text)), decides: true });
        }
        _ => return None,
    };
    Some(Found { ids, decides: false })
}
