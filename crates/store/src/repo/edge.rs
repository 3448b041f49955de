//! Memberships in apps, one row each: what the app holds, whether it may differ, why it waits.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AppId, GroupId, TenantId, UserId};
use domain::snapshot::{EdgeState, EdgeView, LinkState};

use super::user::{in_32, in_chunks_and};
use crate::{StoreError, Tx, Value, statement};

statement!(
    TOUCH,
    "INSERT INTO edge(tenant, app, group_id, user_id, state, dirty, generation, waits, group_generation, user_generation, changed_ms)
     VALUES ($1, $2, $3, $4, 'absent', TRUE, 1, NULL, 0, 0, $5)
     ON CONFLICT (tenant, app, group_id, user_id) DO UPDATE SET dirty = TRUE, generation = edge.generation + 1"
);
statement!(
    DIRTY,
    "WITH RECURSIVE down(tenant, id) AS (
       SELECT tenant, id FROM grp WHERE tenant = $1 AND id = $3 AND deleted_ms IS NULL
       UNION
       SELECT m.tenant, m.member_id FROM down
         JOIN member m ON m.tenant = down.tenant AND m.group_id = down.id AND m.kind = 'group'
         LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.member_id
        WHERE g.deleted_ms IS NULL)
     SELECT e.user_id, e.state, e.generation, l.state, l.remote_id, COALESCE(l.generation, 0),
       COALESCE(u.active AND u.deleted_ms IS NULL, FALSE),
       EXISTS (SELECT 1 FROM member m WHERE m.tenant = $1 AND m.member_id = e.user_id AND m.group_id IN (SELECT id FROM down))
         AND u.deleted_ms IS NULL
     FROM edge e
     LEFT JOIN link l ON l.tenant = e.tenant AND l.app = e.app AND l.subject = e.user_id
     LEFT JOIN usr u ON u.tenant = e.tenant AND u.id = e.user_id
     WHERE e.tenant = $1 AND e.app = $2 AND e.group_id = $3 AND e.dirty
     ORDER BY e.user_id LIMIT $4"
);
statement!(
    SETTLE,
    "UPDATE edge SET state = $5, dirty = CASE WHEN generation = $6 THEN $7 ELSE TRUE END, waits = $8, user_generation = $9,
       changed_ms = $10
     WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4"
);
statement!(
    UNKNOWN,
    "UPDATE edge SET state = 'unknown', waits = NULL, changed_ms = $5 WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4"
);
statement!(
    FORGET_CLEAN,
    "DELETE FROM edge WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4 AND state = 'absent' AND NOT dirty
       AND waits IS NULL AND unsure_until_ms IS NULL"
);
statement!(
    UNSURE,
    "UPDATE edge SET unsure_until_ms = $4 WHERE tenant = $1 AND app = $2 AND group_id = $3 AND state = 'unknown'"
);
statement!(
    UNSURE_ONE,
    "UPDATE edge SET unsure_until_ms = $5 WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4"
);
statement!(
    RECHECK,
    "UPDATE edge SET state = 'unknown', dirty = TRUE, generation = generation + 1, unsure_until_ms = NULL
      WHERE tenant = $1 AND app = $2 AND group_id = $3 AND unsure_until_ms <= $4"
);
statement!(
    GROUP_GONE,
    "UPDATE edge SET state = 'absent', dirty = TRUE, generation = generation + 1, waits = NULL
      WHERE tenant = $1 AND app = $2 AND group_id = $3"
);
statement!(GROUP_FORGET, "DELETE FROM edge WHERE tenant = $1 AND app = $2 AND group_id = $3");
statement!(
    RETRY_REFUSED,
    "UPDATE edge SET dirty = TRUE, generation = generation + 1 WHERE tenant = $1 AND app = $2 AND group_id = $3
       AND waits IN ('refused_by_app', 'removal_refused')"
);
statement!(
    COUNT,
    "SELECT COUNT(*) FROM (
       SELECT 1 FROM edge WHERE tenant = $1 AND app = $2 AND group_id = $3 AND state = 'present' LIMIT $4) AS counted"
);
// The empty text keeps the index of all present memberships out of it: few are dirty, many are present.
statement!(
    COUNT_DIRTY_PRESENT,
    "WITH RECURSIVE down(tenant, id) AS (
       SELECT tenant, id FROM grp WHERE tenant = $1 AND id = $3 AND deleted_ms IS NULL
       UNION
       SELECT m.tenant, m.member_id FROM down
         JOIN member m ON m.tenant = down.tenant AND m.group_id = down.id AND m.kind = 'group'
         LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.member_id
        WHERE g.deleted_ms IS NULL)
     SELECT COUNT(*) FROM edge e
       JOIN link l ON l.tenant = e.tenant AND l.app = e.app AND l.subject = e.user_id AND l.state = 'live'
      WHERE e.tenant = $1 AND e.app = $2 AND e.group_id = $3 AND e.dirty AND e.state || '' = 'present'
        AND NOT EXISTS (SELECT 1 FROM member m WHERE m.tenant = $1 AND m.member_id = e.user_id
                          AND m.group_id IN (SELECT id FROM down))"
);
statement!(
    OF_GROUP,
    "SELECT e.user_id, e.state, e.dirty, e.waits, l.remote_id FROM edge e
       LEFT JOIN link l ON l.tenant = e.tenant AND l.app = e.app AND l.subject = e.user_id
      WHERE e.tenant = $1 AND e.app = $2 AND e.group_id = $3 AND e.user_id > $4 ORDER BY e.user_id LIMIT $5"
);
statement!(
    OF_USER,
    "SELECT e.group_id, e.state, e.dirty, e.waits, g.display_name FROM edge e
       JOIN grp g ON g.tenant = e.tenant AND g.id = e.group_id
      WHERE e.tenant = $1 AND e.app = $2 AND e.user_id = $3 ORDER BY g.display_name_key"
);
// Every generation is above 0: the condition keeps the index of the key out of it, which holds all columns but begins with groups.
statement!(
    GROUPS_OF_USERS,
    concat!(
        "SELECT user_id, group_id FROM edge WHERE tenant = $1 AND app = $34 AND generation > 0 AND user_id IN ",
        in_32!()
    )
);
statement!(
    OBSERVE,
    "UPDATE edge SET state = $5, dirty = TRUE, generation = generation + 1
      WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4 AND NOT dirty AND state <> $5
       AND NOT (state = 'refused' AND $5 = 'absent') AND changed_ms < $6"
);
statement!(WAITING, "SELECT COUNT(*) FROM edge WHERE tenant = $1 AND app = $2 AND waits IS NOT NULL");
statement!(PRESENT, "SELECT COUNT(*) FROM edge WHERE tenant = $1 AND app = $2 AND state = 'present'");

