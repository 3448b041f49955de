//! What the SCIM log keeps of a request: collected while it is answered, redacted, and handed over without waiting.

use domain::connection::Principal;
use domain::exchange::Exchange;
use domain::ids::TokenId;
use engine::endpoint::Reply;
use engine::schemas::ResourceTypes;
use hyper::body::Bytes;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use store::scim_log::Sent;

use crate::Server;
use crate::aftermath::Aside;

/// A request on its way to the log.
pub(crate) struct Seen {
    exchange: Exchange,
    /// What was sent, if it is JSON.
    request: Bytes,
    token: TokenId,
}

impl Seen {
    pub(crate) fn new(principal: &Principal, head: &Parts, at_ms: i64, trace: &str) -> Self {
        let whole = head.uri.path_and_query().map_or(head.uri.path(), |path| path.as_str());
        // Below the base: the tenant's name is no news in its own log.
        let path = whole.split_once("/scim/v2").map_or(whole, |(_, rest)| rest);
        let agent = head.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut exchange = Exchange::new(&principal.tenant, at_ms, trace, head.method.as_str(), path);
        exchange.token_name.clone_from(&principal.token_name);
        exchange.user_agent = agent.unwrap_or_default().into_owned();
        if let Some(connection) = &principal.connection {
            exchange.connection = connection.id.to_string();
            exchange.connection_name.clone_from(&connection.name);
            exchange.dialect = connection.settings.dialect.as_str().to_owned();
        } else {
            exchange.dialect = scim::dialect::Dialect::default().as_str().to_owned();
        }
        Self { exchange, request: Bytes::new(), token: principal.token.clone() }
    }

    pub(crate) fn keep_request(&mut self, body: Bytes) {
        self.request = body;
    }
}

/// Hands the exchange to the log, with the body that was answered.
pub(crate) fn record(
    server: &Server,
    seen: Seen,
    (reply, answer): (Reply, Bytes),
    types: &ResourceTypes,
    started: u64,
) {
    let mut exchange = seen.exchange;
    exchange.status = reply.status;
    exchange.duration_us = i64::try_from(server.now_micros() - started).unwrap_or(i64::MAX);
    exchange.tolerated =
        reply.tolerated.into_iter().map(|found| (found.quirk.to_owned(), found.place, found.note)).collect();
    if let Some(error) = &reply.error {
        exchange.scim_type = error.scim_type.map(|kind| kind.as_str().to_owned());
        exchange.detail = Some(engine::endpoint::with_trace(error, &exchange.trace).detail);
    }
    if let Some(object) = reply.object {
        object.kind.as_str().clone_into(&mut exchange.object_kind);
        exchange.object = object.id;
        exchange.object_name = object.name;
    }
    let aside = Aside { notes: reply.notes, confirmed: reply.confirmed };
    server.aftermath.hand_over(&seen.token, &exchange, &seen.request, aside);
    // The log's own thread reads and redacts what it keeps: values of attributes that nobody declared are not written down.
    server.log.record_sent(exchange, Sent { request: seen.request, answer }, types.logged());
}
