//! Apps, who is assigned to them, which groups are pushed to them, and their sealed secrets.

use std::collections::BTreeMap;

use domain::app::{App, AppSettings, AppState};
use domain::ids::{AppId, GroupId, Subject, TenantId};
use domain::snapshot::{Entitlement, Push};

use super::user::{in_32, in_chunks, in_chunks_and};
use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO app(tenant, id, name, name_key, state, settings, version, created_ms) VALUES ($1, $2, $3, $4, $5, $6, 1, $7)"
);
statement!(GET, "SELECT id, name, state, settings, version FROM app WHERE tenant = $1 AND id = $2");
statement!(BY_NAME, "SELECT id, name, state, settings, version FROM app WHERE tenant = $1 AND name_key = $2");
statement!(VERSION, "SELECT version FROM app WHERE tenant = $1 AND id = $2");
statement!(LIST, "SELECT id, name, state, settings, version FROM app WHERE tenant = $1 ORDER BY name_key");
statement!(
    UPDATE,
    "UPDATE app SET state = $3, settings = $4, version = version + 1 WHERE tenant = $1 AND id = $2 AND version = $5"
);
statement!(
    ASSIGN,
    "INSERT INTO assignment(tenant, app, subject, kind, priority, created_ms) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant, app, subject) DO UPDATE SET priority = excluded.priority WHERE assignment.priority <> excluded.priority"
);
statement!(UNASSIGN, "DELETE FROM assignment WHERE tenant = $1 AND app = $2 AND subject = $3");
statement!(
    ASSIGNMENTS,
    "SELECT subject, kind, priority FROM assignment WHERE tenant = $1 AND app = $2 ORDER BY kind, priority, subject"
);
statement!(ASSIGNED_APPS, "SELECT app FROM assignment WHERE tenant = $1 AND subject = $2");
statement!(ASSIGNED_APPS_OF_ONE, "SELECT subject, app FROM assignment WHERE tenant = $1 AND subject = $2");
statement!(
    ASSIGNED_APPS_OF,
    concat!("SELECT subject, app FROM assignment WHERE tenant = $1 AND subject IN ", in_32!())
);
// The outer join keeps the users' few groups before the app's many assignments.
statement!(
    ENTITLEMENTS,
    concat!(
        "WITH RECURSIVE up(member, tenant, id) AS (
           SELECT id, tenant, id FROM usr WHERE tenant = $1 AND id IN ",
        in_32!(),
        "  UNION
           SELECT up.member, m.tenant, m.group_id FROM up
             JOIN member m ON m.tenant = up.tenant AND m.member_id = up.id
             LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
            WHERE g.deleted_ms IS NULL)
         SELECT up.member, a.subject, a.kind, g.display_name
           FROM up LEFT JOIN assignment a ON a.tenant = up.tenant AND a.app = $34 AND a.subject = up.id
           LEFT JOIN grp g ON g.tenant = a.tenant AND g.id = a.subject
          WHERE COALESCE(a.kind, '') <> ''
          ORDER BY CASE WHEN a.subject = up.member THEN 0 ELSE 1 END, a.priority, a.subject"
    )
);
statement!(
    PUSH_ADD,
    "INSERT INTO push_group(tenant, app, group_id, state, on_removal, created_ms) VALUES ($1, $2, $3, 'active', 'delete', $4)
     ON CONFLICT (tenant, app, group_id) DO UPDATE SET state = 'active' WHERE push_group.state <> 'active'"
);
statement!(
    PUSH_REMOVE,
    "UPDATE push_group SET state = 'removed', on_removal = $4 WHERE tenant = $1 AND app = $2 AND group_id = $3 AND state = 'active'"
);
statement!(
    PUSH_GET,
    "SELECT state, on_removal FROM push_group WHERE tenant = $1 AND app = $2 AND group_id = $3"
);
statement!(
    PUSH_LIST,
    "SELECT p.group_id, p.state, p.on_removal, g.display_name FROM push_group p
       JOIN grp g ON g.tenant = p.tenant AND g.id = p.group_id
      WHERE p.tenant = $1 AND p.app = $2 ORDER BY g.display_name_key, p.group_id"
);
statement!(PUSHED_TO, "SELECT app FROM push_group WHERE tenant = $1 AND group_id = $2 AND state = 'active'");
statement!(
    SECRET_PUT,
    "INSERT INTO secret(tenant, owner, name, sealed, changed_ms) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, owner, name) DO UPDATE SET sealed = excluded.sealed, changed_ms = excluded.changed_ms"
);
statement!(SECRET_GET, "SELECT sealed FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3");

