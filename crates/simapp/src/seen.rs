//! What the app has seen of its clients: counters, a bounded log, and rules of good behaviour that it can judge itself.

use crate::call::Call;
use crate::wire::{Reply, Request};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Counters since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// All SCIM requests.
    pub requests: u64,
    /// Requests that ask for a change of a user or group, whether it was made or not.
    pub writes: u64,
    /// Changes that were accepted and stored (the answer may have been lost).
    pub committed: u64,
    /// Requests by operation, for example `POST /Users` or `GET /Users?filter`.
    pub by_operation: BTreeMap<String, u64>,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Answers with status 429.
    pub throttled: u64,
    /// Connections closed without an answer.
    pub resets: u64,
    /// How often each fault took effect, by name.
    pub faults: BTreeMap<String, u64>,
    /// Requests that arrived after a 429 was delivered and before its Retry-After had passed.
    pub early_retries: u64,
    /// The most writes to one resource whose answers were outstanding at the same time.
    pub max_in_flight_same_resource: u64,
}

/// One request in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The status answered; `None` when the connection was reset.
    pub status: Option<u16>,
    /// Whether the request changed the app.
    pub committed: bool,
    /// When it arrived, milliseconds since 1970.
    pub now_ms: i64,
}

/// How many requests the log keeps.
const LOG_SIZE: usize = 10_000;

/// The counters together with what is needed to keep them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) seen: Seen,
    log: VecDeque<SeenRequest>,
    /// From when (exclusive) until when (exclusive) a client knows that it has to wait.
    hold: Option<(i64, i64)>,
    /// When the answer of each outstanding write arrives, by subject.
    in_flight: BTreeMap<String, Vec<i64>>,
}

/// What happened to a request besides its reply.
pub(crate) struct Outcome {
    /// What the request wanted to change, if it was a write.
    pub(crate) subject: Option<String>,
    pub(crate) committed: bool,
    /// Until when a throttled client was told to wait.
    pub(crate) retry_at_ms: Option<i64>,
    pub(crate) now_ms: i64,
}

impl Watch {
    pub(crate) fn arrived(&mut self, call: &Call, now_ms: i64) {
        self.seen.requests += 1;
        *self.seen.by_operation.entry(call.operation()).or_default() += 1;
        if let Some((known_ms, until_ms)) = self.hold {
            if now_ms >= until_ms {
                self.hold = None;
            } else if now_ms > known_ms {
                self.seen.early_retries += 1;
            }
        }
        if call.is_write() {
            self.seen.writes += 1;
        }
    }

    pub(crate) fn replied(&mut self, request: &Request, reply: &Reply, outcome: Outcome) {
        let answered_ms = outcome.now_ms.saturating_add_unsigned(reply.delay_ms());
        let status = reply.response().map(|response| response.status);
        match status {
            Some(status) => *self.seen.by_status.entry(status).or_default() += 1,
            None => self.seen.resets += 1,
        }
        if status == Some(429) {
            self.seen.throttled += 1;
        }
        if let Some(until_ms) = outcome.retry_at_ms {
            let until_ms = self.hold.map_or(until_ms, |(_, earlier)| earlier.max(until_ms));
            let known_ms = self.hold.map_or(answered_ms, |(earlier, _)| earlier.min(answered_ms));
            self.hold = Some((known_ms, until_ms));
        }
        if outcome.committed {
            self.seen.committed += 1;
        }
        if let Some(subject) = outcome.subject {
            self.count_in_flight(subject, outcome.now_ms, answered_ms);
        }
        if self.log.len() == LOG_SIZE {
            self.log.pop_front();
        }
        self.log.push_back(SeenRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            status,
            committed: outcome.committed,
            now_ms: outcome.now_ms,
        });
    }

    pub(crate) fn fault_fired(&mut self, name: &str) {
        if let Some(count) = self.seen.faults.get_mut(name) {
            *count += 1;
        } else {
            self.seen.faults.insert(name.to_owned(), 1);
        }
    }

    pub(crate) fn log(&self) -> impl Iterator<Item = &SeenRequest> {
        self.log.iter()
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    fn count_in_flight(&mut self, subject: String, now_ms: i64, answered_ms: i64) {
        if self.in_flight.len() > 1024 {
            self.in_flight.retain(|_, ends| ends.iter().any(|end| *end > now_ms));
        }
        let ends = self.in_flight.entry(subject).or_default();
        ends.retain(|end| *end > now_ms);
        ends.push(answered_ms);
        let most = self.seen.max_in_flight_same_resource.max(ends.len() as u64);
        self.seen.max_in_flight_same_resource = most;
    }
}
