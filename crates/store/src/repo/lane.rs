//! Lanes: who owns the queue of an app, whether it is held, when it may send again, and what the guard has counted.

use domain::ids::{AppId, TenantId};

use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    ENSURE,
    "INSERT INTO lane(tenant, app, owner, fence, lease_until_ms, probes, not_before_ms) VALUES ($1, $2, '', 0, 0, 0, 0)
     ON CONFLICT (tenant, app) DO NOTHING"
);
statement!(
    GET,
    "SELECT owner, fence, lease_until_ms, held_cause, held_since_ms, probe_at_ms, probes, not_before_ms FROM lane
      WHERE tenant = $1 AND app = $2"
);
statement!(
    TAKE,
    "UPDATE lane SET owner = $3, fence = fence + 1, lease_until_ms = $4 WHERE tenant = $1 AND app = $2 AND fence = $5"
);
statement!(RENEW, "UPDATE lane SET lease_until_ms = $4 WHERE tenant = $1 AND app = $2 AND fence = $3");
statement!(
    RELEASE,
    "UPDATE lane SET owner = '', lease_until_ms = 0 WHERE tenant = $1 AND app = $2 AND fence = $3"
);
statement!(FENCE, "SELECT fence FROM lane WHERE tenant = $1 AND app = $2");
statement!(
    HOLD,
    "UPDATE lane SET held_cause = $3, held_since_ms = COALESCE(held_since_ms, $4), probe_at_ms = $5, probes = probes + 1
      WHERE tenant = $1 AND app = $2"
);
statement!(
    UNHOLD,
    "UPDATE lane SET held_cause = NULL, held_since_ms = NULL, probe_at_ms = NULL, probes = 0 WHERE tenant = $1 AND app = $2
       AND held_cause IS NOT NULL"
);
statement!(
    PROBE_NOW,
    "UPDATE lane SET probe_at_ms = $3 WHERE tenant = $1 AND app = $2 AND held_cause IS NOT NULL"
);
statement!(
    NOT_BEFORE,
    "UPDATE lane SET not_before_ms = $3 WHERE tenant = $1 AND app = $2 AND not_before_ms < $3"
);
statement!(
    GUARD_ADD,
    "INSERT INTO guard_count(tenant, app, scope, hour, sent) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, app, scope, hour) DO UPDATE SET sent = guard_count.sent + excluded.sent"
);
statement!(
    GUARD_SUM,
    "SELECT CAST(COALESCE(SUM(sent), 0) AS BIGINT) FROM guard_count WHERE tenant = $1 AND app = $2 AND scope = $3 AND hour > $4"
);
statement!(GUARD_RESET, "DELETE FROM guard_count WHERE tenant = $1 AND app = $2");

const HOUR_MS: i64 = 3_600_000;

/// The queue of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The process that owns it; empty: nobody.
    pub owner: String,
    /// Rises with every owner.
    pub fence: i64,
    /// Until when it is owned, Unix milliseconds.
    pub lease_until_ms: i64,
    /// Why it is held: a cause's code.
    pub held_cause: Option<String>,
    /// Since when.
    pub held_since_ms: Option<i64>,
    /// When the app is probed next.
    pub probe_at_ms: Option<i64>,
    /// Probes so far.
    pub probes: i64,
    /// The app asked not to be sent anything before this time.
    pub not_before_ms: i64,
}

fn key(tenant: &TenantId, app: &AppId) -> Vec<Value> {
    vec![tenant.as_str().into(), app.as_str().into()]
}

/// The lane of an app; created if it is not there yet.
pub fn ensure(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Lane, StoreError> {
    tx.exec(&ENSURE, &key(tenant, app))?;
    Ok(get(tx, tenant, app)?.unwrap_or_default())
}

/// The lane of an app.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<Option<Lane>, StoreError> {
    tx.optional(&GET, &key(tenant, app), read)
}

/// Takes the lane over from the owner with `fence`; gives the new fence, or none if somebody was faster.
pub fn take(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    owner: &str,
    lease_until_ms: i64,
    fence: i64,
) -> Result<Option<i64>, StoreError> {
    let mut params = key(tenant, app);
    params.extend([owner.into(), lease_until_ms.into(), fence.into()]);
    Ok((tx.exec(&TAKE, &params)? == 1).then_some(fence + 1))
}

/// Extends the lease; false: the lane belongs to another owner.
pub fn renew(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    fence: i64,
    lease_until_ms: i64,
) -> Result<bool, StoreError> {
    let mut params = key(tenant, app);
    params.extend([fence.into(), lease_until_ms.into()]);
    Ok(tx.exec(&RENEW, &params)? == 1)
}

/// Gives the lane back.
pub fn release(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, fence: i64) -> Result<(), StoreError> {
    let mut params = key(tenant, app);
    params.push(fence.into());
    tx.exec(&RELEASE, &params).map(drop)
}

/// The number of the present owner.
pub fn fence(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<i64, StoreError> {
    Ok(tx.optional(&FENCE, &key(tenant, app), |row| row.int(0))?.unwrap_or(0))
}

/// Holds the lane until a probe succeeds.
pub fn hold(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    cause: &str,
    now_ms: i64,
    probe_at_ms: i64,
) -> Result<(), StoreError> {
    let mut params = key(tenant, app);
    params.extend([cause.into(), now_ms.into(), probe_at_ms.into()]);
    tx.exec(&HOLD, &params).map(drop)
}

/// Ends the hold; true if there was one.
pub fn unhold(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<bool, StoreError> {
    Ok(tx.exec(&UNHOLD, &key(tenant, app))? == 1)
}

/// A held lane is probed at once by the next run.
pub fn probe_now(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, now_ms: i64) -> Result<(), StoreError> {
    let mut params = key(tenant, app);
    params.push(now_ms.into());
    tx.exec(&PROBE_NOW, &params).map(drop)
}

/// Notes that nothing may be sent before a time.
pub fn not_before(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId, until_ms: i64) -> Result<(), StoreError> {
    let mut params = key(tenant, app);
    params.push(until_ms.into());
    tx.exec(&NOT_BEFORE, &params).map(drop)
}

/// Counts destructive effects that are about to be sent; `scope` is a group for removed members, else empty.
pub fn guard_add(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    scope: &str,
    now_ms: i64,
    effects: i64,
) -> Result<(), StoreError> {
    let mut params = key(tenant, app);
    params.extend([scope.into(), (now_ms / HOUR_MS).into(), effects.into()]);
    tx.exec(&GUARD_ADD, &params).map(drop)
}

/// Destructive effects of the last 24 hours.
pub fn guard_sum(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    app: &AppId,
    scope: &str,
    now_ms: i64,
) -> Result<i64, StoreError> {
    let mut params = key(tenant, app);
    params.extend([scope.into(), (now_ms / HOUR_MS - 24).into()]);
    tx.one(&GUARD_SUM, &params, |row| row.int(0))
}

/// An approval by a person starts the count anew.
pub fn guard_reset(tx: &mut Tx<'_>, tenant: &TenantId, app: &AppId) -> Result<(), StoreError> {
    tx.exec(&GUARD_RESET, &key(tenant, app)).map(drop)
}

fn read(row: &Row<'_>) -> Result<Lane, StoreError> {
    Ok(Lane {
        owner: row.text(0)?,
        fence: row.int(1)?,
        lease_until_ms: row.int(2)?,
        held_cause: row.opt_text(3)?,
        held_since_ms: row.opt_int(4)?,
        probe_at_ms: row.opt_int(5)?,
        probes: row.int(6)?,
        not_before_ms: row.int(7)?,
    })
}
