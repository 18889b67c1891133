//! HTTP/1.1 over TLS, with connections kept for the next request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_api::Problem;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::{Error, Result, ServerUrl, trust};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 32 << 20;
const IDLE_MAX: usize = 8;
const SIGNATURE: HeaderName = HeaderName::from_static("x-jws-signature");

/// A bank, seen from outside. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    server: Arc<Server>,
    idle: Arc<Mutex<Vec<Sender>>>,
    bearer: Option<HeaderValue>,
}

type Sender = SendRequest<Full<Bytes>>;

struct Server {
    url: ServerUrl,
    name: ServerName<'static>,
    host: HeaderValue,
    tls: TlsConnector,
}

/// What a request carries.
pub struct Content {
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Seconds after which to try again.
    pub retry_after_s: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of this server, which must have a certificate of this authority (PEM). The first
    /// request connects.
    pub fn connect(url: &ServerUrl, ca_pem: &str) -> Result<Self> {
        Self::with_tls(url, trust::pinned(ca_pem)?)
    }

    /// A client with another idea of whom to believe: see [`trust`].
    pub fn with_tls(url: &ServerUrl, mut tls: ClientConfig) -> Result<Self> {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = HeaderValue::from_str(&url.authority()).map_err(|_| Error::Url("its host is not plain text"))?;
        let server = Server { url: url.clone(), name: url.name()?, host, tls: TlsConnector::from(Arc::new(tls)) };
        Ok(Client { server: Arc::new(server), idle: Arc::default(), bearer: None })
    }

    /// This client, speaking for whoever has the token.
    pub fn with_token(&self, token: &str) -> Result<Self> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::Answer("a token is not plain text".into()))?;
        bearer.set_sensitive(true);
        Ok(Client { bearer: Some(bearer), ..self.clone() })
    }

    /// This client with connections of its own.
    pub fn apart(&self) -> Self {
        Client { idle: Arc::default(), ..self.clone() }
    }

    /// The server's address.
    pub fn url(&self) -> &ServerUrl {
        &self.server.url
    }

    /// Sends a request and gives the answer, whatever its status.
    pub async fn send(&self, method: Method, path: &str, content: Option<Content>) -> Result<Answer> {
        let request = self.request(method, path, content)?;
        match timeout(ANSWER_TIMEOUT, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.lost(format!("{} seconds passed", ANSWER_TIMEOUT.as_secs()))),
        }
    }

    /// Sends JSON, if any, and reads JSON; a problem becomes an error.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let content = body.map(Content::json).transpose()?;
        self.send(method, path, content).await?.accepted()?.json()
    }

    fn request(&self, method: Method, path: &str, content: Option<Content>) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.server.host.clone());
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer.clone());
        }
        let mut body = Bytes::new();
        if let Some(content) = content {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            for (name, value) in content.headers {
                request = request.header(name, value);
            }
            body = content.body;
        }
        request.body(Full::new(body)).map_err(|e| Error::Answer(e.to_string()))
    }

    /// A kept connection may have been closed meanwhile: what was not sent is sent on a new one.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let mut request = request;
        while let Some(mut sender) = self.kept().await {
            match sender.try_send_request(request).await {
                Ok(response) => return self.read(sender, response).await,
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(self.lost(failed.into_error())),
                },
            }
        }
        let mut sender = self.server.open().await?;
        let response = sender.send_request(request).await.map_err(|e| self.lost(e))?;
        self.read(sender, response).await
    }

    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().ok()?.pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn read(&self, sender: Sender, response: Response<Incoming>) -> Result<Answer> {
        let status = response.status().as_u16();
        let retry_after_s = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let body =
            Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|e| self.lost(e))?.to_bytes();
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(sender);
        }
        Ok(Answer { status, retry_after_s, body })
    }

    fn lost(&self, cause: impl ToString) -> Error {
        Error::Lost { server: self.server.url.to_string(), cause: cause.to_string() }
    }
}

impl Server {
    async fn open(&self) -> Result<Sender> {
        match timeout(CONNECT_TIMEOUT, self.handshake()).await {
            Ok(sender) => sender,
            Err(_) => Err(self.unreachable("it did not answer in time")),
        }
    }

    async fn handshake(&self) -> Result<Sender> {
        let stream = TcpStream::connect(self.url.endpoint()).await.map_err(|e| self.unreachable(e))?;
        stream.set_nodelay(true).map_err(|e| self.unreachable(e))?;
        let stream = self.tls.connect(self.name.clone(), stream).await.map_err(|e| self.refused(&e))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.unreachable(e))?;
        tokio::spawn(async move {
            // Its end shows at the sender, which tells whoever waits.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn unreachable(&self, cause: impl ToString) -> Error {
        Error::Unreachable { server: self.url.to_string(), cause: cause.to_string() }
    }

    fn refused(&self, error: &std::io::Error) -> Error {
        let is_about_trust = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>())
            .is_some_and(|e| matches!(e, rustls::Error::InvalidCertificate(_)));
        match is_about_trust {
            true => Error::Untrusted { server: self.url.to_string(), cause: error.to_string() },
            false => self.unreachable(error),
        }
    }
}

impl Content {
    /// A value as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|e| Error::Answer(e.to_string()))?;
        Ok(Content { body: body.into(), headers: Vec::new() })
    }

    /// These bytes, with their signature.
    pub fn signed(body: Bytes, signature: &str) -> Result<Self> {
        Content { body, headers: Vec::new() }.with(SIGNATURE, signature)
    }

    /// With another header.
    pub fn with_header(self, name: &'static str, value: &str) -> Result<Self> {
        self.with(HeaderName::from_static(name), value)
    }

    fn with(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value).map_err(|_| Error::Answer(format!("{name} is not plain text")))?;
        self.headers.push((name, value));
        Ok(self)
    }
}

impl Answer {
    /// The answer, or the problem that it tells.
    pub fn accepted(self) -> Result<Self> {
        if self.status < 400 {
            return Ok(self);
        }
        let problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            Problem::new(
                self.status,
                "",
                "unknown",
                &format!("the server answered with status {} and no words", self.status),
                Vec::new(),
            )
        });
        Err(Error::Refused { problem: Box::new(problem), retry_after_s: self.retry_after_s })
    }

    /// Its JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| Error::Answer(e.to_string()))
    }

    /// Its text.
    pub fn text(self) -> Result<String> {
        String::from_utf8(self.body.into()).map_err(|e| Error::Answer(e.to_string()))
    }
}
