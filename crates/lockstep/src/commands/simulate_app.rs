//! `simulate-app`: a SCIM app with the faults of real ones.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Args;
use simapp::{App, Config, Fault};

use crate::error_report::{CliError, Exit};
use crate::output::line;
use crate::session::clock;

/// Run a SCIM app with the faults of real ones
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct Arguments {
    /// Where to listen; port 0 chooses a free one
    #[arg(long, default_value = "127.0.0.1:8990", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Its configuration as JSON
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A fault, for example latency=200 or post-users:lost-answer-after=0.1; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<String>,
    /// The bearer token that it asks for; it protects nothing real
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

fn help() -> String {
    let mut text = String::from(
        "Faults ([LIMIT:]NAME[=ARGUMENTS][*TIMES]; a limit is read, write, users, groups, post-users ...):\n",
    );
    for entry in simapp::faults::catalogue() {
        text.push_str(&format!("  {}\n      {}\n", entry.form, entry.about));
    }
    text.push_str(
        "\nExample:\n  lockstep simulate-app --token secret --fault latency=50 --fault throttle=20/20",
    );
    text
}

/// Runs the command until Ctrl-C.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, CliError> {
    let mut config = match &arguments.config {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| CliError::file("cannot-read", path, &error))?;
            Config::from_json(&text).map_err(|error| {
                CliError::new("config", error.to_string())
                    .next("the fields and their defaults are those of simapp::Config")
            })?
        }
        None => Config::default(),
    };
    for text in &arguments.faults {
        let fault = Fault::parse(text).map_err(|error| {
            CliError::new("fault", error.to_string()).next("see the faults with lockstep simulate-app --help")
        })?;
        config.faults.push(fault);
    }
    config.token = arguments.token.or(config.token);
    let base_path = config.base_path.clone();
    let app = Arc::new(Mutex::new(App::new(config)));
    let running = simapp::serve(app, arguments.listen, clock()).await.map_err(|error| {
        CliError::new("cannot-listen", format!("nothing can listen on {}", arguments.listen))
            .why(error.to_string())
            .next("name another address with --listen, for example 127.0.0.1:0")
    })?;
    line(&format!("the simulated app listens on {}{base_path}", running.url()))?;
    line(&format!(
        "look into it: {}/_sim/state, /_sim/seen, /_sim/log, /_sim/faults; Ctrl-C stops it",
        running.url()
    ))?;
    stopped().await;
    running.stop().await;
    Ok(Exit::Done)
}

/// Waits for Ctrl-C.
pub(crate) async fn stopped() {
    // Without a signal handler there is nothing to wait for: the caller ends at once instead of hanging for ever.
    let _ = tokio::signal::ctrl_c().await;
}
