//! A plain HTTP client for measurements: one connection per caller, kept open, as little work per request as possible.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Result;
use crate::clock::{monotonic_micros, timed};

/// A request; the path begins below the base of the target.
pub struct Request {
    /// The verb.
    pub method: &'static str,
    /// Path and query, ready to be sent.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<String>,
}

impl Request {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: None }
    }

    /// A request with a body.
    pub fn with(method: &'static str, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self { method, path: path.into(), body: Some(body.to_string()) }
    }
}

/// Where requests go.
#[derive(Clone)]
pub struct Target {
    /// `host:port`.
    pub authority: String,
    /// Before every path.
    pub base: String,
    /// The bearer token.
    pub token: String,
}

/// A status and a whole body.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The answer, if it is a success.
    pub fn success(self, of: &str) -> Result<Self> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(format!("{of}: {}", self.shown()).into())
        }
    }

    /// Status and the beginning of the body.
    pub fn shown(&self) -> String {
        let start = &self.body[..self.body.len().min(300)];
        format!("{} {}", self.status, String::from_utf8_lossy(start))
    }
}

/// One connection; opened again when the server closed it.
pub struct Client {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that connects with its first request.
    pub fn new(target: &Target) -> Self {
        Self { target: target.clone(), sender: None }
    }

    /// Sends one request and reads its answer to the end. A connection that was closed while nobody used it is replaced.
    pub async fn send(&mut self, request: &Request) -> Result<Answer> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match self.send_on(sender, request).await {
                Err(error) if closed_before(error.as_ref()) => {}
                other => return other,
            }
        }
        let sender = self.connect().await?;
        self.send_on(sender, request).await
    }

    async fn send_on(&mut self, mut sender: SendRequest<Full<Bytes>>, request: &Request) -> Result<Answer> {
        sender.ready().await?;
        let mut http = hyper::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", self.target.base, request.path))
            .header("Host", &self.target.authority)
            .header("Authorization", format!("Bearer {}", self.target.token))
            .header("Accept", "application/scim+json");
        if request.body.is_some() {
            http = http.header("Content-Type", "application/scim+json");
        }
        let body = request.body.clone().unwrap_or_default();
        let answer = sender.send_request(http.body(Full::new(Bytes::from(body)))?).await?;
        let status = answer.status().as_u16();
        let closes = answer.headers().get("Connection").is_some_and(|value| value == "close");
        let body = answer.into_body().collect().await?.to_bytes();
        if !closes {
            self.sender = Some(sender);
        }
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.target.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the connection; what went wrong is seen by the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// The server had closed the connection before it saw the request.
fn closed_before(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_closed() || error.is_canceled())
}

/// How long and how wide requests are sent.
#[derive(Clone, Copy)]
pub struct Load {
    /// Callers at the same time, each with its own connection.
    pub width: usize,
    /// Requests at most.
    pub limit: usize,
    /// Requests at least, however long they take.
    pub least: usize,
    /// No other request begins after this.
    pub span: Duration,
}

/// What a load brought.
#[derive(Default)]
pub struct Sample {
    /// Number and microseconds of each request, the fastest first.
    pub requests: Vec<(usize, u64)>,
    /// How long all of it took.
    pub time: Duration,
    /// Answers that were not what was wanted: number of the request, and what came.
    pub failures: Vec<(usize, String)>,
}

impl Sample {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        crate::clock::per_second(self.requests.len(), self.time)
    }

    /// The time in milliseconds below which this many of a thousand requests stayed.
    pub fn per_mille(&self, part: usize) -> f64 {
        let at = (self.requests.len() * part / 1_000).min(self.requests.len().saturating_sub(1));
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a request fit")]
        let micros = self.requests.get(at).map_or(0, |(_, micros)| *micros) as f64;
        micros / 1_000.0
    }

    /// Each `count`th request, from the one with number `at`; what one caller sent one after the other in turns.
    #[must_use]
    pub fn part(&self, at: usize, count: usize) -> Self {
        let requests: Vec<(usize, u64)> =
            self.requests.iter().filter(|(n, _)| n % count == at).copied().collect();
        let time = Duration::from_micros(requests.iter().map(|(_, micros)| micros).sum());
        Self {
            requests,
            time,
            failures: self.failures.iter().filter(|(n, _)| n % count == at).cloned().collect(),
        }
    }
}

/// Sends what `make` gives for 0, 1, 2, … and measures each; `right` says whether an answer is the one that was asked for.
pub async fn drive(
    target: &Target,
    load: Load,
    make: &(impl Fn(usize) -> Request + Sync),
    right: &(impl Fn(usize, &Answer) -> bool + Sync),
) -> Sample {
    let next = Arc::new(AtomicUsize::new(0));
    let deadline = monotonic_micros() + u64::try_from(load.span.as_micros()).unwrap_or(u64::MAX / 2);
    let callers = futures::stream::iter(0..load.width).map(|_| {
        let next = next.clone();
        async move {
            let (mut client, mut mine) = (Client::new(target), Sample::default());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= load.limit || (n >= load.least && monotonic_micros() >= deadline) {
                    return mine;
                }
                let request = make(n);
                let start = monotonic_micros();
                let answer = client.send(&request).await;
                mine.requests.push((n, monotonic_micros() - start));
                let wrong = match &answer {
                    Ok(answer) if (200..300).contains(&answer.status) && right(n, answer) => continue,
                    Ok(answer) => answer.shown(),
                    Err(error) => error.to_string(),
                };
                mine.failures.push((n, format!("{} {}: {wrong}", request.method, request.path)));
            }
        }
    });
    let (parts, time) = timed(callers.buffer_unordered(load.width).collect::<Vec<_>>()).await;
    let mut all = Sample { time, ..Sample::default() };
    for part in parts {
        all.requests.extend(part.requests);
        all.failures.extend(part.failures);
    }
    all.requests.sort_unstable_by_key(|(_, micros)| *micros);
    all
}
