//! One commit of the writer: numbers, blocks of records, bodies, and the sizes of the days.

use std::collections::{BTreeMap, BTreeSet};

use domain::exchange::Exchange;

use super::TABLES;
use super::block::{self, Block};
use crate::{StoreError, Tx, Value, statement};

statement!(NUMBERS, "UPDATE scim_head SET seq = seq + $1, lost = lost + $2 WHERE id = 'head' RETURNING seq");
statement!(
    INSERT,
    "INSERT INTO scim_block(day, seq, tenant, records, failed, from_ms, to_ms, bytes, marks)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(INSERT_RECORDS, "INSERT INTO scim_records(day, seq, records) VALUES ($1, $2, $3)");
statement!(
    NEWEST,
    "SELECT b.seq, r.records FROM
       (SELECT day, seq, records FROM scim_block WHERE tenant = $1 AND day = $2 ORDER BY seq DESC LIMIT 1) AS b
     JOIN scim_records r ON r.day = b.day AND r.seq = b.seq WHERE b.records <= $3"
);
statement!(
    EXTEND,
    "UPDATE scim_block SET records = records + $3, failed = failed + $4,
       from_ms = CASE WHEN from_ms > $5 THEN $5 ELSE from_ms END, to_ms = CASE WHEN to_ms < $6 THEN $6 ELSE to_ms END,
       bytes = bytes + $7, marks = marks || $8 WHERE day = $1 AND seq = $2"
);
statement!(EXTEND_RECORDS, "UPDATE scim_records SET records = $3 WHERE day = $1 AND seq = $2");
statement!(
    INSERT_BODY,
    "INSERT INTO scim_body(day, seq, kept_for, request, answer, bytes) VALUES ($1, $2, $3, $4, $5, $6)"
);
statement!(DISPLACE, "DELETE FROM scim_body WHERE day = $1 AND seq = $2");
statement!(
    ADD_DAY,
    "INSERT INTO scim_day(day, records, bytes) VALUES ($1, 0, 0) ON CONFLICT (day) DO NOTHING"
);
statement!(
    GROW,
    "UPDATE scim_day SET records = records + $2, bytes = CASE WHEN bytes + $3 > 0 THEN bytes + $3 ELSE 0 END WHERE day = $1"
);
statement!(
    KEPT,
    "SELECT kept_for, day, seq, bytes FROM scim_body WHERE kept_for <> '' ORDER BY kept_for, seq"
);

/// Where requests are rare, the last block of a tenant grows up to so many records: a search looks at every block.
const GROWN_MAX: i64 = 32;

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

/// What to write. Numbers are given inside the transaction, in the order in which records were pushed.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) lost: u64,
    pub(super) displaced: Vec<Kept>,
    records: usize,
    blocks: Vec<Block>,
    /// The place of its record, and the row of the body.
    bodies: Vec<(usize, Vec<Value>)>,
}

/// Where the number stands in the row of a body.
const SEQ: usize = 1;

/// Records and bytes that a commit adds, per day.
type Growth = BTreeMap<i64, (i64, i64)>;

