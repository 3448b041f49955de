//! `completion`: completion for shells.

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::error_report::{CliError, Exit};

/// Print completion for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(lockstep completion bash)")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, CliError> {
    let mut script = vec![];
    clap_complete::generate(arguments.shell, &mut cli::definition(), "lockstep", &mut script);
    crate::output::line(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
