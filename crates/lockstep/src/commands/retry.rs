//! `retry`: tries again what is parked.

use clap::Args;
use engine::apps::Target;
use engine::{tasks, why};
use serde_json::json;

use crate::error_report::{CliError, Exit};
use crate::session::Session;

/// Try again what is parked, with the next sync
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep retry crm --user ada@acme.example && lockstep sync")]
pub(crate) struct Arguments {
    /// The app's name
    app: String,
    /// Only this user
    #[arg(long, value_name = "USER", conflicts_with = "group")]
    user: Option<String>,
    /// Only this push group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let target = match (&arguments.user, &arguments.group) {
        (Some(user), _) => Some(Target::User(user.clone())),
        (None, Some(group)) => Some(Target::Group(group.clone())),
        (None, None) => None,
    };
    let (app_id, subject) = match target {
        Some(target) => {
            let (app, subject) = why::ids(&session.engine, &tenant, &arguments.app, target).await?;
            (app, Some(subject))
        }
        None => (session.app(&tenant, &arguments.app).await?.id, None),
    };
    let due = tasks::retry(&session.engine, &tenant, &app_id, subject).await?;
    session.output.show(&json!({"due": due}), || {
        format!("{due} are due again; send them: lockstep sync --app {}", arguments.app)
    })?;
    Ok(Exit::Done)
}
