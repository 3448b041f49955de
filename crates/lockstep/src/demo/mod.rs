//! `demo`: a directory, a simulated app, a sync, three repairs, each proven by reading the app back.

mod acts;
mod closing;
mod expected;
mod read_back;
mod stage;

use std::path::PathBuf;

use clap::Args;

use crate::commands::simulate_app::stopped;
use crate::error_report::{CliError, Exit};
use crate::output::{line, table};
use expected::Expected;
use stage::Stage;

/// Everything at once: a directory, a simulated app, a sync, and three repairs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep demo --once")]
pub(crate) struct Arguments {
    /// End after the last proof; exit code 0 only if all of them hold
    #[arg(long)]
    once: bool,
    /// A new folder for the database and the files; else ./lockstep-demo-N
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, CliError> {
    let mut stage = tokio::select! {
        // Ctrl-C while files are written: what is there stays, nothing runs on.
        () = stopped() => return Ok(Exit::Failed),
        stage = Stage::build(arguments.folder) => stage?,
    };
    let played = tokio::select! {
        () = stopped() => Ok(false),
        played = play(&mut stage) => played,
    };
    let held = match played {
        Ok(held) => held,
        Err(error) => {
            stage.close().await;
            return Err(error);
        }
    };
    if !arguments.once && held {
        closing::commands(&stage)?;
        stopped().await;
        line("stopped")?;
    }
    stage.close().await;
    Ok(if held { Exit::Done } else { Exit::Failed })
}

/// Plays the whole demo; true if every proof held.
async fn play(stage: &mut Stage) -> Result<bool, CliError> {
    let first = first_sync(stage).await?;
    let mut proofs = vec![("first sync", first)];
    proofs.push(("new user", acts::joiner(stage).await?));
    proofs.push(("deleted group", acts::deleted_group(stage).await?));
    proofs.push(("deleted user", acts::deleted_user(stage).await?));
    closing::explain(stage).await?;
    let failed: Vec<&str> = proofs.iter().filter(|(_, held)| !held).map(|(name, _)| *name).collect();
    if failed.is_empty() {
        line("\nall proofs hold")?;
    } else {
        line(&format!("\nNOT PROVEN: {}", failed.join(", ")))?;
    }
    Ok(failed.is_empty())
}

async fn first_sync(stage: &mut Stage) -> Result<bool, CliError> {
    line("\n== First sync")?;
    let report = stage.sync("first sync").await?;
    let expected = Expected::from_files();
    let held = stage.read_back().await?;
    let differences = expected.differences(&held);
    let seconds = format!("{}.{} s", report.millis / 1_000, report.millis % 1_000 / 100);
    let row = vec![
        expected.users_in_directory.to_string(),
        held.accounts.len().to_string(),
        held.groups.len().to_string(),
        held.memberships().to_string(),
        report.requests.to_string(),
        seconds,
        differences.len().to_string(),
    ];
    line(&table(
        &["users", "accounts", "groups", "memberships", "requests", "time", "differences"],
        vec![row],
    ))?;
    line(&format!(
        "Read back over plain HTTP and compared with the CSV files. {} users are inactive or left and rightly have no account.",
        expected.users_in_directory - expected.accounts.len()
    ))?;
    stage::show_differences(&differences)?;
    Ok(differences.is_empty())
}
