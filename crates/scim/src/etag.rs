//! Entity tags of `If-Match` and `If-None-Match` (RFC 9110 section 8.8.3), compared weakly as SCIM versions are.

/// Whether a header value names the current version: a list of tags, with or without `W/`, or `*`, which any
/// version satisfies. Tags without quotes count too; a header that names nothing matches nothing.
pub fn matches(header: &str, current: &str) -> bool {
    let current = opaque(current);
    tags(header).any(|tag| tag == "*" || opaque(tag) == current)
}

/// The tags of a list. A comma inside quotes belongs to its tag.
fn tags(header: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    header
        .split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
}

/// A tag without its weakness and its quotes.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_weakly_over_lists() {
        for (header, current, same) in [
            ("W/\"3\"", "W/\"3\"", true),
            ("\"3\"", "W/\"3\"", true),
            ("w/\"3\"", "\"3\"", true),
            ("3", "W/\"3\"", true),
            ("W/\"1\", W/\"3\" ,\"5\"", "W/\"3\"", true),
            ("*", "W/\"3\"", true),
            ("\"*\"", "W/\"3\"", false),
            ("\"a,b\"", "\"a,b\"", true),
            ("\"a,b\"", "\"b\"", false),
            ("W/\"33\"", "W/\"3\"", false),
            ("", "W/\"3\"", false),
            (" , ,", "", false),
            ("\"A\"", "\"a\"", false),
            ("\"", "\"3\"", false),
            ("W/", "\"3\"", false),
        ] {
            assert_eq!(matches(header, current), same, "{header} {current}");
        }
    }
}