statement!(
    ASSUME_PRESENT,
    "UPDATE edge SET state = 'present' WHERE tenant = $1 AND app = $2 AND group_id = $3 AND user_id = $4 AND dirty"
);

statement!(
    HAS_REFUSED,
    "SELECT 1 FROM edge WHERE tenant = $1 AND app = $2 AND group_id = $3
       AND waits IN ('refused_by_app', 'removal_refused') LIMIT 1"
);

/// A membership as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRow {
    /// The other end: the user of a group's list, the group of a user's list.
    pub other: String,
    /// What the app holds.
    pub state: EdgeState,
    /// It may differ.
    pub dirty: bool,
    /// Why it waits.
    pub waits: Option<String>,
    /// Account id (of a group's list) or the group's display name (of a user's list).
    pub label: Option<String>,
}

pub(crate) fn edge_params(tenant: &TenantId, app: &AppId, group: &GroupId, user: &UserId) -> Vec<Value> {
    vec![tenant.as_str().into(), app.as_str().into(), group.as_str().into(), user.as_str().into()]
}

/// Notes that these memberships of a group may differ.
pub fn touch(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    users: &[UserId],
    now_ms: i64,
) -> Result<(), StoreError> {
    let many: Vec<Vec<Value>> = users
        .iter()
        .map(|user| {
            let mut params = edge_params(tenant, app, group, user);
            params.push(now_ms.into());
            params
        })
        .collect();
    tx.exec_many(&TOUCH, &many).map(drop)
}

