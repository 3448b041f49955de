//! Seats of a tenant: a limit on active users that no commit exceeds.

use domain::ids::TenantId;
use domain::seats::SeatUse;

use crate::{Row, StoreError, Tx, statement};

statement!(GET, "SELECT seats, used FROM seat WHERE tenant = $1");
statement!(
    SET,
    "INSERT INTO seat(tenant, seats, used)
     VALUES ($1, $2, (SELECT COUNT(*) FROM usr WHERE tenant = $1 AND active AND deleted_ms IS NULL))
     ON CONFLICT (tenant) DO UPDATE SET seats = excluded.seats, used = excluded.used"
);
statement!(CLEAR, "DELETE FROM seat WHERE tenant = $1");
statement!(
    TAKE,
    "UPDATE seat SET used = used + $2 WHERE tenant = $1 AND used + $2 <= seats RETURNING seats, used"
);
statement!(FREE, "UPDATE seat SET used = used - $2 WHERE tenant = $1 RETURNING seats, used");

/// The limit, if there is one.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Option<SeatUse>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into()], read)
}

/// Sets the limit and counts what is used; more may be used than the limit allows.
pub fn set(tx: &mut Tx<'_>, tenant: &TenantId, seats: i64) -> Result<(), StoreError> {
    tx.exec(&SET, &[tenant.as_str().into(), seats.into()]).map(drop)
}

/// Takes the limit away.
pub fn clear(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), StoreError> {
    tx.exec(&CLEAR, &[tenant.as_str().into()]).map(drop)
}

/// Takes seats; gives how things stand then. None, and nothing is taken, if there are not that many or there is no limit.
pub fn take(tx: &mut Tx<'_>, tenant: &TenantId, count: i64) -> Result<Option<SeatUse>, StoreError> {
    tx.optional(&TAKE, &[tenant.as_str().into(), count.into()], read)
}

/// Gives seats back; gives how things stand then. None if there is no limit.
pub fn free(tx: &mut Tx<'_>, tenant: &TenantId, count: i64) -> Result<Option<SeatUse>, StoreError> {
    tx.optional(&FREE, &[tenant.as_str().into(), count.into()], read)
}

fn read(row: &Row<'_>) -> Result<SeatUse, StoreError> {
    Ok(SeatUse { limit: row.int(0)?, used: row.int(1)? })
}
