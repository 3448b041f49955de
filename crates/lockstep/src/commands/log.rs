//! `log`: the SCIM log, the sign-in log, the audit log and the check of its chain.

use clap::{Args, Subcommand};
use engine::audit_log::EntryFilter;
use engine::{audit_log, scim_log};
use serde_json::Value;
use store::scim_log::LogObject;

use crate::commands::{log_scim, log_signin};
use crate::error_report::{CliError, Exit};
use crate::moment;
use crate::output::time;
use crate::session::Session;

/// The SCIM log, the sign-in log, the audit log and its check
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Changes, newest first
    #[command(after_help = "Example:\n  lockstep log audit --user ada@acme.example")]
    Audit(AuditArguments),
    /// Requests of identity providers, newest first
    #[command(
        after_help = "Examples:\n  lockstep log scim --user ada@acme.example --status failed\n  lockstep log scim --connection okta --since 1h --follow\n  lockstep log scim --trace 1f0c9a3b7d21"
    )]
    Scim(log_scim::Arguments),
    /// Decisions about first and later logins, newest first
    #[command(
        after_help = "Examples:\n  lockstep log signin --user ada@acme.example --since 7d\n  lockstep log signin --outcome refused\n  lockstep log signin --trace 1f0c9a3b7d21"
    )]
    Signin(log_signin::Arguments),
    /// Recompute the chain: was an entry changed, removed or moved?
    #[command(after_help = "Example:\n  lockstep log check")]
    Check,
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only about this user
    #[arg(long, value_name = "USER", group = "object")]
    user: Option<String>,
    /// Only about this group
    #[arg(long, value_name = "GROUP", group = "object")]
    group: Option<String>,
    /// Only about the settings of this app
    #[arg(long, value_name = "APP", group = "object")]
    app: Option<String>,
    /// Only by this actor, or all of one kind: cli:ada, connection:okta, cli
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only what was caused by the request or command with this trace code
    #[arg(long, value_name = "CODE")]
    trace: Option<String>,
    /// Not older than: 10m, 1h, 7d, or a time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    since: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Audit(arguments) => audit(session, &arguments).await,
        Command::Scim(arguments) => log_scim::run(session, &arguments).await,
        Command::Signin(arguments) => log_signin::run(session, arguments).await,
        Command::Check => check(session).await,
    }
}

async fn audit(session: &Session, arguments: &AuditArguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let object = match (&arguments.user, &arguments.group, &arguments.app) {
        (Some(user), ..) => Some(known(scim_log::about_user(&session.engine, &tenant, user).await?)?),
        (_, Some(group), _) => Some(known(scim_log::about_group(&session.engine, &tenant, group).await?)?),
        (.., Some(app)) => Some(session.app(&tenant, app).await?.id.to_string()),
        _ => None,
    };
    let filter = EntryFilter {
        object,
        actor: arguments.actor.clone(),
        trace: arguments.trace.as_ref().map(|trace| trace.trim().to_lowercase()),
        since_ms: arguments.since,
    };
    let entries = audit_log::list(&session.engine, &tenant, &filter, arguments.limit as usize).await?;
    session.output.list(&entries, &HEADER, entries.iter().map(row).collect())?;
    Ok(Exit::Done)
}

/// The id of a user or group, deleted or not.
fn known(object: LogObject) -> Result<String, CliError> {
    if object.found {
        return Ok(object.id);
    }
    Err(CliError::new("not_found", format!("there never was a {} '{}'", object.kind, object.name))
        .next(format!("see lockstep {} list, also with --deleted", object.kind)))
}

/// The columns of [`row`].
pub(crate) const HEADER: [&str; 5] = ["time", "actor", "action", "what changed", "trace"];

/// One entry for people.
pub(crate) fn row(entry: &Value) -> Vec<String> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    vec![
        time(entry["at_ms"].as_i64().unwrap_or(0)),
        text("actor"),
        text("action"),
        changes(&entry["before"], &entry["after"]),
        text("trace"),
    ]
}

/// Names of the fields that differ, with the new values of small ones.
fn changes(before: &Value, after: &Value) -> String {
    let empty = serde_json::Map::new();
    let (old, new) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let parts: Vec<String> = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| match new.get(name) {
            None => format!("-{name}"),
            Some(Value::String(text)) if text.chars().count() <= 40 => format!("{name}={text}"),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => format!("{name}={value}"),
            Some(_) => name.clone(),
        })
        .collect();
    let text = parts.join(" ");
    if text.chars().count() > 90 { format!("{}...", text.chars().take(87).collect::<String>()) } else { text }
}

async fn check(session: &Session) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let found = audit_log::check(&session.engine, &tenant).await?;
    if let Some(broken) = &found.broken {
        return Err(CliError::new("log.broken", "the audit log is not as it was sealed")
            .why(format!("{broken}; {} entries before it are as they were sealed", found.checked))
            .next("keep this database as it is for an inquiry, and compare it with a backup"));
    }
    session.output.show(&found, || {
        format!(
            "{} entries are as they were sealed; {} are not sealed yet (sync seals them)\nhead {}",
            found.checked, found.unsealed, found.head
        )
    })?;
    Ok(Exit::Done)
}
