//! `status`: where everything stands.

use std::collections::BTreeMap;

use clap::Args;
use engine::status;

use crate::error_report::{CliError, Exit};
use crate::output::{count, pairs, table, time};
use crate::session::Session;

/// Where everything stands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep status")]
pub(crate) struct Arguments {}

/// Runs the command.
pub(crate) async fn run(session: &Session) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let found = status::status(&session.engine, &tenant).await?;
    session.output.show(&found, || {
        let mut text = pairs(&[
            ("users", found.users.to_string()),
            ("groups", found.groups.to_string()),
            ("members", found.members.to_string()),
        ]);
        if found.connections > 0 {
            text.push_str(&format!("\n{}", count(found.connections, "connection", "connections")));
        }
        if let Some(seats) = &found.seats {
            text.push_str(&format!("\n{} of {} seats are used", seats.used, seats.limit));
        }
        for token in &found.tokens_expiring {
            text.push_str(&format!(
                "\ntoken '{}' ({}) {}: lockstep token rotate {}",
                token.name, token.id, token.warning, token.id
            ));
        }
        if found.changes_to_spread > 0 {
            text.push_str(&format!("\n{} changes wait for the next sync", found.changes_to_spread));
        }
        if found.apps.is_empty() {
            text.push_str("\nno apps; connect one: lockstep app add");
            return text;
        }
        let header =
            ["app", "state", "links", "memberships", "waiting", "queue", "tasks", "held", "next due (UTC)"];
        let rows = found.apps.iter().map(|app| {
            vec![
                app.name.clone(),
                app.state.as_str().to_owned(),
                counts(&app.links),
                app.memberships.to_string(),
                app.memberships_waiting.to_string(),
                counts(&app.queue),
                app.tasks.to_string(),
                app.held.clone().unwrap_or_else(|| "-".into()),
                app.next_due_ms.map_or_else(|| "-".into(), time),
            ]
        });
        text.push_str("\n\n");
        text.push_str(&table(&header, rows.collect()));
        text
    })?;
    Ok(Exit::Done)
}

fn counts(counts: &BTreeMap<String, i64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "-".into() } else { parts.join(", ") }
}
