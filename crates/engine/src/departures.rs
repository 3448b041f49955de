//! Users whom a connection's policy keeps for a time: deleted when their day has come, activated when their group has.

use domain::cause::{Cause, Finding};
use domain::connection::Connection;
use domain::departure::{Departure, DepartureState, Fate};
use domain::directory::Change;
use domain::ids::{AppId, ConnectionId, GroupId, Subject, TaskId, TenantId, UserId};
use serde_json::{Value, json};
use store::Tx;
use store::repo::{connection, departure, group, member, task, user};

use crate::directory::apply;
use crate::{Context, Engine, EngineError, seats};

/// Users of one transaction.
const PAGE: i64 = 50;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Users deleted because their day had come.
    pub deleted: usize,
    /// Users whose deletion was put off or called off, since the policy is another one now.
    pub kept: usize,
    /// Users activated because they are in the required group now, or none is required any more.
    pub activated: usize,
}

/// Looks at everybody whose day has come and at everybody who waits for a group, in small transactions. Cheap enough for once
/// a minute: while there is nothing to do, nothing is written. What came in between, a reactivation for example, is looked at
/// again in the transaction that would delete.
pub async fn sweep(engine: &Engine, tenant: &TenantId) -> Result<Swept, EngineError> {
    let mut swept = Swept::default();
    let (of, now_ms) = (tenant.clone(), engine.env.now_ms());
    let mut last = engine.read(move |tx| Ok(departure::due(tx, &of, now_ms, 1)?.is_empty())).await?;
    while !last {
        let step;
        (step, last) = engine.write(tenant, delete_due).await?;
        swept.deleted += step.deleted;
        swept.kept += step.kept;
    }
    let of = tenant.clone();
    for found in engine.read(move |tx| Ok(connection::list(tx, &of)?)).await? {
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (of, looked) = (tenant.clone(), found.clone());
            let (here, next) = engine.read(move |tx| arrivals(tx, &of, &looked, &from)).await?;
            if !here.is_empty() {
                let found = found.clone();
                let group = found.settings.required_group.clone();
                swept.activated += engine
                    .write(tenant, move |tx, ctx| activate(tx, ctx, &found.id, group.as_ref(), &here))
                    .await?;
            }
            after = next;
        }
    }
    Ok(swept)
}

/// One page of those whose day has come; whether it was the last.
fn delete_due(tx: &mut Tx<'_>, ctx: &mut Context) -> Result<(Swept, bool), EngineError> {
    let due = departure::due(tx, &ctx.tenant, ctx.now_ms, PAGE)?;
    let last = due.len() < usize::try_from(PAGE).unwrap_or(0);
    let mut swept = Swept::default();
    if due.is_empty() {
        return Ok((swept, true));
    }
    let connections = connection::list(tx, &ctx.tenant)?;
    for found in due {
        let of = connections.iter().find(|connection| connection.id == found.connection);
        match found.fate(of.map(|connection| &connection.settings), ctx.now_ms) {
            Fate::Delete => swept.deleted += delete(tx, ctx, &found, of)?,
            Fate::Later(at_ms) => {
                departure::reschedule(tx, &ctx.tenant, &found, Some(at_ms))?;
                swept.kept += 1;
            }
            Fate::Keep => {
                departure::reschedule(tx, &ctx.tenant, &found, None)?;
                swept.kept += 1;
            }
        }
    }
    Ok((swept, last))
}

/// Deletes a user who is still there and inactive. The entry in the audit log names the connection: after its own DELETE as if
/// that had deleted, so that nothing restores the user by itself; after `active: false` as the policy's doing.
fn delete(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    found: &Departure,
    of: Option<&Connection>,
) -> Result<usize, EngineError> {
    let stored = user::get(tx, &ctx.tenant, &found.user)?;
    if stored.is_none_or(|user| user.active || user.deleted_ms.is_some()) {
        departure::remove_user(tx, &ctx.tenant, &found.user)?;
        return Ok(0);
    }
    let name = of.map_or("", |connection| connection.name.as_str());
    ctx.actor = match found.state {
        DepartureState::Deleted => format!("connection:{name}"),
        _ => format!("policy:{name}"),
    };
    apply(tx, ctx, &[Change::DeleteUser { id: found.user.clone() }])?;
    Ok(1)
}

