//! `log signin`: every decision about a login.

use clap::Args;
use engine::signin::{LogQuery, LoggedSignin, Outcome, list_log};
use serde_json::{Value, json};

use crate::error_report::{CliError, Exit};
use crate::moment;
use crate::output::time;
use crate::session::Session;

/// Which decisions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only about this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only with this outcome: known, linked, created, refused
    #[arg(long, value_name = "OUTCOME", value_parser = parse_outcome)]
    outcome: Option<Outcome>,
    /// Only the one with the code that the person was shown
    #[arg(long, value_name = "CODE", conflicts_with_all = ["user", "outcome", "since"])]
    trace: Option<String>,
    /// Not older than: 10m, 1h, 7d, or a time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    since: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

fn parse_outcome(text: &str) -> Result<Outcome, String> {
    let found = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    found.ok_or_else(|| format!("'{text}' is none of known, linked, created, refused"))
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let query = LogQuery {
        user: arguments.user,
        outcome: arguments.outcome,
        trace: arguments.trace.map(|trace| trace.trim().to_lowercase()),
        since_ms: arguments.since.unwrap_or(0),
        limit: arguments.limit,
    };
    let found = list_log(&session.engine, &tenant, query).await?;
    let values: Vec<Value> = found.iter().map(|one| json!(one)).collect();
    let header = ["time", "outcome", "user", "asserted as", "connection", "subject", "refusal", "trace"];
    session.output.list(&values, &header, found.into_iter().map(row).collect())?;
    Ok(Exit::Done)
}

fn row(one: LoggedSignin) -> Vec<String> {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let note = match &one.pending_rename {
        Some(_) => Some("rename pending".to_owned()),
        None => one.refusal,
    };
    vec![
        time(one.at_ms),
        one.outcome,
        or(one.user),
        or(one.asserted),
        or(one.connection),
        one.subject,
        or(note),
        one.trace,
    ]
}
