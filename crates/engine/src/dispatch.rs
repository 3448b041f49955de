//! Spreads changes over the lanes: expands each by keyset into marks and dirty memberships, in short transactions.

use domain::ids::{AppId, GroupId, Subject, TenantId, UserId};
use store::Tx;
use store::repo::change::{ChangeKind, RangeChange};
use store::repo::{app, change, group, link, mark, member, user};

use crate::app_cache::AppCache;
use crate::context::Engine;
use crate::error::EngineError;
use crate::gather::Gather;

/// Subjects that one transaction marks at most.
const PAGE: i64 = 500;
/// Changes that one transaction looks at when they are small.
const CHANGES: i64 = 800;
/// Marks after which a transaction takes no further change. What only marks the same subjects again is still taken: users
/// and their memberships come one after the other.
const MARKS: usize = 400;
/// Marks and memberships after which it takes no further change in any case.
const ROWS: usize = 800;

/// Expands every change that is there; gives how many were expanded to their end.
pub async fn dispatch_all(engine: &Engine, tenant: &TenantId) -> Result<usize, EngineError> {
    let mut total = 0;
    while let Some(ended) = dispatch_some(engine, tenant).await? {
        total += ended;
    }
    Ok(total)
}

/// Expands changes in one short transaction; gives how many were expanded to their end, none if there was nothing to do.
pub async fn dispatch_some(engine: &Engine, tenant: &TenantId) -> Result<Option<usize>, EngineError> {
    let apps = engine.apps.clone();
    let owner = tenant.clone();
    let now_ms = engine.env.now_ms();
    engine.store.write(move |tx| step(tx, &apps, &owner, now_ms)).await
}

/// One short transaction of expansion; none: there is nothing to expand.
pub fn step(
    tx: &mut Tx<'_>,
    apps: &AppCache,
    tenant: &TenantId,
    now_ms: i64,
) -> Result<Option<usize>, EngineError> {
    let changes = change::first(tx, tenant, CHANGES)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let mut gather = Gather::new(tx, apps, tenant, now_ms, &changes)?;
    let (mut ended, mut begun) = (0, None);
    for change in &changes {
        let after = Expansion { gather: &mut gather, tenant, change }.run(tx)?;
        if let Some(after) = after {
            begun = Some((change, after));
            break;
        }
        ended += 1;
        if gather.marked() > MARKS || gather.rows() > ROWS {
            break;
        }
    }
    gather.write(tx)?;
    if let Some(last) = changes[..ended].last() {
        change::delete_to(tx, tenant, &last.id)?;
    }
    if let Some((change, after)) = begun {
        change::advance(tx, tenant, &change.id, &after)?;
    }
    Ok(Some(ended))
}

struct Expansion<'a, 'g> {
    gather: &'a mut Gather<'g>,
    tenant: &'a TenantId,
    change: &'a RangeChange,
}

