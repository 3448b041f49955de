//! What the runs of a lane write, gathered: the intents and outcomes of many subjects in one transaction.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use domain::executor::{Intended, Intention, Settlement};
use domain::ids::Subject;
use domain::snapshot::CompiledApp;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{StoreError, Tx};
use tokio::sync::{Notify, oneshot};

use super::intend::{group_of, intend};
use super::perform::Shared;
use super::settle::{Woken, settle};
use crate::context::Context;
use crate::error::EngineError;

/// Intents and outcomes that one transaction holds at most: what is behind it waits only a moment for the writer.
const MOST: usize = 64;
/// Transactions under way at the same time: one is gathered by the writer while another waits for the disk.
const UNDER_WAY: usize = 2;

/// Intents and outcomes that wait for their transaction.
#[derive(Default)]
pub struct Writes {
    waiting: Mutex<Vec<Waiting>>,
    called: Notify,
}

struct Waiting {
    write: RunWrite,
    reply: oneshot::Sender<Result<Written, EngineError>>,
}

/// One write of one run.
pub struct RunWrite {
    /// Whose run.
    pub subject: Subject,
    /// The app of its snapshot.
    pub app: Arc<CompiledApp>,
    /// Joins what the run causes.
    pub trace: String,
    /// What is written.
    pub what: What,
}

/// What is written.
pub enum What {
    /// A request is announced.
    Intention(Box<Intention>),
    /// An outcome is recorded.
    Settlement(Box<Settlement>),
}

/// What became of it.
#[derive(Debug)]
pub enum Written {
    /// Whether the request may be sent.
    Intended(Intended),
    /// False: the lane belongs to another owner now.
    Settled(bool),
}

impl Writes {
    /// Queues a write; it is durable when this returns. Somebody must [`serve`] meanwhile.
    pub(super) async fn write(&self, write: RunWrite) -> Result<Written, EngineError> {
        let (reply, written) = oneshot::channel();
        self.lock().push(Waiting { write, reply });
        self.called.notify_one();
        written.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let many = waiting.len().min(MOST);
        waiting.drain(..many).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out what runs write, as long as it is polled beside them. What comes while a transaction is under way goes into
/// the next one.
pub(super) async fn serve(shared: &Shared) -> Infallible {
    let mut under_way = FuturesUnordered::new();
    loop {
        if under_way.len() < UNDER_WAY {
            let batch = shared.writes.take();
            if !batch.is_empty() {
                under_way.push(carry_out(shared, batch));
                continue;
            }
        }
        tokio::select! {
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            () = shared.writes.called.notified(), if under_way.len() < UNDER_WAY => {}
        }
    }
}

/// One transaction for all. If it fails, each is tried in one of its own, so that only who is at fault hears of it.
async fn carry_out(shared: &Shared, batch: Vec<Waiting>) {
    let (writes, replies): (Vec<RunWrite>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.write, waiting.reply)).unzip();
    let writes = Arc::new(writes);
    // A run that was given up does not need to know: a reply that nobody takes is no failure.
    match transaction(shared, writes.clone(), 0..writes.len()).await {
        Ok(written) => {
            for (reply, written) in replies.into_iter().zip(written) {
                let _ = reply.send(Ok(written));
            }
        }
        Err(error) => {
            let all = of_all(&error);
            let mut error = Some(error).filter(|_| replies.len() == 1);
            for (place, reply) in replies.into_iter().enumerate() {
                let answer = match (error.take(), &all) {
                    (Some(error), _) => Err(error),
                    (None, Some(error)) => Err(error.clone().into()),
                    (None, None) => transaction(shared, writes.clone(), place..place + 1)
                        .await
                        .and_then(|mut written| written.pop().ok_or_else(|| StoreError::Closed.into())),
                };
                let _ = reply.send(answer);
            }
        }
    }
}

/// A failure that is nobody's fault and after which the transaction may be there all the same: to write any of it again
/// could record it twice.
fn of_all(error: &EngineError) -> Option<StoreError> {
    match error {
        EngineError::Store(failure @ (StoreError::Io { .. } | StoreError::Closed)) => Some(failure.clone()),
        _ => None,
    }
}

async fn transaction(
    shared: &Shared,
    writes: Arc<Vec<RunWrite>>,
    places: std::ops::Range<usize>,
) -> Result<Vec<Written>, EngineError> {
    let fence = shared.fence;
    let body = move |tx: &mut Tx<'_>, context: &mut Context| {
        write_together(tx, context, fence, &writes[places.clone()])
    };
    shared.engine.write(&shared.tenant, body).await
}

/// Writes what different subjects' runs have to write, in this order and in this transaction: each with its own checks.
pub fn write_together(
    tx: &mut Tx<'_>,
    context: &mut Context,
    fence: i64,
    writes: &[RunWrite],
) -> Result<Vec<Written>, EngineError> {
    let mut woken = Woken::default();
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        if group_of(&write.subject).is_some() {
            // A group that an account of this batch has woken is judged by its mark as it is then.
            std::mem::take(&mut woken).touch(tx, context)?;
        }
        written.push(write.run(tx, context, fence, &mut woken)?);
    }
    woken.touch(tx, context)?;
    Ok(written)
}

impl RunWrite {
    fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut Context,
        fence: i64,
        woken: &mut Woken,
    ) -> Result<Written, EngineError> {
        context.trace.clone_from(&self.trace);
        Ok(match &self.what {
            What::Intention(intention) => {
                Written::Intended(intend(tx, context, &self.app, &self.subject, fence, intention)?)
            }
            What::Settlement(settlement) => {
                Written::Settled(settle(tx, context, &self.app, &self.subject, fence, settlement, woken)?)
            }
        })
    }
}
