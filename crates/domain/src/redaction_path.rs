//! What of a request's path may be written down: the query's known parameters, and of a filter only what names objects.

use scim::ResourceType;

use crate::redaction::HIDDEN;

/// The longest path that is kept, in bytes.
const PATH_MAX: usize = 1_000;

/// Query parameters whose values may be kept.
const PARAMETERS: [&str; 8] = [
    "startindex",
    "count",
    "attributes",
    "excludedattributes",
    "sortby",
    "sortorder",
    "cursor",
    "aadoptscim062020",
];

/// Attributes whose compared values may be kept: they name the object that is looked for.
const COMPARED: [&str; 12] = [
    "username",
    "externalid",
    "displayname",
    "id",
    "members",
    "members.value",
    "type",
    "primary",
    "active",
    "emails.type",
    "emails.primary",
    "meta.lastmodified",
];

/// The operators of a filter.
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

/// A path with its query as it may be written down, the filter decoded. Compared values stay only where they name an
/// object (user name, external id, display name, id, members); values of unknown parameters go.
pub fn redact_path(_types: &[&ResourceType], path: &str) -> String {
    let path = &path[..path.floor_char_boundary(PATH_MAX)];
    let Some((place, query)) = path.split_once('?') else { return path.to_owned() };
    let shown: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = name.to_ascii_lowercase();
            if key == "filter" {
                format!("{name}={}", redact_filter(&decoded(value)))
            } else if value.is_empty() || PARAMETERS.contains(&key.as_str()) {
                pair.to_owned()
            } else {
                format!("{name}={HIDDEN}")
            }
        })
        .collect();
    if shown.is_empty() { place.to_owned() } else { format!("{place}?{}", shown.join("&")) }
}

/// A filter's text, whatever its form, with every literal hidden that does not belong to a comparison of [`COMPARED`].
pub(crate) fn redact_filter(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(PATH_MAX)];
    let mut out = String::new();
    let (mut attribute, mut operator) = (String::new(), String::new());
    // The attribute before an open bracket: what stands inside is relative to it.
    let mut outer: Option<String> = None;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, after) = next_token(rest, first);
        rest = after;
        let word = token.to_ascii_lowercase();
        match first {
            '[' => outer = Some(std::mem::take(&mut attribute)),
            ']' => outer = None,
            _ if first.is_whitespace() || matches!(first, '(' | ')') => {}
            '"' | '\'' => {
                if is_kept(outer.as_deref(), &attribute, &operator) {
                    out.push_str(token);
                } else {
                    out.push_str(&format!("\"{HIDDEN}\""));
                }
                operator.clear();
                continue;
            }
            _ if !operator.is_empty() => {
                let plain = matches!(word.as_str(), "true" | "false" | "null");
                let kept = plain || is_kept(outer.as_deref(), &attribute, &operator);
                out.push_str(if kept { token } else { HIDDEN });
                operator.clear();
                continue;
            }
            _ if OPERATORS.contains(&word.as_str()) && !attribute.is_empty() => operator = word,
            _ => attribute = word,
        }
        out.push_str(token);
    }
    out
}

fn is_kept(outer: Option<&str>, attribute: &str, operator: &str) -> bool {
    let last = |name: &str| name.rsplit(':').next().unwrap_or(name).to_owned();
    let name = match outer {
        Some(outer) => format!("{}.{}", last(outer), last(attribute)),
        None => last(attribute),
    };
    let by_kind = outer.is_some() && matches!(last(attribute).as_str(), "type" | "primary");
    !operator.is_empty() && (by_kind || COMPARED.contains(&name.as_str()))
}

/// The first token: a quoted text to its end (or to the end of all), a bracket, white space, or a word.
fn next_token(text: &str, first: char) -> (&str, &str) {
    let end = match first {
        '"' | '\'' => {
            let mut escaped = false;
            let close = text.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == first && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            close.map_or(text.len(), |(at, c)| at + c.len_utf8())
        }
        '[' | ']' | '(' | ')' => 1,
        c if c.is_whitespace() => text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len()),
        _ => text
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '[' | ']' | '(' | ')'))
            .unwrap_or(text.len()),
    };
    text.split_at(end)
}

/// Percent-decoding; a plus is a space, and what is not UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_only_what_names_objects() {
        for (filter, shown) in [
            (r#"userName eq "ada@acme.example""#, r#"userName eq "ada@acme.example""#),
            (r#"EXTERNALID Eq "00u1" and id eq "7""#, r#"EXTERNALID Eq "00u1" and id eq "7""#),
            (
                r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a b""#,
                r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a b""#,
            ),
            (r#"members[value eq "7"]"#, r#"members[value eq "7"]"#),
            (
                r#"emails[type eq "work" and value co "ca\"nary"]"#,
                r#"emails[type eq "work" and value co "[redacted]"]"#,
            ),
            (
                r#"emails[type eq "work"].value eq "canary""#,
                r#"emails[type eq "work"].value eq "[redacted]""#,
            ),
            (
                r#"password sw "canary" or not (userName pr)"#,
                r#"password sw "[redacted]" or not (userName pr)"#,
            ),
            (r#"name.familyName eq "canary"#, r#"name.familyName eq "[redacted]""#),
            ("pin gt 12345 and active eq true", "pin gt [redacted] and active eq true"),
            ("urn:x:userName.pin eq 5", "urn:x:userName.pin eq [redacted]"),
            (r#""canary" eq userName"#, r#""[redacted]" eq userName"#),
            ("", ""),
        ] {
            assert_eq!(redact_filter(filter), shown);
        }
    }

    #[test]
    fn parameters_are_an_allow_list() {
        let shown = |path| redact_path(&[], path);
        assert_eq!(shown("/Users/7"), "/Users/7");
        assert_eq!(
            shown("/Users?filter=userName%20eq%20%22ada%22&count=1&startIndex=1&"),
            "/Users?filter=userName eq \"ada\"&count=1&startIndex=1"
        );
        assert_eq!(shown("/Users?access_token=canary&x"), "/Users?access_token=[redacted]&x");
        assert_eq!(shown("/Users?filter=pin+eq+%22can%2"), "/Users?filter=pin eq \"[redacted]\"");
        assert_eq!(shown("/Users?"), "/Users");
        assert!(shown(&format!("/Users?count={}", "9".repeat(9_000))).len() <= 1_000);
    }
}
