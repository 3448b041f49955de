//! Members of groups: rows of a user or a nested group. Rows outlive their user and group, and then do not count.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::Member;
use domain::ids::{GroupId, TenantId, UserId};

use super::user::{in_32, in_lists};
use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO member(tenant, group_id, member_id, kind) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
);
statement!(DELETE, "DELETE FROM member WHERE tenant = $1 AND group_id = $2 AND member_id = $3");
statement!(
    DIRECT,
    "SELECT m.kind, m.member_id, COALESCE(u.departed, 0) FROM member m
     LEFT JOIN usr u ON u.tenant = m.tenant AND u.id = m.member_id AND u.deleted_ms IS NULL AND m.kind = 'user'
     LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.member_id AND g.deleted_ms IS NULL AND m.kind = 'group'
     WHERE m.tenant = $1 AND m.group_id = $2 AND m.member_id > $3 AND (u.id IS NOT NULL OR g.id IS NOT NULL)
     ORDER BY m.member_id LIMIT $4"
);
statement!(ROWS_OF, "SELECT member_id FROM member WHERE tenant = $1 AND group_id = $2 ORDER BY member_id");
statement!(
    UP_TO,
    "SELECT COUNT(*) FROM (SELECT 1 FROM member WHERE tenant = $1 AND group_id = $2 LIMIT $3) AS counted"
);
statement!(
    GROUPS_OF,
    "SELECT m.group_id FROM member m LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
     WHERE m.tenant = $1 AND m.member_id = $2 AND g.deleted_ms IS NULL ORDER BY m.group_id"
);
statement!(
    ANCESTORS,
    "WITH RECURSIVE above(tenant, id) AS (
       SELECT m.tenant, m.group_id FROM member m LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
       WHERE m.tenant = $1 AND m.member_id = $2 AND g.deleted_ms IS NULL
       UNION
       SELECT m.tenant, m.group_id FROM above a
       JOIN member m ON m.tenant = a.tenant AND m.member_id = a.id
       LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
       WHERE g.deleted_ms IS NULL
     ) SELECT id FROM above ORDER BY id"
);
statement!(
    DESCENDANTS,
    "WITH RECURSIVE reach(tenant, id) AS (
       SELECT tenant, id FROM grp WHERE tenant = $1 AND id = $2 AND deleted_ms IS NULL
       UNION
       SELECT m.tenant, m.member_id FROM reach r
       JOIN member m ON m.tenant = r.tenant AND m.group_id = r.id AND m.kind = 'group'
       LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.member_id
       WHERE g.deleted_ms IS NULL
     ) SELECT id FROM reach ORDER BY id"
);
statement!(
    EFFECTIVE_USERS,
    "WITH RECURSIVE reach(tenant, id) AS (
       SELECT tenant, id FROM grp WHERE tenant = $1 AND id = $2 AND (deleted_ms IS NULL OR $5)
       UNION
       SELECT m.tenant, m.member_id FROM reach r
       JOIN member m ON m.tenant = r.tenant AND m.group_id = r.id AND m.kind = 'group'
       LEFT JOIN grp g ON g.tenant = m.tenant AND g.id = m.member_id
       WHERE g.deleted_ms IS NULL OR $5
     )
     SELECT DISTINCT m.member_id FROM member m
     LEFT JOIN usr u ON u.tenant = m.tenant AND u.id = m.member_id
     WHERE m.tenant = $1 AND m.group_id IN (SELECT id FROM reach) AND m.kind = 'user' AND m.member_id > $3
       AND (u.deleted_ms IS NULL OR $5)
     ORDER BY m.member_id LIMIT $4"
);
statement!(
    NESTED,
    "SELECT m.group_id, m.member_id FROM member m
     JOIN grp a ON a.tenant = m.tenant AND a.id = m.group_id AND a.deleted_ms IS NULL
     JOIN grp b ON b.tenant = m.tenant AND b.id = m.member_id AND b.deleted_ms IS NULL
     WHERE m.tenant = $1 AND m.kind = 'group' ORDER BY m.group_id, m.member_id"
);
// The cross join keeps the order: from the memberships to their groups. Whether a group lies in another comes with it, for most do not.
macro_rules! within {
    ($($members:expr),+) => {
        concat!(
            "SELECT m.member_id, g.id, g.display_name, CAST(1 AS BIGINT), CAST(CASE WHEN EXISTS
               (SELECT 1 FROM member n WHERE n.tenant = g.tenant AND n.member_id = g.id) THEN 1 ELSE 0 END AS BIGINT)
             FROM member m CROSS JOIN grp g WHERE m.tenant = $1 AND m.member_id ",
            $($members,)+
            " AND g.tenant = m.tenant AND g.id = m.group_id AND g.deleted_ms IS NULL ORDER BY m.member_id, m.group_id"
        )
    };
}

