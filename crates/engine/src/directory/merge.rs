//! Merging two users that are one person, with a preview, and taking it back within 30 days.

use std::collections::BTreeSet;

use domain::cause::Cause;
use domain::directory::{Group, User};
use domain::ids::{AppId, TenantId};
use domain::merge::{Identity, MergeRecord, Present, Side, UNDO_MS, doubts, plan};
use serde_json::json;
use store::Tx;
use store::repo::signin::{self, Login};
use store::repo::{app, connection, group, link, member, merge, task, user};

use super::apply::apply;
use super::users::{find, one_deleted};
use crate::audit_log::{Changed, record};
use crate::{Context, Engine, EngineError};

/// Reports of a manager that are counted at most.
const REPORTS_MAX: i64 = 1_000;

/// What a merge does or would do, with names.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// Who stays, as before the merge.
    pub kept: User,
    /// Who goes, as before the merge.
    pub gone: User,
    /// What moves.
    pub record: MergeRecord,
    /// Groups that the one who stays comes into.
    pub joins: Vec<Group>,
    /// Groups that both were in.
    pub shared: Vec<Group>,
    /// What needs a yes.
    pub doubts: Vec<String>,
    /// What does not move, in sentences.
    pub stays: Vec<String>,
}

/// What taking a merge back did.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmerged {
    /// Who had stayed.
    pub kept: User,
    /// Who is back.
    pub gone: User,
    /// What could not be put back, in sentences.
    pub left: Vec<String>,
}

/// What merging `gone` into `kept` would do. Each is named by id, externalId or userName; `gone` may be deleted.
pub async fn preview_merge(
    engine: &Engine,
    tenant: &TenantId,
    kept: &str,
    gone: &str,
) -> Result<Merge, EngineError> {
    let (tenant, kept, gone) = (tenant.clone(), kept.to_owned(), gone.to_owned());
    engine.read(move |tx| look(tx, &tenant, &kept, &gone)).await
}

/// Merges `gone` into `kept`: memberships, sign-in identities and, where `kept` has none, the externalId move; `gone` is
/// deleted. What is doubtful is refused unless `yes`.
pub async fn merge_users(
    engine: &Engine,
    tenant: &TenantId,
    kept: &str,
    gone: &str,
    yes: bool,
) -> Result<Merge, EngineError> {
    let (kept, gone) = (kept.to_owned(), gone.to_owned());
    engine
        .write(tenant, move |tx, ctx| {
            let found = look(tx, &ctx.tenant, &kept, &gone)?;
            if !yes && !found.doubts.is_empty() {
                return Err(EngineError::Held(found.doubts.join("; ")));
            }
            carry_out(tx, ctx, &found)?;
            Ok(found)
        })
        .await
}

fn look(tx: &mut Tx<'_>, tenant: &TenantId, kept: &str, gone: &str) -> Result<Merge, EngineError> {
    let kept = find(tx, tenant, kept)?;
    let gone = match user::find_by_ref(tx, tenant, gone)? {
        Some(found) => found,
        None => one_deleted("user", gone, user::find_deleted(tx, tenant, gone)?, |user| user.id.as_str())?
            .ok_or_else(|| super::users::not_deleted("user", gone))?,
    };
    let (kept, gone) = (side(tx, tenant, kept)?, side(tx, tenant, gone)?);
    let record = plan(&kept, &gone).map_err(EngineError::Invalid)?;
    let shared: BTreeSet<_> = record.left.difference(&record.joined).cloned().collect();
    Ok(Merge {
        joins: named(group::get_many(tx, tenant, &record.joined)?),
        shared: named(group::get_many(tx, tenant, &shared)?),
        doubts: doubts(&kept.user, &gone.user),
        stays: stays(tx, tenant, &gone.user)?,
        kept: kept.user,
        gone: gone.user,
        record,
    })
}

fn side(tx: &mut Tx<'_>, tenant: &TenantId, user: User) -> Result<Side, EngineError> {
    let groups = member::groups_of(tx, tenant, user.id.as_str())?;
    let identities = signin::of_user(tx, tenant, &user.id)?;
    Ok(Side {
        groups: groups.into_iter().collect(),
        identities: identities.into_iter().map(|(issuer, subject, _)| Identity { issuer, subject }).collect(),
        user,
    })
}

/// What hangs on the one who goes and is no part of a merge.
fn stays(tx: &mut Tx<'_>, tenant: &TenantId, gone: &User) -> Result<Vec<String>, EngineError> {
    let mut stays = vec![];
    let names = |tx: &mut Tx<'_>, ids: Vec<AppId>| -> Result<Vec<String>, EngineError> {
        let found = app::list(tx, tenant)?;
        Ok(found.into_iter().filter(|app| ids.contains(&app.id)).map(|app| app.name).collect())
    };
    let assigned = app::assigned_apps(tx, tenant, gone.id.as_str())?;
    for name in names(tx, assigned)? {
        stays.push(format!("the assignment to the app '{name}': lockstep app assign {name} --user USER"));
    }
    let linked = link::linked_apps(tx, tenant, gone.id.as_str())?;
    for name in names(tx, linked)? {
        stays.push(format!("the account in the app '{name}', which is treated as that of a leaver"));
    }
    let references: Vec<&str> =
        [gone.id.as_str(), gone.user_name.as_str()].into_iter().chain(gone.external_id.as_deref()).collect();
    let reports = user::reports_of(tx, tenant, &references, "", REPORTS_MAX)?.len();
    if reports > 0 {
        stays.push(format!("the manager of {reports} users who name '{}'", gone.user_name));
    }
    Ok(stays)
}

