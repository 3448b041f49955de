//! Use cases on one group and its members.

use domain::directory::{Change, Group, Member};
use domain::ids::{GroupId, TenantId};
use serde_json::json;
use store::Tx;
use store::repo::resource::Kind;
use store::repo::{group, user};

use super::apply::apply;
use super::users::{Edited, Edits, not_deleted, one_deleted};
use crate::{Context, Engine, EngineError};

/// Creates a group by hand from attributes; `displayName` is required.
pub async fn create_group(engine: &Engine, tenant: &TenantId, edits: Edits) -> Result<Group, EngineError> {
    engine
        .write(tenant, move |tx, ctx| {
            let mut doc = json!({});
            edits.carry_out(ctx.schemas.get(tx, &ctx.tenant)?.of(Kind::Group), &mut doc)?;
            let id = GroupId::new(ctx.ids.uuid());
            let change = Change::CreateGroup { id: id.clone(), source: super::CONSOLE.to_owned(), doc };
            apply(tx, ctx, &[change])?;
            stored(tx, ctx, &id)
        })
        .await
}

/// Edits the group that `reference` (id, externalId or displayName) names.
pub async fn edit_group(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    edits: Edits,
) -> Result<Edited<Group>, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let group = find(tx, &ctx.tenant, &reference)?;
            let mut doc = group.doc.clone();
            edits.carry_out(ctx.schemas.get(tx, &ctx.tenant)?.of(Kind::Group), &mut doc)?;
            let applied = apply(tx, ctx, &[Change::UpdateGroup { id: group.id.clone(), doc }])?;
            Ok(Edited { object: stored(tx, ctx, &group.id)?, changed: applied.effective() > 0 })
        })
        .await
}

/// Deletes a group; its members stay users. Gives the group as it was.
pub async fn delete_group(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<Group, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let group = find(tx, &ctx.tenant, &reference)?;
            apply(tx, ctx, &[Change::DeleteGroup { id: group.id.clone() }])?;
            Ok(group)
        })
        .await
}

/// Brings a deleted group back that `reference` (id, externalId or displayName) names, with the members it had; nothing
/// changes if it is there. A group that would then contain itself is refused.
pub async fn restore_group(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
) -> Result<Edited<Group>, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, ctx| {
            let found = group::find_deleted(tx, &ctx.tenant, &reference)?;
            let id = match one_deleted("group", &reference, found, |group| group.id.as_str())? {
                Some(group) => group.id,
                None => find(tx, &ctx.tenant, &reference).map_err(|_| not_deleted("group", &reference))?.id,
            };
            let applied = apply(tx, ctx, &[Change::RestoreGroup { id: id.clone() }])?;
            Ok(Edited { object: stored(tx, ctx, &id)?, changed: applied.effective() > 0 })
        })
        .await
}

/// Makes a user or group a member; false if it was one.
pub async fn add_member(
    engine: &Engine,
    tenant: &TenantId,
    group: &str,
    member: &str,
) -> Result<bool, EngineError> {
    change_member(engine, tenant, group, member, |group, member| Change::AddMember { group, member }).await
}

/// Takes a user or group out of a group; false if it was not a direct member.
pub async fn remove_member(
    engine: &Engine,
    tenant: &TenantId,
    group: &str,
    member: &str,
) -> Result<bool, EngineError> {
    change_member(engine, tenant, group, member, |group, member| Change::RemoveMember { group, member }).await
}

/// The group that a person means, or an error that says how to look it up.
pub(crate) fn find(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Group, EngineError> {
    group::find_by_ref(tx, tenant, reference)?.ok_or_else(|| EngineError::NotFound {
        kind: "group",
        name: reference.to_owned(),
        next: "name it by displayName, externalId or id; lockstep group list shows all".to_owned(),
    })
}

async fn change_member(
    engine: &Engine,
    tenant: &TenantId,
    group: &str,
    member: &str,
    change: impl Fn(GroupId, Member) -> Change + Send + 'static,
) -> Result<bool, EngineError> {
    let (group, member) = (group.to_owned(), member.to_owned());
    engine
        .write(tenant, move |tx, ctx| {
            let group = find(tx, &ctx.tenant, &group)?.id;
            let member = find_member(tx, &ctx.tenant, &member)?;
            Ok(apply(tx, ctx, &[change(group, member)])?.effective() > 0)
        })
        .await
}

/// A user or group by reference; a text that names both is refused.
fn find_member(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Member, EngineError> {
    let user = user::find_by_ref(tx, tenant, reference)?;
    let group = group::find_by_ref(tx, tenant, reference)?;
    match (user, group) {
        (Some(user), None) => Ok(Member::User(user.id)),
        (None, Some(group)) => Ok(Member::Group(group.id)),
        (Some(user), Some(group)) => Err(EngineError::Invalid(format!(
            "'{reference}' names a user and a group; name the member by its id: user {}, group {}",
            user.id, group.id
        ))),
        (None, None) => Err(EngineError::NotFound {
            kind: "user or group",
            name: reference.to_owned(),
            next: "lockstep user list and lockstep group list show all".to_owned(),
        }),
    }
}

fn stored(tx: &mut Tx<'_>, ctx: &Context, id: &GroupId) -> Result<Group, EngineError> {
    match group::get(tx, &ctx.tenant, id)? {
        Some(group) => Ok(group),
        None => find(tx, &ctx.tenant, id.as_str()),
    }
}
