//! The SCIM log: every request to the endpoint, written by a thread of its own into a database of its own.
//!
//! The request path only puts one value into a queue. The writer takes what has gathered, drops what need not be kept, and
//! commits it at once. A record is never waited for; one that does not fit into the queue is counted as lost.

mod batch;
mod block;
mod read;
mod retain;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use domain::exchange::Exchange;
use scim::ResourceType;
use serde_json::Value as Json;
use tokio::sync::oneshot;

pub use read::{LogFilter, LogObject, Page, Recorded, ScimLogReader, StatusRange};

use crate::{Location, Migration, OpenOptions, Store, StoreError};

/// The log's own schema changes.
pub const MIGRATIONS: &[Migration] = &[
    ("scim_log", include_str!("../schema/scim_log.sql")),
    ("scim_log_blocks", include_str!("../schema/scim_log_blocks.sql")),
];

/// The tables that are divided by day.
const TABLES: [&str; 3] = ["scim_block", "scim_records", "scim_body"];

/// The log's PostgreSQL schema.
const NAMESPACE: &str = "lockstep_scim_log";

/// Requests that may wait for the writer.
const QUEUE_MAX: usize = 65_536;

/// Text of bodies that may wait for the writer, in bytes; beyond it requests are kept without their bodies.
const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the log is kept. Start from [`ScimLogOptions::new`].
#[derive(Clone)]
pub struct ScimLogOptions {
    /// The clock: Unix milliseconds.
    pub now_ms: fn() -> i64,
    /// Older records are dropped, by whole days: 30 days.
    pub keep_days: i64,
    /// Above this size the oldest are dropped: 1 GiB.
    pub keep_bytes: i64,
    /// Of how many accepted requests per connection and kind the bodies are kept: 20.
    pub keep_accepted: usize,
    /// What the endpoint knows: values of other attributes are not written down. User and Group of the RFCs.
    pub types: Types,
    /// How long the writer lets records gather before it commits: 100 ms.
    pub gather_ms: u64,
    /// Failures to inject; for tests.
    pub faults: Option<Arc<crate::Faults>>,
}

impl ScimLogOptions {
    /// The defaults.
    pub fn new(now_ms: fn() -> i64) -> Self {
        Self {
            now_ms,
            keep_days: 30,
            keep_bytes: 1 << 30,
            keep_accepted: 20,
            types: Arc::new(vec![ResourceType::user(), ResourceType::group()]),
            gather_ms: 100,
            faults: None,
        }
    }
}

/// The writing end of the log. When it is dropped, what is queued is written first.
pub struct ScimLog {
    // None only while it is dropped: the writer ends when the queue closes.
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    reader: ScimLogReader,
    shared: Arc<Shared>,
}

/// The resource types of the endpoint, for redaction in the writer.
pub type Types = Arc<Vec<ResourceType>>;

/// Bodies of a request as they travelled: JSON texts, empty where there was none.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// What was sent to us.
    pub request: Bytes,
    /// What was answered.
    pub answer: Bytes,
}

enum Message {
    Record(Box<Entry>),
    Flush(oneshot::Sender<()>),
}

/// A request on its way to the writer.
struct Entry {
    exchange: Exchange,
    /// Bodies that are only read if they are kept.
    sent: Sent,
    /// Where they are not those of the options.
    types: Option<Types>,
    /// About how much memory the bodies take.
    bytes: usize,
}

impl Entry {
    fn has_bodies(&self) -> bool {
        let Exchange { request, answer, .. } = &self.exchange;
        request.is_some() || answer.is_some() || !self.sent.request.is_empty() || !self.sent.answer.is_empty()
    }

    fn drop_bodies(&mut self) {
        (self.exchange.request, self.exchange.answer) = (None, None);
        (self.sent, self.bytes) = (Sent::default(), 0);
    }
}

/// Figures that both ends keep.
#[derive(Default)]
struct Shared {
    queued_bytes: AtomicUsize,
    /// Lost since the log was opened.
    lost: AtomicU64,
    /// Lost and not yet written into the log.
    lost_unwritten: AtomicU64,
    thinned: AtomicU64,
    written: AtomicU64,
    failing: AtomicBool,
}

