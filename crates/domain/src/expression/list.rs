//! Functions on lists: join, split, item, and what filters a list of complex values.

use minijinja::value::{Rest, Value as JinjaValue};
use minijinja::{Environment, Error, State, filters};

use super::budget::charge;
use super::refusal;
use super::text::text_of;

/// Elements that a list made by a function may have.
const LIST_CAP: usize = 1_000;

/// Adds the functions, each also as a filter.
pub(super) fn register(env: &mut Environment<'static>) {
    env.add_function("join", join);
    env.add_filter("join", join_filter);
    env.add_function("to_csv_string", to_csv_string);
    env.add_function("split", split);
    env.add_filter("split", split);
    env.add_function("item", item);
    env.add_filter("item", item);
    env.add_function("word", word);
    env.add_function("remove_duplicates", remove_duplicates);
    env.add_filter("unique", remove_duplicates);
    env.add_function("length", length);
    env.add_filter("length", length);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("sort", filters::sort);
    env.add_filter("map", filters::map);
    env.add_filter("select", filters::select);
    env.add_filter("reject", filters::reject);
    env.add_filter("selectattr", filters::selectattr);
    env.add_filter("rejectattr", filters::rejectattr);
}

/// `join(separator, a, b, …)`: the texts that are not empty, lists taken apart.
fn join(state: &State<'_, '_>, separator: &str, values: Rest<JinjaValue>) -> Result<String, Error> {
    let mut joined = String::new();
    let mut add = |value: &JinjaValue| -> Result<(), Error> {
        let text = text_of(value)?;
        if !text.is_empty() {
            charge(state, text.len() + separator.len())?;
            if !joined.is_empty() {
                joined.push_str(separator);
            }
            joined.push_str(&text);
        }
        Ok(())
    };
    for value in values.iter() {
        if is_list(value) {
            for element in value.try_iter()? {
                add(&element)?;
            }
        } else {
            add(value)?;
        }
    }
    Ok(joined)
}

/// `list | join(separator)`.
fn join_filter(state: &State<'_, '_>, value: JinjaValue, separator: Option<&str>) -> Result<String, Error> {
    join(state, separator.unwrap_or_default(), Rest(vec![value]))
}

/// `to_csv_string(list)`: joined with commas.
fn to_csv_string(state: &State<'_, '_>, value: JinjaValue) -> Result<String, Error> {
    join(state, ",", Rest(vec![value]))
}

/// `split(text, separator)`: a list of the parts, empty ones included.
fn split(state: &State<'_, '_>, value: &JinjaValue, separator: &str) -> Result<Vec<String>, Error> {
    if separator.is_empty() {
        return Err(refusal("split needs a separator that is not empty"));
    }
    let text = text_of(value)?;
    charge(state, text.len())?;
    let parts: Vec<String> = text.split(separator).take(LIST_CAP + 1).map(str::to_owned).collect();
    if parts.len() > LIST_CAP {
        return Err(refusal(format!("split gives more than {LIST_CAP} parts; at most that is allowed")));
    }
    Ok(parts)
}

/// `item(list, 1)`: the element of that number, from 1; none if there is none.
fn item(list: &JinjaValue, number: usize) -> Result<JinjaValue, Error> {
    if list.is_none() {
        return Ok(JinjaValue::from(()));
    }
    if number == 0 {
        return Err(refusal("item counts from 1"));
    }
    Ok(list.try_iter()?.nth(number - 1).unwrap_or(JinjaValue::from(())))
}

/// `word(text, 2, " -")`: the word of that number, from 1, between any of these characters; empty if there is none.
fn word(
    state: &State<'_, '_>,
    value: &JinjaValue,
    number: usize,
    delimiters: Option<&str>,
) -> Result<String, Error> {
    let text = text_of(value)?;
    charge(state, text.len())?;
    let delimiters = delimiters.unwrap_or(" ");
    let mut words = text.split(|c: char| delimiters.contains(c)).filter(|word| !word.is_empty());
    Ok(number.checked_sub(1).and_then(|at| words.nth(at)).unwrap_or_default().to_owned())
}

/// The list without elements that it has already.
fn remove_duplicates(state: &State<'_, '_>, list: &JinjaValue) -> Result<Vec<JinjaValue>, Error> {
    let mut kept: Vec<JinjaValue> = Vec::new();
    for element in list.try_iter()?.take(LIST_CAP) {
        charge(state, kept.len())?;
        if !kept.contains(&element) {
            kept.push(element);
        }
    }
    Ok(kept)
}

/// Characters of a text, elements of a list; 0 for none.
fn length(state: &State<'_, '_>, value: &JinjaValue) -> Result<usize, Error> {
    if value.is_none() {
        return Ok(0);
    }
    charge(state, value.as_str().map_or(0, str::len))?;
    value.len().ok_or_else(|| refusal("length takes a text or a list"))
}

fn is_list(value: &JinjaValue) -> bool {
    matches!(value.kind(), minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Iterable)
}
