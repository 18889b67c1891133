//! The certificate in use, following its files: put a new pair in place and it is served within seconds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use super::files;

/// Serves the newest good certificate of a pair of files.
///
/// A pair that does not load (half written, wrong key, readable by others) is reported, and the one in
/// use stays.
#[derive(Debug)]
pub struct Resolver {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<[Stamp; 2]>,
}

/// What tells that a file has changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64, u64)>);

impl Resolver {
    /// Loads the pair; this first time a bad file is an error.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let seen = [Stamp::of(certificate), Stamp::of(key)];
        Ok(Self {
            current: RwLock::new(Arc::new(load(certificate, key)?)),
            seen: Mutex::new(seen),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Loads the pair again when a file has changed since the last look; true when a new one is in use.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let now = [Stamp::of(&self.certificate), Stamp::of(&self.key)];
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        // Remembered before loading: a broken pair is reported once, not at every look.
        *seen = now;
        let loaded = Arc::new(load(&self.certificate, &self.key)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(true)
    }

    /// Looks at the files every `period` for as long as it is polled.
    pub async fn watch(self: Arc<Self>, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.reload_if_changed() {
                Ok(false) => {}
                Ok(true) => tracing::info!(file = %self.certificate.display(), "new TLS certificate in use"),
                Err(error) => tracing::error!(
                    %error,
                    "the new TLS certificate was not taken, the one in use stays; \
                     put a certificate and its key in place and it is taken within seconds"
                ),
            }
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok();
        Self(metadata.and_then(|file| Some((file.modified().ok()?, file.len(), file.ino()))))
    }
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(files::read(certificate)?.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| content(certificate, "a PEM certificate chain", error.to_string()))?;
    if chain.is_empty() {
        return Err(content(certificate, "a PEM certificate chain", "no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(files::read_key(key)?.as_bytes())
        .map_err(|error| content(key, "a PEM private key", error.to_string()))?;
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private)
        .map_err(|error| content(key, "a private key that TLS can use", error.to_string()))?;
    let pair = CertifiedKey::new(chain, signing);
    pair.keys_match().map_err(|_| {
        content(key, "the key of the certificate", format!("{} is for another key", certificate.display()))
    })?;
    Ok(pair)
}

fn content(path: &Path, expected: &'static str, cause: String) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        expected,
        cause,
        cure: "put the certificate and its key there again, or run `strongroom tls issue`",
    }
}
