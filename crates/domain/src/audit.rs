//! The audit log's entries and the chain that proves that none was changed, removed or reordered.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One change with before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// UUIDv7, so that entries sort by time.
    pub id: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Who: a user of the command line, a connection, the engine.
    pub actor: String,
    /// What: for example `user.update`, `account.create`.
    pub action: String,
    /// Kind of the object: `user`, `group`, `app`, `account`.
    pub object_kind: String,
    /// Its id.
    pub object: String,
    /// The app, or empty.
    pub app: String,
    /// Joins the entries, requests and tasks of one cause.
    pub trace: String,
    /// The object before, as JSON text.
    pub before: Option<String>,
    /// The object after, as JSON text.
    pub after: Option<String>,
    /// Random text that keeps the digest from being guessed once personal data is erased.
    pub salt: String,
}

impl Entry {
    /// Salted digest of the entry: SHA-256 over length-prefixed fields, as lower-case hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let at = self.at_ms.to_string();
        let fields = [
            self.salt.as_str(),
            &self.id,
            &at,
            &self.actor,
            &self.action,
            &self.object_kind,
            &self.object,
            &self.app,
            &self.trace,
            self.before.as_deref().unwrap_or("\u{0}"),
            self.after.as_deref().unwrap_or("\u{0}"),
        ];
        for field in fields {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        hex(&hash.finalize())
    }
}

/// The next link of the chain: covers everything before it, its number and its digest.
pub fn chain(previous: &str, seq: i64, digest: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(previous.as_bytes());
    hash.update(seq.to_be_bytes());
    hash.update(digest.as_bytes());
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_covered_and_fields_cannot_run_into_each_other() {
        let entry = Entry {
            id: "1".into(),
            at_ms: 1,
            actor: "ab".into(),
            action: "c".into(),
            object_kind: "user".into(),
            object: "o".into(),
            app: String::new(),
            trace: "t".into(),
            before: None,
            after: Some(String::new()),
            salt: "s".into(),
        };
        let shifted = Entry { actor: "a".into(), action: "bc".into(), ..entry.clone() };
        let erased = Entry { after: None, ..entry.clone() };
        assert_ne!(entry.digest(), shifted.digest());
        assert_ne!(entry.digest(), erased.digest());
        assert_ne!(chain("", 1, "a"), chain("", 2, "a"));
    }
}
