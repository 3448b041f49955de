//! Open problems for people, trying again, and the approval of held effects.

use domain::app::App;
use domain::audit::Entry;
use domain::cause::Cause;
use domain::connection::Connection;
use domain::finding_step;
use domain::ids::{AppId, Subject, TenantId};
use domain::snapshot::Push;
use serde::Serialize;
use serde_json::{Value, json};
use store::repo::task::TaskRow;
use store::repo::{app, audit, connection, edge, group, lane, mark, task, tenant as tenants, user};

use crate::context::Engine;
use crate::error::EngineError;

/// A task with names instead of ids.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// The name of the app, of the connection, or of the tenant.
    pub app: String,
    /// The user's or group's name, or who signs in; none: the whole app or connection.
    pub subject: Option<String>,
    /// `user`, `group`, `app`, `connection`, `tenant` or `signin`.
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

/// Open tasks, oldest first; of one app or connection if named.
pub async fn list(
    engine: &Engine,
    tenant: &TenantId,
    app_id: Option<&AppId>,
    limit: i64,
) -> Result<Vec<Task>, EngineError> {
    let (tenant, wanted) = (tenant.clone(), app_id.cloned());
    engine
        .read(move |tx| {
            let places = Places {
                tenant: tenants::get(tx, &tenant)?.map(|found| found.name).unwrap_or_default(),
                apps: app::list(tx, &tenant)?,
                connections: connection::list(tx, &tenant)?,
            };
            let rows = match &wanted {
                Some(wanted) => task::of_app(tx, &tenant, wanted, limit)?,
                None => task::list(tx, &tenant, limit)?,
            };
            let mut tasks = Vec::with_capacity(rows.len());
            for row in rows {
                let known = match &row.subject {
                    Some(Subject::User(id)) => user::get(tx, &tenant, id)?.map(|user| user.user_name),
                    Some(Subject::Group(id)) => group::get(tx, &tenant, id)?.map(|group| group.display_name),
                    None => None,
                };
                // What was refused was never created: the evidence knows its name.
                let subject = match (&row.subject, &row.topic) {
                    (Some(subject), _) => {
                        let named = row.evidence["name"].as_str().unwrap_or(subject.id());
                        Some(known.unwrap_or_else(|| named.to_owned()))
                    }
                    (None, Some(_)) => row.evidence["who"].as_str().map(str::to_owned),
                    (None, None) => None,
                };
                tasks.push(places.show(row, subject));
            }
            Ok(tasks)
        })
        .await
}

/// What tasks can belong to.
struct Places {
    tenant: String,
    apps: Vec<App>,
    connections: Vec<Connection>,
}

impl Places {
    fn show(&self, row: TaskRow, subject: Option<String>) -> Task {
        let app = self.apps.iter().find(|app| app.id == row.app);
        let connection = self.connections.iter().find(|found| found.id.as_str() == row.app.as_str());
        let place = app.map(|app| app.name.clone()).or_else(|| connection.map(|found| found.name.clone()));
        let of_tenant = row.app.as_str().is_empty() && row.topic.is_none();
        let place = place.unwrap_or_else(|| if of_tenant { self.tenant.clone() } else { String::new() });
        let cause = Cause::ALL.iter().find(|cause| cause.code() == row.cause);
        let step = cause
            .zip(connection)
            .map_or("", |(cause, found)| finding_step::step(found.provider, *cause, row.subject.as_ref()));
        let whole = match connection {
            Some(_) => "connection",
            None if of_tenant => "tenant",
            None => "app",
        };
        let kind = row.topic.as_deref().unwrap_or_else(|| row.subject.as_ref().map_or(whole, Subject::kind));
        let fix = match (cause, &row.topic) {
            (Some(cause), Some(_)) => signin_fix(*cause, &place, &row.evidence),
            (cause, _) => cause
                .map_or("", |cause| cause.fix())
                .replace("{step}", step)
                .replace("{new}", row.evidence["new"]["id"].as_str().unwrap_or("NEW"))
                .replace("{old}", row.evidence["deleted"]["id"].as_str().unwrap_or("OLD"))
                .replace("{app}", &place)
                .replace("{kind}", kind)
                .replace("{subject}", &quoted(subject.as_deref().unwrap_or("USER"))),
        };
        Task {
            fix,
            id: row.id.to_string(),
            kind: kind.to_owned(),
            title: cause.map_or("", |cause| cause.title()).to_owned(),
            cause: row.cause,
            evidence: row.evidence,
            since_ms: row.opened_ms,
            times: row.times,
            app: place,
            subject,
        }
    }
}

/// What to do about a sign-in. It is about nobody of the directory yet, so the names are those of the evidence.
pub(crate) fn signin_fix(cause: Cause, connection: &str, evidence: &Value) -> String {
    let text = |name: &str, missing: &str| quoted(evidence[name].as_str().unwrap_or(missing));
    cause
        .fix()
        .replace("ISSUER", &text("issuer", "ISSUER"))
        .replace("SUBJECT", &text("subject", "SUBJECT"))
        .replace("{app}", if connection.is_empty() { "CONNECTION" } else { connection })
        .replace("{subject}", &text("user", "USER"))
}

/// A name as it is typed in a command.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@._-+:/".contains(c);
    if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
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
