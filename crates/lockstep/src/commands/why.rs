//! `why`: the answer to "why does she (not) have access?".

use clap::Args;
use engine::why::{Why, why};
use serde_json::Value;

use crate::error_report::{CliError, Exit};
use crate::output::{printable, table, time};
use crate::session::Session;

/// Why does this user (not) have this account, or this membership?
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lockstep why ada@acme.example --app crm\n  lockstep why ada@acme.example --app crm --group Engineering"
)]
pub(crate) struct Arguments {
    /// id, externalId or userName
    user: String,
    /// The app's name
    #[arg(long, value_name = "APP")]
    app: String,
    /// Ask for the membership in this push group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let answer =
        why(&session.engine, &tenant, &arguments.user, &arguments.app, arguments.group.as_deref()).await?;
    session.output.show(&answer, || in_words(&answer))?;
    Ok(Exit::Done)
}

/// The answer for people.
pub(crate) fn in_words(why: &Why) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        format!("{} in '{}'", printable(&text(&why.user, "userName")), text(&why.app, "name")),
        format!("  answer  {} [{}]", printable(&why.answer), why.code),
        format!("  next    {}", printable(&why.next_step)),
        "  reasons".into(),
    ];
    lines.extend(why.reasons.iter().map(|reason| format!("    - {}", printable(&reason.text))));
    for clause in &why.scope {
        let verdict = if clause["holds"] == true { "holds" } else { "does not hold" };
        lines.push(format!(
            "    - scope: {} {verdict} (value: {})",
            text(clause, "clause"),
            text(clause, "value")
        ));
    }
    if let Some(account) = &why.account {
        lines.push(format!("  account {} {}", text(account, "state"), text(account, "id")));
    }
    if let Some(waiting) = &why.waiting {
        let due = waiting["due_ms"].as_i64().map(|ms| format!(", due {} UTC", time(ms))).unwrap_or_default();
        let reason = waiting["reason"].as_str().map(|reason| format!(", {reason}")).unwrap_or_default();
        lines.push(format!("  queue   {}{due}{reason}", text(waiting, "state")));
    }
    for task in &why.tasks {
        lines.push(format!(
            "  task    {} since {} UTC: {}",
            text(task, "cause"),
            time(task["since_ms"].as_i64().unwrap_or(0)),
            evidence(&task["evidence"])
        ));
    }
    if !why.memberships.is_empty() {
        let rows = why.memberships.iter().map(|row| {
            let waits = row["waits"].as_str().map_or_else(|| "-".to_owned(), str::to_owned);
            vec![text(row, "group"), text(row, "state"), waits]
        });
        let shown = table(&["push group", "state", "waits for"], rows.collect());
        lines.push("  memberships in the app".into());
        lines.extend(shown.lines().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

fn evidence(evidence: &Value) -> String {
    let shown: String = evidence.to_string().chars().take(200).collect();
    printable(&shown)
}
