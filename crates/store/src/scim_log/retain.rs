//! Retention: old days go, and the oldest records where the log is too large; one small step at a time.

use super::TABLES;
use crate::{StoreError, Tx, statement};

statement!(DAYS, "SELECT day, bytes FROM scim_day ORDER BY day");
statement!(OLDEST, "SELECT seq, records, bytes FROM scim_block WHERE day = $1 ORDER BY seq LIMIT $2");
statement!(
    BODY_BYTES,
    "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM scim_body WHERE day = $1 AND seq <= $2"
);
statement!(DELETE, "DELETE FROM scim_block WHERE day = $1 AND seq <= $2");
statement!(DELETE_RECORDS, "DELETE FROM scim_records WHERE day = $1 AND seq <= $2");
statement!(DELETE_BODIES, "DELETE FROM scim_body WHERE day = $1 AND seq <= $2");
statement!(
    SHRINK,
    "UPDATE scim_day SET records = records - $2, bytes = CASE WHEN bytes > $3 THEN bytes - $3 ELSE 0 END WHERE day = $1"
);
statement!(FORGET, "DELETE FROM scim_day WHERE day = $1");

/// The most blocks that one step deletes, so that it does not hold the database for long.
const STEP: i64 = 16;

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
    let whole = too_old || days.len() > 1;
    if whole && tx.drop_day(TABLES[0], day)? {
        for table in &TABLES[1..] {
            tx.drop_day(table, day)?;
        }
        tx.exec(&FORGET, &[day.into()])?;
        return Ok(Some((day, i64::MAX)));
    }
    let excess = if whole { i64::MAX } else { total - limits.bytes };
    let oldest =
        tx.rows(&OLDEST, &[day.into(), STEP.into()], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?)))?;
    let (mut upto, mut records, mut bytes) = (0, 0, 0);
    for (seq, held, size) in &oldest {
        if bytes < excess {
            (upto, records, bytes) = (*seq, records + held, bytes + size);
        }
    }
    if whole && (oldest.len() as i64) < STEP {
        delete(tx, day, i64::MAX)?;
        tx.exec(&FORGET, &[day.into()])?;
        return Ok(Some((day, i64::MAX)));
    }
    let bodies = tx.one(&BODY_BYTES, &[day.into(), upto.into()], |row| row.int(0))?;
    delete(tx, day, upto)?;
    tx.exec(&SHRINK, &[day.into(), records.into(), (bytes + bodies).into()])?;
    Ok((records > 0).then_some((day, upto)))
}

/// Deletes blocks whose first record has at most this number. Bodies of their later records go with the next step.
fn delete(tx: &mut Tx<'_>, day: i64, upto: i64) -> Result<(), StoreError> {
    for statement in [&DELETE_BODIES, &DELETE_RECORDS, &DELETE] {
        tx.exec(statement, &[day.into(), upto.into()])?;
    }
    Ok(())
}