impl Batch {
    /// Adds a record. Those of one tenant come one after the other.
    pub(super) fn push(&mut self, exchange: Exchange, body: Option<Body>) {
        if let Some(body) = body {
            let bytes = body.bytes();
            let row: Vec<Value> = vec![
                day(exchange.at_ms).into(),
                0.into(),
                body.kept_for.into(),
                body.request.into(),
                body.answer.into(),
                bytes.into(),
            ];
            self.bodies.push((self.records, row));
        }
        self.records += 1;
        match self.blocks.last_mut().filter(|block| block.takes(&exchange)) {
            Some(block) => block.push(exchange),
            None => {
                let mut block = Block::for_records_like(&exchange);
                block.push(exchange);
                self.blocks.push(block);
            }
        }
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

    /// Writes the batch; gives the number of the first record. May be run again after a failure.
    pub(super) fn write(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let count = self.records as i64;
        let lost = i64::try_from(self.lost).unwrap_or(i64::MAX);
        let last = tx.one(&NUMBERS, &[count.into(), lost.into()], |row| row.int(0))?;
        let first = last - count + 1;
        self.add_days(tx)?;
        let mut growth = Growth::new();
        let mut seq = first;
        for block in &self.blocks {
            let bytes = write_block(tx, block, seq)?;
            let day = growth.entry(block.day).or_default();
            *day = (day.0 + block.len() as i64, day.1 + bytes);
            seq += block.len() as i64;
        }
        self.write_bodies(tx, first, &mut growth)?;
        for kept in &self.displaced {
            growth.entry(kept.day).or_default().1 -= kept.bytes;
        }
        for (day, (records, bytes)) in growth {
            tx.exec(&GROW, &[day.into(), records.into(), bytes.into()])?;
        }
        Ok(first)
    }

    /// Days that hold nothing yet get their parts of the tables.
    fn add_days(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let days: BTreeSet<i64> = self.blocks.iter().map(|block| block.day).collect();
        for day in days {
            if tx.exec(&ADD_DAY, &[day.into()])? > 0 {
                for table in TABLES {
                    tx.add_day(table, day)?;
                }
            }
        }
        Ok(())
    }

    fn write_bodies(&self, tx: &mut Tx<'_>, first: i64, growth: &mut Growth) -> Result<(), StoreError> {
        let mut bodies = Vec::with_capacity(self.bodies.len());
        for (at, row) in &self.bodies {
            let mut row = row.clone();
            row[SEQ] = (first + *at as i64).into();
            if let [Value::Int(day), .., Value::Int(bytes)] = row.as_slice() {
                growth.entry(*day).or_default().1 += bytes;
            }
            bodies.push(row);
        }
        tx.exec_many(&INSERT_BODY, &bodies)?;
        let displaced: Vec<Vec<Value>> =
            self.displaced.iter().map(|kept| vec![kept.day.into(), kept.seq.into()]).collect();
        tx.exec_many(&DISPLACE, &displaced).map(drop)
    }
}

/// Writes a block whose first record gets this number, or lengthens the tenant's last one; gives the bytes that the log grew by.
fn write_block(tx: &mut Tx<'_>, block: &Block, seq: i64) -> Result<i64, StoreError> {
    let records = block.len() as i64;
    if records < GROWN_MAX {
        let of = [block.tenant.as_str().into(), block.day.into(), (GROWN_MAX - records).into()];
        let newest = tx.optional(&NEWEST, &of, |row| Ok((row.int(0)?, row.text(1)?)))?;
        if let Some((earlier, text)) = newest {
            return lengthen(tx, block, seq, (earlier, &text));
        }
    }
    let (text, marks) = (block.text(), block.marks());
    let bytes = block::size(&text, &marks);
    let row = [
        block.day.into(),
        seq.into(),
        block.tenant.as_str().into(),
        records.into(),
        block.failed.into(),
        block.from_ms.into(),
        block.to_ms.into(),
        bytes.into(),
        marks.into(),
    ];
    tx.exec(&INSERT, &row)?;
    tx.exec(&INSERT_RECORDS, &[block.day.into(), seq.into(), text.into()])?;
    Ok(bytes)
}

fn lengthen(
    tx: &mut Tx<'_>,
    block: &Block,
    seq: i64,
    (earlier, text): (i64, &str),
) -> Result<i64, StoreError> {
    let longer = block.text_behind(text, earlier, seq)?;
    let marks = block.marks();
    let bytes = (longer.len() - text.len() + marks.len()) as i64;
    let place: [Value; 2] = [block.day.into(), earlier.into()];
    let [day, at] = place.clone();
    let row = [
        day,
        at,
        (block.len() as i64).into(),
        block.failed.into(),
        block.from_ms.into(),
        block.to_ms.into(),
        bytes.into(),
        marks.into(),
    ];
    tx.exec(&EXTEND, &row)?;
    let [day, at] = place;
    tx.exec(&EXTEND_RECORDS, &[day, at, longer.into()])?;
    Ok(bytes)
}

/// The bodies of accepted requests that are kept, with their kinds, oldest first.
pub(super) fn kept(tx: &mut Tx<'_>) -> Result<Vec<(String, Kept)>, StoreError> {
    tx.rows(&KEPT, &[], |row| {
        Ok((row.text(0)?, Kept { day: row.int(1)?, seq: row.int(2)?, bytes: row.int(3)? }))
    })
}
