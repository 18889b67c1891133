//! `/metrics` on an address of its own: plain HTTP for the monitor, a few connections at a time, each soon over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use strongroom_bank::Bank;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

const CONNECTIONS_MAX: usize = 16;
const CONNECTION_MAX: Duration = Duration::from_secs(5);
/// After an accept that failed, as when no file can be opened any more.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves it for as long as the process runs.
pub async fn serve_metrics(listener: TcpListener, bank: Arc<Bank>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // A place is never refused: the semaphore is not closed anywhere.
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let bank = bank.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&bank, &request);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
            // Who is slow or leaves has no answer, and that is all.
            let _ = timeout(CONNECTION_MAX, connection).await;
            drop(place);
        });
    }
}

fn answer(bank: &Bank, request: &Request<Incoming>) -> Response {
    if request.uri().path() != "/metrics" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if request.method() != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response();
    }
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], bank.metrics()).into_response()
}
