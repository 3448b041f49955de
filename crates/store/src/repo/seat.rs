//! Seats of a tenant: a limit on active users that no commit exceeds.

use domain::ids::TenantId;
use domain::seats::SeatUse;

use crate::{StoreError, Tx, statement};

statement!(GET, "SELECT seats, used FROM seat WHERE tenant = $1");
statement!(
    SET,
    "INSERT INTO seat(tenant, seats, used)
     VALUES ($1, $2, (SELECT COUNT(*) FROM usr WHERE tenant = $1 AND active AND deleted_ms IS NULL))
     ON CONFLICT (tenant) DO UPDATE SET seats = excluded.seats, used = excluded.used"
);
statement!(CLEAR, "DELETE FROM seat WHERE tenant = $1");
statement!(TAKE, "UPDATE seat SET used = used + $2 WHERE tenant = $1 AND used + $2 <= seats");
statement!(FREE, "UPDATE seat SET used = used - $2 WHERE tenant = $1");

/// The limit, if there is one.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Option<SeatUse>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into()], |row| Ok(SeatUse { limit: row.int(0)?, used: row.int(1)? }))
}

/// Sets the limit and counts what is used; more may be used than the limit allows.
pub fn set(tx: &mut Tx<'_>, tenant: &TenantId, seats: i64) -> Result<(), StoreError> {
    tx.exec(&SET, &[tenant.as_str().into(), seats.into()]).map(drop)
}

/// Takes the limit away.
pub fn clear(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
    tx.exec(&CLEAR, &[tenant.as_str().into()]).map(drop)
}

/// Takes seats; false, and nothing is taken, if there are not that many. Only where there is a limit.
pub fn take(tx: &mut Tx<'_>, tenant: &TenantId, count: i64) -> Result<bool, StoreError> {
    Ok(tx.exec(&TAKE, &[tenant.as_str().into(), count.into()])? > 0)
}

/// Gives seats back. Only where there is a limit.
pub fn free(tx: &mut Tx<'_>, tenant: &TenantId, count: i64) -> Result<(), StoreError> {
    tx.later(&FREE, &[tenant.as_str().into(), count.into()])
}