fn carry_out(tx: &mut Tx<'_>, ctx: &mut Context, found: &Merge) -> Result<(), EngineError> {
    let record = &found.record;
    apply(tx, ctx, &record.changes(&found.kept))?;
    for identity in &record.identities {
        move_identity(tx, ctx, identity, &found.gone, &found.kept)?;
    }
    // What said that the two belong together is over.
    for connection in connection::list(tx, &ctx.tenant)? {
        let app = AppId::new(connection.id.as_str());
        let code = Cause::ReturnedAsNew.code();
        task::close_one(tx, &ctx.tenant, &app, record.kept.as_str(), code, ctx.now_ms)?;
    }
    let done = merge::Merge { id: ctx.ids.uuid(), record: record.clone(), at_ms: ctx.now_ms };
    merge::insert(tx, &ctx.tenant, &done)?;
    note(tx, ctx, "user.merge", record)
}

/// Takes the last merge of `gone` into `kept` back, within 30 days.
pub async fn unmerge_users(
    engine: &Engine,
    tenant: &TenantId,
    kept: &str,
    gone: &str,
) -> Result<Unmerged, EngineError> {
    let (kept, gone) = (kept.to_owned(), gone.to_owned());
    engine
        .write(tenant, move |tx, ctx| {
            let kept = find(tx, &ctx.tenant, &kept)?;
            let merges = merge::of_kept(tx, &ctx.tenant, &kept.id)?;
            let Some(done) = merges.into_iter().find(|done| done.record.is_of(&gone)) else {
                return Err(EngineError::NotFound {
                    kind: "merge into this user of",
                    name: gone.clone(),
                    next: format!("lockstep log audit --user {} shows what was merged and undone", kept.id),
                });
            };
            let days = (ctx.now_ms - done.at_ms) / (24 * 3_600_000);
            if ctx.now_ms - done.at_ms > UNDO_MS {
                return Err(EngineError::Invalid(format!(
                    "this merge is {days} days old and can be undone for 30; \
                     lockstep user restore {} brings the user back without its memberships",
                    done.record.gone
                )));
            }
            take_back(tx, ctx, &done.record, kept)
                .and_then(|back| Ok(merge::set_undone(tx, &ctx.tenant, &done.id, ctx.now_ms).map(|_| back)?))
        })
        .await
}

fn take_back(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    done: &MergeRecord,
    kept: User,
) -> Result<Unmerged, EngineError> {
    let lost = || EngineError::Invalid(format!("the user {} is not in the directory any more", done.gone));
    let gone = user::get(tx, &ctx.tenant, &done.gone)?.ok_or_else(lost)?;
    let groups = group::get_many(tx, &ctx.tenant, &done.left)?;
    let mut left = vec![];
    let mut live_groups = BTreeSet::new();
    for group in groups {
        if group.deleted_ms.is_none() {
            live_groups.insert(group.id);
        } else {
            left.push(format!("the memberships of '{}', which was deleted meanwhile", group.display_name));
        }
    }
    let present = Present { kept, gone, live_groups };
    apply(tx, ctx, &done.undone(&present))?;
    for identity in &done.identities {
        if !move_identity(tx, ctx, identity, &present.kept, &present.gone)? {
            left.push(format!(
                "the subject {} of {}, which is another user's now",
                identity.subject, identity.issuer
            ));
        }
    }
    note(tx, ctx, "user.unmerge", done)?;
    let gone = user::get(tx, &ctx.tenant, &done.gone)?.ok_or_else(lost)?;
    Ok(Unmerged { kept: find(tx, &ctx.tenant, done.kept.as_str())?, gone, left })
}

/// Moves an identity with its audit entries; false if it was moved elsewhere before.
fn move_identity(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    identity: &Identity,
    from: &User,
    to: &User,
) -> Result<bool, EngineError> {
    let login = Login { issuer: &identity.issuer, subject: &identity.subject };
    if !signin::move_one(tx, &ctx.tenant, login, &from.id, &to.id)? {
        return Ok(false);
    }
    let state = json!({"issuer": identity.issuer, "subject": identity.subject});
    let of = Changed { kind: "user", id: from.id.as_str(), before: Some(state.clone()), after: None };
    record(tx, ctx, "signin.unlink", of)?;
    let of = Changed { kind: "user", id: to.id.as_str(), before: None, after: Some(state) };
    record(tx, ctx, "signin.link", of)?;
    Ok(true)
}

/// The entry of the whole, beside those of its parts.
fn note(
    tx: &mut Tx<'_>,
    ctx: &mut Context,
    action: &'static str,
    done: &MergeRecord,
) -> Result<(), EngineError> {
    let what = json!({"kept": done.kept, "gone": done.gone, "name": done.gone_name});
    let of = Changed { kind: "user", id: done.kept.as_str(), before: None, after: Some(what) };
    record(tx, ctx, action, of)
}

fn named(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| a.display_name.cmp(&b.display_name));
    groups
}
