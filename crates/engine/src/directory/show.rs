//! Reading the directory: one user or group with its memberships, and pages of them.

use domain::directory::{Group, Member, User};
use domain::ids::TenantId;
use store::Tx;
use store::repo::{group, member, user};

use super::{groups, users};
use crate::{Engine, EngineError};

/// A user with what hangs on it.
#[derive(Clone, Debug, PartialEq)]
pub struct UserView {
    /// The user.
    pub user: User,
    /// The user that the manager reference names, if it names one.
    pub manager: Option<User>,
    /// Groups that have the user as a direct member.
    pub direct: Vec<Group>,
    /// All groups that the user belongs to, nested ones included.
    pub effective: Vec<Group>,
}

/// A group with its members.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupView {
    /// The group.
    pub group: Group,
    /// Users that are direct members: the first ones by id.
    pub users: Vec<User>,
    /// Groups nested directly among those first members.
    pub groups: Vec<Group>,
    /// Direct members beyond the ones listed exist.
    pub more: bool,
    /// How many users are members, nested ones included.
    pub effective_users: usize,
    /// Groups that this one is nested in, directly or not.
    pub inside: Vec<Group>,
}

/// The user that `reference` (id, externalId or userName) names, with its memberships.
pub async fn show_user(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<UserView, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let user = users::find(tx, &tenant, &reference)?;
            let manager = match user.manager_ref() {
                Some(manager) => user::find_by_ref(tx, &tenant, manager)?,
                None => None,
            };
            let direct = member::groups_of(tx, &tenant, user.id.as_str())?;
            let effective = member::ancestors(tx, &tenant, user.id.as_str())?;
            let direct = named(group::get_many(tx, &tenant, &direct)?);
            let effective = named(group::get_many(tx, &tenant, &effective)?);
            Ok(UserView { user, manager, direct, effective })
        })
        .await
}

/// The group that `reference` (id, externalId or displayName) names, with at most `limit` of its direct members.
pub async fn show_group(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    limit: usize,
) -> Result<GroupView, EngineError> {
    let (tenant, reference) = (tenant.clone(), reference.to_owned());
    engine
        .read(move |tx| {
            let group = groups::find(tx, &tenant, &reference)?;
            let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let mut members = member::direct(tx, &tenant, &group.id, "", wanted)?;
            let more = members.len() > limit;
            members.truncate(limit);
            let (mut user_ids, mut group_ids) = (Vec::new(), Vec::new());
            for member in members {
                match member {
                    Member::User(id) => user_ids.push(id),
                    Member::Group(id) => group_ids.push(id),
                }
            }
            let mut users = user::get_many(tx, &tenant, &user_ids)?;
            users.sort_by(|a, b| a.user_name.cmp(&b.user_name));
            let inside = member::ancestors(tx, &tenant, group.id.as_str())?;
            Ok(GroupView {
                users,
                groups: named(group::get_many(tx, &tenant, &group_ids)?),
                more,
                effective_users: count_effective(tx, &tenant, &group)?,
                inside: named(group::get_many(tx, &tenant, &inside)?),
                group,
            })
        })
        .await
}

/// A page of users in the order of their ids, after the id `after` (empty: from the first).
pub async fn list_users(
    engine: &Engine,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<User>, EngineError> {
    let (tenant, after) = (tenant.clone(), after.to_owned());
    engine.read(move |tx| Ok(user::list(tx, &tenant, &after, limit)?)).await
}

/// A page of groups in the order of their ids, after the id `after` (empty: from the first).
pub async fn list_groups(
    engine: &Engine,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<Group>, EngineError> {
    let (tenant, after) = (tenant.clone(), after.to_owned());
    engine.read(move |tx| Ok(group::list(tx, &tenant, &after, limit)?)).await
}

/// A page of deleted users in the order of their ids, after the id `after` (empty: from the first).
pub async fn list_deleted_users(
    engine: &Engine,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<User>, EngineError> {
    let (tenant, after) = (tenant.clone(), after.to_owned());
    engine.read(move |tx| Ok(user::list_deleted(tx, &tenant, &after, limit)?)).await
}

/// A page of deleted groups in the order of their ids, after the id `after` (empty: from the first).
pub async fn list_deleted_groups(
    engine: &Engine,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<Group>, EngineError> {
    let (tenant, after) = (tenant.clone(), after.to_owned());
    engine.read(move |tx| Ok(group::list_deleted(tx, &tenant, &after, limit)?)).await
}

fn count_effective(tx: &mut Tx<'_>, tenant: &TenantId, group: &Group) -> Result<usize, EngineError> {
    const PAGE: i64 = 1_000;
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = member::effective_users(tx, tenant, &group.id, &after, PAGE, false)?;
        count += page.len();
        match page.last() {
            Some(last) => after = last.as_str().to_owned(),
            None => return Ok(count),
        }
    }
}

fn named(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| a.display_name.cmp(&b.display_name));
    groups
}
