//! HTTP: the SCIM endpoint, the API for an app's own code, health and metrics.
//!
//! Rule: translate one request into one call of the engine and back. Deliberately absent: SQL, business decisions, the real
//! clock. Every path is answered by [`answer`]; what is below a SCIM base or the API is authenticated before anything else
//! is looked at, and paths are read as sent: nothing is normalised, so nothing is matched twice in two ways.

mod aftermath;
mod answer;
mod api;
mod authenticate;
mod body;
mod exchange;
mod listen;
mod metrics;
mod route;
mod scim_route;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::token_cache::TokenCache;
use store::Turns;
use store::scim_log::ScimLog;

pub use listen::{Running, Tls, TlsError, listen};
pub use scim_route::{Sent, request};

/// How a server behaves. Start from [`Options::new`].
#[derive(Clone)]
pub struct Options {
    /// What clients call this server, for example `https://scim.example.com`, without a slash at the end. It stands in every
    /// `Location`; the `Host` header is never believed. Without it the address that is listened on is taken.
    pub public_url: Option<String>,
    /// Connections at the same time; more wait.
    pub connections: usize,
    /// How long a client may take to send a header or a body.
    pub slow: Duration,
    /// How long a stop waits for requests that are being answered.
    pub grace: Duration,
    /// A clock that only moves forward, in microseconds.
    pub monotonic_micros: fn() -> u64,
}

impl Options {
    /// The defaults, with the clock that measures durations.
    pub fn new(monotonic_micros: fn() -> u64) -> Self {
        Self {
            public_url: None,
            connections: 4_096,
            slow: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            monotonic_micros,
        }
    }
}

/// What all requests share.
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// Where exchanges are written.
    pub log: Arc<ScimLog>,
    /// How it behaves.
    pub options: Options,
    base: String,
    aftermath: aftermath::Aftermath,
    metrics: metrics::Metrics,
    throttle: throttle::Throttle,
    tokens: Arc<TokenCache>,
    /// For large bodies.
    bodies: Turns,
}

impl Server {
    fn now_micros(&self) -> u64 {
        (self.options.monotonic_micros)()
    }
}