impl Expansion<'_, '_> {
    /// Expands one page; gives the cursor if there is more.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<Option<String>, EngineError> {
        let object = self.change.object.as_str();
        match self.change.kind {
            ChangeKind::User => self.user(tx, &UserId::new(object)),
            ChangeKind::MemberUser => {
                let groups = self.with_ancestors(tx, object)?;
                let users = [UserId::new(self.change.member.as_str())];
                self.memberships(tx, &groups, &users, false)?;
                Ok(None)
            }
            ChangeKind::MemberGroup => {
                let groups = self.with_ancestors(tx, object)?;
                let nested = GroupId::new(self.change.member.as_str());
                self.members_of(tx, &nested, &groups, false)
            }
            ChangeKind::Group => self.group(tx, &GroupId::new(object)),
            ChangeKind::Assignment => self.assignment(tx, object),
            ChangeKind::App => self.app(tx, &AppId::new(object)),
            ChangeKind::PushGroup => self.push_group(tx, &GroupId::new(object)),
        }
    }

    fn touch(&mut self, app: &AppId, subjects: &[Subject]) {
        for subject in subjects {
            // A group goes after the users of its wave: its memberships need their accounts.
            let behind = i64::from(matches!(subject, Subject::Group(_)));
            self.gather.mark(app, subject, &self.change.wave, self.change.priority + behind);
        }
    }

    fn user(&mut self, tx: &mut Tx<'_>, id: &UserId) -> Result<Option<String>, EngineError> {
        if self.change.member == "restored" {
            for group_id in self.gather.above(tx, id.as_str())? {
                self.memberships(tx, std::slice::from_ref(&group_id), std::slice::from_ref(id), true)?;
            }
        }
        for app_id in self.gather.apps_of(tx, id.as_str())? {
            if !self.gather.will_be_marked(&app_id, id) {
                self.touch(&app_id, &[Subject::User(id.clone())]);
            }
            self.reports(tx, &app_id, id)?;
            // A deleted or changed user may have to leave groups even if her account stays as it is.
            for group_id in self.gather.edges_of(tx, &app_id, id)? {
                self.gather.edges(&app_id, &group_id, std::slice::from_ref(id));
                self.touch(&app_id, &[Subject::Group(group_id)]);
            }
        }
        Ok(None)
    }

    /// Reports see their manager's attributes and account through the mapping.
    fn reports(&mut self, tx: &mut Tx<'_>, app_id: &AppId, id: &UserId) -> Result<(), EngineError> {
        if !self.gather.app(tx, app_id)?.mapping.uses_manager() {
            return Ok(());
        }
        if !self.gather.is_manager(tx, id.as_str())? {
            return Ok(());
        }
        for report in linked_reports(tx, self.tenant, app_id, id)? {
            self.touch(app_id, &[Subject::User(report)]);
        }
        Ok(())
    }

    fn with_ancestors(&mut self, tx: &mut Tx<'_>, group_id: &str) -> Result<Vec<GroupId>, EngineError> {
        let mut groups = self.gather.above(tx, group_id)?;
        groups.push(GroupId::new(group_id));
        Ok(groups)
    }

    /// These users may have entered or left these groups; `are_in`: they are known to be in all of them.
    fn memberships(
        &mut self,
        tx: &mut Tx<'_>,
        groups: &[GroupId],
        users: &[UserId],
        are_in: bool,
    ) -> Result<(), EngineError> {
        for user_id in users {
            for app_id in self.gather.linked(tx, user_id.as_str())? {
                if self.gather.app(tx, &app_id)?.mapping.uses_groups() {
                    self.touch(&app_id, &[Subject::User(user_id.clone())]);
                }
            }
        }
        for group_id in groups {
            for app_id in self.gather.pushed(tx, group_id)? {
                let mut moved = users.to_vec();
                moved.retain(|user| !self.gather.will_touch(&app_id, group_id, user, are_in));
                self.gather.edges(&app_id, group_id, &moved);
                self.touch(&app_id, &[Subject::Group(group_id.clone())]);
            }
            for app_id in self.gather.assigned(tx, group_id.as_str())? {
                let moved =
                    users.iter().filter(|user| !self.gather.will_mark(&app_id, group_id, user, are_in));
                let moved: Vec<Subject> = moved.cloned().map(Subject::User).collect();
                self.touch(&app_id, &moved);
            }
        }
        Ok(())
    }

    fn members_of(
        &mut self,
        tx: &mut Tx<'_>,
        nested: &GroupId,
        groups: &[GroupId],
        are_in: bool,
    ) -> Result<Option<String>, EngineError> {
        let users = member::effective_users(tx, self.tenant, nested, &self.change.after_id, PAGE, true)?;
        self.memberships(tx, groups, &users, are_in)?;
        Ok(next_cursor(&users))
    }

    fn group(&mut self, tx: &mut Tx<'_>, id: &GroupId) -> Result<Option<String>, EngineError> {
        if self.change.after_id.is_empty() {
            let mut apps = self.gather.linked(tx, id.as_str())?;
            apps.extend(self.gather.pushed(tx, id)?);
            apps.sort();
            apps.dedup();
            for app_id in apps {
                self.touch(&app_id, &[Subject::Group(id.clone())]);
            }
        }
        // A new name matters to members only where a mapping looks at group names; existence matters always.
        let exists = group::get(tx, self.tenant, id)?.is_some_and(|group| group.deleted_ms.is_none());
        let renamed_only = self.change.member == "attributes" && exists;
        if renamed_only && !self.any_mapping_uses_groups(tx)? {
            return Ok(None);
        }
        let groups = self.with_ancestors(tx, id.as_str())?;
        self.members_of(tx, id, &groups, exists)
    }

    fn any_mapping_uses_groups(&mut self, tx: &mut Tx<'_>) -> Result<bool, EngineError> {
        for stored in app::list(tx, self.tenant)? {
            if self.gather.app(tx, &stored.id)?.mapping.uses_groups() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn assignment(&mut self, tx: &mut Tx<'_>, object: &str) -> Result<Option<String>, EngineError> {
        let app_id = AppId::new(self.change.app.as_str());
        if self.change.member != "group" {
            self.touch(&app_id, &[Subject::User(UserId::new(object))]);
            return Ok(None);
        }
        let group_id = GroupId::new(object);
        let users = member::effective_users(tx, self.tenant, &group_id, &self.change.after_id, PAGE, true)?;
        let subjects: Vec<Subject> = users.iter().cloned().map(Subject::User).collect();
        self.touch(&app_id, &subjects);
        Ok(next_cursor(&users))
    }

    /// First everybody linked (cursor `u:` and `g:`), then everybody assigned (cursor `a:INDEX:`).
    fn app(&mut self, tx: &mut Tx<'_>, app_id: &AppId) -> Result<Option<String>, EngineError> {
        let cursor = if self.change.after_id.is_empty() { "u:" } else { self.change.after_id.as_str() };
        let mut parts = cursor.splitn(3, ':');
        let (phase, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (kind, next_phase) = match phase {
            "u" => ("user", "g:"),
            "g" => ("group", "a:0:"),
            _ => return self.app_assignments(tx, app_id, rest, parts.next().unwrap_or_default()),
        };
        if kind == "group" && rest.is_empty() {
            let pushed = app::push_list(tx, self.tenant, app_id)?;
            let pushed: Vec<Subject> = pushed.into_iter().map(|(id, ..)| Subject::Group(id)).collect();
            self.touch(app_id, &pushed);
        }
        let page = link::page(tx, self.tenant, app_id, kind, rest, PAGE)?;
        let subjects: Vec<Subject> = page.into_iter().map(|(subject, _)| subject).collect();
        self.touch(app_id, &subjects);
        let full = i64::try_from(subjects.len()).unwrap_or(0) == PAGE;
        Ok(Some(match subjects.last() {
            Some(last) if full => format!("{phase}:{}", last.id()),
            _ => next_phase.to_owned(),
        }))
    }

    fn app_assignments(
        &mut self,
        tx: &mut Tx<'_>,
        app_id: &AppId,
        index: &str,
        after: &str,
    ) -> Result<Option<String>, EngineError> {
        let index: usize = index.parse().unwrap_or(0);
        let assignments = app::assignments(tx, self.tenant, app_id)?;
        let Some(assignment) = assignments.get(index) else { return Ok(None) };
        // Who has a link was marked before; the others wait for that expansion.
        if matches!(&assignment.subject, Subject::Group(id) if self.gather.will_expand(app_id, id)) {
            return Ok(Some(format!("a:{}:", index + 1)));
        }
        let users = match &assignment.subject {
            Subject::User(id) => vec![id.clone()],
            Subject::Group(id) => member::effective_users(tx, self.tenant, id, after, PAGE, false)?,
        };
        let subjects: Vec<Subject> = users.iter().cloned().map(Subject::User).collect();
        self.touch(app_id, &subjects);
        Ok(Some(match (&assignment.subject, next_cursor(&users)) {
            (Subject::Group(_), Some(last)) => format!("a:{index}:{last}"),
            _ => format!("a:{}:", index + 1),
        }))
    }

    fn push_group(&mut self, tx: &mut Tx<'_>, id: &GroupId) -> Result<Option<String>, EngineError> {
        let app_id = AppId::new(self.change.app.as_str());
        self.touch(&app_id, &[Subject::Group(id.clone())]);
        let users = member::effective_users(tx, self.tenant, id, &self.change.after_id, PAGE, false)?;
        self.gather.edges(&app_id, id, &users);
        Ok(next_cursor(&users))
    }
}

/// Reports of a user that have a link in the app, or that work is queued for.
pub(crate) fn linked_reports(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app_id: &AppId,
    id: &UserId,
) -> Result<Vec<UserId>, EngineError> {
    let references = user::references_of(tx, tenant, id)?.unwrap_or_default();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let (mut reports, mut after) = (vec![], String::new());
    loop {
        let page = user::reports_of(tx, tenant, &references, &after, PAGE)?;
        for report in &page {
            // A report without a link may be about to get one, from a snapshot that did not see this change.
            let known = link::get(tx, tenant, app_id, report.as_str())?.is_some()
                || mark::get(tx, tenant, app_id, report.as_str())?.is_some();
            if known {
                reports.push(report.clone());
            }
        }
        match next_cursor(&page) {
            Some(last) => after = last,
            None => return Ok(reports),
        }
    }
}

fn next_cursor(users: &[UserId]) -> Option<String> {
    let full = i64::try_from(users.len()).unwrap_or(0) == PAGE;
    users.last().filter(|_| full).map(|last| last.as_str().to_owned())
}
