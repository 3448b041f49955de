//! Changes whose subjects are not yet spread over the lanes: written with the change, expanded by the dispatcher.

use domain::ids::{AppId, GroupId, TenantId, WaveId};

use crate::{Row, StoreError, Tx, statement};

statement!(
    INSERT,
    "INSERT INTO change(tenant, id, kind, object, member, app, wave, priority, after_id, created_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9)"
);
statement!(
    FIRST,
    "SELECT id, kind, object, member, app, wave, priority, after_id, created_ms FROM change WHERE tenant = $1 ORDER BY id LIMIT $2"
);
statement!(ADVANCE, "UPDATE change SET after_id = $3 WHERE tenant = $1 AND id = $2");
statement!(DELETE_TO, "DELETE FROM change WHERE tenant = $1 AND id <= $2");
statement!(COUNT, "SELECT COUNT(*) FROM change WHERE tenant = $1");
statement!(
    GROUPS_TO_COME,
    "SELECT kind, object, app FROM change WHERE tenant = $1 AND kind IN ('assignment', 'push_group') AND member <> 'user'
       AND after_id = '' ORDER BY id LIMIT $2"
);

/// What kind of range a change stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// `object` is a user whose attributes or state changed.
    User,
    /// `object` is a group whose attributes changed, or that was deleted or restored: also all its members.
    Group,
    /// `object` is a group; the user `member` joined or left it.
    MemberUser,
    /// `object` is a group; the group `member` was nested in it or taken out.
    MemberGroup,
    /// `object` is a user or group that was assigned to `app` or unassigned (`member` is its kind).
    Assignment,
    /// Settings of `app` changed: everybody linked or assigned.
    App,
    /// `object` is a group whose push to `app` was added or removed.
    PushGroup,
}

impl ChangeKind {
    const ALL: [(ChangeKind, &'static str); 7] = [
        (ChangeKind::User, "user"),
        (ChangeKind::Group, "group"),
        (ChangeKind::MemberUser, "member_user"),
        (ChangeKind::MemberGroup, "member_group"),
        (ChangeKind::Assignment, "assignment"),
        (ChangeKind::App, "app"),
        (ChangeKind::PushGroup, "push_group"),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("user", |(_, text)| text)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind)
    }
}

/// A range of subjects that may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeChange {
    /// UUIDv7: changes are expanded in their order.
    pub id: String,
    /// What it stands for.
    pub kind: ChangeKind,
    /// The object.
    pub object: String,
    /// The member, for memberships.
    pub member: String,
    /// The app, where there is one; else empty.
    pub app: String,
    /// The wave of the marks that come of it.
    pub wave: WaveId,
    /// Priority of the marks: 0 leavers, 1 on demand, 5 normal, 8 bulk.
    pub priority: i64,
    /// Keyset cursor of the expansion.
    pub after_id: String,
    /// Unix milliseconds.
    pub created_ms: i64,
}

/// Writes a change, in the transaction of what it stands for.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, change: &RangeChange) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        change.id.as_str().into(),
        change.kind.as_str().into(),
        change.object.as_str().into(),
        change.member.as_str().into(),
        change.app.as_str().into(),
        change.wave.as_str().into(),
        change.priority.into(),
        change.created_ms.into(),
    ];
    tx.later(&INSERT, &params)
}

/// The oldest changes that are not expanded to their end.
pub fn first(tx: &mut Tx<'_>, tenant: &TenantId, limit: i64) -> Result<Vec<RangeChange>, StoreError> {
    tx.rows(&FIRST, &[tenant.as_str().into(), limit.into()], read)
}

/// Notes how far a change is expanded.
pub fn advance(tx: &mut Tx<'_>, tenant: &TenantId, id: &str, after_id: &str) -> Result<(), StoreError> {
    tx.later(&ADVANCE, &[tenant.as_str().into(), id.into(), after_id.into()])
}

/// Removes the changes that are expanded to their end: all up to this one.
pub fn delete_to(tx: &mut Tx<'_>, tenant: &TenantId, id: &str) -> Result<(), StoreError> {
    tx.later(&DELETE_TO, &[tenant.as_str().into(), id.into()])
}

/// How many changes wait for their expansion.
pub fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT, &[tenant.as_str().into()], |row| row.int(0))
}

/// Assignments and pushes of groups whose expansion has not begun, the oldest `limit` of them: kind, group and app.
pub fn groups_to_come(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    limit: i64,
) -> Result<Vec<(ChangeKind, GroupId, AppId)>, StoreError> {
    tx.rows(&GROUPS_TO_COME, &[tenant.as_str().into(), limit.into()], |row| {
        Ok((kind(row, 0)?, GroupId::new(row.text(1)?), AppId::new(row.text(2)?)))
    })
}

fn kind(row: &Row<'_>, place: usize) -> Result<ChangeKind, StoreError> {
    let text = row.text(place)?;
    ChangeKind::parse(&text)
        .ok_or(StoreError::Row { statement: "change", detail: format!("unknown kind of change '{text}'") })
}

fn read(row: &Row<'_>) -> Result<RangeChange, StoreError> {
    Ok(RangeChange {
        id: row.text(0)?,
        kind: kind(row, 1)?,
        object: row.text(2)?,
        member: row.text(3)?,
        app: row.text(4)?,
        wave: WaveId::new(row.text(5)?),
        priority: row.int(6)?,
        after_id: row.text(7)?,
        created_ms: row.int(8)?,
    })
}
