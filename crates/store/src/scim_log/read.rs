//! Reading the log: newest first for people, onwards from a number for those who follow it.

use std::str::FromStr;

use domain::exchange::Exchange;
use domain::ids::TenantId;
use serde::Serialize;

use super::batch::day;
use super::{ScimLogOptions, block, open_store};
use crate::{Location, Store, StoreError, Tx, Value, statement};

macro_rules! blocks {
    ($where:literal, $order:literal) => {
        concat!(
            "SELECT b.seq, r.records FROM scim_block b JOIN scim_records r ON r.day = b.day AND r.seq = b.seq WHERE b.tenant = $1 AND ",
            $where,
            " AND b.to_ms >= $4 AND b.from_ms <= $5 AND b.failed >= $6 AND (b.marks LIKE $7 OR b.marks LIKE $8) ORDER BY b.seq ",
            $order,
            " LIMIT $3"
        )
    };
}

statement!(BLOCKS_UP, blocks!("b.seq >= $2", "ASC"));
statement!(BLOCKS_DOWN, blocks!("b.seq < $2", "DESC"));
statement!(
    HOLDS,
    "SELECT CAST(coalesce(max(seq), 0) AS BIGINT) FROM scim_block WHERE tenant = $1 AND seq <= $2"
);
statement!(FLOOR, "SELECT seq FROM scim_block WHERE day >= $1 ORDER BY day, seq LIMIT 1");
statement!(BODIES, "SELECT request, answer FROM scim_body WHERE day = $1 AND seq = $2");
statement!(HEAD, "SELECT seq, lost FROM scim_head WHERE id = 'head'");

/// Which records are wanted; what is not set does not narrow.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Whose requests.
    pub tenant: TenantId,
    /// Only about this user or group.
    pub object: Option<LogObject>,
    /// Only with such an answer.
    pub status: Option<StatusRange>,
    /// Only with this HTTP method, in capitals.
    pub method: Option<String>,
    /// Only of the connection with this id or name.
    pub connection: Option<String>,
    /// Only this request.
    pub trace: Option<String>,
    /// Not older, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Not newer.
    pub until_ms: Option<i64>,
    /// With the bodies that were kept.
    pub bodies: bool,
}

impl LogFilter {
    /// Everything of a tenant, without bodies.
    pub fn of(tenant: &TenantId) -> Self {
        Self {
            tenant: tenant.clone(),
            object: None,
            status: None,
            method: None,
            connection: None,
            trace: None,
            since_ms: None,
            until_ms: None,
            bodies: false,
        }
    }
}

/// A user or group that requests are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogObject {
    /// `user`, `group`, or empty for either.
    pub kind: &'static str,
    /// Its id, or empty.
    pub id: String,
    /// There is or was such an object.
    pub found: bool,
    /// Its user name or display name: finds refused requests that created nothing.
    pub name: String,
}

/// HTTP statuses from one to another, both included: read from `409`, `4xx` or `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The lowest.
    pub low: u16,
    /// The highest.
    pub high: u16,
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("'{text}' is no HTTP status; write it like 409, 4xx, or failed (400 and above)");
        let lower = text.to_ascii_lowercase();
        if lower == "failed" {
            return Ok(Self { low: 400, high: 599 });
        }
        if let Some(class) = lower.strip_suffix("xx") {
            let class: u16 = class.parse().map_err(|_| refuse())?;
            return if (1..=5).contains(&class) {
                Ok(Self { low: class * 100, high: class * 100 + 99 })
            } else {
                Err(refuse())
            };
        }
        let status: u16 = text.parse().map_err(|_| refuse())?;
        if (100..=599).contains(&status) { Ok(Self { low: status, high: status }) } else { Err(refuse()) }
    }
}

/// One record with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// Its number: 1, 2, 3 .. in the order of the commits, without gaps, over all tenants.
    pub seq: i64,
    /// The request and its answer.
    #[serde(flatten)]
    pub exchange: Exchange,
}

/// Records in the order of their numbers, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Recorded>,
    /// Nothing up to this number is missing: the next page begins after it.
    pub upto: i64,
}

/// The reading end of the log. It may be used in another process than the one that writes.
#[derive(Clone, Debug)]
pub struct ScimLogReader {
    store: Store,
}

impl ScimLogReader {
    /// Opens the log of the database at `location`; none while nothing was ever recorded.
    pub fn open(location: &Location, now_ms: fn() -> i64) -> Result<Option<Self>, StoreError> {
        if let Location::Sqlite(path) = location.of_scim_log()
            && !path.exists()
        {
            return Ok(None);
        }
        Ok(Some(Self::on(open_store(location, &ScimLogOptions::new(now_ms))?)))
    }

    pub(super) fn on(store: Store) -> Self {
        Self { store }
    }

    /// Records before the number `before` (none: from the newest), newest first.
    pub async fn newest(
        &self,
        filter: &LogFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let filter = filter.clone();
        self.store
            .read(move |tx| select(tx, &filter, Order::Down, 0, before.unwrap_or(i64::MAX), limit))
            .await
    }