/// Of one page of those who wait for the connection's group the ones who are in it, and where the next page begins.
fn arrivals(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    of: &Connection,
    after: &str,
) -> Result<(Vec<UserId>, Option<String>), EngineError> {
    let waiting = departure::of_state(tx, tenant, &of.id, DepartureState::Waiting, after, PAGE)?;
    let full = waiting.len() == usize::try_from(PAGE).unwrap_or(0);
    let next = waiting.last().filter(|_| full).map(|last| last.user.to_string());
    let users: Vec<UserId> = waiting.into_iter().map(|found| found.user).collect();
    Ok((inside(tx, tenant, of.settings.required_group.as_ref(), &users)?, next))
}

/// Those of the users who are in the group, directly or nested; without a group all.
fn inside(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: Option<&GroupId>,
    users: &[UserId],
) -> Result<Vec<UserId>, EngineError> {
    let (Some(group), false) = (group, users.is_empty()) else { return Ok(users.to_vec()) };
    let ids: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let containing = member::containing(tx, tenant, &ids)?;
    let is_in = |user: &&UserId| {
        containing.get(user.as_str()).is_some_and(|all| all.iter().any(|one| one.group == *group))
    };
    Ok(users.iter().filter(is_in).cloned().collect())
}

/// Activates those of the users who wait for this group and are in it, directly or nested; without a group, all who wait.
/// Who finds no seat goes on waiting, with a task that says so.
pub(crate) fn activate(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    connection: &ConnectionId,
    group: Option<&GroupId>,
    users: &[UserId],
) -> Result<usize, EngineError> {
    let mut waiting = vec![];
    for user in users {
        let known = departure::get(tx, &ctx.tenant, connection, user)?;
        if known.is_some_and(|known| known.state == DepartureState::Waiting) {
            waiting.push(user.clone());
        }
    }
    let here = inside(tx, &ctx.tenant, group, &waiting)?;
    let mut activated = 0;
    for found in user::get_many(tx, &ctx.tenant, &here)? {
        if found.deleted_ms.is_some() {
            continue;
        }
        let mut doc = found.doc.clone();
        if let Some(fields) = doc.as_object_mut() {
            fields.insert("active".to_owned(), Value::Bool(true));
        }
        match apply(tx, ctx, &[Change::UpdateUser { id: found.id.clone(), doc }]) {
            Ok(_) => {}
            Err(EngineError::Seats { asked, .. }) => {
                seats::refused(tx, ctx, asked)?;
                break;
            }
            Err(error) => return Err(error),
        }
        arrived(tx, ctx, connection, &found.id)?;
        activated += 1;
    }
    Ok(activated)
}

/// Notes that a user waits for the connection's group, and opens the task that says so.
pub(crate) fn wait(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    connection: &ConnectionId,
    group: &GroupId,
    (user, name): (&UserId, &str),
) -> Result<(), EngineError> {
    let waiting = Departure {
        connection: connection.clone(),
        user: user.clone(),
        state: DepartureState::Waiting,
        since_ms: ctx.now_ms,
        delete_at_ms: None,
    };
    departure::put(tx, &ctx.tenant, &waiting)?;
    let shown = group::get(tx, &ctx.tenant, group)?.map(|group| match group.deleted_ms {
        None => group.display_name,
        Some(_) => format!("{} (deleted)", group.display_name),
    });
    let evidence = json!({"name": name, "group": shown, "group_id": group.as_str()});
    let finding = Finding { cause: Cause::GroupRequired, evidence };
    let (place, subject) = (AppId::new(connection.as_str()), Subject::User(user.clone()));
    let task = TaskId::new(ctx.ids.uuid());
    Ok(task::open(tx, &ctx.tenant, &place, Some(&subject), &finding, &task, ctx.now_ms)?)
}

/// Closes the task of a user who does not wait any more.
pub(crate) fn arrived(
    tx: &mut Tx<'_>,
    ctx: &Context,
    connection: &ConnectionId,
    user: &UserId,
) -> Result<(), EngineError> {
    let place = AppId::new(connection.as_str());
    let cause = Cause::GroupRequired.code();
    task::close_one(tx, &ctx.tenant, &place, user.as_str(), cause, ctx.now_ms)?;
    Ok(())
}
