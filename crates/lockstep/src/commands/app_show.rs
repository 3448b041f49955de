//! `app list`, `app show`, `app assignments` and `app compare`.

use domain::app::{App, AppState};
use domain::ids::{Subject, TenantId};
use engine::compare::{Comparison, Difference, Purpose, compare as compare_app};
use engine::lane::run::run_lane;
use engine::{apps, dispatch};
use serde_json::{Value, json};
use store::repo::{app as app_rows, group, user};

use crate::duration;
use crate::error_report::{CliError, Exit};
use crate::output::{count, pairs, table};
use crate::session::Session;

/// Differences that are shown at most.
const SHOWN: usize = 30;

/// Runs `app list`.
pub(crate) async fn list(session: &Session, tenant: &TenantId) -> Result<Exit, CliError> {
    let all = apps::list(&session.engine, tenant).await?;
    let values: Vec<Value> = all.iter().map(as_json).collect();
    let rows = all
        .into_iter()
        .map(|app| vec![app.name, app.state.as_str().to_owned(), app.settings.base_url, app.id.to_string()])
        .collect();
    session.output.list(&values, &["name", "state", "base url", "id"], rows)?;
    Ok(Exit::Done)
}

fn as_json(app: &App) -> Value {
    json!({"id": app.id.as_str(), "name": app.name, "state": app.state, "settings": app.settings, "version": app.version})
}

/// Runs `app show`.
pub(crate) async fn show(session: &Session, tenant: &TenantId, name: &str) -> Result<Exit, CliError> {
    let app = session.app(tenant, name).await?;
    session.output.show(&as_json(&app), || in_words(&app))?;
    Ok(Exit::Done)
}

fn in_words(app: &App) -> String {
    let settings = &app.settings;
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    pairs(&[
        ("name", app.name.clone()),
        ("id", app.id.to_string()),
        ("state", app.state.as_str().into()),
        ("base url", settings.base_url.clone()),
        ("private addresses", switch(settings.allow_private)),
        ("create", switch(settings.create)),
        ("update", switch(settings.update)),
        ("deactivate", switch(settings.deactivate)),
        ("link", lower(&settings.link)),
        ("deprovision", lower(&settings.deprovision)),
        ("missing", lower(&settings.missing)),
        ("write with", lower(&settings.write_with)),
        ("matching", settings.matching.clone()),
        ("scope", settings.scope.clone().unwrap_or_else(|| "(everybody assigned)".into())),
        ("mapping", format!("{} rules, see lockstep app mapping show {}", settings.mapping.len(), app.name)),
        ("member cap", settings.member_cap.to_string()),
        ("in-flight window", duration::show(settings.in_flight_window_ms)),
        ("read lag", duration::show(settings.read_lag_ms)),
        ("request timeout", duration::show(settings.request_timeout_ms)),
        ("concurrency", settings.concurrency.to_string()),
        (
            "rate",
            if settings.rate_per_second == 0 {
                "(no limit)".into()
            } else {
                format!("{}/s", settings.rate_per_second)
            },
        ),
        ("guard", format!("{} % and {}", settings.guard_percent, settings.guard_count)),
    ])
}

/// Runs `app assignments`.
pub(crate) async fn assignments(session: &Session, tenant: &TenantId, name: &str) -> Result<Exit, CliError> {
    let (app, owner) = (session.app(tenant, name).await?, tenant.clone());
    let found = session
        .engine
        .read(move |tx| {
            let mut found = vec![];
            for row in app_rows::assignments(tx, &owner, &app.id)? {
                let label = match &row.subject {
                    Subject::User(id) => user::get(tx, &owner, id)?.map(|user| user.user_name),
                    Subject::Group(id) => group::get(tx, &owner, id)?.map(|group| group.display_name),
                };
                found.push((
                    row.subject.kind(),
                    label.unwrap_or_default(),
                    row.priority,
                    row.subject.id().to_owned(),
                ));
            }
            Ok(found)
        })
        .await?;
    let values: Vec<Value> = found
        .iter()
        .map(|(kind, label, priority, id)| json!({"kind": kind, "name": label, "priority": priority, "id": id}))
        .collect();
    let rows = found
        .into_iter()
        .map(|(kind, label, priority, id)| vec![kind.to_owned(), label, priority.to_string(), id])
        .collect();
    session.output.list(&values, &["kind", "name", "priority", "id"], rows)?;
    Ok(Exit::Done)
}

