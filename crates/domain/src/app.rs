//! An app to push to: its switches, policies and limits, with the defaults a new app starts with.

use serde::{Deserialize, Serialize};

use crate::ids::AppId;
use crate::mapping::MappingRule;

/// A connected application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// Ours.
    pub id: AppId,
    /// Unique per tenant without regard to case.
    pub name: String,
    /// A new app starts in preview and sends nothing until it is activated.
    pub state: AppState,
    /// Everything an administrator sets.
    pub settings: AppSettings,
    /// Rises with every change of state or settings.
    pub version: i64,
}

/// Whether the app may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppState {
    /// Reads, matches, reports; sends nothing.
    Preview,
    /// Converges.
    Active,
    /// Was active; sends nothing, collects marks.
    Paused,
}

impl AppState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            AppState::Preview => "preview",
            AppState::Active => "active",
            AppState::Paused => "paused",
        }
    }

    /// From the stored text; unknown text is `Paused`, the state that does nothing.
    pub fn parse(text: &str) -> Self {
        match text {
            "preview" => AppState::Preview,
            "active" => AppState::Active,
            _ => AppState::Paused,
        }
    }
}

/// Settings of an app. Fields that are absent in stored settings take the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSettings {
    /// Where the SCIM endpoint is, without a trailing slash.
    pub base_url: String,
    /// Allows loopback, private addresses and plain HTTP.
    pub allow_private: bool,
    /// Create accounts.
    pub create: bool,
    /// Change attributes of accounts and groups, and memberships.
    pub update: bool,
    /// Deactivate or delete accounts.
    pub deactivate: bool,
    /// What to do with an account that was there before us.
    pub link: Linking,
    /// SCIM filter that must hold besides assignment; none: everybody assigned.
    pub scope: Option<String>,
    /// How app attributes get their values.
    pub mapping: Vec<MappingRule>,
    /// The attribute that finds an existing account after externalId did not.
    pub matching: String,
    /// What happens to the account of somebody who is not entitled any more.
    pub deprovision: Deprovision,
    /// What happens when an account or group is gone in the app.
    pub missing: MissingPolicy,
    /// How changes are written.
    pub write_with: WriteMethod,
    /// Members per request at most.
    pub member_cap: usize,
    /// How long a request that got no answer may still take effect.
    pub in_flight_window_ms: i64,
    /// How long a read may still show the state before a write.
    pub read_lag_ms: i64,
    /// When a request is given up as unknown.
    pub request_timeout_ms: i64,
    /// Requests at the same time at most.
    pub concurrency: usize,
    /// Requests per second at most; 0: no limit of ours.
    pub rate_per_second: u32,
    /// Destructive effects over this share of the live links (percent) are held.
    pub guard_percent: u32,
    /// Destructive effects over this number are held.
    pub guard_count: u32,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            allow_private: false,
            create: true,
            update: true,
            deactivate: true,
            link: Linking::Ask,
            scope: None,
            mapping: crate::mapping::default_user_mapping(),
            matching: "userName".into(),
            deprovision: Deprovision::Deactivate,
            missing: MissingPolicy::Repair,
            write_with: WriteMethod::Patch,
            member_cap: 100,
            in_flight_window_ms: 120_000,
            read_lag_ms: 5_000,
            request_timeout_ms: 30_000,
            concurrency: 16,
            rate_per_second: 0,
            guard_percent: 20,
            guard_count: 500,
        }
    }
}

/// The linking switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Linking {
    /// Never link; an existing account is a conflict.
    Off,
    /// Ask a person.
    Ask,
    /// Link an exact, unique match on a trusted key by itself.
    On,
}

/// What happens to the account of somebody who is not entitled any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deprovision {
    /// `active: false`.
    Deactivate,
    /// DELETE.
    Delete,
    /// Nothing; the account is no longer managed.
    Leave,
}

/// What happens when an account or group that we linked is gone in the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingPolicy {
    /// Create it again with all its memberships.
    Repair,
    /// Open a task and wait for a person.
    Ask,
    /// Accept that it is gone.
    Accept,
}

/// How changes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteMethod {
    /// PATCH with the changed attributes only.
    Patch,
    /// Read, merge, PUT with If-Match.
    Put,
}

impl AppSettings {
    /// How many destructive effects may be sent per wave and per 24 hours, of `live` links: the smaller of the percentage
    /// and the count, never below 5.
    pub fn guard_threshold(&self, live: i64) -> i64 {
        let share = live.saturating_mul(i64::from(self.guard_percent)) / 100;
        share.min(i64::from(self.guard_count)).max(5)
    }

    /// So many live links need to be counted at most: with more of them the threshold does not rise any further.
    pub fn guard_counts_to(&self) -> i64 {
        let percent = i64::from(self.guard_percent).max(1);
        i64::from(self.guard_count).max(5).saturating_mul(100) / percent + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_does_not_rise_beyond_what_is_counted() {
        for (guard_percent, guard_count) in [(20, 500), (0, 500), (100, 3), (7, 1_000), (1, 0)] {
            let settings = AppSettings { guard_percent, guard_count, ..AppSettings::default() };
            let enough = settings.guard_counts_to();
            let most = settings.guard_threshold(i64::MAX / 1_000);
            assert_eq!(settings.guard_threshold(enough), if guard_percent == 0 { 5 } else { most });
        }
    }
}
