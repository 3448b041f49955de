//! The command line: global options, the commands, and how a run ends.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    app, completion, connection, directory, group, log, plan, provision, push_group, retry, schema, serve,
    signin, simulate_app, status, sync, tasks, tenant, token, user, webhook, why,
};
use crate::error_report::{CliError, Exit};
use crate::output::Format;
use crate::session::Session;
use crate::{demo, overview};

/// Lockstep keeps the accounts in every app in lockstep with the directory, and says why an account is the way it is.
#[derive(Debug, Parser)]
#[command(
    name = "lockstep",
    version,
    help_template = overview::TEMPLATE,
    before_help = overview::COMMANDS,
    after_help = overview::EXIT_CODES,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Global {
    /// The database: a file, or postgres://USER@HOST/NAME
    #[arg(
        long,
        global = true,
        env = "LOCKSTEP_DATABASE",
        hide_env_values = true,
        default_value = "lockstep.db",
        value_name = "PLACE"
    )]
    pub(crate) database: String,
    /// The tenant; not needed while there is only one
    #[arg(long, global = true, env = "LOCKSTEP_TENANT", hide_env_values = true, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Tables for people or JSON for programs
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,
    /// The key that seals app credentials, 64 hexadecimal digits; else LOCKSTEP_KEY, else DATABASE.key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    SimulateApp(simulate_app::Arguments),
    #[command(subcommand)]
    Tenant(tenant::Command),
    #[command(subcommand)]
    Directory(directory::Command),
    #[command(subcommand)]
    User(user::Command),
    #[command(subcommand)]
    Group(group::Command),
    #[command(subcommand)]
    Schema(schema::Command),
    #[command(subcommand)]
    Connection(connection::Command),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Signin(signin::Command),
    #[command(subcommand)]
    App(app::Command),
    #[command(subcommand)]
    PushGroup(push_group::Command),
    Plan(plan::Arguments),
    Sync(sync::Arguments),
    #[command(subcommand)]
    Provision(provision::Command),
    Why(why::Arguments),
    Tasks(tasks::Arguments),
    Retry(retry::Arguments),
    #[command(subcommand)]
    Log(log::Command),
    #[command(subcommand)]
    Webhook(webhook::Command),
    Serve(serve::Arguments),
    Status(status::Arguments),
    Completion(completion::Arguments),
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let as_json = cli.global.output == Format::Json;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            CliError::new("runtime", format!("the program cannot start its threads: {error}")).print(as_json);
            return ExitCode::from(Exit::Failed.code());
        }
    };
    let exit = match runtime.block_on(execute(cli)) {
        Ok(exit) => exit,
        Err(error) => {
            error.print(as_json);
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

/// As many threads as processors. New requests and finished reads are looked for often, so that they wait for a few others and
/// not for all that are there.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(processors).event_interval(7).global_queue_interval(7).enable_all().build()
}

/// The whole command line as a value, for completion.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

async fn execute(cli: Cli) -> Result<Exit, CliError> {
    let global = cli.global;
    let open = || Session::open(&global, false);
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::SimulateApp(arguments) => simulate_app::run(arguments).await,
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Tenant(command) => tenant::run(&global, command).await,
        Command::Directory(command) => directory::run(&open()?, command).await,
        Command::User(command) => user::run(&open()?, command).await,
        Command::Group(command) => group::run(&open()?, command).await,
        Command::Schema(command) => schema::run(&open()?, command).await,
        Command::Connection(command) => connection::run(&open()?, command).await,
        Command::Token(command) => token::run(&open()?, command).await,
        Command::Signin(command) => signin::run(&open()?, command).await,
        Command::App(command) => app::run(&open()?, command).await,
        Command::PushGroup(command) => push_group::run(&open()?, command).await,
        Command::Plan(arguments) => plan::run(&open()?, &arguments).await,
        Command::Sync(arguments) => sync::run(&open()?, &arguments).await,
        Command::Provision(command) => provision::run(&open()?, command).await,
        Command::Why(arguments) => why::run(&open()?, &arguments).await,
        Command::Tasks(arguments) => tasks::run(&open()?, &arguments).await,
        Command::Retry(arguments) => retry::run(&open()?, &arguments).await,
        Command::Log(command) => log::run(&open()?, command).await,
        Command::Webhook(command) => webhook::run(&open()?, command).await,
        Command::Serve(arguments) => serve::run(&open()?, arguments).await,
        Command::Status(_) => status::run(&open()?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<'a>(command: &'a clap::Command, path: &str, found: &mut Vec<(String, &'a clap::Command)>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            found.push((path.clone(), sub));
            each(sub, &path, found);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn the_overview_names_every_command_and_every_leaf_has_an_example() {
        let root = definition();
        for command in root.get_subcommands() {
            let name = command.get_name();
            assert!(
                overview::COMMANDS.lines().any(|line| line.split_whitespace().next() == Some(name)),
                "{name}"
            );
        }
        let mut found = vec![];
        each(&root, "lockstep", &mut found);
        for (path, command) in found {
            assert!(command.get_about().is_some(), "{path} says what it does");
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(&path), "{path} has an example: {help}");
            }
        }
    }
}
