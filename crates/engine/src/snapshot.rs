//! Reads one subject in one app into plain values: everything the planner may look at, in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::desired::{Desired, desired, keys_of};
use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use domain::plan::Key;
use domain::snapshot::{
    Base, CompiledApp, EdgeState, EdgeView, GroupSnapshot, KeyHolder, LinkState, ManagerView, Push, Snapshot,
    UserSnapshot,
};
use store::Tx;
use store::repo::{app, edge, group, intent, link, mark, member, standing, user};

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
        Subject::User(id) => {
            let loaded = load_users(tx, scope, &[id])?.remove(id);
            Ok(loaded.map(|(user, _)| Snapshot::User(Box::new(user))))
        }
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

/// Snapshots of users, by user, each with whether a request was ever announced for her; unknown users are left out.
pub(crate) fn load_users(
    tx: &mut Tx<'_>,
    scope: &Scope,
    users: &[&UserId],
) -> Result<BTreeMap<UserId, (UserSnapshot, bool)>, EngineError> {
    let ids: Vec<&str> = users.iter().map(|id| id.as_str()).collect();
    let mut entitlements = app::entitlements(tx, &scope.tenant, scope.app_id(), &ids)?;
    let mut loaded = BTreeMap::new();
    for found in standing::before_plan(tx, &scope.tenant, scope.app_id(), &ids)? {
        let base = Base {
            now_ms: scope.now_ms,
            app: scope.app.clone(),
            mark: found.mark,
            link: found.link,
            intent: found.intent,
        };
        let mut snapshot = UserSnapshot {
            base,
            entitlements: entitlements.remove(found.user.id.as_str()).unwrap_or_default(),
            user: found.user,
            manager: None,
            groups: vec![],
            holders: vec![],
        };
        if scope.app.mapping.uses_manager() {
            snapshot.manager = load_manager(tx, scope, &snapshot)?;
        }
        if scope.with_groups || scope.app.mapping.uses_groups() {
            for group_id in member::ancestors(tx, &scope.tenant, snapshot.user.id.as_str())? {
                let group = group::get(tx, &scope.tenant, &group_id)?;
                snapshot.groups.extend(group.map(|group| group.display_name));
            }
        }
        loaded.insert(snapshot.user.id.clone(), (snapshot, found.tried));
    }
    load_holders(tx, scope, &mut loaded)?;
    Ok(loaded)
}

/// Who else holds a key that one of these users should have.
fn load_holders(
    tx: &mut Tx<'_>,
    scope: &Scope,
    loaded: &mut BTreeMap<UserId, (UserSnapshot, bool)>,
) -> Result<(), EngineError> {
    let mut wanted: BTreeMap<Key, Vec<UserId>> = BTreeMap::new();
    for (id, (snapshot, _)) in loaded.iter() {
        if let (Desired::Present(attributes), _) = desired(snapshot) {
            for key in keys_of(&attributes) {
                wanted.entry(key).or_default().push(id.clone());
            }
        }
    }
    let keys: Vec<&Key> = wanted.keys().collect();
    for (holder, waits_on) in link::key_holders(tx, &scope.tenant, scope.app_id(), &keys)? {
        let key = Key { attribute: holder.attribute.clone(), value_key: holder.value_key.clone() };
        for id in wanted.get(&key).into_iter().flatten().filter(|id| id.as_str() != holder.subject.id()) {
            let waits_for_us = waits_on.as_deref() == Some(id.as_str());
            if let Some((snapshot, _)) = loaded.get_mut(id) {
                snapshot.holders.push(KeyHolder { waits_for_us, ..holder.clone() });
            }
        }
    }
    Ok(())
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
    let without: Vec<&str> = found
        .iter()
        .filter(|view| view.member && view.link.is_none())
        .map(|view| view.user.as_str())
        .collect();
    let entitled = app::entitlements(tx, &scope.tenant, scope.app_id(), &without)?;
    for view in found.iter_mut().filter(|view| view.member && view.link.is_none()) {
        view.entitled = entitled.contains_key(view.user.as_str());
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
