//! One commit of the writer: numbers, rows, bodies, and the sizes of the days.

use std::collections::BTreeMap;

use domain::exchange::Exchange;

use crate::{StoreError, Tx, Value, statement};

statement!(NUMBERS, "UPDATE scim_head SET seq = seq + $1, lost = lost + $2 WHERE id = 'head' RETURNING seq");
statement!(
    INSERT,
    "INSERT INTO scim_exchange(day, seq, tenant, at_ms, trace, connection, connection_name, token_name, user_agent, dialect,
       method, path, status, scim_type, detail, duration_us, tolerated, object_kind, object, object_name, about, bytes)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
);
statement!(
    INSERT_BODY,
    "INSERT INTO scim_body(day, seq, kept_for, request, answer, bytes) VALUES ($1, $2, $3, $4, $5, $6)"
);
statement!(DISPLACE, "DELETE FROM scim_body WHERE day = $1 AND seq = $2");
statement!(
    GROW,
    "INSERT INTO scim_day(day, records, bytes) VALUES ($1, $2, $3)
     ON CONFLICT (day) DO UPDATE SET records = scim_day.records + excluded.records, bytes = scim_day.bytes + excluded.bytes
     RETURNING records"
);
statement!(
    SHRINK,
    "UPDATE scim_day SET bytes = CASE WHEN bytes > $2 THEN bytes - $2 ELSE 0 END WHERE day = $1"
);
statement!(
    KEPT,
    "SELECT kept_for, day, seq, bytes FROM scim_body WHERE kept_for <> '' ORDER BY kept_for, seq"
);

/// What a row takes beside its texts: numbers and indexes.
const ROW_BYTES: i64 = 250;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The day of a time, counted from 1970 in UTC.
pub(super) fn day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// A body of an accepted request that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) day: i64,
    pub(super) seq: i64,
    pub(super) bytes: i64,
}

/// A body of an accepted request that a batch writes.
pub(super) struct Accepted {
    /// The kind of request that it is kept for.
    pub(super) kind: String,
    /// The place of its row in the batch.
    pub(super) at: usize,
    /// Its place in the log but for the number, which is not known yet.
    pub(super) kept: Kept,
}

/// The texts of one request's bodies.
pub(super) struct Body {
    /// Empty for a failure.
    kept_for: String,
    request: Option<String>,
    answer: Option<String>,
}

impl Body {
    pub(super) fn new(exchange: &Exchange, kind: Option<String>) -> Option<Self> {
        let text = |body: &Option<serde_json::Value>| body.as_ref().map(ToString::to_string);
        let (request, answer) = (text(&exchange.request), text(&exchange.answer));
        (request.is_some() || answer.is_some()).then(|| Self {
            kept_for: kind.unwrap_or_default(),
            request,
            answer,
        })
    }

    fn bytes(&self) -> i64 {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        (length(&self.request) + length(&self.answer)) as i64 + 60
    }
}

/// Rows to write. Their numbers are set inside the transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) lost: u64,
    pub(super) displaced: Vec<Kept>,
    rows: Vec<Vec<Value>>,
    /// The place of its row in `rows`, and the row of the body.
    bodies: Vec<(usize, Vec<Value>)>,
    /// Records and bytes per day.
    days: BTreeMap<i64, (i64, i64)>,
}

/// Where the number stands in a row.
const SEQ: usize = 1;

impl Batch {
    pub(super) fn push(&mut self, exchange: &Exchange, body: Option<Body>) {
        let day = day(exchange.at_ms);
        let row = row(day, exchange);
        let texts: usize = row
            .iter()
            .map(|value| match value {
                Value::Text(text) => text.len(),
                _ => 0,
            })
            .sum();
        let bytes = texts as i64 + ROW_BYTES;
        let sizes = self.days.entry(day).or_default();
        *sizes = (sizes.0 + 1, sizes.1 + bytes + body.as_ref().map_or(0, Body::bytes));
        if let Some(body) = body {
            let bytes = body.bytes();
            let row: Vec<Value> = vec![
                day.into(),
                0.into(),
                body.kept_for.into(),
                body.request.into(),
                body.answer.into(),
                bytes.into(),
            ];
            self.bodies.push((self.rows.len(), row));
        }
        self.rows.push(row.into_iter().chain([bytes.into()]).collect());
    }

