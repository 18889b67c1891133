//! Whom to believe: the bank's own certificate authority, and at first contact whoever answers,
//! until the person has compared the fingerprint.

use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use strongroom_crypto::digest::sha256;

use crate::{Error, Result, ServerUrl};

/// A TLS configuration that believes this authority (PEM) alone.
pub fn pinned(ca_pem: &str) -> Result<ClientConfig> {
    let config = builder()?.with_root_certificates(roots(ca_pem)?);
    Ok(config.with_no_client_auth())
}

/// A TLS configuration that believes anyone and remembers whom: for reading, once, what the bank
/// says of itself, before anything is sent to it.
pub fn recording() -> Result<(ClientConfig, Presented)> {
    let presented = Presented::default();
    let verifier = Recorder { provider: provider(), presented: presented.clone() };
    let config = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok((config.with_no_client_auth(), presented))
}

/// The SHA-256 fingerprint of the first certificate of a PEM text.
pub fn fingerprint(ca_pem: &str) -> Result<String> {
    let certificates = certificates(ca_pem)?;
    let hash = sha256(&certificates[0]);
    Ok(hash.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
}

/// The certificates that a server presented.
#[derive(Clone, Debug, Default)]
pub struct Presented(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Presented {
    /// Checks that they follow from this authority, for this server and this moment.
    pub fn check(&self, ca_pem: &str, server: &ServerUrl, now_s: i64) -> Result<()> {
        let untrusted = |cause: String| Error::Untrusted { server: server.to_string(), cause };
        let roots = Arc::new(roots(ca_pem)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|e| Error::Authority(e.to_string()))?;
        let chain = self.0.lock().map(|chain| chain.clone()).unwrap_or_default();
        let (server_certificate, others) =
            chain.split_first().ok_or_else(|| untrusted("it showed no certificate".into()))?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s.max(0) as u64));
        let checked = verifier.verify_server_cert(server_certificate, others, &server.name()?, &[], now);
        checked.map(|_| ()).map_err(|e| untrusted(format!("the authority it names is not its own ({e})")))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| Error::Authority(e.to_string()))
}

fn roots(ca_pem: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_pem)? {
        roots.add(certificate).map_err(|e| Error::Authority(e.to_string()))?;
    }
    Ok(roots)
}

/// At least one.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Error::Authority("there is no certificate in it".into())),
        Err(e) => Err(Error::Authority(e.to_string())),
    }
}

/// Checks that the server has the key of its certificate, and leaves the certificate to be judged.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    presented: Presented,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut chain) = self.presented.0.lock() {
            *chain = std::iter::once(end_entity).chain(intermediates).map(|c| c.clone().into_owned()).collect();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