/// Inserts an app; a taken name is a conflict on `name_key`.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, app: &App, now_ms: i64) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        app.id.as_str().into(),
        app.name.as_str().into(),
        scim::fold(&app.name).into(),
        app.state.as_str().into(),
        settings_text(&app.settings)?.into(),
        now_ms.into(),
    ];
    tx.exec(&INSERT, &params).map(drop)
}

/// The app with this id.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Option<App>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), app.as_str().into()], read)
}

/// The version of an app: rises whenever its settings or state change.
pub fn version(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Option<i64>, StoreError> {
    tx.optional(&VERSION, &[tenant.as_str().into(), app.as_str().into()], |row| row.int(0))
}

/// The app of this name, without regard to case.
pub fn by_name(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Option<App>, StoreError> {
    tx.optional(&BY_NAME, &[tenant.as_str().into(), scim::fold(name).into()], read)
}

/// All apps by name.
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<App>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into()], read)
}

/// Saves state and settings if the version is still the one that was read; false: somebody else was faster.
pub fn update(tx: &mut Tx<'_>, tenant: &TenantId, app: &App) -> Result<bool, StoreError> {
    let params = [
        tenant.as_str().into(),
        app.id.as_str().into(),
        app.state.as_str().into(),
        settings_text(&app.settings)?.into(),
        app.version.into(),
    ];
    Ok(tx.exec(&UPDATE, &params)? == 1)
}

/// Who is assigned, with priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// A user or a group.
    pub subject: Subject,
    /// Lower goes first.
    pub priority: i64,
}

/// Assigns a user or group; false if it was already so.
pub fn assign(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    assignment: &Assignment,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let params = [
        tenant.as_str().into(),
        app.as_str().into(),
        assignment.subject.id().into(),
        assignment.subject.kind().into(),
        assignment.priority.into(),
        now_ms.into(),
    ];
    Ok(tx.exec(&ASSIGN, &params)? == 1)
}

/// Takes an assignment back; false if there was none.
pub fn unassign(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    subject: &Subject,
) -> Result<bool, StoreError> {
    Ok(tx.exec(&UNASSIGN, &[tenant.as_str().into(), app.as_str().into(), subject.id().into()])? == 1)
}

/// All assignments of an app.
pub fn assignments(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Vec<Assignment>, StoreError> {
    tx.rows(&ASSIGNMENTS, &[tenant.as_str().into(), app.as_str().into()], |row| {
        Ok(Assignment { subject: Subject::from_parts(&row.text(1)?, row.text(0)?), priority: row.int(2)? })
    })
}

/// Apps that this very user or group is assigned to.
pub fn assigned_apps(tx: &mut Tx<'_>, tenant: &TenantId, subject: &str) -> Result<Vec<AppId>, StoreError> {
    let mut apps = tx
        .rows(&ASSIGNED_APPS, &[tenant.as_str().into(), subject.into()], |row| row.text(0).map(AppId::new))?;
    apps.sort();
    Ok(apps)
}

/// Apps that these very users or groups are assigned to, by user or group.
pub fn assigned_apps_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    subjects: &[&str],
) -> Result<BTreeMap<String, Vec<AppId>>, StoreError> {
    let rows = in_chunks(tx, (&ASSIGNED_APPS_OF_ONE, &ASSIGNED_APPS_OF), tenant, subjects, |row| {
        Ok((row.text(0)?, row.text(1)?))
    })?;
    let mut apps: BTreeMap<String, Vec<AppId>> = BTreeMap::new();
    for (subject, app) in rows {
        apps.entry(subject).or_default().push(AppId::new(app));
    }
    Ok(apps)
}

