//! `directory loads` and `directory undo`: what was loaded, and taking a load back.

use clap::Args;
use domain::ids::{JobId, TenantId};
use engine::load::{UndoPreview, UndoReport, UndoRequest, list_loads, undo};
use serde_json::{Value, json};

use crate::error_report::{CliError, Exit};
use crate::output::{count, note, progress_bar, time};
use crate::session::Session;

/// Which loads to show.
#[derive(Debug, Args)]
pub(crate) struct LoadsArguments {
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// What to take back.
#[derive(Debug, Args)]
pub(crate) struct UndoArguments {
    /// The load's id, as `directory loads` shows it; else the last one that is not taken back yet
    load: Option<String>,
    /// Without an id: the last load of this source
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME", conflicts_with = "load")]
    source: String,
    /// How many users are meant to be deleted or deactivated, exactly, if the guard holds them
    #[arg(long, value_name = "N")]
    allow_deactivations: Option<usize>,
    /// Compare only
    #[arg(long)]
    dry_run: bool,
}

/// Shows the loads, the newest first.
pub(crate) async fn loads(
    session: &Session,
    tenant: &TenantId,
    arguments: &LoadsArguments,
) -> Result<(), CliError> {
    let loads = list_loads(&session.engine, tenant, arguments.limit).await?;
    let values: Vec<Value> = loads
        .iter()
        .map(|load| {
            json!({"id": load.id.as_str(), "source": load.source, "files": load.label, "changes": load.total,
                "applied": load.applied, "at_ms": load.created_ms})
        })
        .collect();
    let rows = loads
        .iter()
        .map(|load| {
            vec![
                time(load.created_ms),
                load.source.clone(),
                load.label.clone(),
                format!("{} of {}", load.applied, load.total),
                load.id.to_string(),
            ]
        })
        .collect();
    session.output.list(&values, &["time", "source", "files", "changes", "id"], rows)
}

/// Takes a load back.
pub(crate) async fn take_back(
    session: &Session,
    tenant: &TenantId,
    arguments: UndoArguments,
) -> Result<Exit, CliError> {
    let dry_run = arguments.dry_run;
    let request = UndoRequest {
        job: arguments.load.map(JobId::new),
        source: arguments.source,
        dry_run,
        allow_deactivations: arguments.allow_deactivations,
    };
    let bar = progress_bar("taking back");
    let mut progress = |at: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(at as u64);
    };
    let done = undo(&session.engine, tenant, request, &mut progress).await;
    bar.finish_and_clear();
    let report = done?;
    for kept in &report.kept {
        note(&format!("left as it is: {kept}"));
    }
    for refused in &report.refused {
        note(&format!("left out: {refused}"));
    }
    session.output.show(&as_json(&report, dry_run), || in_words(&report, dry_run))?;
    let complete = report.held.is_none() && report.refused.is_empty() && report.kept.is_empty();
    Ok(if complete { Exit::Done } else { Exit::NeedsPerson })
}

fn as_json(report: &UndoReport, dry_run: bool) -> Value {
    let preview = report.preview;
    json!({"dry_run": dry_run, "load": report.load.id.as_str(), "files": report.load.label,
        "users": {"delete": preview.users_delete, "update": preview.users_update,
            "deactivate": preview.users_deactivate, "restore": preview.users_restore},
        "groups": {"delete": preview.groups_delete, "update": preview.groups_update,
            "restore": preview.groups_restore},
        "members": {"remove": preview.members_remove, "add": preview.members_add},
        "already": preview.already, "kept": report.kept, "refused": report.refused, "held": report.held,
        "job": report.job.as_ref().map(JobId::as_str),
        "resumed": report.resumed.as_ref().map(|resumed| &resumed.label)})
}

fn in_words(report: &UndoReport, dry_run: bool) -> String {
    let UndoPreview { users_delete, users_update, users_deactivate, users_restore, .. } = report.preview;
    let preview = report.preview;
    let mut lines = vec![];
    if let Some(resumed) = &report.resumed {
        lines.push(format!("an interrupted load ({}) was finished first", resumed.label));
    }
    let verb = if dry_run { "would take back" } else { "took back" };
    lines.push(format!("{verb} the load of {} at {}:", report.load.label, time(report.load.created_ms)));
    let mut users =
        format!("  users    {users_delete} deleted, {users_update} as before, {users_restore} restored");
    if users_deactivate > 0 {
        users.push_str(&format!(" ({users_deactivate} become inactive)"));
    }
    lines.push(users);
    lines.push(format!(
        "  groups   {} deleted, {} as before, {} restored",
        preview.groups_delete, preview.groups_update, preview.groups_restore
    ));
    lines.push(format!("  members  {} removed, {} added again", preview.members_remove, preview.members_add));
    if preview.already > 0 {
        lines.push(format!("  {} as before already", count(preview.already, "change is", "changes are")));
    }
    if !report.kept.is_empty() {
        let kept = count(report.kept.len(), "object is", "objects are");
        lines.push(format!("  {kept} left alone, because something changed since"));
    }
    if let Some(held) = &report.held {
        lines.push(format!("the guard would hold it: {held}"));
    }
    lines.join("\n")
}
