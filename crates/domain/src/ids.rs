//! Identifiers: one type per thing, all UUIDv7 text made from a time and random bits that are passed in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Makes a UUIDv7 from `now_ms` (Unix milliseconds) and 80 random bits (RFC 9562 section 5.7).
pub fn uuid_v7(now_ms: i64, random: u128) -> String {
    let mut bytes = [0_u8; 10];
    bytes.copy_from_slice(&random.to_be_bytes()[6..16]);
    let millis = u64::try_from(now_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
}

/// A source of ids and random text: a time and a seed go in, the same sequence comes out. Real randomness is drawn once, by
/// the binary, as the seed.
#[derive(Clone, Debug)]
pub struct IdSource {
    now_ms: i64,
    state: u64,
    handed_out: u16,
}

impl IdSource {
    /// Ids of this time (Unix milliseconds); equal seeds give equal sequences.
    pub fn new(now_ms: i64, seed: u64) -> Self {
        Self { now_ms, state: seed, handed_out: 0 }
    }

    /// 64 random bits (splitmix64).
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A new UUIDv7. Ids of one source sort in the order in which they were handed out (RFC 9562 section 6.2, method 1).
    pub fn uuid(&mut self) -> String {
        let counter = u128::from(self.handed_out) << 64;
        self.handed_out = self.handed_out.saturating_add(1).min(0x0fff);
        uuid_v7(self.now_ms, counter | u128::from(self.bits()))
    }

    /// An independent source: two branches of one operation never give the same id.
    pub fn fork(&mut self) -> Self {
        Self { now_ms: self.now_ms, state: self.bits(), handed_out: self.handed_out }
    }
}

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an id that the store or a caller already holds.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

id_types! {
    /// One isolated customer.
    TenantId;
    /// A user of the directory.
    UserId;
    /// A group of the directory.
    GroupId;
    /// An application to push to.
    AppId;
    /// The durable record of one request.
    IntentId;
    /// An open problem.
    TaskId;
    /// The change that caused a set of marks.
    WaveId;
    /// A resumable load of the directory.
    JobId;
    /// An identity provider that pushes into a tenant.
    ConnectionId;
    /// The public part of a token.
    TokenId;
}

/// What a mark, a link or an intent is about: a user's account or a pushed group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Subject {
    /// The account of this user.
    User(UserId),
    /// The mirror of this group.
    Group(GroupId),
}

impl Subject {
    /// The id without its kind.
    pub fn id(&self) -> &str {
        match self {
            Subject::User(id) => id.as_str(),
            Subject::Group(id) => id.as_str(),
        }
    }

    /// `user` or `group`, as stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::User(_) => "user",
            Subject::Group(_) => "group",
        }
    }

    /// Builds a subject from the stored kind and id; anything but `group` is a user.
    pub fn from_parts(kind: &str, id: impl Into<String>) -> Self {
        match kind {
            "group" => Subject::Group(GroupId::new(id)),
            _ => Subject::User(UserId::new(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_keep_their_random_bits_apart() {
        let early = uuid_v7(1_700_000_000_000, u128::MAX);
        let late = uuid_v7(1_700_000_000_001, 0);
        assert!(early < late);
        assert_ne!(uuid_v7(5, 1), uuid_v7(5, 2));
        assert_eq!(early.len(), 36);
    }

    #[test]
    fn ids_of_one_source_sort_in_their_order() {
        let mut source = IdSource::new(1_700_000_000_000, 42);
        let ids: Vec<String> = (0..500).map(|_| source.uuid()).collect();
        assert!(ids.is_sorted());
    }
}