/// Why users are entitled to an app, by user: direct assignment first, then groups by priority. Who is not is left out.
pub fn entitlements(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    users: &[&str],
) -> Result<BTreeMap<String, Vec<Entitlement>>, StoreError> {
    let rows = in_chunks_and(tx, &ENTITLEMENTS, tenant, users, &[app.as_str().into()], |row| {
        let entitlement = if row.text(2)? == "group" {
            Entitlement::Group { id: GroupId::new(row.text(1)?), name: row.opt_text(3)?.unwrap_or_default() }
        } else {
            Entitlement::Direct
        };
        Ok((row.text(0)?, entitlement))
    })?;
    let mut found: BTreeMap<String, Vec<Entitlement>> = BTreeMap::new();
    for (user, entitlement) in rows {
        found.entry(user).or_default().push(entitlement);
    }
    Ok(found)
}

/// Mirrors a group in an app; false if it already was.
pub fn push_add(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into(), now_ms.into()];
    Ok(tx.exec(&PUSH_ADD, &params)? == 1)
}

/// Ends the mirroring; `leave` keeps the group in the app. False if there was no push.
pub fn push_remove(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    leave: bool,
) -> Result<bool, StoreError> {
    let policy = if leave { "leave" } else { "delete" };
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into(), policy.into()];
    Ok(tx.exec(&PUSH_REMOVE, &params)? == 1)
}

/// Whether and how a group is mirrored; none: it never was.
pub fn push_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
) -> Result<Option<Push>, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into()];
    tx.optional(&PUSH_GET, &params, |row| Ok(read_push(&row.text(0)?, &row.text(1)?)))
}

/// Push groups of an app with their display names.
pub fn push_list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
) -> Result<Vec<(GroupId, Push, String)>, StoreError> {
    tx.rows(&PUSH_LIST, &[tenant.as_str().into(), app.as_str().into()], |row| {
        Ok((GroupId::new(row.text(0)?), read_push(&row.text(1)?, &row.text(2)?), row.text(3)?))
    })
}

/// Apps that a group is mirrored in.
pub fn pushed_to(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupId) -> Result<Vec<AppId>, StoreError> {
    let mut apps = tx.rows(&PUSHED_TO, &[tenant.as_str().into(), group.as_str().into()], |row| {
        row.text(0).map(AppId::new)
    })?;
    apps.sort();
    Ok(apps)
}

/// Stores a sealed secret of an owner, for example an app's `token`.
pub fn put_secret(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    owner: &str,
    name: &str,
    sealed: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let params = [tenant.as_str().into(), owner.into(), name.into(), sealed.into(), now_ms.into()];
    tx.exec(&SECRET_PUT, &params).map(drop)
}

/// A sealed secret.
pub fn secret(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    owner: &str,
    name: &str,
) -> Result<Option<String>, StoreError> {
    tx.optional(&SECRET_GET, &[tenant.as_str().into(), owner.into(), name.into()], |row| row.text(0))
}

fn read_push(state: &str, on_removal: &str) -> Push {
    match (state, on_removal) {
        ("active", _) => Push::Active,
        (_, "leave") => Push::Leave,
        _ => Push::Delete,
    }
}

fn settings_text(settings: &AppSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings)
        .map_err(|error| StoreError::Row { statement: "app", detail: format!("app settings: {error}") })
}

fn read(row: &Row<'_>) -> Result<App, StoreError> {
    let settings = serde_json::from_value(row.json(3)?)
        .map_err(|error| StoreError::Row { statement: "app", detail: format!("app settings: {error}") })?;
    Ok(App {
        id: AppId::new(row.text(0)?),
        name: row.text(1)?,
        state: AppState::parse(&row.text(2)?),
        settings,
        version: row.int(4)?,
    })
}
