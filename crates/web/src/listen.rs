//! Accepting connections: limits on their number and on slow clients, TLS, and a stop that lets requests finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use store::Turns;
use store::scim_log::ScimLog;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::aftermath::Aftermath;
use crate::metrics::Metrics;
use crate::throttle::Throttle;
use crate::{Options, Server, answer};

/// A server that runs until it is stopped or dropped.
pub struct Running {
    /// The address it listens on, with the port that was chosen.
    pub address: SocketAddr,
    /// The URL it is reached by.
    pub url: String,
    stop: watch::Sender<bool>,
    join: JoinHandle<()>,
    afterwards: JoinHandle<()>,
}

impl Running {
    /// Takes no more connections, lets requests finish for a while, and closes.
    pub async fn stop(self) {
        // Nobody listens any more only if the loop ended by itself.
        let _ = self.stop.send(true);
        let _ = self.join.await;
        let _ = self.afterwards.await;
    }
}

/// A certificate with its key, ready for use.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    /// From a PEM file with the certificate and its chain, and one with the private key.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError(format!("the certificate is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(TlsError("there is no certificate in the file".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsError(format!("the private key is no PEM: {error}")))?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| TlsError(format!("certificate and key do not fit: {error}")))?;
        Ok(Self(Arc::new(config)))
    }
}

/// Begins to listen. Port 0 chooses a free one.
pub async fn listen(
    engine: Engine,
    log: Arc<ScimLog>,
    address: SocketAddr,
    tls: Option<Tls>,
    options: Options,
) -> std::io::Result<Running> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = options.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let (aftermath, afterwards) = Aftermath::start(engine.clone());
    let server = Arc::new(Server {
        engine,
        aftermath,
        log,
        base: url.clone(),
        metrics: Metrics::default(),
        throttle: Throttle::default(),
        tokens: Arc::default(),
        bodies: Turns::for_processors(),
        options,
    });
    let (stop, stopped) = watch::channel(false);
    let join = tokio::spawn(accept(listener, server, tls, stopped));
    Ok(Running { address, url, stop, join, afterwards })
}

async fn accept(
    listener: TcpListener,
    server: Arc<Server>,
    tls: Option<Tls>,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(server.options.connections));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => continue,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (server, tls, stopped) = (server.clone(), tls.clone(), stopped.clone());
                    connections.spawn(async move {
                        converse(stream, server, tls, stopped).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, for example: others finish meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(server.options.grace, all).await;
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, server: Arc<Server>, tls: Option<Tls>, stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => speak(stream, server, stopped).await,
        Some(Tls(config)) => {
            let handshake = TlsAcceptor::from(config).accept(stream);
            // A client that breaks off the handshake is nothing to report.
            if let Ok(Ok(stream)) = tokio::time::timeout(server.options.slow, handshake).await {
                speak(stream, server, stopped).await;
            }
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    server: Arc<Server>,
    mut stopped: watch::Receiver<bool>,
) {
    let slow = server.options.slow;
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, std::convert::Infallible>(answer::answer(&server, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(slow).max_buf_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    loop {
        tokio::select! {
            // An error is a client that went away or that speaks no HTTP.
            _ = connection.as_mut() => return,
            changed = stopped.changed() => {
                if changed.is_err() || *stopped.borrow() {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.as_mut().await;
                    return;
                }
            }
        }
    }
}
