//! Records of one tenant and one day, kept together: their form as one text, and what a search knows before it reads it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

use domain::exchange::Exchange;
use domain::ids::TenantId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::day;
use crate::StoreError;

/// The most records of one block: one that is looked for costs reading its block.
const RECORDS_MAX: usize = 500;

/// What a block takes beside its texts: rows and indexes.
const BLOCK_BYTES: usize = 300;

/// Records in their order, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) tenant: TenantId,
    pub(super) day: i64,
    pub(super) failed: i64,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    marks: BTreeSet<u32>,
    records: Records,
}

/// The form of the text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Records {
    callers: Vec<Caller>,
    lines: Vec<Line>,
}

/// What many records have in common.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Caller {
    connection: String,
    connection_name: String,
    token_name: String,
    user_agent: String,
    dialect: String,
}

/// One record. Names are short and what is empty is left out: most of the log consists of these.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Line {
    /// How many numbers lie between the line before and this one.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    gap: i64,
    #[serde(rename = "t")]
    at_ms: i64,
    #[serde(rename = "i")]
    trace: String,
    /// Its place in `callers`.
    #[serde(rename = "c")]
    caller: usize,
    #[serde(rename = "m")]
    method: String,
    #[serde(rename = "p")]
    path: String,
    #[serde(rename = "s")]
    status: u16,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    scim_type: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(rename = "u")]
    duration_us: i64,
    #[serde(rename = "q", default, skip_serializing_if = "Vec::is_empty")]
    tolerated: Vec<(String, String, String)>,
    #[serde(rename = "k", default, skip_serializing_if = "String::is_empty")]
    object_kind: String,
    #[serde(rename = "o", default, skip_serializing_if = "String::is_empty")]
    object: String,
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    object_name: String,
}

impl Block {
    /// A block that holds nothing yet, for records like this one.
    pub(super) fn for_records_like(exchange: &Exchange) -> Self {
        Self {
            tenant: exchange.tenant.clone(),
            day: day(exchange.at_ms),
            failed: 0,
            from_ms: i64::MAX,
            to_ms: i64::MIN,
            marks: BTreeSet::new(),
            records: Records::default(),
        }
    }

    /// Whether this record belongs here, behind the others.
    pub(super) fn takes(&self, exchange: &Exchange) -> bool {
        self.tenant == exchange.tenant
            && self.day == day(exchange.at_ms)
            && self.records.lines.len() < RECORDS_MAX
    }

    pub(super) fn push(&mut self, exchange: Exchange) {
        self.failed += i64::from(!exchange.accepted());
        self.from_ms = self.from_ms.min(exchange.at_ms);
        self.to_ms = self.to_ms.max(exchange.at_ms);
        let about = about(&exchange);
        self.marks.extend((!about.is_empty()).then(|| mark(&about)));
        self.marks.insert(mark(&exchange.trace));
        self.records.push(exchange);
    }

    pub(super) fn len(&self) -> usize {
        self.records.lines.len()
    }

    /// The text of the records.
    pub(super) fn text(&self) -> String {
        self.records.text()
    }

    /// The marks of the records, to be searched for those of [`wanted`].
    pub(super) fn marks(&self) -> String {
        let mut text = String::with_capacity(self.marks.len() * 9);
        for mark in &self.marks {
            // Writing to a string does not fail.
            let _ = write!(text, " {mark:08x}");
        }
        text
    }

    /// The text of the records behind those of an earlier block, whose first number is `seq`; these begin with `first`.
    pub(super) fn text_behind(&self, earlier: &str, seq: i64, first: i64) -> Result<String, StoreError> {
        let mut all = parse(earlier)?;
        let next = seq + all.lines.iter().map(|line| line.gap + 1).sum::<i64>();
        let places: Vec<usize> =
            self.records.callers.iter().map(|caller| all.place_of(caller.clone())).collect();
        for (at, line) in self.records.lines.iter().enumerate() {
            let gap = if at == 0 { first - next } else { line.gap };
            all.lines.push(Line { gap, caller: places[line.caller], ..line.clone() });
        }
        Ok(all.text())
    }
}

impl Records {
    fn push(&mut self, exchange: Exchange) {
        let caller = Caller {
            connection: exchange.connection,
            connection_name: exchange.connection_name,
            token_name: exchange.token_name,
            user_agent: exchange.user_agent,
            dialect: exchange.dialect,
        };
        let caller = self.place_of(caller);
        self.lines.push(Line {
            gap: 0,
            at_ms: exchange.at_ms,
            trace: exchange.trace,
            caller,
            method: exchange.method,
            path: exchange.path,
            status: exchange.status,
            scim_type: exchange.scim_type,
            detail: exchange.detail,
            duration_us: exchange.duration_us,
            tolerated: exchange.tolerated,
            object_kind: exchange.object_kind,
            object: exchange.object,
            object_name: exchange.object_name,
        });
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }

