//! Users whom a connection took away or who may not be active yet.

use domain::departure::{Departure, DepartureState};
use domain::ids::{ConnectionId, TenantId, UserId};

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    PUT,
    "INSERT INTO departure(tenant, connection, user_id, state, since_ms, delete_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant, connection, user_id)
     DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms, delete_at_ms = excluded.delete_at_ms"
);
statement!(HOLD_USER, "UPDATE usr SET departed = departed WHERE tenant = $1 AND id = $2");
statement!(
    COUNT_ON_USER,
    "UPDATE usr SET departed = (SELECT COUNT(*) FROM departure WHERE tenant = $1 AND user_id = $2 AND state = 'deleted')
      WHERE tenant = $1 AND id = $2"
);
statement!(
    GET,
    "SELECT connection, user_id, state, since_ms, delete_at_ms FROM departure
      WHERE tenant = $1 AND connection = $2 AND user_id = $3"
);
statement!(
    OF_STATE,
    "SELECT connection, user_id, state, since_ms, delete_at_ms FROM departure
      WHERE tenant = $1 AND connection = $2 AND state = $3 AND user_id > $4 ORDER BY user_id LIMIT $5"
);
statement!(
    COUNT_STATE,
    "SELECT COUNT(*) FROM departure WHERE tenant = $1 AND connection = $2 AND state = $3"
);
statement!(
    DUE,
    "SELECT connection, user_id, state, since_ms, delete_at_ms FROM departure
      WHERE tenant = $1 AND delete_at_ms <= $2 ORDER BY delete_at_ms, user_id LIMIT $3"
);
statement!(
    RESCHEDULE,
    "UPDATE departure SET delete_at_ms = $4 WHERE tenant = $1 AND connection = $2 AND user_id = $3"
);
statement!(REMOVE, "DELETE FROM departure WHERE tenant = $1 AND connection = $2 AND user_id = $3");
statement!(REMOVE_USER, "DELETE FROM departure WHERE tenant = $1 AND user_id = $2");

/// Writes one down, in the place of what was known of this user and connection.
pub fn put(tx: &mut Tx<'_>, tenant: &TenantId, new: &Departure) -> Result<(), StoreError> {
    hold_user(tx, tenant, &new.user)?;
    let [tenant_id, connection, user] = key(tenant, &new.connection, &new.user);
    let (state, since_ms) = (new.state.as_str().into(), new.since_ms.into());
    tx.later(&PUT, &[tenant_id, connection, user, state, since_ms, new.delete_at_ms.into()])?;
    count_on_user(tx, tenant, &new.user)
}

/// What is known of this user and connection.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    user: &UserId,
) -> Result<Option<Departure>, StoreError> {
    tx.optional(&GET, &key(tenant, connection, user), read)
}

/// Those of a connection in a state, by user, after the user `after` (empty: from the first).
pub fn of_state(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    state: DepartureState,
    after: &str,
    limit: i64,
) -> Result<Vec<Departure>, StoreError> {
    let params = [
        tenant.as_str().into(),
        connection.as_str().into(),
        state.as_str().into(),
        after.into(),
        limit.into(),
    ];
    tx.rows(&OF_STATE, &params, read)
}

/// How many of a connection are in a state.
pub fn count(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    state: DepartureState,
) -> Result<i64, StoreError> {
    let params = [tenant.as_str().into(), connection.as_str().into(), state.as_str().into()];
    tx.one(&COUNT_STATE, &params, |row| row.int(0))
}

/// Those whose day has come, the earliest first.
pub fn due(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<Departure>, StoreError> {
    tx.rows(&DUE, &[tenant.as_str().into(), now_ms.into(), limit.into()], read)
}

/// Looks at one again at another time; none: never.
pub fn reschedule(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    found: &Departure,
    delete_at_ms: Option<i64>,
) -> Result<(), StoreError> {
    let [tenant, connection, user] = key(tenant, &found.connection, &found.user);
    tx.later(&RESCHEDULE, &[tenant, connection, user, delete_at_ms.into()])
}

/// Forgets what is known of this user and connection.
pub fn remove(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &ConnectionId,
    user: &UserId,
) -> Result<(), StoreError> {
    hold_user(tx, tenant, user)?;
    tx.later(&REMOVE, &key(tenant, connection, user))?;
    count_on_user(tx, tenant, user)
}

/// Forgets everything about a user who is active again; call it after the user's own row is written.
pub fn remove_user(tx: &mut Tx<'_>, tenant: &TenantId, user: &UserId) -> Result<(), StoreError> {
    remove_deleted(tx, tenant, user)?;
    count_on_user(tx, tenant, user)
}

/// Forgets everything about a user who is deleted. The user's own row is not brought up to date: a restored user is counted
/// with [`remove_user`].
pub fn remove_deleted(tx: &mut Tx<'_>, tenant: &TenantId, user: &UserId) -> Result<(), StoreError> {
    tx.later(&REMOVE_USER, &[tenant.as_str().into(), user.as_str().into()])
}

/// Lets two who write down something of the same user pass one after the other, so that the count sees both.
fn hold_user(tx: &mut Tx<'_>, tenant: &TenantId, user: &UserId) -> Result<(), StoreError> {
    tx.later(&HOLD_USER, &[tenant.as_str().into(), user.as_str().into()])
}

fn count_on_user(tx: &mut Tx<'_>, tenant: &TenantId, user: &UserId) -> Result<(), StoreError> {
    tx.later(&COUNT_ON_USER, &[tenant.as_str().into(), user.as_str().into()])
}

fn key(tenant: &TenantId, connection: &ConnectionId, user: &UserId) -> [Value; 3] {
    [tenant.as_str().into(), connection.as_str().into(), user.as_str().into()]
}

fn read(row: &Row<'_>) -> Result<Departure, StoreError> {
    let state = row.text(2)?;
    let state = DepartureState::parse(&state).ok_or_else(|| StoreError::Row {
        statement: "departure",
        detail: format!("unknown state {state}"),
    })?;
    Ok(Departure {
        connection: ConnectionId::new(row.text(0)?),
        user: UserId::new(row.text(1)?),
        state,
        since_ms: row.int(3)?,
        delete_at_ms: row.opt_int(4)?,
    })
}
