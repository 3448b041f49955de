//! Reads one subject in one app into plain values: everything the planner may look at, in one transaction.

use std::sync::Arc;

use domain::desired::{Desired, desired, keys_of};
use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use domain::snapshot::{
    Base, CompiledApp, EdgeState, EdgeView, GroupSnapshot, LinkState, ManagerView, Push, Snapshot,
    UserSnapshot,
};
use store::Tx;
use store::repo::{app, edge, group, intent, link, mark, member, user};

use crate::error::EngineError;

/// Memberships that one snapshot gathers at most, whatever was asked for.
const EDGE_CAP: usize = 100_000;

/// What to read.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Whose data.
    pub tenant: TenantId,
    /// The app, compiled.
    pub app: Arc<CompiledApp>,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// Read group names even if the mapping does not need them.
    pub with_groups: bool,
}

impl Scope {
    fn app_id(&self) -> &AppId {
        &self.app.app.id
    }
}

/// The snapshot of a subject; none if it does not exist. `edges`: memberships to gather at most, 0 stands for the app's cap.
pub fn load(
    tx: &mut Tx<'_>,
    scope: &Scope,
    subject: &Subject,
    edges: usize,
) -> Result<Option<Snapshot>, EngineError> {
    match subject {
        Subject::User(id) => Ok(load_user(tx, scope, id)?.map(|user| Snapshot::User(Box::new(user)))),
        Subject::Group(id) => {
            Ok(load_group(tx, scope, id, edges)?.map(|group| Snapshot::Group(Box::new(group))))
        }
    }
}

fn base(tx: &mut Tx<'_>, scope: &Scope, subject: &str) -> Result<Base, EngineError> {
    Ok(Base {
        now_ms: scope.now_ms,
        app: scope.app.clone(),
        mark: mark::get(tx, &scope.tenant, scope.app_id(), subject)?,
        link: link::get(tx, &scope.tenant, scope.app_id(), subject)?,
        intent: intent::open(tx, &scope.tenant, scope.app_id(), subject)?,
    })
}

fn load_user(tx: &mut Tx<'_>, scope: &Scope, id: &UserId) -> Result<Option<UserSnapshot>, EngineError> {
    let base = base(tx, scope, id.as_str())?;
    let Some(user) = user::get(tx, &scope.tenant, id)? else { return Ok(None) };
    let entitlements = app::entitlements(tx, &scope.tenant, scope.app_id(), id.as_str())?;
    let mut snapshot =
        UserSnapshot { base, user, manager: None, groups: vec![], entitlements, holders: vec![] };
    if scope.app.mapping.uses_manager() {
        snapshot.manager = load_manager(tx, scope, &snapshot)?;
    }
    if scope.with_groups || scope.app.mapping.uses_groups() {
        for group_id in member::ancestors(tx, &scope.tenant, id.as_str())? {
            snapshot.groups.extend(group::get(tx, &scope.tenant, &group_id)?.map(|group| group.display_name));
        }
    }
    if let (Desired::Present(attributes), _) = desired(&snapshot) {
        let keys = keys_of(&attributes);
        snapshot.holders = link::key_holders(tx, &scope.tenant, scope.app_id(), id.as_str(), &keys)?;
    }
    Ok(Some(snapshot))
}

fn load_manager(
    tx: &mut Tx<'_>,
    scope: &Scope,
    snapshot: &UserSnapshot,
) -> Result<Option<ManagerView>, EngineError> {
    let Some(reference) = snapshot.user.manager_ref().map(str::to_owned) else { return Ok(None) };
    let Some(user) = user::find_by_ref(tx, &scope.tenant, &reference)? else { return Ok(None) };
    let link = link::get(tx, &scope.tenant, scope.app_id(), user.id.as_str())?;
    let account = link.filter(|link| link.state == LinkState::Live).and_then(|link| link.remote_id);
    Ok(Some(ManagerView { user, account }))
}

fn load_group(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &GroupId,
    edges: usize,
) -> Result<Option<GroupSnapshot>, EngineError> {
    let base = base(tx, scope, id.as_str())?;
    let Some(group) = group::get(tx, &scope.tenant, id)? else { return Ok(None) };
    let push = app::push_of(tx, &scope.tenant, scope.app_id(), id)?.unwrap_or(Push::Leave);
    let live = base.link.as_ref().is_some_and(|link| link.state == LinkState::Live);
    let limit = if edges == 0 { scope.app.app.settings.member_cap } else { edges }.clamp(1, EDGE_CAP);
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = if live { edge::dirty(tx, &scope.tenant, scope.app_id(), id, wanted)? } else { vec![] };
    for view in found.iter_mut().filter(|view| view.member && view.link.is_none()) {
        view.entitled = !app::entitlements(tx, &scope.tenant, scope.app_id(), view.user.as_str())?.is_empty();
    }
    let replaces = scope.app.app.settings.write_with == domain::app::WriteMethod::Put;
    let (present_edges, removal_candidates) = if replaces || found.iter().any(may_be_removed) {
        edge::count_for_guard(
            tx,
            &scope.tenant,
            scope.app_id(),
            id,
            scope.app.app.settings.guard_counts_to(),
        )?
    } else {
        (0, 0)
    };
    Ok(Some(GroupSnapshot { base, group, push, edges: found, present_edges, removal_candidates }))
}

fn may_be_removed(view: &EdgeView) -> bool {
    view.state == EdgeState::Present && (!view.member || view.link != Some(LinkState::Live))
}
