//! "Why does she (not) have access?": the planner's reasons, what stands in the way, and the next step.

use domain::cause::Cause;
use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use domain::plan::{Known, Operation, Plan, Reason, Wait, plan};
use domain::snapshot::{EdgeState, Entitlement, LinkState, Snapshot, UserSnapshot};
use serde::Serialize;
use serde_json::{Value, json};
use store::Tx;
use store::repo::edge::EdgeRow;
use store::repo::intent::IntentRow;
use store::repo::{app, change, edge, group, intent, lane, link, mark, member, task};

use crate::apps::{Target, find_in, resolve};
use crate::context::Engine;
use crate::error::EngineError;
use crate::snapshot::{Scope, load};

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Stable code of what decides.
    pub code: String,
    /// One sentence.
    pub answer: String,
    /// What to do next.
    pub next_step: String,
    /// The user.
    pub user: Value,
    /// The app.
    pub app: Value,
    /// Every reason the planner gave, in order.
    pub reasons: Vec<Reason>,
    /// Every clause of the scope filter with its value and verdict.
    pub scope: Vec<Value>,
    /// The account as we know it.
    pub account: Option<Value>,
    /// What waits, and for what.
    pub waiting: Option<Value>,
    /// Open tasks of the user in this app, and of the app itself.
    pub tasks: Vec<Value>,
    /// The last requests.
    pub requests: Vec<Value>,
    /// Memberships in the app.
    pub memberships: Vec<Value>,
}

/// Explains a user's account in an app, or (with `group_ref`) the membership in a pushed group.
pub async fn why(
    engine: &Engine,
    tenant: &TenantId,
    user_ref: &str,
    app_name: &str,
    group_ref: Option<&str>,
) -> Result<Why, EngineError> {
    let context = engine.context(tenant);
    let (apps, user, app_name) =
        (engine.apps.clone(), Target::User(user_ref.to_owned()), app_name.to_owned());
    let group = group_ref.map(|text| Target::Group(text.to_owned()));
    engine
        .read(move |tx| {
            let found = find_in(tx, &context.tenant, &app_name)?;
            let subject = resolve(tx, &context, &user)?;
            let compiled = apps.get(tx, &context.tenant, &found.id)?;
            let scope = Scope {
                tenant: context.tenant.clone(),
                app: compiled,
                now_ms: context.now_ms,
                with_groups: true,
            };
            let Some(Snapshot::User(snapshot)) = load(tx, &scope, &subject, 1)? else {
                return Err(EngineError::Invalid("the user is gone".into()));
            };
            let mut why = explain_account(tx, &scope, &subject, *snapshot)?;
            if let Some(group) = &group {
                let Subject::Group(id) = resolve(tx, &context, group)? else { return Ok(why) };
                explain_membership(tx, &scope, &subject, &id, &mut why)?;
            }
            Ok(why)
        })
        .await
}

fn explain_account(
    tx: &mut Tx<'_>,
    scope: &Scope,
    subject: &Subject,
    mut snapshot: UserSnapshot,
) -> Result<Why, EngineError> {
    let (tenant, app_id) = (&scope.tenant, &scope.app.app.id);
    let marked = mark::row(tx, tenant, app_id, subject.id())?;
    // The explanation shows what would be done, also while the app is in preview or paused.
    snapshot.base.mark = None;
    let plan = plan(&Snapshot::User(Box::new(snapshot.clone())), &Known::default());
    let mut tasks = task::of_subject(tx, tenant, app_id, subject.id())?;
    let app_tasks = task::of_subject(tx, tenant, app_id, "")?;
    let lane = lane::get(tx, tenant, app_id)?.unwrap_or_default();
    let waits_for_change = change::count(tx, tenant)?;
    let held = lane.held_cause.as_deref().and_then(cause_by_code);
    let task_cause = tasks.first().and_then(|task| cause_by_code(&task.cause));
    tasks.extend(app_tasks);
    let name = snapshot.user.user_name.clone();
    let app_name = scope.app.app.name.clone();
    let (code, answer, next_step) =
        decide(&snapshot, &plan, scope, marked.is_some() || waits_for_change > 0, held, task_cause);
    let clauses =
        scope.app.scope.as_ref().map(|filter| filter.explain(&scope.app.user_type, &snapshot.user.doc));
    Ok(Why {
        code,
        answer,
        next_step: fill(&next_step, &app_name, &name),
        user: json!({"id": snapshot.user.id.as_str(), "userName": name, "displayName": snapshot.user.label(),
            "active": snapshot.user.active, "deleted": snapshot.user.deleted_ms.is_some(), "groups": snapshot.groups}),
        app: json!({"id": app_id.as_str(), "name": app_name, "state": scope.app.app.state}),
        reasons: plan.reasons,
        scope: clauses
            .unwrap_or_default()
            .into_iter()
            .map(|clause| json!({"clause": clause.text, "value": clause.value, "holds": clause.verdict}))
            .collect(),
        account: snapshot.base.link.as_ref().map(|link| {
            json!({"state": link.state, "id": link.remote_id, "confirmed_ms": link.confirmed_ms,
                "acknowledged": link.acknowledged})
        }),
        waiting: marked.map(|row| {
            json!({"state": row.state, "due_ms": row.due_ms, "waits_on": row.waits_on, "reason": row.reason,
                "attempts": row.attempts})
        }),
        tasks: tasks
            .iter()
            .map(|task| json!({"id": task.id.as_str(), "cause": task.cause, "since_ms": task.opened_ms, "times": task.times, "evidence": task.evidence}))
            .collect(),
        requests: intent::list(tx, tenant, app_id, subject.id(), 5)?.iter().map(show_request).collect(),
        memberships: edge::of_user(tx, tenant, app_id, subject.id())?.iter().map(show_membership).collect(),
    })
}

