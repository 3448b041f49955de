//! `directory`: loading users, groups and members from files, and taking a load back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::ids::{JobId, TenantId};
use engine::load::{Counts, LoadFile, LoadReport, LoadRequest, Preset, load};
use serde_json::json;

use super::directory_undo::{self, LoadsArguments, UndoArguments};
use crate::error_report::{CliError, Exit};
use crate::output::{note, progress_bar};
use crate::session::Session;

/// Load the directory from files, and take a load back
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load users, groups and members from CSV or JSON Lines, as a whole or not at all
    #[command(after_help = EXAMPLE)]
    Load(LoadArguments),
    /// Show the loads, the newest first
    #[command(after_help = "Example:\n  lockstep directory loads")]
    Loads(LoadsArguments),
    /// Take a load back, as far as nothing has changed since
    #[command(after_help = UNDO_EXAMPLE)]
    Undo(UndoArguments),
}

const EXAMPLE: &str = "\
Columns are named by SCIM paths: userName, name.givenName, emails[type eq \"work\"].value. A load adds and changes only.

Example:
  lockstep directory load users.csv --groups groups.csv --members members.csv
  lockstep directory load users.csv --preset entra
  lockstep directory load hr.csv --map 'LOGIN=userName' --map 'MAIL=emails[type eq \"work\"].value' --dry-run";

const UNDO_EXAMPLE: &str = "\
Users and groups that the load created are deleted (restorable); others get their attributes of before. What somebody has
changed since is left as it is and named.

Example:
  lockstep directory undo --dry-run
  lockstep directory undo --allow-deactivations 220";

/// What to load.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// Users: .csv or .jsonl
    users: Option<PathBuf>,
    /// Groups
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Members: columns group and member
    #[arg(long, value_name = "FILE")]
    members: Option<PathBuf>,
    /// A column that is not named by a SCIM path (empty path: leave the column out); may be repeated
    #[arg(long, value_name = "COLUMN=PATH", value_parser = parse_map)]
    map: Vec<(String, String)>,
    /// The users file is an export of this product, as it is
    #[arg(long, value_name = "EXPORT", value_parser = preset_names())]
    preset: Option<String>,
    /// Who owns the users and groups that are created [default: the preset's name, else file]
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    source: String,
    /// Deactivate users of this source that the users file lacks
    #[arg(long)]
    complete: bool,
    /// How many deactivations are meant, exactly, if the guard holds them
    #[arg(long, value_name = "N")]
    allow_deactivations: Option<usize>,
    /// Read, check and compare only
    #[arg(long)]
    dry_run: bool,
}

/// The names of the presets, for the command line.
pub(crate) fn preset_names() -> clap::builder::PossibleValuesParser {
    let name = |preset: &'static Preset| clap::builder::PossibleValue::new(preset.name).help(preset.title);
    clap::builder::PossibleValuesParser::new(Preset::all().iter().map(name))
}

/// Reads COLUMN=PATH.
pub(crate) fn parse_map(text: &str) -> Result<(String, String), String> {
    let (column, path) = text.split_once('=').ok_or("write it as COLUMN=PATH, for example LOGIN=userName")?;
    Ok((column.trim().to_owned(), path.trim().to_owned()))
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    match command {
        Command::Load(arguments) => load_files(session, &tenant, arguments).await,
        Command::Loads(arguments) => {
            directory_undo::loads(session, &tenant, &arguments).await?;
            Ok(Exit::Done)
        }
        Command::Undo(arguments) => directory_undo::take_back(session, &tenant, arguments).await,
    }
}

async fn load_files(
    session: &Session,
    tenant: &TenantId,
    arguments: LoadArguments,
) -> Result<Exit, CliError> {
    let request = LoadRequest {
        users: read(arguments.users)?,
        groups: read(arguments.groups)?,
        members: read(arguments.members)?,
        map: arguments.map,
        preset: arguments.preset.as_deref().and_then(Preset::named),
        source: arguments.source,
        complete: arguments.complete,
        dry_run: arguments.dry_run,
        allow_deactivations: arguments.allow_deactivations,
    };
    let bar = progress_bar("loading");
    let mut progress = |at: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(at as u64);
    };
    let loaded = load(&session.engine, tenant, request, &mut progress).await;
    bar.finish_and_clear();
    let report = loaded?;
    if !report.ignored.is_empty() {
        note(&format!(
            "columns that were not read: {}; to read one: --map 'COLUMN=PATH'",
            report.ignored.join(", ")
        ));
    }
    for refused in &report.refused {
        note(&format!("left out: {refused}"));
    }
    session.output.show(&as_json(&report, arguments.dry_run), || in_words(&report, arguments.dry_run))?;
    Ok(if report.held.is_some() || !report.refused.is_empty() { Exit::NeedsPerson } else { Exit::Done })
}

/// Reads a file that is named.
pub(crate) fn read(path: Option<PathBuf>) -> Result<Option<LoadFile>, CliError> {
    path.map(|path| {
        let bytes = std::fs::read(&path).map_err(|error| CliError::file("cannot-read", &path, &error))?;
        Ok(LoadFile::new(path.display().to_string(), bytes))
    })
    .transpose()
}

fn as_json(report: &LoadReport, dry_run: bool) -> serde_json::Value {
    let counts = |counts: Counts| {
        json!({"create": counts.create, "update": counts.update, "unchanged": counts.unchanged,
            "deactivate": counts.deactivate})
    };
    let preview = report.preview;
    json!({"dry_run": dry_run, "users": counts(preview.users), "groups": counts(preview.groups),
        "members": {"add": preview.members_add, "unchanged": preview.members_unchanged},
        "held": report.held, "refused": report.refused, "ignored_columns": report.ignored,
        "job": report.job.as_ref().map(JobId::as_str),
        "resumed": report.resumed.as_ref().map(|resumed| &resumed.label)})
}

fn in_words(report: &LoadReport, dry_run: bool) -> String {
    let preview = report.preview;
    let of = |counts: Counts| {
        let mut text =
            format!("{} new, {} changed, {} unchanged", counts.create, counts.update, counts.unchanged);
        if counts.deactivate > 0 {
            text.push_str(&format!(", {} deactivated", counts.deactivate));
        }
        text
    };
    let mut lines = vec![];
    if let Some(resumed) = &report.resumed {
        lines.push(format!("an interrupted load ({}) was finished first", resumed.label));
    }
    lines.push(if dry_run { "would load:".into() } else { "loaded:".to_owned() });
    lines.push(format!("  users    {}", of(preview.users)));
    lines.push(format!("  groups   {}", of(preview.groups)));
    lines.push(format!("  members  {} new, {} unchanged", preview.members_add, preview.members_unchanged));
    if let Some(held) = &report.held {
        lines.push(format!("the guard would hold this load: {held}"));
    }
    lines.join("\n")
}
