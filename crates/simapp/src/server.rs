//! The app behind real HTTP/1.1 with keep-alive; the clock and the address are arguments.

use crate::admin::PREFIX;
use crate::app::App;
use crate::wire::{Reply, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Reads the time, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    /// The address it listens on, with the port that was chosen.
    pub addr: SocketAddr,
    /// Stops the server when it is sent or dropped.
    pub shutdown: watch::Sender<()>,
    /// Ends when the server has stopped and every connection is closed.
    pub join: JoinHandle<()>,
}

impl Running {
    /// The server's address as a URL without a path, for example `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Closes all connections and waits until they are closed.
    pub async fn stop(self) {
        drop(self.shutdown);
        // The task only ends early by a panic, which its own message has already shown.
        let _ = self.join.await;
    }
}

/// Serves the app at an address; port 0 chooses a free one. Locations then start with the server's URL.
///
/// The lock is held only while [`App::handle`] runs, so tests can inspect and edit the same app meanwhile.
pub async fn serve(app: Arc<Mutex<App>>, listen: SocketAddr, clock: Clock) -> std::io::Result<Running> {
    let listener = TcpListener::bind(listen).await?;
    let addr = listener.local_addr()?;
    {
        let mut app = lock(&app);
        if app.config.public_url.is_empty() {
            app.set_public_url(&format!("http://{addr}"));
        }
    }
    let (shutdown, stopped) = watch::channel(());
    let join = tokio::spawn(accept(listener, app, clock, stopped));
    Ok(Running { addr, shutdown, join })
}

async fn accept(listener: TcpListener, app: Arc<Mutex<App>>, clock: Clock, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // A value and a dropped sender both mean stop.
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(converse(stream, peer, app.clone(), clock.clone()));
                }
                // Out of file descriptors, for example: others finish meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, peer: SocketAddr, app: Arc<Mutex<App>>, clock: Clock) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (app, clock) = (app.clone(), clock.clone());
        async move { respond(request, peer, &app, &clock).await }
    });
    // An error is a client that went away, no HTTP, or a reset that a fault asked for: nothing to report.
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct Closed;

async fn respond(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    app: &Mutex<App>,
    clock: &Clock,
) -> Result<hyper::Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
    if path.starts_with(PREFIX) && !peer.ip().is_loopback() {
        return Ok(to_hyper(Response::error(403, "this is offered on loopback only")));
    }
    let limit = lock(app).config.max_body_bytes;
    // One byte more is read, so that the app itself refuses and counts a body that is too long.
    let body = match Limited::new(body, limit.saturating_add(1)).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => vec![b' '; limit.saturating_add(1)],
        Err(_) => return Err(Closed),
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let request = Request { method: head.method.to_string(), path, headers, body };
    let reply = {
        let now_ms = clock();
        lock(app).handle(&request, now_ms)
    };
    if reply.delay_ms() > 0 {
        tokio::time::sleep(Duration::from_millis(reply.delay_ms())).await;
    }
    match reply {
        Reply::Answer { response, .. } => Ok(to_hyper(response)),
        Reply::Reset { .. } => Err(Closed),
    }
}

fn to_hyper(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut out = hyper::Response::new(Full::new(Bytes::from(response.body)));
    if let Ok(status) = hyper::StatusCode::from_u16(response.status) {
        *out.status_mut() = status;
    }
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            out.headers_mut().append(name, value);
        }
    }
    out
}

/// A panic while the lock was held is that request's failure, not the end of the server.
fn lock(app: &Mutex<App>) -> MutexGuard<'_, App> {
    app.lock().unwrap_or_else(PoisonError::into_inner)
}
