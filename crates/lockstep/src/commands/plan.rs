//! `plan`: what would be sent, and the approval of what the guard holds.

use clap::Args;
use domain::app::App;
use domain::ids::TenantId;
use engine::preview::{Preview, preview};
use engine::tasks;
use serde_json::json;

use crate::error_report::{CliError, Exit};
use crate::output::{note, table};
use crate::session::Session;

/// Show what would be sent to an app; nothing is sent
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep plan crm\n  lockstep plan crm --approve")]
pub(crate) struct Arguments {
    /// The app's name
    app: String,
    /// Approve what the deletion guard holds now: exactly that
    #[arg(long)]
    approve: bool,
    /// Show every line
    #[arg(long)]
    all: bool,
}

/// Lines that are shown without `--all`.
const SHOWN: usize = 25;

/// Runs the command. Ends with "needs a person" if something is blocked or held.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let app = session.app(&tenant, &arguments.app).await?;
    if arguments.approve {
        let released = tasks::approve(&session.engine, &tenant, &app.id).await?;
        session.output.show(&json!({"released": released}), || {
            if released == 0 {
                "the guard holds nothing".into()
            } else {
                format!("{released} held effects are approved; send them: lockstep sync --app {}", app.name)
            }
        })?;
        return Ok(Exit::Done);
    }
    let preview = preview_of(session, &tenant, &app).await?;
    let held = held(session, &tenant, &app).await?;
    let shown = if arguments.all { usize::MAX } else { SHOWN };
    let value = json!({"app": app.name, "state": app.state, "plan": preview, "held_by_guard": held});
    session.output.show(&value, || {
        let mut text = in_words(&preview, &app.name, shown);
        if held > 0 {
            text.push_str(&format!(
                "\nheld by the deletion guard: {held}; if they are meant: lockstep plan {} --approve",
                app.name
            ));
        }
        text
    })?;
    let blocked = preview.totals.contains_key("blocked");
    Ok(if blocked || held > 0 { Exit::NeedsPerson } else { Exit::Done })
}

/// The plan; an app that does not answer is planned without reading it.
pub(crate) async fn preview_of(session: &Session, tenant: &TenantId, app: &App) -> Result<Preview, CliError> {
    let transport = session.transport(tenant, app).await?;
    let found = preview(&session.engine, tenant, &app.id, Some(&transport)).await?;
    if !found.app_was_read {
        note("note: the app could not be read to its end; what has no link yet is shown as 'read'");
    }
    Ok(found)
}

async fn held(session: &Session, tenant: &TenantId, app: &App) -> Result<i64, CliError> {
    let (owner, id) = (tenant.clone(), app.id.clone());
    let states =
        session.engine.read(move |tx| Ok(store::repo::mark::count_by_state(tx, &owner, &id)?)).await?;
    Ok(states.into_iter().filter(|(state, _)| state == "staged").map(|(_, count)| count).sum())
}

/// The plan for people: counts, then lines.
pub(crate) fn in_words(preview: &Preview, app: &str, shown: usize) -> String {
    if preview.planned.is_empty() {
        return format!("plan for '{app}': nothing to send ({} looked at)", preview.looked_at);
    }
    let totals: Vec<String> =
        preview.totals.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
    let mut lines = vec![format!("plan for '{app}': {}", totals.join(", ")), String::new()];
    // What takes away or stands in the way comes first: it must not hide behind a thousand creates.
    let mut planned: Vec<_> = preview.planned.iter().collect();
    planned.sort_by_key(|planned| !(planned.destructive || planned.cause.is_some()));
    let rows = planned.iter().take(shown).map(|planned| {
        let cause = planned.cause.map_or_else(String::new, |cause| format!("[{cause}] "));
        vec![
            planned.operation.clone() + if planned.destructive { " !" } else { "" },
            planned.kind.to_owned(),
            planned.name.clone(),
            format!("{cause}{}", planned.detail),
        ]
    });
    lines.push(table(&["operation", "kind", "name", "detail"], rows.collect()));
    if planned.len() > shown {
        lines.push(format!("... and {} more (--all)", planned.len() - shown));
    }
    if preview.planned.iter().any(|planned| planned.destructive) {
        lines.push("! takes something away".into());
    }
    if preview.planned.iter().any(|planned| planned.kind == "group" && planned.operation == "create") {
        lines.push("members of new groups follow once their accounts are there".into());
    }
    lines.join("\n")
}
