//! The policies of a connection as options, and as they are shown.

use clap::{Args, ValueEnum};
use domain::connection::{ConnectionSettings, OnDeactivate, OnDelete};
use domain::ids::TenantId;
use engine::{EngineError, connections};
use scim::Dialect;
use store::Tx;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Policies; what is not named stays as it is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Policies {
    /// How its requests are read: auto, okta, entra or strict
    #[arg(long, value_name = "DIALECT", value_parser = parse_dialect)]
    dialect: Option<Dialect>,
    /// What DELETE of a user means: delete (restorable), keep-inactive, delete-after-30d
    #[arg(long, value_name = "POLICY")]
    on_delete: Option<OnDelete>,
    /// What active:false means: keep-inactive or delete-after-30d
    #[arg(long, value_name = "POLICY")]
    on_deactivate: Option<OnDeactivate>,
    /// A POST with the externalId of a deleted user brings that user back
    #[arg(long, value_enum)]
    restore_on_post: Option<Switch>,
    /// SCIM filter: only these users may be provisioned; none: everybody
    #[arg(long, value_name = "FILTER")]
    include: Option<String>,
    /// SCIM filter: these users may not be provisioned; none: nobody is kept out
    #[arg(long, value_name = "FILTER")]
    exclude: Option<String>,
    /// Only members of this group may be active; none: everybody
    #[arg(long, value_name = "GROUP")]
    required_group: Option<String>,
    /// New users become members of this group; may be repeated and replaces the list; none: of no group
    #[arg(long = "default-group", value_name = "GROUP")]
    default_groups: Vec<String>,
    /// A first login of somebody unknown makes the user
    #[arg(long, value_enum)]
    create_on_first_login: Option<Switch>,
    /// The issuer in its assertions (OpenID Connect iss, SAML entity id); none: no first login
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// The pair that ties a first login to a user, for example oid=externalId; none: no tie
    #[arg(long, value_name = "CLAIM=ATTRIBUTE")]
    subject: Option<String>,
    /// Requests per second and token at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Requests at the same time and token at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: Option<u32>,
}

fn parse_dialect(text: &str) -> Result<Dialect, String> {
    text.parse().map_err(|error: scim::ScimError| error.detail)
}

/// What clears an optional setting.
const NONE: &str = "none";

impl Policies {
    /// Whether nothing is named.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { default_groups, .. } = self;
        let texts = [&self.include, &self.exclude, &self.required_group, &self.issuer, &self.subject];
        default_groups.is_empty()
            && texts.iter().all(|text| text.is_none())
            && [self.restore_on_post, self.create_on_first_login].iter().all(Option::is_none)
            && self.dialect.is_none()
            && self.on_delete.is_none()
            && self.on_deactivate.is_none()
            && [self.rate, self.concurrency].iter().all(Option::is_none)
    }

    /// Writes what is named into the settings; groups are looked up by name.
    pub(crate) fn carry_out(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        settings: &mut ConnectionSettings,
    ) -> Result<(), EngineError> {
        settings.dialect = self.dialect.unwrap_or(settings.dialect);
        settings.on_delete = self.on_delete.unwrap_or(settings.on_delete);
        settings.on_deactivate = self.on_deactivate.unwrap_or(settings.on_deactivate);
        for (value, now) in [
            (self.restore_on_post, &mut settings.restore_on_post),
            (self.create_on_first_login, &mut settings.create_on_first_login),
        ] {
            *now = value.map_or(*now, |value| value == Switch::On);
        }
        for (value, now) in [
            (&self.include, &mut settings.include),
            (&self.exclude, &mut settings.exclude),
            (&self.issuer, &mut settings.issuer),
        ] {
            if let Some(text) = value {
                *now = Some(text.clone()).filter(|text| text != NONE);
            }
        }
        if let Some(group) = &self.required_group {
            settings.required_group = match group.as_str() {
                NONE => None,
                name => Some(connections::group_id(tx, tenant, name)?),
            };
        }
        if !self.default_groups.is_empty() {
            let names = self.default_groups.iter().filter(|name| *name != NONE);
            settings.default_groups =
                names.map(|name| connections::group_id(tx, tenant, name)).collect::<Result<_, _>>()?;
        }
        match self.subject.as_deref() {
            None => {}
            Some(NONE) => (settings.subject_claim, settings.subject_attribute) = (None, None),
            Some(text) => {
                // An attribute may hold colons, a claim may be a URL; neither holds an equals sign.
                let (claim, attribute) = text.split_once('=').ok_or_else(|| {
                    EngineError::Invalid(format!(
                        "subject: '{text}' is no pair; write it as CLAIM=ATTRIBUTE, for example oid=externalId"
                    ))
                })?;
                settings.subject_claim = Some(claim.trim().to_owned());
                settings.subject_attribute = Some(attribute.trim().to_owned());
            }
        }
        settings.requests_per_second = self.rate.unwrap_or(settings.requests_per_second);
        settings.concurrency = self.concurrency.unwrap_or(settings.concurrency);
        Ok(())
    }
}

/// The settings as names and values; `group` gives a group's name.
pub(crate) fn shown(
    settings: &ConnectionSettings,
    group: impl Fn(&str) -> String,
) -> Vec<(&'static str, String)> {
    let on = |value: bool| if value { "on" } else { "off" }.to_owned();
    let or = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    let pair = match (&settings.subject_claim, &settings.subject_attribute) {
        (Some(claim), Some(attribute)) => format!("{claim}={attribute}"),
        _ => "(none)".into(),
    };
    let defaults: Vec<String> = settings.default_groups.iter().map(|id| group(id.as_str())).collect();
    vec![
        ("dialect", settings.dialect.to_string()),
        ("on DELETE", settings.on_delete.to_string()),
        ("on active:false", settings.on_deactivate.to_string()),
        ("restore on POST", on(settings.restore_on_post)),
        ("include", or(&settings.include, "(everybody)")),
        ("exclude", or(&settings.exclude, "(nobody)")),
        (
            "required group",
            settings.required_group.as_ref().map_or_else(|| "(none)".into(), |id| group(id.as_str())),
        ),
        ("default groups", if defaults.is_empty() { "(none)".into() } else { defaults.join(", ") }),
        ("issuer", or(&settings.issuer, "(none: no first login)")),
        ("subject pair", pair),
        ("create on first login", on(settings.create_on_first_login)),
        (
            "limits",
            format!(
                "{} requests/s, {} at once, per token",
                settings.requests_per_second, settings.concurrency
            ),
        ),
    ]
}
