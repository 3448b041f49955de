//! What one step of the dispatcher knows, and what it has gathered: read and written in bulk, not change by change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::ids::{AppId, GroupId, Subject, TenantId, UserId, WaveId};
use domain::snapshot::CompiledApp;
use store::Tx;
use store::repo::change::{self, ChangeKind, RangeChange};
use store::repo::mark::Touch;
use store::repo::{app, edge, link, mark, member, user};

use crate::app_cache::AppCache;
use crate::error::EngineError;

/// Expansions of whole groups that are known to be still to come, at most.
const TO_COME: i64 = 64;

/// One short transaction of expansion. What it knows stays true in it: the dispatcher writes marks and edges only.
pub(crate) struct Gather<'a> {
    apps: &'a AppCache,
    tenant: &'a TenantId,
    now_ms: i64,
    compiled: BTreeMap<AppId, Arc<CompiledApp>>,
    above: BTreeMap<String, Vec<GroupId>>,
    assigned: BTreeMap<String, Vec<AppId>>,
    linked: BTreeMap<String, Vec<AppId>>,
    pushed: BTreeMap<GroupId, Vec<AppId>>,
    /// Groups whose members an expansion that has not begun will mark in an app.
    to_be_marked: BTreeSet<(GroupId, AppId)>,
    /// Groups whose memberships an expansion that has not begun will touch in an app.
    to_be_touched: BTreeSet<(GroupId, AppId)>,
    /// Users that changed themselves, in their order.
    changed: Vec<String>,
    /// Groups of the memberships of those users in an app, once somebody asked.
    held: BTreeMap<AppId, BTreeMap<String, BTreeSet<GroupId>>>,
    /// Those of them that a document names as manager, once somebody asked.
    managers: Option<BTreeSet<String>>,
    marks: Vec<Mark>,
    places: BTreeMap<(AppId, Subject), usize>,
    edges: BTreeMap<(AppId, GroupId), BTreeSet<UserId>>,
    /// Memberships in `edges`.
    touched: usize,
}

/// Nothing, but known for each of these.
fn without_any<T>(ids: &[&str]) -> BTreeMap<String, Vec<T>> {
    ids.iter().map(|id| ((*id).to_owned(), vec![])).collect()
}

struct Mark {
    app: AppId,
    subject: Subject,
    wave: WaveId,
    priority: i64,
}

impl<'a> Gather<'a> {
    /// Reads what these changes will ask for of single users.
    pub(crate) fn new(
        tx: &mut Tx<'_>,
        apps: &'a AppCache,
        tenant: &'a TenantId,
        now_ms: i64,
        changes: &[RangeChange],
    ) -> Result<Self, EngineError> {
        let mut gather = Self {
            apps,
            tenant,
            now_ms,
            compiled: BTreeMap::new(),
            above: BTreeMap::new(),
            assigned: BTreeMap::new(),
            linked: BTreeMap::new(),
            pushed: BTreeMap::new(),
            to_be_marked: BTreeSet::new(),
            to_be_touched: BTreeSet::new(),
            changed: vec![],
            held: BTreeMap::new(),
            managers: None,
            marks: vec![],
            places: BTreeMap::new(),
            edges: BTreeMap::new(),
            touched: 0,
        };
        let users = changes.iter().filter(|change| change.kind == ChangeKind::User);
        let users: BTreeSet<&str> = users.map(|change| change.object.as_str()).collect();
        let members = changes.iter().filter(|change| change.kind == ChangeKind::MemberUser);
        let users: Vec<&str> = users.into_iter().collect();
        let both: BTreeSet<&str> =
            users.iter().copied().chain(members.map(|change| change.member.as_str())).collect();
        let both: Vec<&str> = both.into_iter().collect();
        gather.linked = without_any(&both);
        gather.linked.extend(link::linked_apps_of(tx, tenant, &both)?);
        gather.assigned = without_any(&users);
        gather.assigned.extend(app::assigned_apps_of(tx, tenant, &users)?);
        for (kind, group, app) in change::groups_to_come(tx, tenant, TO_COME)? {
            let known = match kind {
                ChangeKind::PushGroup => &mut gather.to_be_touched,
                _ => &mut gather.to_be_marked,
            };
            known.insert((group, app));
        }
        // Where nothing is to come, nobody asks for the groups of those who only joined or left one.
        let nothing_to_come = gather.to_be_marked.is_empty() && gather.to_be_touched.is_empty();
        let known = if nothing_to_come { &users } else { &both };
        gather.above = without_any(known);
        if !known.is_empty() {
            for (user, groups) in member::containing(tx, tenant, known)? {
                gather.above.insert(user, groups.into_iter().map(|group| group.group).collect());
            }
        }
        gather.changed = users.into_iter().map(str::to_owned).collect();
        Ok(gather)
    }

