//! `app set`: switches, policies and limits of an app.

use clap::{Args, ValueEnum};
use domain::app::{AppSettings, Deprovision, Linking, MissingPolicy, WriteMethod};
use domain::ids::TenantId;
use engine::apps;

use crate::duration;
use crate::error_report::{CliError, Exit};
use crate::session::Session;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Link {
    Off,
    Ask,
    On,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Leaver {
    Deactivate,
    Delete,
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Missing {
    Repair,
    Ask,
    Accept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Patch,
    Put,
}

/// What to change; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// The app's name
    app: String,
    /// Where its SCIM endpoint is
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Allow loopback, private addresses and plain HTTP
    #[arg(long, value_enum)]
    allow_private: Option<Switch>,
    /// Create accounts
    #[arg(long, value_enum)]
    create: Option<Switch>,
    /// Change attributes and memberships
    #[arg(long, value_enum)]
    update: Option<Switch>,
    /// Deactivate or delete accounts
    #[arg(long, value_enum)]
    deactivate: Option<Switch>,
    /// What to do with accounts that were there before us
    #[arg(long, value_enum)]
    link: Option<Link>,
    /// What happens to the account of somebody who is not entitled any more
    #[arg(long, value_enum)]
    deprovision: Option<Leaver>,
    /// What to do when an account or group was deleted in the app
    #[arg(long, value_enum)]
    missing: Option<Missing>,
    /// How changes are written
    #[arg(long, value_enum)]
    write_with: Option<Method>,
    /// Members per request at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    member_cap: Option<u32>,
    /// How long a request without an answer may still take effect, for example 2m
    #[arg(long, value_name = "SPAN", value_parser = duration::parse_short)]
    in_flight_window: Option<i64>,
    /// How long a read may still show the state before a write, for example 5s
    #[arg(long, value_name = "SPAN", value_parser = duration::parse_short)]
    read_lag: Option<i64>,
    /// When a request is given up, for example 30s
    #[arg(long, value_name = "SPAN", value_parser = duration::parse_short)]
    request_timeout: Option<i64>,
    /// Requests at the same time at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: Option<u32>,
    /// Requests per second at most; 0: no limit of ours
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// The attribute that finds an existing account after externalId did not
    #[arg(long, value_name = "ATTRIBUTE")]
    matching: Option<String>,
    /// Deletion guard: share of the accounts, in percent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    guard_percent: Option<u32>,
    /// Deletion guard: number of accounts
    #[arg(long, value_name = "N")]
    guard_count: Option<u32>,
}

impl SetArguments {
    fn is_empty(&self) -> bool {
        let mut untouched = AppSettings::default();
        self.carry_out(&mut untouched);
        // A value may equal its default, so what counts is whether anything was named at all.
        untouched == AppSettings::default() && !self.names_something()
    }

    fn names_something(&self) -> bool {
        [self.allow_private, self.create, self.update, self.deactivate].iter().any(Option::is_some)
            || self.link.is_some()
            || self.deprovision.is_some()
            || self.missing.is_some()
            || self.write_with.is_some()
            || self.base_url.is_some()
            || self.matching.is_some()
            || [self.member_cap, self.concurrency, self.rate, self.guard_percent, self.guard_count]
                .iter()
                .any(Option::is_some)
            || self.in_flight_window.is_some()
            || self.read_lag.is_some()
            || self.request_timeout.is_some()
    }

    fn carry_out(&self, settings: &mut AppSettings) {
        let switch = |value: Option<Switch>, now: &mut bool| {
            if let Some(value) = value {
                *now = value == Switch::On;
            }
        };
        switch(self.allow_private, &mut settings.allow_private);
        switch(self.create, &mut settings.create);
        switch(self.update, &mut settings.update);
        switch(self.deactivate, &mut settings.deactivate);
        if let Some(link) = self.link {
            settings.link = match link {
                Link::Off => Linking::Off,
                Link::Ask => Linking::Ask,
                Link::On => Linking::On,
            };
        }
        if let Some(leaver) = self.deprovision {
            settings.deprovision = match leaver {
                Leaver::Deactivate => Deprovision::Deactivate,
                Leaver::Delete => Deprovision::Delete,
                Leaver::Leave => Deprovision::Leave,
            };
        }
        if let Some(missing) = self.missing {
            settings.missing = match missing {
                Missing::Repair => MissingPolicy::Repair,
                Missing::Ask => MissingPolicy::Ask,
                Missing::Accept => MissingPolicy::Accept,
            };
        }
        if let Some(method) = self.write_with {
            settings.write_with = if method == Method::Put { WriteMethod::Put } else { WriteMethod::Patch };
        }
        self.carry_out_limits(settings);
    }

    fn carry_out_limits(&self, settings: &mut AppSettings) {
        fn set<T: Clone>(value: Option<&T>, now: &mut T) {
            if let Some(value) = value {
                now.clone_from(value);
            }
        }
        set(self.base_url.as_ref(), &mut settings.base_url);
        set(self.matching.as_ref(), &mut settings.matching);
        set(self.in_flight_window.as_ref(), &mut settings.in_flight_window_ms);
        set(self.read_lag.as_ref(), &mut settings.read_lag_ms);
        set(self.request_timeout.as_ref(), &mut settings.request_timeout_ms);
        set(self.rate.as_ref(), &mut settings.rate_per_second);
        set(self.guard_percent.as_ref(), &mut settings.guard_percent);
        set(self.guard_count.as_ref(), &mut settings.guard_count);
        set(self.member_cap.map(|cap| cap as usize).as_ref(), &mut settings.member_cap);
        set(self.concurrency.map(|width| width as usize).as_ref(), &mut settings.concurrency);
    }
}

/// Runs `app set`.
pub(crate) async fn set(
    session: &Session,
    tenant: &TenantId,
    arguments: SetArguments,
) -> Result<Exit, CliError> {
    if arguments.is_empty() {
        return Err(CliError::new("nothing_to_set", "no setting is named").next(
            "see the settings with lockstep app set --help, and the present values with lockstep app show",
        ));
    }
    if let Some(matching) = &arguments.matching {
        check_matching(matching)?;
    }
    let before = session.app(tenant, &arguments.app).await?;
    let name = arguments.app.clone();
    let app = apps::change(&session.engine, tenant, &name, "app.set", move |app| {
        arguments.carry_out(&mut app.settings);
        Ok(())
    })
    .await?;
    let changed = app.settings != before.settings;
    let text = if changed {
        "settings are changed; see the effect with: lockstep plan"
    } else {
        "settings already were so:"
    };
    session.output.changed(changed, &format!("the {text} {}", app.name))?;
    Ok(Exit::Done)
}

fn check_matching(path: &str) -> Result<(), CliError> {
    let known = scim::PatchPath::parse(path).is_ok_and(|path| {
        let attribute =
            scim::AttrPath { urn: path.urn.clone(), attr: path.attr.clone(), sub: path.sub.clone() };
        scim::ResourceType::user().resolve(&attribute).is_some()
    });
    if known {
        return Ok(());
    }
    Err(CliError::new("invalid", format!("'{path}' is no attribute of SCIM users"))
        .next("name one such as userName or emails.value"))
}
