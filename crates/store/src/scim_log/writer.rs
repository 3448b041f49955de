//! The writer's thread: takes what has gathered, keeps the bodies that are wanted, commits, and drops what is too old.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use domain::exchange::{Exchange, redact, redact_path};
use scim::ResourceType;

use super::batch::{self, Accepted, Batch, Body, Kept};
use super::{Entry, Message, ScimLogOptions, Shared, Types, retain};
use crate::{Store, StoreError};

/// The most records in one commit.
const BATCH_MAX: usize = 4_000;

/// How often a batch is tried before it is lost, and the first pause, which doubles.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// Without records the writer looks for old ones this often.
const IDLE: Duration = Duration::from_secs(60);

/// With records it looks after so many batches.
const BATCHES_PER_LOOK: u32 = 16;

/// Kinds of accepted requests whose bodies are kept.
const KINDS_MAX: usize = 10_000;

/// The state of the thread.
pub(super) struct Writer {
    store: Store,
    options: ScimLogOptions,
    shared: Arc<Shared>,
    /// Of each kind of accepted request the bodies that are kept, oldest first.
    recent: BTreeMap<String, VecDeque<Kept>>,
    batches: u32,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        options: ScimLogOptions,
        shared: Arc<Shared>,
    ) -> Result<Self, StoreError> {
        let mut recent: BTreeMap<String, VecDeque<Kept>> = BTreeMap::new();
        for (kind, kept) in store.read_blocking(batch::kept)? {
            recent.entry(kind).or_default().push_back(kept);
        }
        Ok(Self { store, options, shared, recent, batches: 0 })
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut more_to_drop = true;
        loop {
            let wait = if more_to_drop { Duration::from_millis(50) } else { IDLE };
            match messages.recv_timeout(wait) {
                Ok(first) => {
                    // While it sleeps, those who record wake nobody.
                    if matches!(first, Message::Record(..)) {
                        std::thread::sleep(Duration::from_millis(self.options.gather_ms));
                    }
                    let open = self.take(first, messages);
                    self.batches += 1;
                    if more_to_drop || self.batches.is_multiple_of(BATCHES_PER_LOOK) {
                        more_to_drop = self.retain();
                    }
                    if !open {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => more_to_drop = self.retain(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes the first message and all that wait behind it; false when the queue is closed.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) -> bool {
        let mut next = Some(first);
        loop {
            let (mut records, mut waiting) = (Vec::<Entry>::new(), vec![]);
            let mut open = true;
            while records.len() < BATCH_MAX {
                let message = match next.take().map_or_else(|| messages.try_recv(), Ok) {
                    Ok(message) => message,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        open = false;
                        break;
                    }
                };
                match message {
                    Message::Record(entry) => records.push(*entry),
                    Message::Flush(done) => waiting.push(done),
                }
            }
            let full = records.len() == BATCH_MAX;
            self.write(records);
            for done in waiting {
                // Who no longer waits does not need the answer.
                let _ = done.send(());
            }
            if !full {
                return open;
            }
        }
    }

    fn write(&mut self, records: Vec<Entry>) {
        if records.is_empty() {
            return;
        }
        let bytes: usize = records.iter().map(|entry| entry.bytes).sum();
        let count = records.len() as u64;
        let batch = self.prepare(records);
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let done = self.commit(batch);
        self.shared.failing.store(done.is_none(), Ordering::Relaxed);
        match done {
            Some((first, kinds)) => {
                self.shared.written.fetch_add(count, Ordering::Relaxed);
                self.remember(first, kinds);
            }
            None => self.shared.lose(count),
        }
    }

    /// Decides which bodies stay, and redacts what is not yet redacted.
    fn prepare(&mut self, mut records: Vec<Entry>) -> Batch {
        // Those of one tenant and day lie together.
        records.sort_by(|a, b| {
            let day = |entry: &Entry| batch::day(entry.exchange.at_ms);
            a.exchange.tenant.cmp(&b.exchange.tenant).then_with(|| day(a).cmp(&day(b)))
        });
        let keep = self.options.keep_accepted;
        let kinds: Vec<Option<String>> = records.iter().map(|entry| self.kind(entry)).collect();
        let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
        let mut wanted = vec![false; records.len()];
        for (at, kind) in kinds.iter().enumerate().rev() {
            wanted[at] = match kind {
                None => !records[at].exchange.accepted(),
                Some(kind) => {
                    let count = newest.entry(kind).or_default();
                    *count += 1;
                    *count <= keep
                }
            };
        }
        let mut displaced = vec![];
        for (kind, count) in newest {
            if let Some(kept) = self.recent.get(kind) {
                let surplus = (kept.len() + count.min(keep)).saturating_sub(keep);
                displaced.extend(kept.iter().take(surplus).copied());
            }
        }
        let mut batch = Batch::default();
        batch.lost = self.shared.lost_unwritten.load(Ordering::Relaxed);
        batch.displaced = displaced;
        for ((at, mut entry), kind) in records.into_iter().enumerate().zip(kinds) {
            if !wanted[at] {
                entry.drop_bodies();
            }
            let exchange = redacted(entry, &self.options.types);
            let body = wanted[at].then(|| Body::new(&exchange, kind)).flatten();
            batch.push(exchange.within_limits(), body);
        }
        batch
    }

    /// The kind of an accepted request with bodies; none for a failure, and where there are too many kinds.
    fn kind(&self, entry: &Entry) -> Option<String> {
        let exchange = &entry.exchange;
        if !exchange.accepted() || !entry.has_bodies() {
            return None;
        }
        let kind = format!("{} {} {}", exchange.tenant, exchange.connection, exchange.operation());
        (self.recent.len() < KINDS_MAX || self.recent.contains_key(&kind)).then_some(kind)
    }

    /// The number of the first record, and where accepted bodies were kept; none if it failed for good.
    fn commit(&self, batch: Batch) -> Option<(i64, Vec<Accepted>)> {
        let kinds = batch.accepted();
        let lost = batch.lost;
        let batch = Arc::new(batch);
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            let shared = batch.clone();
            let done = self.store.write_blocking(move |tx| shared.write(tx));
            match done {
                Ok(first) => {
                    self.shared.lost_unwritten.fetch_sub(lost, Ordering::Relaxed);
                    return Some((first, kinds));
                }
                Err(StoreError::Closed) => return None,
                Err(_) if attempt < TRIES => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                Err(_) => {}
            }
        }
        None
    }

    fn remember(&mut self, first: i64, kinds: Vec<Accepted>) {
        for Accepted { kind, at, mut kept } in kinds {
            let recent = self.recent.entry(kind).or_default();
            kept.seq = first + at as i64;
            recent.push_back(kept);
            while recent.len() > self.options.keep_accepted {
                recent.pop_front();
            }
        }
    }

    /// One small step of retention; whether there may be more to drop.
    fn retain(&mut self) -> bool {
        let limits = retain::Limits {
            oldest_day: batch::day((self.options.now_ms)()) - self.options.keep_days,
            bytes: self.options.keep_bytes,
        };
        // A failure is met again at the next step, and writing reports it.
        let dropped = self.store.write_blocking(move |tx| retain::step(tx, &limits)).unwrap_or_default();
        if let Some(upto) = dropped {
            for kept in self.recent.values_mut() {
                kept.retain(|kept| (kept.day, kept.seq) > upto);
            }
        }
        dropped.is_some()
    }
}

/// The exchange as it may be written down.
fn redacted(entry: Entry, known: &Types) -> Exchange {
    let Entry { mut exchange, sent, types, .. } = entry;
    let types: Vec<&ResourceType> = types.as_ref().unwrap_or(known).iter().collect();
    exchange.path = redact_path(&types, &exchange.path);
    for (body, text) in [(&mut exchange.request, sent.request), (&mut exchange.answer, sent.answer)] {
        // What is no JSON cannot be redacted, so it is not written down.
        let read = body.take().or_else(|| serde_json::from_slice(&text).ok());
        *body = read.map(|body| redact(&types, &body));
    }
    exchange
}