    /// Groups of a changed user's memberships in an app.
    pub(crate) fn edges_of(
        &mut self,
        tx: &mut Tx<'_>,
        app: &AppId,
        user: &UserId,
    ) -> Result<Vec<GroupId>, EngineError> {
        if !self.held.contains_key(app) {
            let users: Vec<&str> = self.changed.iter().map(String::as_str).collect();
            self.held.insert(app.clone(), edge::groups_of(tx, self.tenant, app, &users)?);
        }
        let groups = self.held.get(app).and_then(|held| held.get(user.as_str()));
        Ok(groups.into_iter().flatten().cloned().collect())
    }

    /// Whether a document may name a changed user as manager.
    pub(crate) fn is_manager(&mut self, tx: &mut Tx<'_>, user: &str) -> Result<bool, EngineError> {
        if let Some(managers) = &self.managers {
            return Ok(managers.contains(user));
        }
        let users: Vec<&str> = self.changed.iter().map(String::as_str).collect();
        let references = user::references(tx, self.tenant, &users)?;
        let all: Vec<&str> = references.values().flatten().map(String::as_str).collect();
        let named = user::named_as_manager(tx, self.tenant, &all)?;
        let managers: BTreeSet<String> = references
            .into_iter()
            .filter(|(_, references)| references.iter().any(|reference| named.contains(reference)))
            .map(|(id, _)| id)
            .collect();
        let known = managers.contains(user);
        self.managers = Some(managers);
        Ok(known)
    }

    /// Apps that a user has a link in or is assigned to, herself or through a group.
    pub(crate) fn apps_of(&mut self, tx: &mut Tx<'_>, user: &str) -> Result<Vec<AppId>, EngineError> {
        let mut apps = self.linked(tx, user)?;
        apps.extend(self.assigned(tx, user)?);
        for group in self.above(tx, user)? {
            apps.extend(self.assigned(tx, group.as_str())?);
        }
        apps.sort();
        apps.dedup();
        Ok(apps)
    }

    /// Whether an expansion that has not begun will mark who is in this group.
    pub(crate) fn will_expand(&self, app: &AppId, group: &GroupId) -> bool {
        !self.to_be_marked.is_empty() && self.to_be_marked.contains(&(group.clone(), app.clone()))
    }

    /// Whether a user's mark may be left to that expansion: she is in the group (`is_in`: that is known), and if she leaves it
    /// until then, that is a change of her own. Not if she has an account: what becomes of it has the urgency and the wave of
    /// her change.
    pub(crate) fn will_mark(&self, app: &AppId, group: &GroupId, user: &UserId, is_in: bool) -> bool {
        self.will_expand(app, group)
            && self.linked.get(user.as_str()).is_some_and(|apps| !apps.contains(app))
            && (is_in || self.is_in(user, group))
    }

    /// The same of a membership and the expansion of a push.
    pub(crate) fn will_touch(&self, app: &AppId, group: &GroupId, user: &UserId, is_in: bool) -> bool {
        !self.to_be_touched.is_empty()
            && self.to_be_touched.contains(&(group.clone(), app.clone()))
            && (is_in || self.is_in(user, group))
    }

    /// Whether the mark of a changed user may be left to the expansion of any of her groups.
    pub(crate) fn will_be_marked(&self, app: &AppId, user: &UserId) -> bool {
        let mut groups = self.above.get(user.as_str()).into_iter().flatten();
        groups.any(|group| self.will_mark(app, group, user, true))
    }

    fn is_in(&self, user: &UserId, group: &GroupId) -> bool {
        self.above.get(user.as_str()).is_some_and(|groups| groups.contains(group))
    }

