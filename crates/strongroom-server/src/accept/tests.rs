//! Slow and greedy clients are cut, good ones are served, a shutdown finishes what was accepted.

use std::path::Path;

use axum::body::Bytes;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;
use crate::tls;

struct Running {
    address: SocketAddr,
    connector: tokio_rustls::TlsConnector,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let now_us = strongroom_bank::clock::now_us();
    tls::issue(dir.path(), &[], now_us).expect("issued");
    let files = tls::Files::in_dir(dir.path());
    let resolver = tls::Resolver::open(&files.server, &files.server_key).expect("loads");
    let config = tls::server_config(Arc::new(resolver)).expect("a configuration");
    let app = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() })).route(
        "/slow",
        post(|| async {
            sleep(Duration::from_millis(1500)).await;
            "done"
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or(()) };
    let ended = tokio::spawn(serve(listener, Arc::new(config), app, limits, shutdown));
    Running { address, connector: connector(&files.ca), stop, ended }
}

fn connector(ca: &Path) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

impl Running {
    async fn connect(&self) -> io::Result<ClientStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = rustls_pki_types::ServerName::try_from("127.0.0.1").expect("a name");
        self.connector.connect(name, stream).await
    }
}

/// Sends `bytes` and reads until the server closes.
async fn last_words(stream: &mut ClientStream<TcpStream>, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A cut without a TLS goodbye is an error here, and as good as an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wait_has_its_limit() {
    let limits = Limits { header_s: 1, body_s: 1, idle_s: 1, handshake_s: 1, ..Limits::default() };
    let server = start(limits).await;
    let cases: [(&[u8], bool); 4] = [
        (b"", false),
        (b"POST / HTTP/1.1\r\nhost: x\r\n", false),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab", false),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab", true),
    ];
    for (request, is_answered) in cases {
        let mut stream = server.connect().await.expect("connected");
        let reading = last_words(&mut stream, request);
        let answer = timeout(Duration::from_secs(5), reading).await.expect("cut in time");
        assert_eq!(answer.starts_with("HTTP/1.1 200"), is_answered, "{answer}");
    }
    let mut silent = TcpStream::connect(server.address).await.expect("connected");
    let cut = timeout(Duration::from_secs(5), silent.read_to_end(&mut Vec::new())).await;
    assert!(cut.is_ok(), "a handshake that never comes is cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_holds_only_so_many() {
    let server = start(Limits { per_loopback_max: 2, ..Limits::default() }).await;
    let first = server.connect().await.expect("connected");
    let _second = server.connect().await.expect("connected");
    assert!(server.connect().await.is_err());
    drop(first);
    sleep(Duration::from_millis(200)).await;
    assert!(server.connect().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_finishes_what_was_accepted() {
    let server = start(Limits::default()).await;
    let _idle = server.connect().await.expect("connected");
    let mut busy = server.connect().await.expect("connected");
    let request = b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let working = tokio::spawn(async move { last_words(&mut busy, request).await });
    sleep(Duration::from_millis(300)).await;
    server.stop.send(()).expect("still running");
    timeout(Duration::from_secs(5), server.ended).await.expect("in time").expect("no panic");
    let answer = working.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert!(TcpStream::connect(server.address).await.is_err());
}