    /// The accepted bodies.
    pub(super) fn accepted(&self) -> Vec<Accepted> {
        let kept = |(at, row): &(usize, Vec<Value>)| match row.as_slice() {
            [Value::Int(day), _, Value::Text(kind), .., Value::Int(bytes)] if !kind.is_empty() => {
                Some(Accepted {
                    kind: kind.clone(),
                    at: *at,
                    kept: Kept { day: *day, seq: 0, bytes: *bytes },
                })
            }
            _ => None,
        };
        self.bodies.iter().filter_map(kept).collect()
    }

    /// Writes the batch; gives the number of the first row. May be run again after a failure.
    pub(super) fn write(&mut self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let count = self.rows.len() as i64;
        let lost = i64::try_from(self.lost).unwrap_or(i64::MAX);
        let last = tx.one(&NUMBERS, &[count.into(), lost.into()], |row| row.int(0))?;
        let first = last - count + 1;
        for (day, (records, bytes)) in &self.days {
            let now =
                tx.one(&GROW, &[(*day).into(), (*records).into(), (*bytes).into()], |row| row.int(0))?;
            if now == *records {
                tx.add_day("scim_exchange", *day)?;
                tx.add_day("scim_body", *day)?;
            }
        }
        for (at, row) in self.rows.iter_mut().enumerate() {
            row[SEQ] = (first + at as i64).into();
        }
        tx.exec_many(&INSERT, &self.rows)?;
        let bodies: Vec<Vec<Value>> = self
            .bodies
            .iter()
            .map(|(at, row)| {
                let mut row = row.clone();
                row[SEQ] = (first + *at as i64).into();
                row
            })
            .collect();
        tx.exec_many(&INSERT_BODY, &bodies)?;
        let displaced: Vec<Vec<Value>> =
            self.displaced.iter().map(|kept| vec![kept.day.into(), kept.seq.into()]).collect();
        tx.exec_many(&DISPLACE, &displaced)?;
        let mut shrunk: BTreeMap<i64, i64> = BTreeMap::new();
        for kept in &self.displaced {
            *shrunk.entry(kept.day).or_default() += kept.bytes;
        }
        for (day, bytes) in shrunk {
            tx.exec(&SHRINK, &[day.into(), bytes.into()])?;
        }
        Ok(first)
    }
}

fn row(day: i64, exchange: &Exchange) -> Vec<Value> {
    let tolerated = if exchange.tolerated.is_empty() {
        String::new()
    } else {
        serde_json::Value::from(
            exchange
                .tolerated
                .iter()
                .map(|(quirk, place, note)| vec![quirk.as_str(), place, note])
                .collect::<Vec<_>>(),
        )
        .to_string()
    };
    let about =
        if exchange.object.is_empty() { scim::fold(&exchange.object_name) } else { exchange.object.clone() };
    vec![
        day.into(),
        0.into(),
        exchange.tenant.as_str().into(),
        exchange.at_ms.into(),
        exchange.trace.as_str().into(),
        exchange.connection.as_str().into(),
        exchange.connection_name.as_str().into(),
        exchange.token_name.as_str().into(),
        exchange.user_agent.as_str().into(),
        exchange.dialect.as_str().into(),
        exchange.method.as_str().into(),
        exchange.path.as_str().into(),
        i64::from(exchange.status).into(),
        exchange.scim_type.clone().into(),
        exchange.detail.clone().into(),
        exchange.duration_us.into(),
        tolerated.into(),
        exchange.object_kind.as_str().into(),
        exchange.object.as_str().into(),
        exchange.object_name.as_str().into(),
        about.into(),
    ]
}

/// The bodies of accepted requests that are kept, with their kinds, oldest first.
pub(super) fn kept(tx: &mut Tx<'_>) -> Result<Vec<(String, Kept)>, StoreError> {
    tx.rows(&KEPT, &[], |row| {
        Ok((row.text(0)?, Kept { day: row.int(1)?, seq: row.int(2)?, bytes: row.int(3)? }))
    })
}