statement!(WITHIN, within!("IN ", in_32!()));
statement!(WITHIN_ONE, within!("= $2"));
statement!(
    CONTAINING,
    concat!(
        "WITH RECURSIVE above(member, tenant, id, direct) AS (
           SELECT m.member_id, m.tenant, m.group_id, 1 FROM member m
           WHERE m.tenant = $1 AND m.member_id IN ",
        in_32!(),
        "  UNION
           SELECT a.member, m.tenant, m.group_id, 0 FROM above a
           JOIN grp p ON p.tenant = a.tenant AND p.id = a.id AND p.deleted_ms IS NULL
           JOIN member m ON m.tenant = p.tenant AND m.member_id = p.id
         )
         SELECT a.member, g.id, g.display_name, CAST(MAX(a.direct) AS BIGINT) FROM above a
         JOIN grp g ON g.tenant = a.tenant AND g.id = a.id AND g.deleted_ms IS NULL
         GROUP BY a.member, g.id, g.display_name ORDER BY a.member, g.id"
    )
);
statement!(
    TOUCH_GROUP,
    "UPDATE grp SET members_version = members_version + 1, modified_ms = $3 WHERE tenant = $1 AND id = $2"
);
statement!(
    TOUCH_GROUPS_OF,
    "UPDATE grp SET members_version = members_version + 1, modified_ms = $3
     WHERE tenant = $1 AND id IN (SELECT group_id FROM member WHERE tenant = $1 AND member_id = $2)"
);
statement!(
    TOUCH_GROUPS_OF_DEPARTED,
    "UPDATE grp SET members_version = members_version + 1, modified_ms = $3
     WHERE tenant = $1 AND id IN (SELECT group_id FROM member WHERE tenant = $1 AND member_id = $2)
       AND EXISTS (SELECT 1 FROM usr WHERE tenant = $1 AND id = $2 AND departed > 0)"
);
statement!(IS_DIRECT, "SELECT kind FROM member WHERE tenant = $1 AND group_id = $2 AND member_id = $3");
statement!(
    COUNT,
    "SELECT COUNT(*) FROM member m
     JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id AND g.deleted_ms IS NULL
     WHERE m.tenant = $1"
);

/// A group that contains a user or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containing {
    /// The group's id.
    pub group: GroupId,
    /// Its name.
    pub display_name: String,
    /// Whether the member is its own, and not only one of a group nested in it.
    pub direct: bool,
}

/// Adds a member; false if it was one.
pub fn insert(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    member: &Member,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), group.as_str().into(), member.id().into(), member.kind().into()];
    Ok(tx.exec(&INSERT, &params)? > 0)
}

/// Removes a member; false if it was none.
pub fn delete(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    member: &Member,
) -> Result<bool, StoreError> {
    Ok(tx.exec(&DELETE, &[tenant.as_str().into(), group.as_str().into(), member.id().into()])? > 0)
}

/// Direct members that are not deleted, by id, after the id `after` (empty: from the first).
pub fn direct(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    after: &str,
    limit: i64,
) -> Result<Vec<Member>, StoreError> {
    let found = direct_departed(tx, tenant, group, after, limit)?;
    Ok(found.into_iter().map(|(member, _)| member).collect())
}

/// [`direct`] with whether some connection does not see the member any more: see [`super::departure`].
pub fn direct_departed(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    after: &str,
    limit: i64,
) -> Result<Vec<(Member, bool)>, StoreError> {
    tx.rows(&DIRECT, &[tenant.as_str().into(), group.as_str().into(), after.into(), limit.into()], |row| {
        let id = row.text(1)?;
        let member = match row.text(0)?.as_str() {
            "group" => Member::Group(GroupId::new(id)),
            _ => Member::User(UserId::new(id)),
        };
        Ok((member, row.int(2)? > 0))
    })
}

/// The ids of all rows of a group, also those of deleted members.
pub fn rows_of(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupId) -> Result<Vec<String>, StoreError> {
    tx.rows(&ROWS_OF, &[tenant.as_str().into(), group.as_str().into()], |row| row.text(0))
}

/// Whether a group has more rows than this; counts no further.
pub fn more_than(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupId, rows: i64) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), group.as_str().into(), (rows + 1).into()];
    Ok(tx.one(&UP_TO, &params, |row| row.int(0))? > rows)
}

/// The groups that have this user or group as a direct member.
pub fn groups_of(tx: &mut Tx<'_>, tenant: &TenantId, member_id: &str) -> Result<Vec<GroupId>, StoreError> {
    tx.rows(&GROUPS_OF, &[tenant.as_str().into(), member_id.into()], group_id)
}