/// What decides, from the outermost obstacle to the innermost.
fn decide(
    snapshot: &UserSnapshot,
    plan: &Plan,
    scope: &Scope,
    pending: bool,
    held: Option<Cause>,
    task: Option<Cause>,
) -> (String, String, String) {
    let of_cause = |cause: Cause| (cause.code().to_owned(), cause.title().to_owned(), cause.fix().to_owned());
    let owned = |code: &str, answer: &str, next: &str| (code.to_owned(), answer.to_owned(), next.to_owned());
    let has = |code: &str| plan.reasons.iter().find(|reason| reason.code == code);
    let live = snapshot.base.link.as_ref().is_some_and(|link| link.state == LinkState::Live);
    let entitled =
        matches!(snapshot.entitlements.first(), Some(Entitlement::Direct | Entitlement::Group { .. }));
    let blocked = match &plan.operation {
        Operation::Blocked(finding) => Some(finding.cause),
        _ => None,
    };
    let not_desired = [
        (
            "deleted",
            "The user was deleted in the directory.",
            "If that is wrong, restore the user: lockstep user restore {subject}.",
        ),
        (
            "not_assigned",
            "The user is not assigned to the app.",
            "Assign: lockstep app assign {app} --user {subject}, or add the user to an assigned group.",
        ),
        (
            "out_of_scope",
            "The scope filter of the app excludes the user.",
            "Look at the clauses; then change the user, or the filter: lockstep app scope {app} FILTER.",
        ),
        (
            "inactive",
            "The user is inactive in the directory, so the account is or will be deactivated.",
            "If that is wrong: lockstep user reactivate {subject}.",
        ),
    ];
    if let Some((code, answer, next)) = not_desired.into_iter().find(|(code, ..)| has(code).is_some()) {
        return owned(code, answer, next);
    }
    if let Some(cause) = held {
        return of_cause(cause);
    }
    if let Some(cause) = task.or(blocked) {
        return of_cause(cause);
    }
    let state = scope.app.app.state;
    if state != domain::app::AppState::Active {
        let answer =
            format!("The app is in state {}: it is read and planned, but nothing is sent.", state.as_str());
        return owned(
            "app.not_active",
            &answer,
            "See what would be sent: lockstep plan {app}. Then: lockstep app activate {app}.",
        );
    }
    if !scope.app.app.settings.create && !live && entitled {
        return of_cause(Cause::CreateOff);
    }
    match &plan.operation {
        Operation::Wait(Wait::InFlight { .. }) => owned(
            "outcome.unknown",
            "A request got no answer; it may still take effect and is waited for.",
            "Nothing to do: the app is looked at again by itself. To wait for it: lockstep sync --wait.",
        ),
        Operation::Wait(_) => owned(
            "key.held",
            "Another account still holds the user name that this one shall have.",
            "Nothing to do: it goes on by itself. If it lasts: lockstep tasks.",
        ),
        Operation::Nothing if live && !pending => {
            owned("converged", "The account is there, active and as it should be.", "Nothing to do.")
        }
        _ => owned(
            "pending",
            "Something is due for this account and goes out with the next synchronisation.",
            "Send it now: lockstep sync --app {app}, or step by step: lockstep provision user {subject} --app {app}.",
        ),
    }
}

