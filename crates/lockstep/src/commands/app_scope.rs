//! `app scope`: the filter that must hold besides assignment, with a look at who enters and leaves.

use clap::Args;
use domain::app::App;
use domain::ids::TenantId;
use domain::snapshot::CompiledApp;
use engine::{EngineError, apps};
use serde_json::json;
use store::repo::{app as app_rows, user};

use crate::error_report::{CliError, Exit};
use crate::output::count;
use crate::session::Session;

/// Names that are shown at most on each side.
const SHOWN: usize = 10;
/// Users that are read per transaction.
const PAGE: i64 = 500;

/// Shows the filter, sets it, or removes it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The app's name
    app: String,
    /// A SCIM filter over users (RFC 7644 section 3.4.2.2)
    filter: Option<String>,
    /// Remove the filter: everybody assigned
    #[arg(long, conflicts_with = "filter")]
    none: bool,
    /// Show who would enter and leave; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Assigned users whose verdict changes.
#[derive(Default)]
struct Moves {
    enter: Vec<String>,
    leave: Vec<String>,
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    tenant: &TenantId,
    arguments: Arguments,
) -> Result<Exit, CliError> {
    let before = session.app(tenant, &arguments.app).await?;
    if arguments.filter.is_none() && !arguments.none {
        let scope = before.settings.scope.clone();
        session.output.show(&json!({"scope": scope}), || {
            scope.clone().unwrap_or_else(|| "(everybody assigned)".into())
        })?;
        return Ok(Exit::Done);
    }
    let wanted = arguments.filter.clone();
    let mut after = before.clone();
    after.settings.scope.clone_from(&wanted);
    let moves = moves(session, tenant, compile(before.clone())?, compile(after)?).await?;
    let changed = before.settings.scope != wanted;
    if !arguments.dry_run {
        apps::change(&session.engine, tenant, &arguments.app, "app.scope", move |app| {
            app.settings.scope.clone_from(&wanted);
            Ok(())
        })
        .await?;
    }
    let value = json!({"changed": changed && !arguments.dry_run, "enter": moves.enter, "leave": moves.leave});
    session.output.show(&value, || {
        let heading = match (arguments.dry_run, changed) {
            (true, _) => "nothing was changed; with this filter",
            (false, true) => "the scope is changed",
            (false, false) => "the scope already was so",
        };
        format!("{heading}\n{}\n{}", side("enter", &moves.enter), side("leave", &moves.leave))
    })?;
    Ok(Exit::Done)
}

fn compile(app: App) -> Result<CompiledApp, CliError> {
    CompiledApp::compile(app).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        CliError::new("filter", "the filter does not compile")
            .why(texts.join("\n"))
            .next("write it like: userType eq \"Employee\" and active eq true")
    })
}

async fn moves(
    session: &Session,
    tenant: &TenantId,
    before: CompiledApp,
    after: CompiledApp,
) -> Result<Moves, CliError> {
    let apps = std::sync::Arc::new((before, after));
    let (mut moves, mut cursor) = (Moves::default(), String::new());
    loop {
        let (owner, apps, from) = (tenant.clone(), apps.clone(), cursor.clone());
        let page = session
            .engine
            .read(move |tx| {
                let (before, after) = (&apps.0, &apps.1);
                let users = user::list(tx, &owner, &from, PAGE)?;
                let ids: Vec<&str> = users.iter().map(|user| user.id.as_str()).collect();
                let entitled = app_rows::entitlements(tx, &owner, &after.app.id, &ids)?;
                let mut moved = vec![];
                for user in &users {
                    let holds = |app: &CompiledApp| {
                        app.scope.as_ref().is_none_or(|scope| scope.matches(&app.user_type, &user.doc))
                    };
                    if holds(before) == holds(after) {
                        continue;
                    }
                    if entitled.contains_key(user.id.as_str()) {
                        moved.push((user.user_name.clone(), holds(after)));
                    }
                }
                Ok::<_, EngineError>((users.last().map(|user| user.id.to_string()), moved))
            })
            .await?;
        for (name, enters) in page.1 {
            if enters { moves.enter.push(name) } else { moves.leave.push(name) }
        }
        match page.0 {
            Some(last) => cursor = last,
            None => return Ok(moves),
        }
    }
}

fn side(word: &str, names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    let list = if shown.is_empty() { String::new() } else { format!(": {}{more}", shown.join(", ")) };
    format!("  {} {word}{list}", count(names.len(), "assigned user", "assigned users"))
}
