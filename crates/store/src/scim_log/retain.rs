//! Retention: old days go, and the oldest records where the log is too large; one small step at a time.

use crate::{StoreError, Tx, statement};

statement!(DAYS, "SELECT day, bytes FROM scim_day ORDER BY day");
statement!(
    OLDEST,
    "SELECT CAST(coalesce(max(seq), 0) AS BIGINT), count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT)
     FROM (SELECT seq, bytes FROM scim_exchange WHERE day = $1 ORDER BY seq LIMIT $2) AS oldest"
);
statement!(
    BODY_BYTES,
    "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM scim_body WHERE day = $1 AND seq <= $2"
);
statement!(DELETE, "DELETE FROM scim_exchange WHERE day = $1 AND seq <= $2");
statement!(DELETE_BODIES, "DELETE FROM scim_body WHERE day = $1 AND seq <= $2");
statement!(
    SHRINK,
    "UPDATE scim_day SET records = records - $2, bytes = CASE WHEN bytes > $3 THEN bytes - $3 ELSE 0 END WHERE day = $1"
);
statement!(FORGET, "DELETE FROM scim_day WHERE day = $1");

/// The most records that one step deletes, so that it does not hold the database for long.
const STEP: i64 = 1_000;

/// What may stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Days before this one go.
    pub(super) oldest_day: i64,
    /// The size of all.
    pub(super) bytes: i64,
}

/// Drops a day, or a part of it; gives the day and number up to which records are gone, none if nothing had to go.
pub(super) fn step(tx: &mut Tx<'_>, limits: &Limits) -> Result<Option<(i64, i64)>, StoreError> {
    let days = tx.rows(&DAYS, &[], |row| Ok((row.int(0)?, row.int(1)?)))?;
    let total: i64 = days.iter().map(|(_, bytes)| bytes).sum();
    let Some((day, _)) = days.first().copied() else { return Ok(None) };
    let too_old = day < limits.oldest_day;
    if !too_old && total <= limits.bytes {
        return Ok(None);
    }
    // The last day that is left is not dropped as a whole only because of its size.
    if (too_old || days.len() > 1) && tx.drop_day("scim_exchange", day)? {
        tx.drop_day("scim_body", day)?;
        tx.exec(&FORGET, &[day.into()])?;
        return Ok(Some((day, i64::MAX)));
    }
    let oldest =
        tx.one(&OLDEST, &[day.into(), STEP.into()], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?)));
    let (upto, records, bytes) = oldest?;
    if records < STEP && (too_old || days.len() > 1) {
        tx.exec(&DELETE_BODIES, &[day.into(), i64::MAX.into()])?;
        tx.exec(&DELETE, &[day.into(), i64::MAX.into()])?;
        tx.exec(&FORGET, &[day.into()])?;
        return Ok(Some((day, i64::MAX)));
    }
    let bodies = tx.one(&BODY_BYTES, &[day.into(), upto.into()], |row| row.int(0))?;
    tx.exec(&DELETE_BODIES, &[day.into(), upto.into()])?;
    tx.exec(&DELETE, &[day.into(), upto.into()])?;
    tx.exec(&SHRINK, &[day.into(), records.into(), (bytes + bodies).into()])?;
    Ok((records > 0).then_some((day, upto)))
}