impl ScimLog {
    /// Opens the log of the database at `location` ([`Location::of_scim_log`]) and makes it if it is not there.
    pub fn open(location: &Location, options: ScimLogOptions) -> Result<ScimLog, StoreError> {
        let store = open_store(location, &options)?;
        let reader = ScimLogReader::on(store.clone());
        let shared = Arc::new(Shared::default());
        let writer = writer::Writer::new(store, options, shared.clone())?;
        let (queue, messages) = sync_channel(QUEUE_MAX);
        let thread = std::thread::spawn(move || writer.run(&messages));
        Ok(ScimLog { queue: Some(queue), thread: Some(thread), reader, shared })
    }

    /// Records a request as it came. The writer redacts path and bodies of what it keeps, and only of that: most bodies of
    /// accepted requests are not kept, so this costs the request path less than redacting there. Never waits.
    pub fn record(&self, exchange: Exchange) {
        self.send(exchange, Sent::default(), None);
    }

    /// [`ScimLog::record`] of a request whose bodies are still texts: nothing of them is copied, and most are never read.
    /// `types` are those of a tenant with schemas of its own: their attributes are known.
    pub fn record_sent(&self, exchange: Exchange, sent: Sent, types: Option<&Types>) {
        self.send(exchange, sent, types.cloned());
    }

    /// Returns when everything that was recorded before is committed.
    pub async fn flush(&self) {
        let (done, committed) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Message::Flush(done)).is_ok()
        {
            // An error says that the writer is gone, and nothing more will be written.
            let _ = committed.await;
        }
    }

    /// The reading end.
    pub fn reader(&self) -> &ScimLogReader {
        &self.reader
    }

    /// Requests that could not be recorded since the log was opened: the queue was full, or the database failed.
    pub fn dropped(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Requests that were recorded without their bodies because too much was queued.
    pub fn thinned(&self) -> u64 {
        self.shared.thinned.load(Ordering::Relaxed)
    }

    /// Requests that were committed since the log was opened.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    fn send(&self, exchange: Exchange, sent: Sent, types: Option<Types>) {
        let Some(queue) = &self.queue else { return };
        let size = weight(&exchange) + sent.request.len() + sent.answer.len();
        let mut entry = Box::new(Entry { exchange, sent, types, bytes: size });
        let queued = self.shared.queued_bytes.fetch_add(size, Ordering::Relaxed);
        if size > 0 && queued + size > QUEUED_BYTES_MAX {
            self.shared.queued_bytes.fetch_sub(size, Ordering::Relaxed);
            self.shared.thinned.fetch_add(1, Ordering::Relaxed);
            entry.drop_bodies();
        }
        let refused = match queue.try_send(Message::Record(entry)) {
            Ok(()) => return,
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => message,
        };
        if let Message::Record(entry) = refused {
            self.shared.queued_bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        }
        self.shared.lose(1);
    }
}

impl Drop for ScimLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The writer writes what is queued before it ends; its panic was printed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lose(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::Relaxed);
        self.lost_unwritten.fetch_add(records, Ordering::Relaxed);
    }
}

/// Opens the log's database as a store of its own.
fn open_store(location: &Location, options: &ScimLogOptions) -> Result<Store, StoreError> {
    let store_options = OpenOptions {
        create: true,
        connections: 4,
        migrations: MIGRATIONS,
        durable: false,
        namespace: Some(NAMESPACE),
        faults: options.faults.clone(),
        ..OpenOptions::new((options.now_ms)())
    };
    Store::open(&location.of_scim_log(), store_options)
}

/// About how much memory the bodies take.
fn weight(exchange: &Exchange) -> usize {
    exchange.request.as_ref().map_or(0, json_weight) + exchange.answer.as_ref().map_or(0, json_weight)
}

fn json_weight(value: &Json) -> usize {
    match value {
        Json::String(text) => 32 + text.len(),
        Json::Array(list) => 32 + list.iter().map(json_weight).sum::<usize>(),
        Json::Object(object) => {
            32 + object.iter().map(|(name, value)| 32 + name.len() + json_weight(value)).sum::<usize>()
        }
        _ => 32,
    }
}
