//! `user report`: accounts that no source has confirmed for long.

use std::path::PathBuf;

use clap::Args;
use domain::ids::TenantId;
use engine::confirmations::{Unconfirmed, unconfirmed};
use serde_json::{Value, json};

use crate::duration;
use crate::error_report::{CliError, Exit};
use crate::export::write_csv;
use crate::output::{count, note, time};
use crate::session::Session;

const COLUMNS: [&str; 8] =
    ["userName", "displayName", "state", "source", "created", "confirmed", "confirmed by", "id"];

/// Users that no source has confirmed for a time
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep user report --unconfirmed-for 90d --csv stale.csv\n\n\
A source confirms a user when its identity provider reads it by id, looks it up or writes it, and when a loaded file names it. \
Users that are younger than the time are left out.")]
pub(crate) struct Arguments {
    /// For at least this long, for example 90d
    #[arg(long, value_name = "SPAN", value_parser = duration::parse)]
    unconfirmed_for: i64,
    /// Write a CSV file for a spreadsheet; - for stdout
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    tenant: &TenantId,
    arguments: &Arguments,
) -> Result<Exit, CliError> {
    let found = unconfirmed(&session.engine, tenant, arguments.unconfirmed_for).await?;
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    match &arguments.csv {
        Some(path) => {
            write_csv(path, &COLUMNS, &rows)?;
            note(&format!("{} written", count(rows.len(), "user is", "users are")));
        }
        None => {
            let values: Vec<Value> = found.iter().map(as_json).collect();
            session.output.list(&values, &COLUMNS, rows)?;
        }
    }
    Ok(Exit::Done)
}

fn row(found: &Unconfirmed) -> Vec<String> {
    let user = &found.user;
    let (source, at) = match &found.last {
        Some((source, at_ms)) => (source.clone(), time(*at_ms)),
        None => (String::new(), "never".to_owned()),
    };
    vec![
        user.user_name.clone(),
        user.label().to_owned(),
        if user.active { "active" } else { "inactive" }.to_owned(),
        user.source.clone(),
        time(found.created_ms),
        at,
        source,
        user.id.to_string(),
    ]
}

fn as_json(found: &Unconfirmed) -> Value {
    let user = &found.user;
    let last = found.last.as_ref();
    json!({"id": user.id.as_str(), "userName": user.user_name, "displayName": user.label(), "active": user.active,
        "externalId": user.external_id, "source": user.source, "created_ms": found.created_ms,
        "confirmed_ms": last.map(|(_, at_ms)| at_ms), "confirmed_by": last.map(|(source, _)| source)})
}
