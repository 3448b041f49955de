//! The `lockstep` binary: reads the command line, runs one command, ends with its exit code.

use std::process::ExitCode;

mod cli;
mod commands;
mod demo;
mod duration;
mod environment;
mod error_report;
mod export;
mod moment;
mod output;
mod overview;
mod session;
mod when;

fn main() -> ExitCode {
    // Fails only if a provider is installed already, and nothing runs before this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
