//! Functions that choose: first of, switch, if, presence, and attributes by SCIM path.

use minijinja::value::{Rest, Value as JinjaValue};
use minijinja::{Environment, Error, State, filters, tests};
use scim::PatchPath;

use super::{budget, refusal, to_jinja};

/// Adds the functions and the tests.
pub(super) fn register(env: &mut Environment<'static>) {
    for name in ["first_of", "coalesce"] {
        env.add_function(name, first_of);
    }
    env.add_function("switch", switch);
    env.add_function("iif", iif);
    env.add_function("is_present", is_present);
    env.add_function("is_null_or_empty", |value: &JinjaValue| !is_present(value));
    env.add_function("attribute", attribute);
    env.add_function("manager_attribute", manager_attribute);
    env.add_filter("default", filters::default);
    env.add_filter("d", filters::default);
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("string", tests::is_string);
    env.add_test("number", tests::is_number);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("in", tests::is_in);
    for name in ["eq", "equalto", "=="] {
        env.add_test(name, tests::is_eq);
    }
    for name in ["ne", "!="] {
        env.add_test(name, tests::is_ne);
    }
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
}

/// The first value that is neither absent, none, empty text nor an empty list.
fn first_of(values: Rest<JinjaValue>) -> JinjaValue {
    values.iter().find(|value| is_present(value)).cloned().unwrap_or(JinjaValue::from(()))
}

/// Neither absent, none, empty text nor an empty list.
fn is_present(value: &JinjaValue) -> bool {
    !value.is_undefined() && !value.is_none() && value.len() != Some(0)
}

/// `switch(value, default, "a", 1, "b", 2)`: the result beside the key that equals `value`, else the default.
fn switch(value: &JinjaValue, default: &JinjaValue, pairs: Rest<JinjaValue>) -> Result<JinjaValue, Error> {
    if !pairs.len().is_multiple_of(2) {
        return Err(refusal("switch needs pairs of a key and a result after the default"));
    }
    Ok(pairs.chunks(2).find(|pair| pair[0] == *value).map_or(default, |pair| &pair[1]).clone())
}

/// `iif(condition, then, else)`.
fn iif(condition: bool, then: &JinjaValue, otherwise: &JinjaValue) -> JinjaValue {
    if condition { then } else { otherwise }.clone()
}

/// `attribute(path, default)`: the user's value at a SCIM path; the default (none) where there is nothing.
fn attribute(state: &State<'_, '_>, path: &str, default: Option<JinjaValue>) -> Result<JinjaValue, Error> {
    by_path(state, "user", path, default)
}

/// `manager_attribute(path, default)`: the same of the manager; the default also for whoever has no manager.
fn manager_attribute(
    state: &State<'_, '_>,
    path: &str,
    default: Option<JinjaValue>,
) -> Result<JinjaValue, Error> {
    by_path(state, "manager", path, default)
}

fn by_path(
    state: &State<'_, '_>,
    document: &str,
    path: &str,
    default: Option<JinjaValue>,
) -> Result<JinjaValue, Error> {
    let parsed = PatchPath::parse(path)
        .map_err(|problem| refusal(format!("'{path}' is not an attribute path: {problem}")))?;
    let run = budget::run(state)?;
    let found = parsed.get(run.document(document)).first().map(|value| to_jinja(value)).filter(is_present);
    Ok(found.or(default).unwrap_or(JinjaValue::from(())))
}
