//! `provision`: one user or group now, with every step shown.

use std::sync::Mutex;

use clap::Subcommand;
use engine::apps::Target;
use engine::lane::perform::Step;
use engine::{audit_log, provision, tasks, why};
use serde_json::json;

use crate::error_report::{CliError, Exit};
use crate::output::printable;
use crate::session::Session;

/// One user or group now, step by step
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One user's account
    #[command(after_help = "Example:\n  lockstep provision user ada@acme.example --app crm")]
    User {
        /// id, externalId or userName
        user: String,
        /// The app's name
        #[arg(long, value_name = "APP")]
        app: String,
    },
    /// One push group and its members
    #[command(after_help = "Example:\n  lockstep provision group Engineering --app crm")]
    Group {
        /// id, externalId or displayName
        group: String,
        /// The app's name
        #[arg(long, value_name = "APP")]
        app: String,
    },
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let (target, app) = match command {
        Command::User { user, app } => (Target::User(user), app),
        Command::Group { group, app } => (Target::Group(group), app),
    };
    let app = session.app(&tenant, &app).await?;
    let transport = session.transport(&tenant, &app).await?;
    let (app_id, subject) = why::ids(&session.engine, &tenant, &app.name, target).await?;
    let (steps, is_json) = (Mutex::new(vec![]), session.output.is_json());
    let watch = |step: Step| {
        if !is_json {
            // Shown as it happens: the next request may take its time.
            println!("  {:<8} {}", step.name, printable(&step.text));
        }
        if let Ok(mut steps) = steps.lock() {
            steps.push(json!({"step": step.name, "text": step.text}));
        }
    };
    let finish = provision::provision(&session.engine, &tenant, &app_id, transport, &subject, &watch).await?;
    audit_log::seal(&session.engine, &tenant).await?;
    let open = tasks::list(&session.engine, &tenant, Some(&app_id), 10_000).await?;
    let applied = finish.applied.join(", ");
    let steps = steps.lock().map(|steps| steps.clone()).unwrap_or_default();
    session.output.show(&json!({"steps": steps, "applied": finish.applied, "tasks": open.len()}), || {
        if applied.is_empty() { "nothing was written".into() } else { format!("applied: {applied}") }
    })?;
    Ok(Exit::Done)
}