/// The groups that contain these users or groups, directly or nested, by member and then by group; deleted groups
/// neither count nor pass on.
pub fn containing(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    members: &[&str],
) -> Result<BTreeMap<String, Vec<Containing>>, StoreError> {
    let read = |row: &Row<'_>| Ok((row.text(0)?, containing_row(row)?, row.int(4)? == 1));
    let direct = match members {
        [member] => tx.rows(&WITHIN_ONE, &[tenant.as_str().into(), (*member).into()], read)?,
        _ => in_lists(tx, &WITHIN, tenant, members, read)?,
    };
    let mut found: BTreeMap<String, Vec<Containing>> = BTreeMap::new();
    let mut deeper = BTreeSet::new();
    for (member, group, nested) in direct {
        if nested {
            deeper.insert(member.clone());
        }
        found.entry(member).or_default().push(group);
    }
    if !deeper.is_empty() {
        found.retain(|member, _| !deeper.contains(member));
        let deeper: Vec<&str> = deeper.iter().map(String::as_str).collect();
        let read = |row: &Row<'_>| Ok((row.text(0)?, containing_row(row)?));
        for (member, group) in in_lists(tx, &CONTAINING, tenant, &deeper, read)? {
            found.entry(member).or_default().push(group);
        }
    }
    Ok(found)
}

/// Notes on a group that its direct members changed: its version as the endpoint shows it rises.
pub fn touch_group(tx: &mut Tx<'_>, tenant: &TenantId, group: &str, now_ms: i64) -> Result<(), StoreError> {
    tx.later(&TOUCH_GROUP, &[tenant.as_str().into(), group.into(), now_ms.into()])
}

/// Notes the same on every group that has this user or group as a direct member.
pub fn touch_groups_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    member: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.later(&TOUCH_GROUPS_OF, &[tenant.as_str().into(), member.into(), now_ms.into()])
}

/// The same for a user whom some connection does not see: what it is shown of the groups is about to change.
pub fn touch_groups_of_departed(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    user: &UserId,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.later(&TOUCH_GROUPS_OF_DEPARTED, &[tenant.as_str().into(), user.as_str().into(), now_ms.into()])
}

/// Whether there is a row for this direct member, deleted or not.
pub fn has_row(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    member: &str,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), group.as_str().into(), member.into()];
    Ok(tx.optional(&IS_DIRECT, &params, |row| row.text(0))?.is_some())
}

/// All groups that contain this user or group, directly or nested. Deleted groups neither count nor pass on; whether
/// the member itself is deleted does not matter.
pub fn ancestors(tx: &mut Tx<'_>, tenant: &TenantId, member_id: &str) -> Result<Vec<GroupId>, StoreError> {
    tx.rows(&ANCESTORS, &[tenant.as_str().into(), member_id.into()], group_id)
}

/// The group itself and all groups nested in it; nothing if it is deleted.
pub fn descendants(tx: &mut Tx<'_>, tenant: &TenantId, group: &GroupId) -> Result<Vec<GroupId>, StoreError> {
    tx.rows(&DESCENDANTS, &[tenant.as_str().into(), group.as_str().into()], group_id)
}

/// The users that are members directly or through nested groups, by id, after the id `after` (empty: from the first).
/// With `even_deleted`, deleted users and groups count as if they were not: who was a member until the deletion.
pub fn effective_users(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    after: &str,
    limit: i64,
    even_deleted: bool,
) -> Result<Vec<UserId>, StoreError> {
    let params =
        [tenant.as_str().into(), group.as_str().into(), after.into(), limit.into(), even_deleted.into()];
    tx.rows(&EFFECTIVE_USERS, &params, |row| Ok(UserId::new(row.text(0)?)))
}

/// Whether the user is a member directly or through nested groups; a deleted user is none.
pub fn is_effective(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    user: &UserId,
) -> Result<bool, StoreError> {
    if !ancestors(tx, tenant, user.as_str())?.contains(group) {
        return Ok(false);
    }
    Ok(super::user::get(tx, tenant, user)?.is_some_and(|user| user.deleted_ms.is_none()))
}

/// Whether nesting `nested` in `group` would make a group a member of itself.
pub fn would_cycle(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &GroupId,
    nested: &GroupId,
) -> Result<bool, StoreError> {
    Ok(group == nested || descendants(tx, tenant, nested)?.contains(group))
}

/// Every direct nesting (outer, inner) between groups that are not deleted.
pub fn nestings(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<(GroupId, GroupId)>, StoreError> {
    tx.rows(&NESTED, &[tenant.as_str().into()], |row| {
        Ok((GroupId::new(row.text(0)?), GroupId::new(row.text(1)?)))
    })
}

/// How many rows the groups that are not deleted have.
pub fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT, &[tenant.as_str().into()], |row| row.int(0))
}

fn containing_row(row: &Row<'_>) -> Result<Containing, StoreError> {
    Ok(Containing { group: GroupId::new(row.text(1)?), display_name: row.text(2)?, direct: row.int(3)? == 1 })
}

fn group_id(row: &Row<'_>) -> Result<GroupId, StoreError> {
    Ok(GroupId::new(row.text(0)?))
}
