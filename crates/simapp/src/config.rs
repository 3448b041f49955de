//! How an app is set up: credentials, rules it enforces, limits, and the faults it starts with.

use crate::faults::FaultRule;
use scim::Schema;
use serde::{Deserialize, Serialize};

/// The set-up of one app; every field has a default, unknown fields are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The bearer token that requests must carry; `None` lets everybody in.
    pub token: Option<String>,
    /// Where SCIM starts in the path, without a slash at the end.
    pub base_path: String,
    /// Put before `base_path` in `meta.location` and `Location`, for example `http://127.0.0.1:8080`.
    pub public_url: String,
    /// Whether a second user with the same `userName` (compared without case) is refused with 409.
    pub enforce_user_name_unique: bool,
    /// Whether a second user or group with the same `externalId` is refused with 409.
    pub enforce_external_id_unique: bool,
    /// Whether a second group with the same `displayName` is refused with 409 (RFC 7643 asks for none).
    pub enforce_group_name_unique: bool,
    /// What happens when a group names a member id that does not exist.
    pub unknown_members: UnknownMembers,
    /// The status with which an unknown member is refused: 400 or 404.
    pub unknown_member_status: u16,
    /// The most resources on one page; a bigger `count` is cut to it.
    pub max_page_size: usize,
    /// Bodies above this size are refused with 413; bytes.
    pub max_body_bytes: usize,
    /// Put before every id, so that ids of two apps differ.
    pub id_prefix: String,
    /// Whether PATCH answers 204 without a body instead of 200 with the resource.
    pub patch_204: bool,
    /// Whether users are rendered with the read-only `groups` attribute.
    pub render_user_groups: bool,
    /// Extension schemas of users besides the enterprise one.
    pub user_extensions: Vec<Schema>,
    /// The seed of all randomness in faults.
    pub seed: u64,
    /// The faults that are on from the start.
    pub faults: Vec<FaultRule>,
}

/// What an app does with a member id that is neither a user nor a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownMembers {
    /// The whole request is refused and the error names the id.
    #[default]
    Refuse,
    /// The member is dropped and the request succeeds.
    Ignore,
    /// The id is stored as a member all the same.
    Accept,
}

/// Why a configuration text was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no JSON, or a field is unknown or has the wrong type.
    #[error("the configuration of the simulated app cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A field has a value that cannot work.
    #[error("the configuration of the simulated app: {field} {reason}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads a configuration from JSON text and checks it.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values with which the app could not answer.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| Err(ConfigError::Field { field, reason: reason.to_owned() });
        if !self.base_path.is_empty() && (!self.base_path.starts_with('/') || self.base_path.ends_with('/')) {
            return refuse("base_path", "must be empty, or start with a slash and not end with one");
        }
        if self.max_page_size == 0 {
            return refuse("max_page_size", "must be at least 1");
        }
        if !matches!(self.unknown_member_status, 400 | 404) {
            return refuse("unknown_member_status", "must be 400 or 404");
        }
        if !self.id_prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return refuse("id_prefix", "may hold ASCII letters, digits, '-' and '_' only");
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            base_path: "/scim/v2".to_owned(),
            public_url: String::new(),
            enforce_user_name_unique: true,
            enforce_external_id_unique: false,
            enforce_group_name_unique: false,
            unknown_members: UnknownMembers::Refuse,
            unknown_member_status: 400,
            max_page_size: 200,
            max_body_bytes: 1 << 20,
            id_prefix: String::new(),
            patch_204: false,
            render_user_groups: true,
            user_extensions: Vec::new(),
            seed: 1,
            faults: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_sets_fields_and_bad_ones_are_named() {
        let config = Config::from_json(r#"{"token":"t","unknown_members":"ignore","faults":["seats=10"]}"#);
        let config = config.expect("a good configuration");
        assert_eq!(config.unknown_members, UnknownMembers::Ignore);
        assert_eq!(config.faults.len(), 1);
        for (text, word) in [
            (r#"{"tokn":"t"}"#, "tokn"),
            (r#"{"base_path":"scim"}"#, "base_path"),
            (r#"{"max_page_size":0}"#, "max_page_size"),
            (r#"{"faults":["no-such-fault"]}"#, "no-such-fault"),
            (r#"{"faults":["seats=many"]}"#, "seats"),
            ("{", "EOF"),
        ] {
            let message = Config::from_json(text).expect_err("must be refused").to_string();
            assert!(message.contains(word), "{message} names {word}");
        }
    }
}