/// Memberships of a group that may differ, with everything that decides them. `entitled` is filled by the caller.
pub fn dirty(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    limit: i64,
) -> Result<Vec<EdgeView>, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into(), limit.into()];
    tx.rows(&DIRTY, &params, |row| {
        Ok(EdgeView {
            user: UserId::new(row.text(0)?),
            state: EdgeState::parse(&row.text(1)?),
            generation: row.int(2)?,
            link: row.opt_text(3)?.map(|text| LinkState::parse(&text)),
            account: row.opt_text(4)?,
            link_generation: row.int(5)?,
            active: row.bool(6)?,
            member: row.bool(7)?,
            entitled: true,
        })
    })
}

/// The outcome of one membership; it stays dirty if its generation has risen since it was read.
#[derive(Clone, Debug)]
pub struct EdgeOutcome<'a> {
    /// The member.
    pub user: &'a UserId,
    /// Generation when it was read.
    pub generation: i64,
    /// What the app holds.
    pub state: EdgeState,
    /// It must be looked at again.
    pub dirty: bool,
    /// Why it waits.
    pub waits: Option<&'a str>,
    /// Generation of the link that the request relied on.
    pub link_generation: i64,
}

/// Records outcomes of memberships of one group.
pub fn settle(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    outcomes: &[EdgeOutcome<'_>],
    now_ms: i64,
) -> Result<(), StoreError> {
    let (mut many, mut clean) = (vec![], vec![]);
    for outcome in outcomes {
        let mut params = edge_params(tenant, app, group, outcome.user);
        if outcome.state == EdgeState::Absent && !outcome.dirty && outcome.waits.is_none() {
            clean.push(params.clone());
        }
        params.extend([
            outcome.state.as_str().into(),
            outcome.generation.into(),
            outcome.dirty.into(),
            outcome.waits.into(),
            outcome.link_generation.into(),
            now_ms.into(),
        ]);
        many.push(params);
    }
    tx.exec_many(&SETTLE, &many)?;
    tx.exec_many(&FORGET_CLEAN, &clean).map(drop)
}

/// Notes, with the intent, that the outcome of these memberships is not known until it is recorded.
pub fn set_unknown(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    users: &[&UserId],
    now_ms: i64,
) -> Result<(), StoreError> {
    let many: Vec<Vec<Value>> = users
        .iter()
        .map(|user| {
            let mut params = edge_params(tenant, app, group, user);
            params.push(now_ms.into());
            params
        })
        .collect();
    tx.exec_many(&UNKNOWN, &many).map(drop)
}

/// A request that may still take effect until then has touched the memberships that are unknown now, whatever is recorded
/// of them in the meantime.
pub fn unsure_until(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    until_ms: i64,
) -> Result<(), StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into(), until_ms.into()];
    tx.exec(&UNSURE, &params).map(drop)
}

/// One membership is tried once more at a time: the app may not show a young account to its groups yet.
pub fn try_again_at(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    user: &UserId,
    at_ms: i64,
) -> Result<(), StoreError> {
    let mut params = edge_params(tenant, app, group, user);
    params.push(at_ms.into());
    tx.exec(&UNSURE_ONE, &params).map(drop)
}

/// Nothing can be late any more: memberships that an unanswered request has touched are sent once more. How many.
pub fn recheck(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    now_ms: i64,
) -> Result<u64, StoreError> {
    tx.exec(&RECHECK, &[tenant.as_str().into(), app.as_str().into(), group.as_str().into(), now_ms.into()])
}

/// The group is gone in the app: no membership is there, all may differ.
pub fn group_gone(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
) -> Result<(), StoreError> {
    tx.exec(&GROUP_GONE, &[tenant.as_str().into(), app.as_str().into(), group.as_str().into()]).map(drop)
}

