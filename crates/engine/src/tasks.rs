//! Open problems for people, trying again, and the approval of held effects.

use domain::app::App;
use domain::audit::Entry;
use domain::cause::Cause;
use domain::ids::{AppId, ConnectionId, Subject, TenantId};
use domain::snapshot::Push;
use serde::Serialize;
use serde_json::{Value, json};
use store::repo::{app, audit, connection, edge, group, lane, mark, task, user};

use crate::context::Engine;
use crate::error::EngineError;

/// A task with names instead of ids.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// The app's name; of a sign-in that of the connection.
    pub app: String,
    /// The user's or group's name, or who signs in; none: the whole app.
    pub subject: Option<String>,
    /// `user`, `group`, `app` or `signin`.
    pub kind: String,
    /// The cause's stable code.
    pub cause: String,
    /// What is wrong.
    pub title: String,
    /// What to do next.
    pub fix: String,
    /// What shows it.
    pub evidence: Value,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// How often it was seen.
    pub times: i64,
}

/// Open tasks, oldest first; of one app if named.
pub async fn list(
    engine: &Engine,
    tenant: &TenantId,
    app_id: Option<&AppId>,
    limit: i64,
) -> Result<Vec<Task>, EngineError> {
    let (tenant, wanted) = (tenant.clone(), app_id.cloned());
    engine
        .read(move |tx| {
            let apps: Vec<App> = app::list(tx, &tenant)?;
            let mut tasks = vec![];
            for row in task::list(tx, &tenant, limit)? {
                if wanted.as_ref().is_some_and(|wanted| *wanted != row.app) {
                    continue;
                }
                let subject = match &row.subject {
                    Some(Subject::User(id)) => user::get(tx, &tenant, id)?.map(|user| user.user_name),
                    Some(Subject::Group(id)) => group::get(tx, &tenant, id)?.map(|group| group.display_name),
                    None => row.topic.as_ref().and_then(|_| text_at(&row.evidence, "who")),
                };
                let app = apps.iter().find(|app| app.id == row.app).map(|app| app.name.clone());
                let app = match app {
                    Some(name) => name,
                    None if row.app.as_str().is_empty() => String::new(),
                    None => connection::get(tx, &tenant, &ConnectionId::new(row.app.as_str()))?
                        .map_or_else(String::new, |found| found.name),
                };
                let cause = Cause::ALL.iter().find(|cause| cause.code() == row.cause);
                let fix = cause.map_or("", |cause| cause.fix());
                // A sign-in is about nobody of the directory yet; its fix is about whom the evidence names.
                let named = match row.topic {
                    Some(_) => text_at(&row.evidence, "user"),
                    None => subject.clone(),
                };
                tasks.push(Task {
                    fix: fix
                        .replace("{app}", if app.is_empty() { "CONNECTION" } else { &app })
                        .replace("{subject}", named.as_deref().unwrap_or("USER")),
                    id: row.id.to_string(),
                    kind: row
                        .topic
                        .unwrap_or_else(|| row.subject.as_ref().map_or("app", Subject::kind).into()),
                    title: cause.map_or("", |cause| cause.title()).to_owned(),
                    cause: row.cause,
                    evidence: row.evidence,
                    since_ms: row.opened_ms,
                    times: row.times,
                    app,
                    subject,
                });
            }
            Ok(tasks)
        })
        .await
}

fn text_at(evidence: &Value, name: &str) -> Option<String> {
    evidence.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Makes parked work of an app (or of one subject) due now; gives how many marks that is.
pub async fn retry(
    engine: &Engine,
    tenant: &TenantId,
    app_id: &AppId,
    subject: Option<Subject>,
) -> Result<u64, EngineError> {
    let app_id = app_id.clone();
    engine
        .write(tenant, move |tx, context| {
            let groups = match &subject {
                Some(Subject::Group(id)) => vec![id.clone()],
                Some(Subject::User(_)) => vec![],
                None => app::push_list(tx, &context.tenant, &app_id)?
                    .into_iter()
                    .filter(|(_, push, _)| *push == Push::Active)
                    .map(|(id, ..)| id)
                    .collect(),
            };
            for group in &groups {
                if edge::retry_refused(tx, &context.tenant, &app_id, group)? > 0 {
                    let touch = mark::Touch {
                        wave: &context.wave,
                        priority: 1,
                        now_ms: context.now_ms,
                        verify: false,
                    };
                    mark::touch(tx, &context.tenant, &app_id, &[Subject::Group(group.clone())], &touch)?;
                }
            }
            lane::probe_now(tx, &context.tenant, &app_id, context.now_ms)?;
            match &subject {
                Some(subject) => Ok(u64::from(mark::retry_one(
                    tx,
                    &context.tenant,
                    &app_id,
                    subject.id(),
                    context.now_ms,
                )?)),
                None => Ok(mark::retry_all(tx, &context.tenant, &app_id, context.now_ms)?),
            }
        })
        .await
}

/// Approves the destructive effects that the guard holds: exactly those that are staged now.
pub async fn approve(engine: &Engine, tenant: &TenantId, app_id: &AppId) -> Result<u64, EngineError> {
    let app_id = app_id.clone();
    engine
        .write(tenant, move |tx, context| {
            let released = mark::release(tx, &context.tenant, &app_id, None)?;
            if released > 0 {
                lane::guard_reset(tx, &context.tenant, &app_id)?;
                task::close_of_app(tx, &context.tenant, &app_id, Cause::GuardHeld, context.now_ms)?;
                let entry = Entry {
                    id: context.ids.uuid(),
                    at_ms: context.now_ms,
                    actor: context.actor.clone(),
                    action: "guard.approve".into(),
                    object_kind: "app".into(),
                    object: app_id.to_string(),
                    app: app_id.to_string(),
                    trace: context.trace.clone(),
                    before: None,
                    after: Some(json!({"released": released}).to_string()),
                    salt: context.ids.uuid(),
                };
                audit::append(tx, &context.tenant, &entry)?;
            }
            Ok(released)
        })
        .await
}
