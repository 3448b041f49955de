//! The text of a token: what it looks like, how it is made from random bits, and how a presented one is checked.
//!
//! `lsk_<id>_<secret>_<checksum>`: 12, 43 and 6 letters and digits. The secret is 256 bits; the checksum lets a secret scanner
//! tell a token from other text. Only the id and a digest of the secret are kept.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::audit::hex;
use crate::ids::TokenId;

const PREFIX: &str = "lsk_";
const ID: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + 1 + CHECKSUM;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new token. Its text is shown once and never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The public part.
    pub id: TokenId,
    /// The whole text.
    pub text: String,
    /// What is stored of the secret.
    pub digest: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewToken({})", self.id)
    }
}

impl NewToken {
    /// Makes a token from 128 random bits for the id and 256 for the secret.
    pub fn mint(id: [u64; 2], secret: [u64; 4]) -> Self {
        let id = base62(&bytes(&id), ID);
        let secret = base62(&bytes(&secret), SECRET);
        let digest = digest(&secret);
        let body = format!("{PREFIX}{id}_{secret}");
        let text = format!("{body}_{}", checksum(&body));
        Self { id: TokenId::new(id), text, digest }
    }
}

/// The parts of a text that has the shape of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The public part.
    pub id: TokenId,
    digest: String,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({})", self.id)
    }
}

impl Presented {
    /// Takes a text apart; none if it has not the shape of a token, which needs no database to be seen.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH || !text.is_ascii() || !text.starts_with(PREFIX) {
            return None;
        }
        let (body, sum) = text.split_at(LENGTH - CHECKSUM - 1);
        let (id, secret) = body[PREFIX.len()..].split_at(ID);
        let secret = secret.strip_prefix('_')?;
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(id) || !plain(secret) || sum.strip_prefix('_')? != checksum(body) {
            return None;
        }
        Some(Self { id: TokenId::new(id), digest: digest(secret) })
    }

    /// Whether the stored digest is that of the presented secret. Takes equally long whatever is stored, also nothing.
    pub fn matches(&self, stored: Option<&str>) -> bool {
        const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
        let same = self.digest.as_bytes().ct_eq(stored.unwrap_or(NOTHING).as_bytes());
        bool::from(same) && stored.is_some()
    }
}

/// That a token expires soon, or did: it is said 30 days, 7 days and a day before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// It works no more.
    Expired,
    /// Less than a day is left.
    WithinDay,
    /// So many days are left, 7 at most.
    WithinWeek(i64),
    /// So many days are left, 30 at most.
    WithinMonth(i64),
}

const DAY_MS: i64 = 86_400_000;

/// What is to be said about the end of a token; nothing while it is more than 30 days away.
pub fn expiry(expires_ms: Option<i64>, now_ms: i64) -> Option<Expiry> {
    let left = expires_ms?.saturating_sub(now_ms);
    // Begun days count: a token made for 20 days has 20 left.
    let days = left.saturating_add(DAY_MS - 1) / DAY_MS;
    match left {
        ..=0 => Some(Expiry::Expired),
        _ if left <= DAY_MS => Some(Expiry::WithinDay),
        _ if left <= 7 * DAY_MS => Some(Expiry::WithinWeek(days)),
        _ if left <= 30 * DAY_MS => Some(Expiry::WithinMonth(days)),
        _ => None,
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expiry::Expired => f.write_str("expired"),
            Expiry::WithinDay => f.write_str("EXPIRES WITHIN A DAY"),
            Expiry::WithinWeek(1) | Expiry::WithinMonth(1) => f.write_str("EXPIRES IN 1 DAY"),
            Expiry::WithinWeek(days) => write!(f, "EXPIRES IN {days} DAYS"),
            Expiry::WithinMonth(days) => write!(f, "expires in {days} days"),
        }
    }
}

fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn checksum(body: &str) -> String {
    base62(&Sha256::digest(body.as_bytes())[..4], CHECKSUM)
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A big-endian number in so many digits of base 62; higher digits are dropped.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = (rest << 8) | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *place = DIGITS[rest as usize];
    }
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> NewToken {
        NewToken::mint([1, 2], [3, 4, 5, 6])
    }

    #[test]
    fn a_token_is_known_by_its_shape_and_opens_only_with_its_secret() {
        let token = token();
        assert_eq!(token.text.len(), LENGTH);
        let presented = Presented::parse(&token.text).unwrap();
        assert_eq!(presented.id, token.id);
        assert!(presented.matches(Some(&token.digest)));
        let other = NewToken::mint([1, 2], [3, 4, 5, 7]);
        assert_eq!(other.id, token.id);
        assert!(!presented.matches(Some(&other.digest)));
        assert!(!presented.matches(None));
        assert!(!presented.matches(Some("")));
        assert!(!token.digest.contains(&token.text[17..60]));
        assert!(!format!("{token:?}{presented:?}").contains(&token.text[17..60]));
    }

    #[test]
    fn what_is_not_whole_is_not_looked_up() {
        let text = token().text;
        let mut wrong = vec![
            String::new(),
            " ".into(),
            "Bearer".into(),
            text[..text.len() - 1].to_owned(),
            format!("{text}x"),
            format!(" {text}"),
            text.to_uppercase(),
            text.to_lowercase(),
            text.replacen('_', "-", 1),
            "é".repeat(LENGTH / 2),
        ];
        // Any single changed character breaks the checksum.
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            wrong.push(String::from_utf8(bytes).unwrap());
        }
        for text in wrong {
            assert_eq!(Presented::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn the_digits_hold_all_256_bits() {
        assert_eq!(base62(&[0xff; 32], SECRET).len(), SECRET);
        assert_ne!(base62(&[0xff; 32], SECRET), base62(&[[0x7f].as_slice(), &[0xff; 31]].concat(), SECRET));
        assert_eq!(base62(&[0, 61], 2), "0z");
        assert_eq!(base62(&[0, 62], 2), "10");
        // 62^43 is above 2^256: nothing is dropped from the top.
        assert_eq!(base62(&[0xff; 32], SECRET + 1).as_bytes()[0], b'0');
    }

    #[test]
    fn the_end_is_said_30_7_and_1_days_before() {
        let now = 1_000_000;
        let said = |left: i64| expiry(Some(now + left), now);
        assert_eq!(expiry(None, now), None);
        assert_eq!(said(30 * DAY_MS + 1), None);
        assert_eq!(said(30 * DAY_MS), Some(Expiry::WithinMonth(30)));
        assert_eq!(said(7 * DAY_MS), Some(Expiry::WithinWeek(7)));
        assert_eq!(said(DAY_MS), Some(Expiry::WithinDay));
        assert_eq!(said(0), Some(Expiry::Expired));
        assert_eq!(said(2 * DAY_MS).map(|soon| soon.to_string()).as_deref(), Some("EXPIRES IN 2 DAYS"));
    }
}
