//! `sync`: sends what is due to all active apps side by side.

use std::collections::BTreeMap;

use clap::Args;
use domain::app::{App, AppState};
use domain::cause::Cause;
use domain::ids::TenantId;
use engine::lane::run::{LaneReport, run_lane};
use engine::{EngineError, apps, audit_log, compare, tasks};
use futures::future::join_all;
use indicatif::MultiProgress;
use serde_json::{Value, json};

use crate::error_report::{CliError, Exit};
use crate::output::{note, progress_bar, table, time};
use crate::session::Session;

/// Send what is due until nothing is ready
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lockstep sync\n  lockstep sync --app crm --wait")]
pub(crate) struct Arguments {
    /// Only this app; else every active one, side by side
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Go on until nothing waits for a time any more
    #[arg(long)]
    wait: bool,
    /// Read the whole app first and repair what differs
    #[arg(long)]
    full: bool,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CliError> {
    let tenant = session.tenant().await?;
    let apps = wanted(session, &tenant, arguments.app.as_deref()).await?;
    let bars = MultiProgress::new();
    let runs = apps.iter().map(|app| run_one(session, &tenant, app, arguments, &bars));
    let results = join_all(runs).await;
    audit_log::seal(&session.engine, &tenant).await?;
    let (mut values, mut rows, mut exit, mut failed) = (vec![], vec![], Exit::Done, None);
    for (app, result) in apps.iter().zip(results) {
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                note(&format!("'{}' was not synchronised to its end", app.name));
                failed = Some(error);
                continue;
            }
        };
        let open = tasks::list(&session.engine, &tenant, Some(&app.id), 10_000).await?;
        exit = worse(exit, judge(&report, &open));
        values.push(json!({"app": app.name, "report": report, "tasks": open.len()}));
        rows.push(row(&app.name, &report, open.len(), session.engine.env.now_ms()));
    }
    if !values.is_empty() {
        show(session, &values, rows, exit)?;
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(exit),
    }
}

fn show(session: &Session, values: &[Value], rows: Vec<Vec<String>>, exit: Exit) -> Result<(), CliError> {
    session.output.show(&values, || {
        let mut text = table(&["app", "subjects", "requests", "applied", "waits until", "open tasks"], rows);
        match exit {
            Exit::NeedsPerson => text.push_str("\nsomething needs you: lockstep tasks"),
            Exit::Waits => text.push_str("\nsomething waits for a time and goes on by itself; to stay until then: lockstep sync --wait"),
            _ => {}
        }
        text
    })
}

async fn wanted(session: &Session, tenant: &TenantId, name: Option<&str>) -> Result<Vec<App>, CliError> {
    if let Some(name) = name {
        let app = session.app(tenant, name).await?;
        if app.state == AppState::Active {
            return Ok(vec![app]);
        }
        return Err(CliError::new(
            "app.not_active",
            format!("'{}' is in state {}", app.name, app.state.as_str()),
        )
        .why("nothing is sent to an app that is not active")
        .next(format!(
            "see what would be sent with lockstep plan {0}, then: lockstep app activate {0}",
            app.name
        )));
    }
    let active: Vec<App> = apps::list(&session.engine, tenant)
        .await?
        .into_iter()
        .filter(|app| app.state == AppState::Active)
        .collect();
    if active.is_empty() {
        return Err(CliError::new("no_active_app", "there is no active app")
            .next("connect one with lockstep app add, then: lockstep app activate APP"));
    }
    Ok(active)
}

async fn run_one(
    session: &Session,
    tenant: &TenantId,
    app: &App,
    arguments: &Arguments,
    bars: &MultiProgress,
) -> Result<LaneReport, CliError> {
    let transport = session.transport(tenant, app).await?;
    if arguments.full {
        let found =
            compare::compare(&session.engine, tenant, &app.id, &transport, compare::Purpose::Repair).await?;
        if !session.output.is_json() {
            note(&format!("'{}': {} differences found", app.name, found.findings.len()));
        }
    }
    let bar = bars.add(progress_bar(&app.name));
    let progress = |done: u64, left: u64| {
        bar.set_length(done + left);
        bar.set_position(done);
    };
    let result = run_lane(&session.engine, tenant, &app.id, transport, arguments.wait, &progress).await;
    bar.finish_and_clear();
    Ok(result.map_err(|error| name_app(error, &app.name))?)
}

fn name_app(error: EngineError, app: &str) -> EngineError {
    match error {
        EngineError::Busy(text) => EngineError::Busy(format!("'{app}': {text}")),
        other => other,
    }
}

/// An app that is merely down is tried again by itself; every other task is for a person.
fn judge(report: &LaneReport, open: &[tasks::Task]) -> Exit {
    let needs_person = open.iter().any(|task| task.cause != Cause::AppUnavailable.code());
    if needs_person || report.left.contains_key("staged") {
        Exit::NeedsPerson
    } else if report.held.is_some() || report.next_due_ms.is_some() {
        Exit::Waits
    } else {
        Exit::Done
    }
}

fn worse(a: Exit, b: Exit) -> Exit {
    if a.code() >= b.code() { a } else { b }
}

fn row(app: &str, report: &LaneReport, open: usize, now_ms: i64) -> Vec<String> {
    let until = match (&report.held, report.next_due_ms) {
        (Some(cause), Some(due_ms)) => format!("{} ({cause})", due(due_ms, now_ms)),
        (Some(cause), None) => format!("held: {cause}"),
        (None, Some(due_ms)) => due(due_ms, now_ms),
        (None, None) => "-".into(),
    };
    vec![
        app.to_owned(),
        report.subjects.to_string(),
        report.requests.to_string(),
        applied(&report.applied),
        until,
        open.to_string(),
    ]
}

fn due(due_ms: i64, now_ms: i64) -> String {
    format!("{} UTC (in {} s)", time(due_ms), (due_ms - now_ms).max(0) / 1_000)
}

/// Applied writes by name, for people.
pub(crate) fn applied(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "nothing to do".into() } else { parts.join(", ") }
}
