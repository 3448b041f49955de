//! Functions on text, in Okta's and Entra's vocabulary. None counts as the empty text.

use std::borrow::Cow;

use minijinja::value::Value as JinjaValue;
use minijinja::{Environment, Error, State};
use unicode_normalization::UnicodeNormalization;

use super::budget::charge;
use super::refusal;

/// Adds the functions, each also as a filter.
pub(super) fn register(env: &mut Environment<'static>) {
    macro_rules! both {
        ($($name:literal => $function:expr;)*) => { $(
            env.add_function($name, $function);
            env.add_filter($name, $function);
        )* };
    }
    both! {
        "substring_before" => substring_before;
        "substring_after" => substring_after;
        "left" => left;
        "right" => right;
        "mid" => mid;
        "append" => append;
        "replace" => replace;
        "strip_spaces" => strip_spaces;
        "trim" => trim;
        "to_lower" => lower;
        "lower" => lower;
        "to_upper" => upper;
        "upper" => upper;
        "pcase" => pcase;
        "normalize_diacritics" => normalize_diacritics;
        "contains" => contains;
        "starts_with" => starts_with;
        "ends_with" => ends_with;
        "string" => string;
    }
}

/// The text that a value is: none is empty, numbers and booleans are as they are written.
pub(super) fn text_of(value: &JinjaValue) -> Result<Cow<'_, str>, Error> {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::None => Ok(Cow::Borrowed("")),
        ValueKind::String => Ok(Cow::Borrowed(value.as_str().unwrap_or_default())),
        ValueKind::Number | ValueKind::Bool => Ok(Cow::Owned(value.to_string())),
        ValueKind::Undefined => Err(minijinja::ErrorKind::UndefinedError.into()),
        other => Err(refusal(format!("a text is needed, not a {other}; say which part of it is meant"))),
    }
}

/// Reads a text and counts it twice: once for reading, once for what is made of it.
fn read<'a>(state: &State<'_, '_>, value: &'a JinjaValue) -> Result<Cow<'a, str>, Error> {
    let text = text_of(value)?;
    charge(state, text.len().saturating_mul(2))?;
    Ok(text)
}

/// The part before the first mark; the whole text if the mark is absent.
fn substring_before(state: &State<'_, '_>, value: &JinjaValue, mark: &str) -> Result<String, Error> {
    let text = read(state, value)?;
    Ok(text.split_once(mark).map_or(&*text, |(before, _)| before).to_owned())
}

/// The part after the first mark; empty if the mark is absent.
fn substring_after(state: &State<'_, '_>, value: &JinjaValue, mark: &str) -> Result<String, Error> {
    let text = read(state, value)?;
    Ok(text.split_once(mark).map_or("", |(_, after)| after).to_owned())
}

/// The first characters.
fn left(state: &State<'_, '_>, value: &JinjaValue, count: usize) -> Result<String, Error> {
    Ok(read(state, value)?.chars().take(count).collect())
}

/// The last characters.
fn right(state: &State<'_, '_>, value: &JinjaValue, count: usize) -> Result<String, Error> {
    let text = read(state, value)?;
    Ok(text.chars().skip(text.chars().count().saturating_sub(count)).collect())
}

/// Characters from a position (from 1) on.
fn mid(state: &State<'_, '_>, value: &JinjaValue, start: usize, count: usize) -> Result<String, Error> {
    if start == 0 {
        return Err(refusal("mid counts from 1"));
    }
    Ok(read(state, value)?.chars().skip(start - 1).take(count).collect())
}

/// The text with another after it.
fn append(state: &State<'_, '_>, value: &JinjaValue, suffix: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.into_owned() + &read(state, suffix)?)
}

/// Every occurrence replaced.
fn replace(state: &State<'_, '_>, value: &JinjaValue, from: &str, to: &str) -> Result<String, Error> {
    let text = read(state, value)?;
    if from.is_empty() {
        return Err(refusal("replace needs a text to look for that is not empty"));
    }
    let grown = text.matches(from).count().saturating_mul(to.len());
    charge(state, grown)?;
    Ok(text.replace(from, to))
}

/// Without any white space.
fn strip_spaces(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.chars().filter(|c| !c.is_whitespace()).collect())
}

/// Without white space at the ends.
fn trim(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.trim().to_owned())
}

fn lower(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.to_lowercase())
}

fn upper(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.to_uppercase())
}

/// The first letter of each word in upper case, the others in lower case.
fn pcase(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    let mut inside = false;
    let mut cased = String::new();
    for c in read(state, value)?.chars() {
        if inside {
            cased.extend(c.to_lowercase());
        } else {
            cased.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '’'));
    }
    Ok(cased)
}

/// Letters without their marks: `é` is `e`, `ß` is `ss`, `ø` is `o`. Scripts whose marks are letters keep them.
fn normalize_diacritics(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    let text = read(state, value)?;
    let bare = text.nfd().filter(|c| !('\u{300}'..='\u{36f}').contains(c));
    let mut plain = String::with_capacity(text.len());
    for c in bare {
        match LETTERS.iter().find(|(letter, _)| *letter == c) {
            Some((_, replacement)) => plain.push_str(replacement),
            None => plain.push(c),
        }
    }
    Ok(plain.nfc().collect())
}

/// Letters that have no decomposition.
const LETTERS: [(char, &str); 24] = [
    ('ß', "ss"),
    ('ẞ', "SS"),
    ('ø', "o"),
    ('Ø', "O"),
    ('ł', "l"),
    ('Ł', "L"),
    ('đ', "d"),
    ('Đ', "D"),
    ('ð', "d"),
    ('Ð', "D"),
    ('þ', "th"),
    ('Þ', "Th"),
    ('æ', "ae"),
    ('Æ', "Ae"),
    ('œ', "oe"),
    ('Œ', "Oe"),
    ('ħ', "h"),
    ('Ħ', "H"),
    ('ı', "i"),
    ('ŧ', "t"),
    ('Ŧ', "T"),
    ('ŋ', "n"),
    ('Ŋ', "N"),
    ('ĸ', "k"),
];

fn contains(state: &State<'_, '_>, value: &JinjaValue, part: &str) -> Result<bool, Error> {
    Ok(read(state, value)?.contains(part))
}

fn starts_with(state: &State<'_, '_>, value: &JinjaValue, part: &str) -> Result<bool, Error> {
    Ok(read(state, value)?.starts_with(part))
}

fn ends_with(state: &State<'_, '_>, value: &JinjaValue, part: &str) -> Result<bool, Error> {
    Ok(read(state, value)?.ends_with(part))
}

fn string(state: &State<'_, '_>, value: &JinjaValue) -> Result<String, Error> {
    Ok(read(state, value)?.into_owned())
}