    /// Groups that contain a user or group, directly or nested.
    pub(crate) fn above(&mut self, tx: &mut Tx<'_>, id: &str) -> Result<Vec<GroupId>, EngineError> {
        if let Some(known) = self.above.get(id) {
            return Ok(known.clone());
        }
        let found = member::ancestors(tx, self.tenant, id)?;
        self.above.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Apps that this very user or group is assigned to.
    pub(crate) fn assigned(&mut self, tx: &mut Tx<'_>, id: &str) -> Result<Vec<AppId>, EngineError> {
        if let Some(known) = self.assigned.get(id) {
            return Ok(known.clone());
        }
        let found = app::assigned_apps(tx, self.tenant, id)?;
        self.assigned.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Apps that a subject has a link in.
    pub(crate) fn linked(&mut self, tx: &mut Tx<'_>, id: &str) -> Result<Vec<AppId>, EngineError> {
        if let Some(known) = self.linked.get(id) {
            return Ok(known.clone());
        }
        let found = link::linked_apps(tx, self.tenant, id)?;
        self.linked.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Apps that a group is mirrored in.
    pub(crate) fn pushed(&mut self, tx: &mut Tx<'_>, group: &GroupId) -> Result<Vec<AppId>, EngineError> {
        if let Some(known) = self.pushed.get(group) {
            return Ok(known.clone());
        }
        let found = app::pushed_to(tx, self.tenant, group)?;
        self.pushed.insert(group.clone(), found.clone());
        Ok(found)
    }

    /// The app, compiled.
    pub(crate) fn app(&mut self, tx: &mut Tx<'_>, id: &AppId) -> Result<Arc<CompiledApp>, EngineError> {
        if let Some(known) = self.compiled.get(id) {
            return Ok(known.clone());
        }
        let compiled = self.apps.get(tx, self.tenant, id)?;
        self.compiled.insert(id.clone(), compiled.clone());
        Ok(compiled)
    }

    /// Marks a subject when the step ends. A second mark adds nothing but its urgency and its wave; of a group the waves are
    /// kept apart, since its mark stays released for the wave that released it.
    pub(crate) fn mark(&mut self, app: &AppId, subject: &Subject, wave: &WaveId, priority: i64) {
        let key = (app.clone(), subject.clone());
        if let Some(mark) = self.places.get(&key).and_then(|place| self.marks.get_mut(*place))
            && (mark.wave == *wave || matches!(subject, Subject::User(_)))
        {
            mark.wave.clone_from(wave);
            mark.priority = mark.priority.min(priority);
            return;
        }
        self.places.insert(key, self.marks.len());
        self.marks.push(Mark { app: app.clone(), subject: subject.clone(), wave: wave.clone(), priority });
    }

    /// Notes when the step ends that these memberships may differ.
    pub(crate) fn edges(&mut self, app: &AppId, group: &GroupId, users: &[UserId]) {
        let edges = self.edges.entry((app.clone(), group.clone())).or_default();
        let before = edges.len();
        edges.extend(users.iter().cloned());
        self.touched += edges.len() - before;
    }

    /// How many marks and memberships are gathered.
    pub(crate) fn rows(&self) -> usize {
        self.marks.len() + self.touched
    }

    /// How many marks are gathered.
    pub(crate) fn marked(&self) -> usize {
        self.marks.len()
    }

    /// Writes what was gathered: marks in the order in which they came.
    pub(crate) fn write(self, tx: &mut Tx<'_>) -> Result<(), EngineError> {
        for ((app_id, group), users) in &self.edges {
            let users: Vec<UserId> = users.iter().cloned().collect();
            edge::touch(tx, self.tenant, app_id, group, &users, self.now_ms)?;
        }
        let alike = |a: &Mark, b: &Mark| a.app == b.app && a.wave == b.wave && a.priority == b.priority;
        for run in self.marks.chunk_by(alike) {
            let Some(first) = run.first() else { continue };
            let touch =
                Touch { wave: &first.wave, priority: first.priority, now_ms: self.now_ms, verify: false };
            let subjects: Vec<Subject> = run.iter().map(|mark| mark.subject.clone()).collect();
            mark::touch(tx, self.tenant, &first.app, &subjects, &touch)?;
        }
        Ok(())
    }
}