    fn place_of(&mut self, caller: Caller) -> usize {
        let known = self.callers.iter().rposition(|known| *known == caller);
        known.unwrap_or_else(|| {
            self.callers.push(caller);
            self.callers.len() - 1
        })
    }
}

/// The records of a text with their numbers, without bodies.
pub(super) fn read(tenant: &TenantId, seq: i64, text: &str) -> Result<Vec<(i64, Exchange)>, StoreError> {
    let Records { callers, lines } = parse(text)?;
    let mut next = seq;
    let mut records = Vec::with_capacity(lines.len());
    for line in lines {
        let caller = callers.get(line.caller).cloned().ok_or_else(|| unreadable("a caller is missing"))?;
        let number = next + line.gap;
        next = number + 1;
        records.push((number, line.exchange(tenant, caller)));
    }
    Ok(records)
}

impl Line {
    fn exchange(self, tenant: &TenantId, caller: Caller) -> Exchange {
        Exchange {
            at_ms: self.at_ms,
            trace: self.trace,
            tenant: tenant.clone(),
            connection: caller.connection,
            connection_name: caller.connection_name,
            token_name: caller.token_name,
            user_agent: caller.user_agent,
            dialect: caller.dialect,
            method: self.method,
            path: self.path,
            status: self.status,
            scim_type: self.scim_type,
            detail: self.detail,
            duration_us: self.duration_us,
            tolerated: self.tolerated,
            object_kind: self.object_kind,
            object: self.object,
            object_name: self.object_name,
            request: None,
            answer: None,
        }
    }
}

/// How many bytes a block of such texts counts as.
pub(super) fn size(records: &str, marks: &str) -> i64 {
    (records.len() + marks.len() + BLOCK_BYTES) as i64
}

/// Whom a record is about: the object's id; where none is known its folded name, or nothing.
pub(super) fn about(exchange: &Exchange) -> Cow<'_, str> {
    if exchange.object.is_empty() {
        scim::fold(&exchange.object_name).into()
    } else {
        exchange.object.as_str().into()
    }
}

/// The pattern that the marks of a block match if it may hold a record with this trace code or about this object.
pub(super) fn wanted(text: &str) -> String {
    format!("% {:08x}%", mark(text))
}

fn parse(text: &str) -> Result<Records, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))
}

/// A text that is not what was written.
fn unreadable(what: &str) -> StoreError {
    StoreError::Row { statement: "scim_records", detail: what.to_owned() }
}

fn mark(text: &str) -> u32 {
    let [a, b, c, d, ..] = Sha256::digest(text).0;
    u32::from_be_bytes([a, b, c, d])
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(number: i64) -> Exchange {
        Exchange {
            status: 200,
            user_agent: if number % 2 == 0 { "Okta".into() } else { "Entra".into() },
            object: format!("u-{number}"),
            tolerated: vec![("op_case".into(), "op".into(), "Add".into())],
            ..Exchange::new(
                &TenantId::new("acme"),
                1_000 + number,
                &format!("{number:012x}"),
                "GET",
                "/Users",
            )
        }
    }

    fn block(numbers: std::ops::Range<i64>) -> Block {
        let mut block = Block::for_records_like(&exchange(0));
        numbers.for_each(|number| block.push(exchange(number)));
        block
    }

    #[test]
    fn records_come_back_as_they_were_with_their_numbers() {
        let acme = TenantId::new("acme");
        let text = block(0..3).text();
        let expected: Vec<(i64, Exchange)> = (0..3).map(|number| (number + 7, exchange(number))).collect();
        assert_eq!(read(&acme, 7, &text).unwrap(), expected);
        // Behind them others, whose numbers begin with 20, and then with 22.
        let longer = block(3..5).text_behind(&text, 7, 20).unwrap();
        let longer = block(5..6).text_behind(&longer, 7, 22).unwrap();
        let numbers: Vec<i64> = read(&acme, 7, &longer).unwrap().iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, [7, 8, 9, 20, 21, 22]);
        assert_eq!(read(&acme, 7, &longer).unwrap()[5].1, exchange(5));
        assert!(read(&acme, 7, &text.replace("\"c\":1", "\"c\":9")).is_err());
    }

    #[test]
    fn marks_tell_what_a_block_may_hold() {
        let marks = block(0..3).marks();
        let matches = |text: &str| marks.contains(wanted(text).trim_matches('%'));
        assert!(matches("u-2") && matches("000000000001"));
        assert!(!matches("u-3") && !matches("000000000009"));
    }
}
