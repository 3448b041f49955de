//! A caller's write that waits with others for one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::options::Counters;
use crate::{StoreError, Tx, TxError};

/// A caller's closure with the place of its answer.
pub(crate) trait Job: Send {
    /// Runs the closure and keeps its answer; whether its changes stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Whether the answer kept is that the closure panicked.
    fn panicked(&self) -> bool;
    /// Sends the answer kept, or the failure in place of an `Ok` that did not become durable.
    fn reply(self: Box<Self>, lost: Option<StoreError>);
}

struct WriteJob<T, E, F> {
    body: F,
    answer: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

/// Hands the closure over at once and waits for its answer, which comes after the commit. Dropping the future does not stop
/// the write.
pub(crate) async fn queue<T, E, F>(body: F, submit: impl FnOnce(Box<dyn Job>)) -> Result<T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: TxError + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    submit(Box::new(WriteJob { body, answer: None, reply }));
    // A store that is closed drops the job, and with it the sender.
    answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
}

/// Answers a job. Dropping a caller's closure may panic too, which must not end the thread that answers.
pub(crate) fn settle(job: Box<dyn Job>, lost: Option<StoreError>, counters: &Counters) {
    if job.panicked() {
        Counters::add(&counters.panicked);
    }
    let _ = catch_unwind(AssertUnwindSafe(|| job.reply(lost)));
}

/// Whether a closure's answer is that it panicked.
pub(crate) fn panicked<T, E: TxError>(answer: &Result<T, E>) -> bool {
    let error = answer.as_ref().err().and_then(TxError::store_error);
    matches!(error, Some(StoreError::JobPanicked { .. }))
}

impl<T, E, F> Job for WriteJob<T, E, F>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: TxError + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let answer = tx.run(&mut self.body);
        let keep = answer.is_ok();
        self.answer = Some(answer);
        keep
    }

    fn panicked(&self) -> bool {
        self.answer.as_ref().is_some_and(panicked)
    }

    fn reply(self: Box<Self>, lost: Option<StoreError>) {
        let answer = match (self.answer, lost) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(lost)) => Err(lost.into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StoreError::Closed.into()),
        };
        // A caller that no longer waits does not need its answer.
        let _ = self.reply.send(answer);
    }
}
