//! The accept loop: TCP, TLS and HTTP/1.1, with every wait bounded.
//!
//! No client can hold the server: handshake, request head, request body, idle time and a reader that
//! does not read each have a limit, and one address can only hold so many connections.

mod crowd;
mod pulse;
mod timed;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;

use crowd::Crowd;
use pulse::{Pulse, Watch};
use timed::{TimedBody, TimedStream};

/// Limits on connections. The defaults suit a bank on the open internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Seconds for the TLS handshake.
    pub handshake_s: u32,
    /// Seconds for the head of a request, from its first byte.
    pub header_s: u32,
    /// Seconds for the body of a request, from the first wait for it.
    pub body_s: u32,
    /// Seconds a connection may wait for its next request.
    pub idle_s: u32,
    /// Seconds without progress while an answer is written.
    pub write_stall_s: u32,
    /// Seconds that what was accepted may take after the shutdown began.
    pub shutdown_s: u32,
    /// Connections in all; more wait in the system's queue.
    pub connections_max: usize,
    /// Connections from one address (an IPv6 address counts as its /64); more are closed at once.
    pub per_address_max: usize,
    /// Connections from loopback.
    pub per_loopback_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_s: 10,
            header_s: 10,
            body_s: 30,
            idle_s: 75,
            write_stall_s: 30,
            shutdown_s: 10,
            connections_max: 8192,
            per_address_max: 128,
            per_loopback_max: 1024,
        }
    }
}

/// Serves `app` until `shutdown` completes, then finishes what was accepted.
///
/// Each request carries the peer's address as [`ConnectInfo<SocketAddr>`].
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let crowd = Arc::new(Crowd::default());
    let (close, closing) = watch::channel(false);
    // Every connection holds a sender; when the last is gone, `finished` says so.
    let (alive, mut finished) = mpsc::channel::<Infallible>(1);
    let server = Arc::new(Server { tls: TlsAcceptor::from(tls), app, limits });

    let accepting = async {
        loop {
            // A place is never refused here: the semaphore is not closed anywhere.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    wait_after(&error).await;
                    continue;
                }
            };
            let Some(seat) = crowd.enter(peer.ip(), &server.limits) else {
                tracing::warn!(address = %peer.ip(), "too many connections from one address: closed");
                continue;
            };
            let (server, closing, alive) = (server.clone(), closing.clone(), alive.clone());
            tokio::spawn(async move {
                server.connection(stream, peer, closing).await;
                drop((place, seat, alive));
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }

    drop((alive, listener));
    // Nobody listening any more is fine: then there is nothing to finish.
    let _ = close.send(true);
    let patience = Duration::from_secs(server.limits.shutdown_s.into());
    if timeout(patience, finished.recv()).await.is_err() {
        tracing::warn!("some connections did not finish in time and were cut");
    }
}

/// Lifts the soft limit on open files to the hard one: each connection is a file.
pub fn raise_open_files_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit on open files could not be raised; see `ulimit -n`");
        }
    }
}

/// How long, and how often, a refused connection is read on.
const LINGERING: Duration = Duration::from_secs(1);
const LINGERING_READS_MAX: usize = 16;

struct Server {
    tls: TlsAcceptor,
    app: Router,
    limits: Limits,
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, closing: watch::Receiver<bool>) {
        // Answers are written whole, so there is nothing to wait for and join.
        let _ = stream.set_nodelay(true);
        let patience = Duration::from_secs(self.limits.handshake_s.into());
        match timeout(patience, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, peer, closing).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn requests(&self, stream: TlsStream<TcpStream>, peer: SocketAddr, mut closing: watch::Receiver<bool>) {
        let pulse = Pulse::default();
        let io = TokioIo::new(TimedStream::new(stream, pulse.clone()));
        let service = service_fn(|request| self.answer(request, peer, pulse.clone()));
        let mut connection =
            http1::Builder::new().header_read_timeout(None).max_buf_size(64 * 1024).serve_connection(io, service);
        let mut watch = Watch::new(pulse.clone(), &self.limits);
        let mut tick = std::pin::pin!(sleep(watch.period()));
        let mut is_closing = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "connection ended");
                        break;
                    }
                    return;
                }
                () = tick.as_mut() => {
                    if let Some(reason) = watch.overdue() {
                        tracing::debug!(%peer, reason, "connection cut");
                        return;
                    }
                    tick.set(sleep(watch.period()));
                }
                _ = closing.wait_for(|closing| *closing), if !is_closing => {
                    is_closing = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
        let stream = connection.into_parts().io.into_inner();
        linger(stream).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        pulse: Pulse,
    ) -> Result<axum::response::Response, Infallible> {
        pulse.working(!request.body().is_end_stream());
        let mut request = request.map(|body| axum::body::Body::new(TimedBody::new(body, pulse.clone())));
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut answer = self.app.clone().call(request).await;
        if let Ok(answer) = &mut answer
            && pulse.has_unread()
        {
            // What was not read stands before the next request, so there is none; the client has to know.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        pulse.writing();
        answer
    }
}

/// Reads on for a moment after an answer that refused what it could not read. A socket that is closed with
/// something unread in it resets the connection, and the answer may be lost on the way.
async fn linger(mut stream: impl AsyncRead + Unpin) {
    let mut rest = [0; 4096];
    let reading = async {
        for _ in 0..LINGERING_READS_MAX {
            if !matches!(stream.read(&mut rest).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = timeout(LINGERING, reading).await;
}

/// After a failed accept: a connection that is already gone is nothing; anything else (no files left)
/// needs a moment.
async fn wait_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "cannot accept connections; if files have run out, raise `ulimit -n`");
    sleep(Duration::from_millis(200)).await;
}

#[cfg(test)]
mod tests;
