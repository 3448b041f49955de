//! `push-group`: groups of the directory that are mirrored in an app.

use clap::Subcommand;
use domain::snapshot::Push;
use engine::apps;
use serde_json::{Value, json};
use store::repo::{app as app_rows, edge, link};

use crate::error_report::{CliError, Exit};
use crate::session::Session;

/// Mirror groups in an app
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mirror groups: created there, with every member that has an account
    #[command(after_help = "Example:\n  lockstep push-group add crm --group Engineering --group Sales")]
    Add {
        /// The app's name
        app: String,
        /// id, externalId or displayName; may be repeated
        #[arg(long = "group", value_name = "GROUP", required = true)]
        groups: Vec<String>,
    },
    /// List the mirrored groups
    #[command(after_help = "Example:\n  lockstep push-group list crm")]
    List {
        /// The app's name
        app: String,
    },
    /// Stop mirroring a group; it is deleted in the app unless it shall stay
    #[command(after_help = "Example:\n  lockstep push-group remove crm --group Engineering --leave")]
    Remove {
        /// The app's name
        app: String,
        /// id, externalId or displayName
        #[arg(long, value_name = "GROUP")]
        group: String,
        /// Leave the group in the app as it is
        #[arg(long)]
        leave: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    match command {
        Command::Add { app, groups } => {
            let (mut changed, mut lines) = (false, vec![]);
            for group in &groups {
                let now = apps::push_add(&session.engine, &tenant, &app, group).await?;
                changed |= now;
                let word = if now { "is pushed to" } else { "already was pushed to" };
                lines.push(format!("'{group}' {word} '{app}'"));
            }
            session.output.changed(changed, &lines.join("\n"))?;
        }
        Command::List { app } => list(session, &app).await?,
        Command::Remove { app, group, leave } => {
            let changed = apps::push_remove(&session.engine, &tenant, &app, &group, leave).await?;
            let text = match (changed, leave) {
                (true, true) => format!("'{group}' is no longer pushed to '{app}' and stays there as it is"),
                (true, false) => {
                    format!("'{group}' is no longer pushed to '{app}'; the next sync deletes it there")
                }
                (false, _) => format!("'{group}' was not pushed to '{app}'"),
            };
            session.output.changed(changed, &text)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(session: &Session, app: &str) -> Result<(), CliError> {
    let tenant = session.tenant().await?;
    let app = session.app(&tenant, app).await?;
    let found = session
        .engine
        .read(move |tx| {
            let mut found = vec![];
            for (id, push, name) in app_rows::push_list(tx, &tenant, &app.id)? {
                let link = link::get(tx, &tenant, &app.id, id.as_str())?;
                let state = link.map_or("not there yet", |link| link.state.as_str());
                let (_, present) = edge_counts(tx, &tenant, &app.id, &id)?;
                found.push((id, push, name, state, present));
            }
            Ok(found)
        })
        .await?;
    let values: Vec<Value> = found
        .iter()
        .map(|(id, push, name, state, present)| {
            json!({"id": id.as_str(), "displayName": name, "push": push, "in_app": state, "members_in_app": present})
        })
        .collect();
    let rows = found
        .into_iter()
        .map(|(id, push, name, state, present)| {
            let push = if push == Push::Active { "active" } else { "removed" };
            vec![name, push.into(), state.to_owned(), present.to_string(), id.to_string()]
        })
        .collect();
    session.output.list(&values, &["displayName", "push", "in app", "members", "id"], rows)
}

/// Memberships that may differ, and those that the app holds.
fn edge_counts(
    tx: &mut store::Tx<'_>,
    tenant: &domain::ids::TenantId,
    app: &domain::ids::AppId,
    group: &domain::ids::GroupId,
) -> Result<(usize, usize), engine::EngineError> {
    let (mut waiting, mut present, mut after) = (0, 0, String::new());
    loop {
        let rows = edge::of_group(tx, tenant, app, group, &after, 1_000)?;
        let Some(last) = rows.last() else { return Ok((waiting, present)) };
        after.clone_from(&last.other);
        waiting += rows.iter().filter(|row| row.dirty).count();
        present += rows.iter().filter(|row| row.state == domain::snapshot::EdgeState::Present).count();
    }
}
