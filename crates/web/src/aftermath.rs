//! What is done after answers, off their path: findings from exchanges, refusals for want of seats, which users a source still
//! knows, and when tokens were used last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::connection::SOURCE_PREFIX;
use domain::exchange::Exchange;
use domain::finding::tells;
use domain::ids::{TenantId, TokenId};
use engine::endpoint::Note;
use engine::{Engine, confirmations, findings, seats, tokens};
use hyper::body::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Requests that may wait. Beyond it they are still in the SCIM log, but nothing is found in them.
const QUEUE_MAX: usize = 20_000;
/// Requests that are judged at once.
const BATCH_MAX: usize = 2_000;
/// How long requests gather.
const GATHER: Duration = Duration::from_millis(500);

/// What a request showed beside its answer.
pub(crate) struct Aside {
    /// For findings.
    pub(crate) notes: Vec<Note>,
    /// Users that it named and found.
    pub(crate) confirmed: Vec<String>,
}

/// A request that was answered.
struct Answered {
    token: TokenId,
    /// Without bodies.
    exchange: Exchange,
    /// What was sent, where its judgement needs that.
    request: Bytes,
    /// Seats that it needed and that were not free.
    no_seats: Option<i64>,
    /// The source that still knows them, and users.
    confirmed: Option<(String, Vec<String>)>,
}

/// The end that requests are handed to.
#[derive(Clone)]
pub(crate) struct Aftermath {
    queue: Sender<Answered>,
}

impl Aftermath {
    /// Starts the work; it ends when the last handle is gone, after everything that was handed over.
    pub(crate) fn start(engine: Engine) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = channel(QUEUE_MAX);
        (Self { queue }, tokio::spawn(work(engine, waiting)))
    }

    /// Hands a request over. Never waits.
    pub(crate) fn hand_over(&self, token: &TokenId, exchange: &Exchange, request: &Bytes, aside: Aside) {
        let no_seats = aside.notes.iter().map(|Note::NoSeat { asked }| *asked);
        let by_connection = !exchange.connection.is_empty() && !aside.confirmed.is_empty();
        let confirmed =
            by_connection.then(|| (format!("{SOURCE_PREFIX}{}", exchange.connection_name), aside.confirmed));
        let telling = tells(exchange);
        let request = if telling && asks_for_body(exchange) { request.clone() } else { Bytes::new() };
        let kept = if telling {
            exchange.clone()
        } else {
            let mut bare = Exchange::new(&exchange.tenant, exchange.at_ms, &exchange.trace, "", "");
            bare.connection.clone_from(&exchange.connection);
            bare.status = exchange.status;
            bare
        };
        // A full queue loses no record, only a finding that the next request shows again.
        let _ = self.queue.try_send(Answered {
            token: token.clone(),
            exchange: kept,
            request,
            no_seats: no_seats.max(),
            confirmed,
        });
    }
}

/// Of an accepted write of a user only that it was accepted counts, unless it may be somebody who was deleted.
fn asks_for_body(exchange: &Exchange) -> bool {
    !exchange.accepted() || exchange.object_kind != "user" || exchange.status == 201
}

impl Answered {
    fn with_request(self) -> Exchange {
        let request = serde_json::from_slice(&self.request).ok();
        Exchange { request, ..self.exchange }
    }
}

async fn work(engine: Engine, mut waiting: Receiver<Answered>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let used: BTreeSet<TokenId> = batch.iter().map(|done: &Answered| done.token.clone()).collect();
        let mut refused: BTreeMap<TenantId, i64> = BTreeMap::new();
        for done in &batch {
            if let Some(asked) = done.no_seats {
                let most = refused.entry(done.exchange.tenant.clone()).or_default();
                *most = asked.max(*most);
            }
        }
        let mut known: BTreeMap<(TenantId, String), BTreeSet<String>> = BTreeMap::new();
        for done in &mut batch {
            if let Some((source, users)) = done.confirmed.take() {
                known.entry((done.exchange.tenant.clone(), source)).or_default().extend(users);
            }
        }
        let done = std::mem::take(&mut batch);
        // Large bodies are not read where requests are answered.
        let read = tokio::task::spawn_blocking(|| done.into_iter().map(Answered::with_request).collect());
        // All are tried again with the next requests; a database that fails shows in those requests themselves.
        let _ = findings::observe(&engine, read.await.unwrap_or_default()).await;
        for (tenant, asked) in refused {
            let _ = seats::note_refused(&engine, &tenant, asked).await;
        }
        for ((tenant, source), users) in known {
            let _ = confirmations::confirm(&engine, &tenant, &source, users).await;
        }
        let _ = tokens::touch(&engine, &used.into_iter().collect::<Vec<_>>()).await;
        tokio::time::sleep(GATHER).await;
    }
}
