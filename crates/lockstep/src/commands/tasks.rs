//! `tasks`: open problems, each with its cause and the next step.

use clap::Args;
use domain::ids::AppId;
use engine::{connections, tasks};

use crate::error_report::{CliError, Exit};
use crate::output::{printable, time};
use crate::session::Session;

/// Open problems, oldest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep tasks --app crm")]
pub(crate) struct Arguments {
    /// Only of this app
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only of this connection
    #[arg(long, value_name = "CONNECTION", conflicts_with = "app")]
    connection: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let app = match (&arguments.app, &arguments.connection) {
        (Some(name), _) => Some(session.app(&tenant, name).await?.id),
        (_, Some(name)) => {
            let found = connections::find(&session.engine, &tenant, name).await?;
            Some(AppId::new(found.id.as_str()))
        }
        _ => None,
    };
    let open = tasks::list(&session.engine, &tenant, app.as_ref(), arguments.limit).await?;
    session.output.show(&open, || {
        if open.is_empty() {
            return "no open tasks".into();
        }
        let shown: Vec<String> = open.iter().map(in_words).collect();
        shown.join("\n")
    })?;
    Ok(if open.is_empty() { Exit::Done } else { Exit::NeedsPerson })
}

fn in_words(task: &tasks::Task) -> String {
    let about = task
        .subject
        .as_ref()
        .map_or_else(|| format!("the whole {}", task.kind), |name| format!("{} {name}", task.kind));
    // The people whom a sign-in may mean are the evidence, and they are to be compared.
    let room = if task.kind == "signin" { 2_000 } else { 300 };
    let evidence: String = task.evidence.to_string().chars().take(room).collect();
    // A sign-in with an unknown issuer belongs nowhere.
    let place = if task.app.is_empty() { String::new() } else { format!(" in '{}'", task.app) };
    format!(
        "[{}] {}{place}, since {} UTC, seen {} times\n  what: {}\n  why:  {}\n  next: {}",
        task.cause,
        printable(&about),
        time(task.since_ms),
        task.times,
        task.title,
        printable(&evidence),
        printable(&task.fix)
    )
}