/// Runs `app compare`.
pub(crate) async fn compare(
    session: &Session,
    tenant: &TenantId,
    name: &str,
    report_only: bool,
) -> Result<Exit, CliError> {
    let app = session.app(tenant, name).await?;
    let transport = session.transport(tenant, &app).await?;
    let repairs = !report_only && app.state == AppState::Active;
    let purpose = if repairs { Purpose::Repair } else { Purpose::Report };
    dispatch::dispatch_all(&session.engine, tenant).await?;
    let found = compare_app(&session.engine, tenant, &app.id, &transport, purpose).await?;
    let names = names(session, tenant, &found.findings).await?;
    let repaired = if repairs && !found.findings.is_empty() {
        Some(run_lane(&session.engine, tenant, &app.id, transport, false, &|_, _| {}).await?)
    } else {
        None
    };
    let value = json!({"comparison": found, "repaired": repaired});
    session.output.show(&value, || {
        let end = match &repaired {
            Some(report) => format!("repaired: {}", super::sync::applied(&report.applied)),
            None if found.findings.is_empty() => "nothing to repair".into(),
            None => format!(
                "nothing was repaired; to repair: lockstep app compare {} (of an active app)",
                app.name
            ),
        };
        format!("{}\n{end}", comparison_in_words(&found, &names))
    })?;
    let complete =
        [&found.users, &found.groups].iter().all(|proof| proof.as_ref().is_some_and(|proof| proof.complete));
    Ok(if complete { Exit::Done } else { Exit::Failed })
}

fn complete(proof: &engine::listing::Proof) -> String {
    match &proof.problem {
        None => "yes".into(),
        Some(problem) => format!("no: {problem}"),
    }
}

/// The names of the subjects of differences, in their order.
pub(crate) async fn names(
    session: &Session,
    tenant: &TenantId,
    found: &[Difference],
) -> Result<Vec<String>, CliError> {
    let (owner, found) = (tenant.clone(), found.to_vec());
    let names = session
        .engine
        .read(move |tx| {
            let mut names = vec![];
            for difference in &found {
                let label = match Subject::from_parts(difference.subject, difference.id.as_str()) {
                    Subject::User(id) => user::get(tx, &owner, &id)?.map(|user| user.user_name),
                    Subject::Group(id) => group::get(tx, &owner, &id)?.map(|group| group.display_name),
                };
                names.push(label.unwrap_or_else(|| difference.id.clone()));
            }
            Ok(names)
        })
        .await?;
    Ok(names)
}

fn comparison_in_words(found: &Comparison, names: &[String]) -> String {
    let mut lines = vec![];
    for (kind, proof) in [("users", &found.users), ("groups", &found.groups)] {
        if let Some(proof) = proof {
            lines.push(format!(
                "{kind}: {} read in {}, complete: {}",
                proof.read,
                count(proof.pages, "page", "pages"),
                complete(proof)
            ));
        }
    }
    lines.push(format!("members: of {} read", count(found.groups_read, "push group", "push groups")));
    lines.push(format!("not ours: {}", count(found.not_ours, "object", "objects")));
    if found.findings.is_empty() {
        lines.push("differences: 0".into());
        return lines.join("\n");
    }
    let rows = found.findings.iter().zip(names).take(SHOWN).map(|(difference, name)| {
        vec![
            difference.kind.to_owned(),
            difference.subject.to_owned(),
            name.clone(),
            difference.detail.clone(),
        ]
    });
    lines.push(String::new());
    lines.push(table(&["difference", "kind", "name", "detail"], rows.collect()));
    if found.findings.len() > SHOWN {
        lines.push(format!("... and {} more (-o json shows all)", found.findings.len() - SHOWN));
    }
    lines.push(format!("\ndifferences: {}", found.findings.len()));
    lines.join("\n")
}
