//! `tenant`: create and list isolated customers.

use clap::Subcommand;
use engine::tenants;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error_report::{CliError, Exit};
use crate::output::time;
use crate::session::Session;

/// Create and list tenants
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a tenant; the first one makes the database
    #[command(after_help = "Example:\n  lockstep tenant create acme")]
    Create {
        /// Letters, digits and hyphens
        name: String,
    },
    /// List the tenants
    #[command(after_help = "Example:\n  lockstep tenant list")]
    List,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Create { name } => {
            let session = Session::open(global, true)?;
            let tenant = tenants::create(&session.engine, &name).await?;
            let value = json!({"id": tenant.id.as_str(), "name": tenant.name});
            session.output.show(&value, || {
                format!(
                    "tenant '{}' is created; load its directory with: lockstep directory load USERS.csv",
                    tenant.name
                )
            })?;
        }
        Command::List => {
            let session = Session::open(global, false)?;
            let all = tenants::list(&session.engine).await?;
            let values: Vec<Value> = all
                .iter()
                .map(|tenant| json!({"id": tenant.id.as_str(), "name": tenant.name, "created_ms": tenant.created_ms}))
                .collect();
            let rows = all.into_iter().map(|t| vec![t.name, time(t.created_ms), t.id.to_string()]).collect();
            session.output.list(&values, &["name", "created", "id"], rows)?;
        }
    }
    Ok(Exit::Done)
}