/// The group is not pushed any more: its memberships are forgotten.
pub fn group_forgotten(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
) -> Result<(), StoreError> {
    tx.exec(&GROUP_FORGET, &[tenant.as_str().into(), app.as_str().into(), group.as_str().into()]).map(drop)
}

/// Memberships that the app refused are tried again.
pub fn retry_refused(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
) -> Result<u64, StoreError> {
    tx.exec(&RETRY_REFUSED, &[tenant.as_str().into(), app.as_str().into(), group.as_str().into()])
}

/// True if the app refuses a membership of the group.
pub fn has_refused(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into(), group.as_str().into()];
    Ok(tx.optional(&HAS_REFUSED, &params, |_| Ok(()))?.is_some())
}

/// How many memberships of a group are present in the app (counted up to `limit`), and how many of these may have to go.
pub fn count_for_guard(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    limit: i64,
) -> Result<(i64, i64), StoreError> {
    let mut params: Vec<Value> = vec![tenant.as_str().into(), app.as_str().into(), group.as_str().into()];
    let candidates = tx.one(&COUNT_DIRTY_PRESENT, &params, |row| row.int(0))?;
    params.push(limit.into());
    let present = tx.one(&COUNT, &params, |row| row.int(0))?;
    Ok((present, candidates))
}

/// Memberships of a group after a user, with account ids.
pub fn of_group(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    after: &str,
    limit: i64,
) -> Result<Vec<EdgeRow>, StoreError> {
    let params =
        [tenant.as_str().into(), app.as_str().into(), group.as_str().into(), after.into(), limit.into()];
    tx.rows(&OF_GROUP, &params, read_row)
}

/// Memberships of a user, with the groups' names.
pub fn of_user(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    user: &str,
) -> Result<Vec<EdgeRow>, StoreError> {
    tx.rows(&OF_USER, &[tenant.as_str().into(), app.as_str().into(), user.into()], read_row)
}

/// The groups of these users' memberships, by user.
pub fn groups_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    users: &[&str],
) -> Result<BTreeMap<String, BTreeSet<GroupId>>, StoreError> {
    let rows = in_chunks_and(tx, &GROUPS_OF_USERS, tenant, users, &[app.as_str().into()], |row| {
        Ok((row.text(0)?, GroupId::new(row.text(1)?)))
    })?;
    let mut groups: BTreeMap<String, BTreeSet<GroupId>> = BTreeMap::new();
    for (user, group) in rows {
        groups.entry(user).or_default().insert(group);
    }
    Ok(groups)
}

/// A full comparison saw that a clean membership is not as recorded; ignored if it changed after `seen_ms`.
pub fn observe(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    user: &UserId,
    state: EdgeState,
    seen_ms: i64,
) -> Result<bool, StoreError> {
    let mut params = edge_params(tenant, app, group, user);
    params.extend([state.as_str().into(), seen_ms.into()]);
    Ok(tx.exec(&OBSERVE, &params)? == 1)
}

/// A full comparison saw a membership that was not recorded: it is present, whatever becomes of it.
pub fn assume_present(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    group: &GroupId,
    user: &UserId,
) -> Result<(), StoreError> {
    tx.exec(&ASSUME_PRESENT, &edge_params(tenant, app, group, user)).map(drop)
}

/// Waiting and present memberships of an app.
pub fn totals(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<(i64, i64), StoreError> {
    let params = [tenant.as_str().into(), app.as_str().into()];
    let waiting = tx.one(&WAITING, &params, |row| row.int(0))?;
    Ok((waiting, tx.one(&PRESENT, &params, |row| row.int(0))?))
}

fn read_row(row: &crate::Row<'_>) -> Result<EdgeRow, StoreError> {
    Ok(EdgeRow {
        other: row.text(0)?,
        state: EdgeState::parse(&row.text(1)?),
        dirty: row.bool(2)?,
        waits: row.opt_text(3)?,
        label: row.opt_text(4)?,
    })
}
