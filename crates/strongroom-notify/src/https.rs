//! A form or text sent by HTTPS to one host that the configuration names, and its answer: no redirects, no proxies, a
//! limit on time and size.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::Unusable;

const PATIENCE: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A host.
pub struct Host {
    name: String,
    port: u16,
    server: ServerName<'static>,
    tls: TlsConnector,
}

/// What it answered.
pub struct Answer {
    pub status: u16,
    pub retry_after_s: Option<u64>,
    pub body: Bytes,
}

impl Host {
    /// A host with a certificate of the web's authorities, or of the one given.
    pub fn new(name: &str, port: u16, ca: Option<&Path>) -> Result<Self, Unusable> {
        let mut roots = RootCertStore::empty();
        match ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unusable = |e: &dyn std::fmt::Display| Unusable(format!("ca {}: {e}", path.display()));
                let pem = std::fs::read(path).map_err(|e| unusable(&e))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let certificate = certificate.map_err(|e| unusable(&e))?;
                    roots.add(certificate).map_err(|e| unusable(&e))?;
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Unusable(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from(name.to_owned()).map_err(|_| Unusable(format!("`{name}` is not a host")))?;
        Ok(Host { name: name.to_owned(), port, server, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Posts a form. The error says what happened on the way, and nothing of what was sent.
    pub async fn post(&self, path: &str, authorization: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
        let form: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let mut authorization = HeaderValue::from_str(authorization).map_err(|_| "a credential is not plain text")?;
        authorization.set_sensitive(true);
        self.send(path, "application/x-www-form-urlencoded", Some(authorization), form.join("&")).await
    }

    /// Posts a text of some type.
    pub async fn send(
        &self,
        path: &str,
        content_type: &str,
        authorization: Option<HeaderValue>,
        body: String,
    ) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.authority())
            .header(CONTENT_TYPE, content_type);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("{} did not answer in {} seconds", self.name, PATIENCE.as_secs())),
        }
    }

    fn authority(&self) -> String {
        if self.port == 443 { self.name.clone() } else { format!("{}:{}", self.name, self.port) }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let lost = |e: &dyn std::fmt::Display| format!("{}: {e}", self.name);
        let stream = TcpStream::connect((self.name.as_str(), self.port)).await.map_err(|e| lost(&e))?;
        let stream = self.tls.connect(self.server.clone(), stream).await.map_err(|e| lost(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| lost(&e))?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|e| lost(&e))?;
        let status = response.status().as_u16();
        let retry_after_s = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|e| lost(&e))?;
        connection.abort();
        Ok(Answer { status, retry_after_s, body: body.to_bytes() })
    }
}

/// A form's value: letters, digits and `-._` stay.
fn encoded(value: &str) -> String {
    let keeps = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    value.bytes().map(|b| if keeps(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
