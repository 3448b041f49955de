//! Reading the log: newest first for people, onwards from a number for those who follow it.

use std::str::FromStr;

use domain::exchange::Exchange;
use domain::ids::TenantId;
use serde::Serialize;

use super::batch::day;
use super::{ScimLogOptions, open_store};
use crate::{Location, Row, Statement, Store, StoreError, Tx, Value, statement};

macro_rules! select {
    ($where:literal, $order:literal) => {
        concat!(
            "SELECT seq, tenant, at_ms, trace, connection, connection_name, token_name, user_agent, dialect, method, path, ",
            "status, scim_type, detail, duration_us, tolerated, object_kind, object, object_name FROM scim_exchange ",
            "WHERE tenant = $1 AND seq > $2 AND seq < $3 AND status BETWEEN $5 AND $6 AND ($7 = '' OR method = $7) ",
            "AND ($8 = '' OR connection = $8 OR connection_name = $8) AND at_ms BETWEEN $9 AND $10 ",
            $where,
            " ORDER BY seq ",
            $order,
            " LIMIT $4"
        )
    };
}

statement!(ALL_UP, select!("", "ASC"));
statement!(ALL_DOWN, select!("", "DESC"));
statement!(FAILED_UP, select!("AND status >= 400", "ASC"));
statement!(FAILED_DOWN, select!("AND status >= 400", "DESC"));
statement!(
    ABOUT_UP,
    select!("AND about <> '' AND about IN ($12, $13) AND ($11 = '' OR object_kind = $11)", "ASC")
);
statement!(
    ABOUT_DOWN,
    select!("AND about <> '' AND about IN ($12, $13) AND ($11 = '' OR object_kind = $11)", "DESC")
);
statement!(TRACE_UP, select!("AND trace = $11", "ASC"));
statement!(TRACE_DOWN, select!("AND trace = $11", "DESC"));
statement!(FLOOR, "SELECT seq FROM scim_exchange WHERE day >= $1 ORDER BY day, seq LIMIT 1");
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

#[derive(Clone, Copy)]
enum Order {
    Up,
    Down,
}

fn select(
    tx: &mut Tx<'_>,
    filter: &LogFilter,
    order: Order,
    after: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let mut after = after;
    if let Some(since) = filter.since_ms {
        // Numbers follow time, so the walk ends at the first record of that day.
        let floor = tx.optional(&FLOOR, &[day(since).into()], |row| row.int(0))?;
        after = after.max(floor.map_or(i64::MAX - 1, |floor| floor - 1));
    }
    let status = filter.status.unwrap_or(StatusRange { low: 0, high: 999 });
    let text = |value: &Option<String>| Value::from(value.clone().unwrap_or_default());
    let mut params: Vec<Value> = vec![
        filter.tenant.as_str().into(),
        after.into(),
        before.into(),
        limit.into(),
        i64::from(status.low).into(),
        i64::from(status.high).into(),
        text(&filter.method),
        text(&filter.connection),
        filter.since_ms.unwrap_or(i64::MIN).into(),
        filter.until_ms.unwrap_or(i64::MAX).into(),
    ];
    let statements: [&'static Statement; 2] = match (&filter.trace, &filter.object) {
        (Some(trace), _) => {
            params.push(trace.as_str().into());
            [&TRACE_UP, &TRACE_DOWN]
        }
        (None, Some(object)) => {
            let name = scim::fold(&object.name);
            params.extend([object.kind.into(), object.id.as_str().into(), name.into()]);
            [&ABOUT_UP, &ABOUT_DOWN]
        }
        (None, None) if status.low >= 400 => [&FAILED_UP, &FAILED_DOWN],
        (None, None) => [&ALL_UP, &ALL_DOWN],
    };
    let mut records = tx.rows(statements[order as usize], &params, read)?;
    if filter.bodies {
        for recorded in &mut records {
            let exchange = &mut recorded.exchange;
            let place = [day(exchange.at_ms).into(), recorded.seq.into()];
            let bodies = tx.optional(&BODIES, &place, |row| Ok((row.opt_json(0)?, row.opt_json(1)?)))?;
            (exchange.request, exchange.answer) = bodies.unwrap_or_default();
        }
    }
    Ok(records)
}

fn read(row: &Row<'_>) -> Result<Recorded, StoreError> {
    let unexpected = |detail: String| StoreError::Row { statement: "scim_exchange", detail };
    let status = row.int(11)?;
    let tolerated = row.text(15)?;
    let exchange = Exchange {
        tenant: TenantId::new(row.text(1)?),
        at_ms: row.int(2)?,
        trace: row.text(3)?,
        connection: row.text(4)?,
        connection_name: row.text(5)?,
        token_name: row.text(6)?,
        user_agent: row.text(7)?,
        dialect: row.text(8)?,
        method: row.text(9)?,
        path: row.text(10)?,
        status: u16::try_from(status).map_err(|_| unexpected(format!("status {status}")))?,
        scim_type: row.opt_text(12)?,
        detail: row.opt_text(13)?,
        duration_us: row.int(14)?,
        tolerated: if tolerated.is_empty() {
            vec![]
        } else {
            serde_json::from_str(&tolerated).map_err(|error| unexpected(format!("tolerated: {error}")))?
        },
        object_kind: row.text(16)?,
        object: row.text(17)?,
        object_name: row.text(18)?,
        request: None,
        answer: None,
    };
    Ok(Recorded { seq: row.int(0)?, exchange })
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
