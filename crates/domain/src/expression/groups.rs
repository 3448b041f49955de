//! Functions on group memberships.

use minijinja::value::{Rest, Value as JinjaValue};
use minijinja::{Environment, Error, State};

use super::{budget, refusal};

/// Adds the functions.
pub(super) fn register(env: &mut Environment<'static>) {
    env.add_function("is_member_of", is_member_of);
    env.add_function("is_member_of_any", is_member_of_any);
    env.add_function("is_member_of_starting_with", is_member_of_starting_with);
}

/// `is_member_of("Sales")`, without regard to case. The list of groups may be given first.
fn is_member_of(state: &State<'_, '_>, values: Rest<JinjaValue>) -> Result<bool, Error> {
    let (groups, names) = split(state, &values)?;
    match names.as_slice() {
        [name] => Ok(groups.contains(name)),
        _ => Err(refusal("is_member_of takes the name of one group; see is_member_of_any")),
    }
}

/// `is_member_of_any("Sales", "Marketing")`, without regard to case.
fn is_member_of_any(state: &State<'_, '_>, values: Rest<JinjaValue>) -> Result<bool, Error> {
    let (groups, names) = split(state, &values)?;
    Ok(names.iter().any(|name| groups.contains(name)))
}

/// `is_member_of_starting_with("app-")`, without regard to case.
fn is_member_of_starting_with(state: &State<'_, '_>, values: Rest<JinjaValue>) -> Result<bool, Error> {
    let (groups, starts) = split(state, &values)?;
    Ok(groups.iter().any(|group| starts.iter().any(|start| group.starts_with(start))))
}

/// The user's groups and the names asked for, all folded.
fn split(state: &State<'_, '_>, values: &[JinjaValue]) -> Result<(Vec<String>, Vec<String>), Error> {
    let (groups, names) = match values {
        [first, rest @ ..] if first.as_str().is_none() && !rest.is_empty() => (first.clone(), rest),
        all => (state.lookup("groups").unwrap_or_default(), all),
    };
    let mut folded = Vec::new();
    if !groups.is_none() {
        for group in groups.try_iter()? {
            let text = group.as_str().unwrap_or_default();
            budget::charge(state, text.len())?;
            folded.push(scim::fold(text));
        }
    }
    let name = |value: &JinjaValue| {
        value.as_str().map(scim::fold).ok_or_else(|| refusal("the name of a group is a text in quotes"))
    };
    Ok((folded, names.iter().map(name).collect::<Result<_, _>>()?))
}
