//! A connection: an identity provider that pushes into a tenant, and the policies for what it pushes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use scim::ResourceType;
use scim::filter::Filter;
use serde::{Deserialize, Serialize};

use crate::ids::{ConnectionId, GroupId, TenantId, TokenId, UserId};
use crate::signin_pair::{is_name_or_mail, subject_attribute};

/// An identity provider that pushes into a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Ours.
    pub id: ConnectionId,
    /// Unique per tenant without regard to case; never changed, since users carry it as their source.
    pub name: String,
    /// Which product it is: what is printed for its administrators, and its defaults.
    pub provider: IdentityProvider,
    /// Everything an administrator sets.
    pub settings: ConnectionSettings,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Rises with every change of the settings.
    pub version: i64,
}

/// How the source of what a connection manages begins.
pub const SOURCE_PREFIX: &str = "connection:";

impl Connection {
    /// What users and groups that this connection manages carry as their `source`.
    pub fn source(&self) -> String {
        format!("{SOURCE_PREFIX}{}", self.name)
    }
}

/// Products that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityProvider {
    /// Okta.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// OneLogin.
    Onelogin,
    /// JumpCloud.
    Jumpcloud,
    /// Any other SCIM client.
    Generic,
}

impl IdentityProvider {
    /// All of them.
    pub const ALL: [IdentityProvider; 5] = [
        IdentityProvider::Okta,
        IdentityProvider::Entra,
        IdentityProvider::Onelogin,
        IdentityProvider::Jumpcloud,
        IdentityProvider::Generic,
    ];

    /// As stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            IdentityProvider::Okta => "okta",
            IdentityProvider::Entra => "entra",
            IdentityProvider::Onelogin => "onelogin",
            IdentityProvider::Jumpcloud => "jumpcloud",
            IdentityProvider::Generic => "generic",
        }
    }

    /// As its vendor writes it.
    pub fn title(self) -> &'static str {
        match self {
            IdentityProvider::Okta => "Okta",
            IdentityProvider::Entra => "Microsoft Entra ID",
            IdentityProvider::Onelogin => "OneLogin",
            IdentityProvider::Jumpcloud => "JumpCloud",
            IdentityProvider::Generic => "the identity provider",
        }
    }

    /// From the stored text; unknown text is `Generic`, which assumes nothing.
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.as_str() == text).unwrap_or(IdentityProvider::Generic)
    }
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenScope {
    /// Everything of SCIM.
    #[serde(rename = "scim")]
    Scim,
    /// Reading over SCIM.
    #[serde(rename = "scim:read")]
    ScimRead,
    /// Asking who signs in.
    #[serde(rename = "signin")]
    Signin,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [TokenScope; 3] = [TokenScope::Scim, TokenScope::ScimRead, TokenScope::Signin];

    /// As stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenScope::Scim => "scim",
            TokenScope::ScimRead => "scim:read",
            TokenScope::Signin => "signin",
        }
    }

    /// From the stored or typed text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who a presented token stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// The only tenant it may act in.
    pub tenant: TenantId,
    /// Its public part.
    pub token: TokenId,
    /// The name it was given.
    pub token_name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// Whose policies hold; none: a token of the tenant itself.
    pub connection: Option<Arc<Connection>>,
    /// Whom `/Me` is; none unless the token was made for a user.
    pub user: Option<UserId>,
    /// The version of the tenant's own schemas when the token was read.
    pub schemas_version: i64,
}

/// What DELETE of a user means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The user is deleted; restorable for a time.
    #[default]
    Delete,
    /// The user stays, inactive.
    KeepInactive,
    /// The user is inactive for so many days and then deleted.
    DeleteAfterDays(u32),
}

/// What `active: false` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeactivate {
    /// The user stays, inactive.
    #[default]
    KeepInactive,
    /// The user is inactive for so many days and then deleted.
    DeleteAfterDays(u32),
}

/// The longest delay of a deletion: ten years.
const MAX_DAYS: u32 = 3_650;

