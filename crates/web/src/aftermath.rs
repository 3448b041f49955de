//! What is done after answers, off their path: findings from exchanges, and when tokens were used last.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::exchange::Exchange;
use domain::finding::tells;
use domain::ids::TokenId;
use engine::{Engine, findings, tokens};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Requests that may wait. Beyond it they are still in the SCIM log, but nothing is found in them.
const QUEUE_MAX: usize = 20_000;
/// Requests that are judged at once.
const BATCH_MAX: usize = 2_000;
/// How long requests gather.
const GATHER: Duration = Duration::from_millis(500);

/// The end that requests are handed to.
#[derive(Clone)]
pub(crate) struct Aftermath {
    queue: Sender<(TokenId, Exchange)>,
}

impl Aftermath {
    /// Starts the work; it ends when the last handle is gone, after everything that was handed over.
    pub(crate) fn start(engine: Engine) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = channel(QUEUE_MAX);
        (Self { queue }, tokio::spawn(work(engine, waiting)))
    }

    /// Hands a request over. Never waits.
    pub(crate) fn hand_over(&self, token: &TokenId, exchange: &Exchange) {
        let kept = if tells(exchange) {
            exchange.clone()
        } else {
            let mut bare = Exchange::new(&exchange.tenant, exchange.at_ms, &exchange.trace, "", "");
            bare.connection.clone_from(&exchange.connection);
            bare.status = exchange.status;
            bare
        };
        // A full queue loses no record, only a finding that the next request shows again.
        let _ = self.queue.try_send((token.clone(), kept));
    }
}

async fn work(engine: Engine, mut waiting: Receiver<(TokenId, Exchange)>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let used: BTreeSet<TokenId> = batch.iter().map(|(token, _)| token.clone()).collect();
        let exchanges: Vec<Exchange> = batch.drain(..).map(|(_, exchange)| exchange).collect();
        // Both are tried again with the next requests; a database that fails shows in those requests themselves.
        let _ = findings::observe(&engine, &exchanges).await;
        let _ = tokens::touch(&engine, &used.into_iter().collect::<Vec<_>>()).await;
        tokio::time::sleep(GATHER).await;
    }
}
