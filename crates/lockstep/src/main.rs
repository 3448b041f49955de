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
mod size;

/// Requests are read on one thread, carried out on another and logged on a third: what one allocates another frees.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only if a provider is installed already, and nothing runs before this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