impl fmt::Display for OnDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnDelete::Delete => f.write_str("delete"),
            OnDelete::KeepInactive => f.write_str("keep-inactive"),
            OnDelete::DeleteAfterDays(days) => write!(f, "delete-after-{days}d"),
        }
    }
}

impl FromStr for OnDelete {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "delete" => Ok(OnDelete::Delete),
            "keep-inactive" => Ok(OnDelete::KeepInactive),
            _ => days(text).map(OnDelete::DeleteAfterDays).ok_or_else(|| {
                format!("'{text}' is none of delete, keep-inactive, delete-after-30d (1 to {MAX_DAYS} days)")
            }),
        }
    }
}

impl fmt::Display for OnDeactivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnDeactivate::KeepInactive => f.write_str("keep-inactive"),
            OnDeactivate::DeleteAfterDays(days) => write!(f, "delete-after-{days}d"),
        }
    }
}

impl FromStr for OnDeactivate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep-inactive" => Ok(OnDeactivate::KeepInactive),
            _ => days(text).map(OnDeactivate::DeleteAfterDays).ok_or_else(|| {
                format!("'{text}' is neither keep-inactive nor delete-after-30d (1 to {MAX_DAYS} days)")
            }),
        }
    }
}

fn days(text: &str) -> Option<u32> {
    let days = text.strip_prefix("delete-after-")?.strip_suffix('d')?;
    days.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days))
}

/// Settings of a connection. Fields that are absent in stored settings take the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionSettings {
    /// How its requests are read.
    pub dialect: scim::dialect::Dialect,
    /// What DELETE of a user means.
    pub on_delete: OnDelete,
    /// What `active: false` means.
    pub on_deactivate: OnDeactivate,
    /// A POST with the externalId of a deleted user brings that user back; never after the identity provider's own DELETE.
    pub restore_on_post: bool,
    /// SCIM filter over the user: only whom it holds for may be provisioned.
    pub include: Option<String>,
    /// SCIM filter over the user: whom it holds for may not be provisioned.
    pub exclude: Option<String>,
    /// Only members of this group may be active.
    pub required_group: Option<GroupId>,
    /// New users become members of these groups.
    pub default_groups: Vec<GroupId>,
    /// A first login of somebody unknown makes the user.
    pub create_on_first_login: bool,
    /// The issuer in the assertions of this identity provider (OpenID Connect `iss`, SAML entity id).
    pub issuer: Option<String>,
    /// The claim that holds the same immutable value as `subject_attribute`.
    pub subject_claim: Option<String>,
    /// The SCIM attribute that ties a first login to a user: see [`subject_attribute()`].
    pub subject_attribute: Option<String>,
    /// Requests per second and token at most.
    pub requests_per_second: u32,
    /// Requests at the same time and token at most.
    pub concurrency: u32,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            dialect: scim::dialect::Dialect::default(),
            on_delete: OnDelete::default(),
            on_deactivate: OnDeactivate::default(),
            restore_on_post: false,
            include: None,
            exclude: None,
            required_group: None,
            default_groups: vec![],
            create_on_first_login: false,
            issuer: None,
            subject_claim: None,
            subject_attribute: None,
            requests_per_second: 1_000,
            concurrency: 128,
        }
    }
}

impl ConnectionSettings {
    /// What a new connection of this provider starts with: Okta and Entra are read as what they are, the others as anything
    /// that was ever seen.
    pub fn of(provider: IdentityProvider) -> Self {
        let dialect = match provider {
            IdentityProvider::Okta => scim::dialect::Dialect::Okta,
            IdentityProvider::Entra => scim::dialect::Dialect::Entra,
            _ => scim::dialect::Dialect::Auto,
        };
        Self { dialect, ..Self::default() }
    }

    /// Refuses settings that cannot be meant; the error names the setting and what it may be. Filters may look at what the
    /// RFCs let a user have.
    pub fn check(&self) -> Result<(), String> {
        self.check_for(&ResourceType::user())
    }

