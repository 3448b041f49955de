//! What is remembered of a connection's requests for findings, and the directory's side of them.

use domain::finding_state::{Late, Watched};
use domain::ids::{ConnectionId, GroupId, TenantId, UserId};

use crate::{Row, StoreError, Tx, statement};

statement!(
    GET,
    "SELECT times, first_ms, last_ms, usual_ms FROM watch
      WHERE tenant = $1 AND connection = $2 AND kind = $3 AND object = $4"
);
statement!(
    PUT,
    "INSERT INTO watch(tenant, connection, kind, object, times, first_ms, last_ms, usual_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, connection, kind, object) DO UPDATE SET times = excluded.times, first_ms = excluded.first_ms,
       last_ms = excluded.last_ms, usual_ms = excluded.usual_ms"
);
statement!(FORGET, "DELETE FROM watch WHERE tenant = $1 AND last_ms < $2 AND kind <> 'call'");
statement!(OLDER, "SELECT 1 FROM watch WHERE tenant = $1 AND last_ms < $2 AND kind <> 'call' LIMIT 1");
statement!(
    GROUP_WRITES,
    "SELECT w.object, g.display_name, w.last_ms FROM watch w JOIN grp g ON g.tenant = w.tenant AND g.id = w.object
      WHERE w.tenant = $1 AND w.connection = $2 AND w.kind = 'group_write' AND w.last_ms >= $3 AND g.deleted_ms IS NULL
      ORDER BY w.last_ms, w.object"
);
// Ids begin with the time of creation.
statement!(
    CREATED,
    "SELECT u.id, u.user_name, u.created_ms,
       CASE WHEN EXISTS (SELECT 1 FROM member m JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
                         WHERE m.tenant = u.tenant AND m.member_id = u.id AND g.source = $2 AND g.deleted_ms IS NULL)
            THEN 1 ELSE 0 END
     FROM usr u WHERE u.tenant = $1 AND u.source = $2 AND u.id >= $3 AND u.id < $4 AND u.deleted_ms IS NULL AND u.active
     ORDER BY u.id DESC LIMIT $5"
);
statement!(
    IN_GROUP_OF,
    "SELECT 1 FROM member m JOIN grp g ON g.tenant = m.tenant AND g.id = m.group_id
      WHERE m.tenant = $1 AND m.member_id = $2 AND g.source = $3 AND g.deleted_ms IS NULL LIMIT 1"
);

/// What is remembered of one object.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    kind: &'static str,
    object: &str,
) -> Result<Option<Watched>, StoreError> {
    tx.optional(
        &GET,
        &[tenant.as_str().into(), connection.as_str().into(), kind.into(), object.into()],
        |row| {
            Ok(Watched {
                times: row.int(0)?,
                first_ms: row.int(1)?,
                last_ms: row.int(2)?,
                usual_ms: row.int(3)?,
            })
        },
    )
}

/// Remembers it in place of what was remembered.
pub fn put(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    kind: &'static str,
    object: &str,
    watched: &Watched,
) -> Result<(), StoreError> {
    let params = [
        tenant.as_str().into(),
        connection.as_str().into(),
        kind.into(),
        object.into(),
        watched.times.into(),
        watched.first_ms.into(),
        watched.last_ms.into(),
        watched.usual_ms.into(),
    ];
    tx.later(&PUT, &params)
}

/// Whether there are refusals or group writes from before a time.
pub fn has_older(tx: &mut Tx<'_>, tenant: &TenantId, before_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.optional(&OLDER, &[tenant.as_str().into(), before_ms.into()], |_| Ok(()))?.is_some())
}

/// Forgets refusals and group writes from before a time.
pub fn forget(tx: &mut Tx<'_>, tenant: &TenantId, before_ms: i64) -> Result<u64, StoreError> {
    tx.exec(&FORGET, &[tenant.as_str().into(), before_ms.into()])
}

/// Groups that the connection wrote since a time: id, name, last write; the oldest first.
pub fn group_writes(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    since_ms: i64,
) -> Result<Vec<(GroupId, String, i64)>, StoreError> {
    let params = [tenant.as_str().into(), connection.as_str().into(), since_ms.into()];
    tx.rows(&GROUP_WRITES, &params, |row| Ok((GroupId::new(row.text(0)?), row.text(1)?, row.int(2)?)))
}

/// Active users of a source that were created in a span of time, the newest first, and whether each is in a group of the
/// same source.
pub fn created(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    source: &str,
    from_ms: i64,
    to_ms: i64,
    limit: i64,
) -> Result<Vec<Late>, StoreError> {
    let edge = |ms: i64| domain::ids::uuid_v7(ms, 0);
    let params =
        [tenant.as_str().into(), source.into(), edge(from_ms).into(), edge(to_ms).into(), limit.into()];
    tx.rows(&CREATED, &params, read)
}

/// Whether a user is in a group of this source.
pub fn is_in_group_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    user: &UserId,
    source: &str,
) -> Result<bool, StoreError> {
    let params = [tenant.as_str().into(), user.as_str().into(), source.into()];
    Ok(tx.optional(&IN_GROUP_OF, &params, |_| Ok(()))?.is_some())
}

fn read(row: &Row<'_>) -> Result<Late, StoreError> {
    Ok(Late {
        id: UserId::new(row.text(0)?),
        name: row.text(1)?,
        created_ms: row.int(2)?,
        in_group: row.int(3)? == 1,
    })
}