    /// Records after the number `after`, in their order. Pages that follow each other by [`Page::upto`] hold every record
    /// exactly once.
    pub async fn after(&self, filter: &LogFilter, after: i64, limit: i64) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.store
            .read(move |tx| {
                let (head, _) = tx.one(&HEAD, &[], |row| Ok((row.int(0)?, row.int(1)?)))?;
                if head <= after {
                    return Ok(Page { records: vec![], upto: after });
                }
                let records = select(tx, &filter, Order::Up, after, head + 1, limit)?;
                let full = records.len() as i64 >= limit;
                let upto = records.last().filter(|_| full).map_or(head, |last| last.seq);
                Ok(Page { records, upto })
            })
            .await
    }

    /// The number of the newest record, 0 before the first.
    pub async fn head(&self) -> Result<i64, StoreError> {
        self.store.read(|tx| tx.one(&HEAD, &[], |row| row.int(0))).await
    }

    /// How many requests could not be recorded, since the log was made.
    pub async fn lost(&self) -> Result<i64, StoreError> {
        self.store.read(|tx| tx.one(&HEAD, &[], |row| row.int(1))).await
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Up,
    Down,
}

/// Blocks that are read at once: few where the first ones are likely to be enough.
const BLOCKS_MAX: i64 = 16;

fn select(
    tx: &mut Tx<'_>,
    filter: &LogFilter,
    order: Order,
    after: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let after = after.max(floor(tx, filter)?);
    // Upwards it begins in the block that holds the number; only the last of its records may be wanted.
    let mut at = match order {
        Order::Up => tx.one(&HOLDS, &[filter.tenant.as_str().into(), after.into()], |row| row.int(0))?,
        Order::Down => before,
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let (mut found, mut blocks) = (Vec::new(), 1);
    while found.len() < limit {
        let statement = if order == Order::Up { &BLOCKS_UP } else { &BLOCKS_DOWN };
        let params = params(filter, at, blocks);
        let page = tx.rows(statement, &params, |row| Ok((row.int(0)?, row.text(1)?)))?;
        for (seq, text) in &page {
            let mut records = block::read(&filter.tenant, *seq, text)?;
            if order == Order::Down {
                records.reverse();
            }
            records.retain(|(seq, exchange)| after < *seq && *seq < before && filter.wants(exchange));
            found.extend(records.into_iter().map(|(seq, exchange)| Recorded { seq, exchange }));
        }
        let Some((last, _)) = page.last() else { break };
        let end = if order == Order::Up { last + 1 >= before } else { *last <= after + 1 };
        if end || (page.len() as i64) < blocks {
            break;
        }
        at = if order == Order::Up { last + 1 } else { *last };
        blocks = (blocks * 2).min(BLOCKS_MAX);
    }
    found.truncate(limit);
    if filter.bodies {
        for Recorded { seq, exchange } in &mut found {
            let place = [day(exchange.at_ms).into(), (*seq).into()];
            let bodies = tx.optional(&BODIES, &place, |row| Ok((row.opt_json(0)?, row.opt_json(1)?)))?;
            (exchange.request, exchange.answer) = bodies.unwrap_or_default();
        }
    }
    Ok(found)
}

/// The number before the first record that can be new enough: numbers follow time, so a walk ends there.
fn floor(tx: &mut Tx<'_>, filter: &LogFilter) -> Result<i64, StoreError> {
    let Some(since) = filter.since_ms else { return Ok(0) };
    let floor = tx.optional(&FLOOR, &[day(since).into()], |row| row.int(0))?;
    Ok(floor.map_or(i64::MAX - 2, |floor| floor - 1))
}

/// What finds blocks that may hold what the filter wants.
fn params(filter: &LogFilter, at: i64, blocks: i64) -> [Value; 8] {
    let (one, other) = match (&filter.trace, &filter.object) {
        (Some(trace), _) => (block::wanted(trace), block::wanted(trace)),
        (None, Some(object)) => (block::wanted(&object.id), block::wanted(&scim::fold(&object.name))),
        (None, None) => ("%".to_owned(), "%".to_owned()),
    };
    [
        filter.tenant.as_str().into(),
        at.into(),
        blocks.into(),
        filter.since_ms.unwrap_or(i64::MIN).into(),
        filter.until_ms.unwrap_or(i64::MAX).into(),
        i64::from(filter.status.is_some_and(|status| status.low >= 400)).into(),
        one.into(),
        other.into(),
    ]
}

impl LogFilter {
    fn wants(&self, exchange: &Exchange) -> bool {
        let object = |object: &LogObject| {
            let about = block::about(exchange);
            !about.is_empty()
                && (about == object.id || about == scim::fold(&object.name))
                && (object.kind.is_empty() || object.kind == exchange.object_kind)
        };
        let connection =
            |wanted: &String| *wanted == exchange.connection || *wanted == exchange.connection_name;
        let status = |range: StatusRange| (range.low..=range.high).contains(&exchange.status);
        self.status.is_none_or(status)
            && self.method.as_ref().is_none_or(|method| *method == exchange.method)
            && self.connection.as_ref().is_none_or(connection)
            && self.trace.as_ref().is_none_or(|trace| *trace == exchange.trace)
            && self.object.as_ref().is_none_or(object)
            && self.since_ms.is_none_or(|since| exchange.at_ms >= since)
            && self.until_ms.is_none_or(|until| exchange.at_ms <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read() {
        let range = |text: &str| text.parse::<StatusRange>().map(|range| (range.low, range.high));
        assert_eq!(range("409"), Ok((409, 409)));
        assert_eq!(range("4XX"), Ok((400, 499)));
        assert_eq!(range("failed"), Ok((400, 599)));
        for text in ["", "xx", "6xx", "99", "600", "4x", "ok", "-1"] {
            assert!(range(text).unwrap_err().contains("409, 4xx"), "{text}");
        }
    }
}