    /// [`ConnectionSettings::check`] where users are of this type.
    pub fn check_for(&self, user: &ResourceType) -> Result<(), String> {
        for (name, filter) in [("include", &self.include), ("exclude", &self.exclude)] {
            let Some(text) = filter else { continue };
            user_filter(text, user).map_err(|problem| format!("{name}: {problem}"))?;
        }
        if let Some(issuer) = &self.issuer {
            check_text("issuer", issuer)?;
        }
        match (&self.subject_claim, &self.subject_attribute) {
            (None, None) => {}
            (Some(claim), Some(attribute)) => {
                check_text("subject claim", claim)?;
                if is_name_or_mail(claim) {
                    return Err(format!(
                        "subject claim: '{claim}' changes when somebody is renamed, and may be given to somebody else later; \
                         name a claim that never changes, such as oid (Entra) or sub (Okta)"
                    ));
                }
                subject_attribute(attribute)?;
            }
            _ => {
                return Err(
                    "subject claim and subject attribute: they are a pair; give both or neither, for example oid and externalId"
                        .into(),
                );
            }
        }
        if self.create_on_first_login && self.subject_claim.is_none() {
            return Err(
                "create on first login: without the subject pair somebody whom SCIM pushes too would be made twice; \
                 declare it, for example oid=externalId"
                    .into(),
            );
        }
        if self.issuer.is_none() && (self.create_on_first_login || self.subject_claim.is_some()) {
            return Err("issuer: first login needs to know which issuer is this identity provider's".into());
        }
        if self.requests_per_second == 0 || self.concurrency == 0 {
            return Err("requests per second and concurrency: at least 1".into());
        }
        Ok(())
    }
}

impl ConnectionSettings {
    /// The list that keeps a user of this type with this document out, and its filter; none: the user may be provisioned.
    pub fn keeps_out(&self, user: &ResourceType, doc: &serde_json::Value) -> Option<(&'static str, &str)> {
        // A stored filter was checked when it was set; one that cannot be read keeps everybody out.
        let holds = |text: &str| Filter::parse(text).map(|filter| filter.matches(user, doc));
        if let Some(text) = &self.exclude
            && holds(text).unwrap_or(true)
        {
            return Some(("exclude", text));
        }
        match &self.include {
            Some(text) if !holds(text).unwrap_or(false) => Some(("include", text)),
            _ => None,
        }
    }
}

/// A filter over users, read and checked against their schema.
pub fn user_filter(text: &str, user: &ResourceType) -> Result<Filter, String> {
    let filter = Filter::parse(text).map_err(|error| error.to_string())?;
    filter.check(user).map_err(|error| error.detail)?;
    Ok(filter)
}

fn check_text(name: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 500 || text.trim() != text || text.chars().any(char::is_control) {
        return Err(format!("{name}: 1 to 500 printable characters without spaces around them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_shown() {
        for text in ["delete", "keep-inactive", "delete-after-30d"] {
            assert_eq!(text.parse::<OnDelete>().unwrap().to_string(), text);
        }
        assert_eq!("delete-after-7d".parse(), Ok(OnDeactivate::DeleteAfterDays(7)));
        for text in ["delete-after-0d", "delete-after-3651d", "30d", "Delete", ""] {
            assert!(text.parse::<OnDelete>().is_err() && text.parse::<OnDeactivate>().is_err(), "{text}");
        }
        let stored = serde_json::to_string(&OnDelete::DeleteAfterDays(3)).unwrap();
        assert_eq!(stored, r#"{"delete_after_days":3}"#);
    }

    #[test]
    fn absent_settings_are_the_defaults() {
        let read: ConnectionSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(read, ConnectionSettings::default());
        assert_eq!(read.check(), Ok(()));
    }

    #[test]
    fn filters_are_checked_when_they_are_set() {
        let include = |text: &str| {
            ConnectionSettings { include: Some(text.into()), ..ConnectionSettings::default() }.check()
        };
        assert_eq!(include("userType eq \"Employee\""), Ok(()));
        assert!(include("userType eq").unwrap_err().starts_with("include: at position"));
        assert!(include("shoeSize eq \"44\"").unwrap_err().contains("shoeSize"));
    }
}