/// The membership question takes over where the account itself is fine, or where the membership has its own reason.
fn explain_membership(
    tx: &mut Tx<'_>,
    scope: &Scope,
    subject: &Subject,
    group_id: &GroupId,
    why: &mut Why,
) -> Result<(), EngineError> {
    let (tenant, app_id) = (&scope.tenant, &scope.app.app.id);
    let name = group::get(tx, tenant, group_id)?.map_or_else(String::new, |group| group.display_name);
    let edges = edge::of_user(tx, tenant, app_id, subject.id())?;
    let edge = edges.iter().find(|edge| edge.other == group_id.as_str());
    let is_member = member::is_effective(tx, tenant, group_id, &UserId::new(subject.id()))?;
    let pushed = app::push_of(tx, tenant, app_id, group_id)?;
    let held = link::get(tx, tenant, app_id, group_id.as_str())?;
    let (code, answer, next) = membership(&name, edge, is_member, pushed.is_some(), held.is_some(), why);
    why.reasons.push(Reason::new("membership", answer.clone()));
    why.code = code;
    why.next_step = fill(
        &next,
        why.app["name"].as_str().unwrap_or_default(),
        why.user["userName"].as_str().unwrap_or_default(),
    );
    why.answer = answer;
    Ok(())
}

fn membership(
    name: &str,
    edge: Option<&EdgeRow>,
    is_member: bool,
    pushed: bool,
    group_there: bool,
    why: &Why,
) -> (String, String, String) {
    let own = |code: &str, answer: String, next: &str| (code.to_owned(), answer, next.to_owned());
    if !is_member {
        return own(
            "membership.not_member",
            format!("The user is not a member of '{name}' in the directory."),
            "Add: lockstep group member add GROUP {subject}.",
        );
    }
    if !pushed {
        return own(
            "membership.not_pushed",
            format!("The group '{name}' is not pushed to the app."),
            "Push it: lockstep push-group add {app} --group GROUP.",
        );
    }
    match edge {
        Some(edge) if edge.state == EdgeState::Present && !edge.dirty => {
            own("membership.present", format!("The app holds the membership in '{name}'."), "Nothing to do.")
        }
        Some(edge) if edge.state == EdgeState::Refused => {
            let cause = Cause::MemberRefused;
            own(cause.code(), format!("The app refuses this member of '{name}'."), cause.fix())
        }
        _ if why.code != "converged" => {
            let answer = format!("The membership in '{name}' waits for the account: {}", why.answer);
            own(&format!("membership.waits:{}", why.code), answer, &why.next_step)
        }
        _ if !group_there => own(
            "membership.group_pending",
            format!("The group '{name}' is not yet in the app."),
            "Send it now: lockstep sync --app {app}.",
        ),
        _ => own(
            "membership.pending",
            format!("The membership in '{name}' goes out with the next synchronisation."),
            "Send it now: lockstep sync --app {app}.",
        ),
    }
}

fn cause_by_code(code: &str) -> Option<Cause> {
    Cause::ALL.iter().copied().find(|cause| cause.code() == code)
}

fn fill(text: &str, app: &str, user: &str) -> String {
    text.replace("{app}", app).replace("{subject}", user)
}

fn show_request(row: &IntentRow) -> Value {
    json!({"operation": row.kind, "state": row.state, "sent_ms": row.sent_ms, "status": row.status,
        "answer": row.evidence, "trace": row.trace, "request": row.request})
}

fn show_membership(row: &EdgeRow) -> Value {
    json!({"group": row.label, "state": row.state, "may_differ": row.dirty, "waits": row.waits})
}

/// Ids of the app and of a user or group, for commands that name both.
pub async fn ids(
    engine: &Engine,
    tenant: &TenantId,
    app_name: &str,
    target: Target,
) -> Result<(AppId, Subject), EngineError> {
    let (context, app_name) = (engine.context(tenant), app_name.to_owned());
    engine
        .read(move |tx| {
            let found = find_in(tx, &context.tenant, &app_name)?;
            Ok((found.id, resolve(tx, &context, &target)?))
        })
        .await
}
