//! Cursors (RFC 9865): where a list went on, as opaque text that only fits the query it was given for.

use scim::{ScimError, ScimType};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Kind;

/// Bytes of a key in a cursor at most.
const KEY_MAX: usize = 512;
/// Characters of a cursor at most: a key whose every character is escaped fits.
const TEXT_MAX: usize = 8 * 1024;

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// What the order looks at in the last resource, cut by [`cut`].
    pub(super) key: String,
    /// The id of the last resource.
    pub(super) id: String,
    /// Which query it belongs to.
    query: String,
}

/// A key's beginning: cursors travel in URLs.
pub(super) fn cut(key: &str) -> &str {
    &key[..key.floor_char_boundary(KEY_MAX)]
}

/// What makes two queries the same list.
pub(super) fn fingerprint(kind: Kind, filter: Option<&str>, sort: &str) -> String {
    let mut hash = Sha256::new();
    for part in [kind.as_str(), filter.unwrap_or_default(), sort] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    domain::audit::hex(&hash.finalize()[..8])
}

impl Cursor {
    pub(super) fn new(key: &str, id: String, query: &str) -> Self {
        Self { key: cut(key).to_owned(), id, query: query.to_owned() }
    }

    /// Letters and digits only, so that no client mangles it.
    pub(super) fn to_text(&self) -> String {
        domain::audit::hex(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    pub(super) fn parse(text: &str, query: &str) -> Result<Self, ScimError> {
        let wrong = |why: &str| {
            ScimError::new(
                400,
                Some(ScimType::InvalidCursor),
                format!("the cursor {why}; start again without one"),
            )
        };
        if text.len() > TEXT_MAX {
            return Err(wrong("is too long"));
        }
        let cursor: Option<Self> = unhex(text).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let cursor = cursor.ok_or_else(|| wrong("is none of ours"))?;
        if cursor.query != query {
            return Err(wrong("belongs to another filter or order"));
        }
        Ok(cursor)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .bytes()
        .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_its_query_only() {
        let query = fingerprint(Kind::User, Some("active eq true"), "");
        let cursor = Cursor::new("k", "i".into(), &query);
        let text = cursor.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(Cursor::parse(&text, &query), Ok(cursor));
        let long = Cursor::new(&"\u{1}é".repeat(1_000), "i".into(), &query);
        assert_eq!(Cursor::parse(&long.to_text(), &query), Ok(long));
        let other = fingerprint(Kind::Group, Some("active eq true"), "");
        for (text, query) in
            [(text.as_str(), other.as_str()), ("", &query), ("zz", &query), ("é", &query), ("abc", &query)]
        {
            assert_eq!(Cursor::parse(text, query).unwrap_err().scim_type, Some(ScimType::InvalidCursor));
        }
    }
}
