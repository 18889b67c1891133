//! TLS for the server: a development certificate authority, the server's certificate, and a
//! configuration that follows the certificate files while the server runs.
//!
//! A bank that has no certificate of its own gets a development authority in `<home>/tls/`. It is
//! name-constrained: even with its key nobody can pretend to be another site with it.

mod authority;
mod files;
mod resolver;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

pub use authority::{CertificateInfo, Issued, issue, renew_if_due, show};
pub use files::Files;
pub use resolver::Resolver;

/// What can go wrong with keys and certificates; each message says the cause and the cure.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: "read", "write" …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A private key that others can read.
    #[error(
        "{} is readable by others (mode {mode:04o}); a private key must be private: run `chmod 600 {}`",
        path.display(), path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that does not hold what it should.
    #[error("{} does not hold {expected}: {cause}; {cure}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// Why it was not understood.
        cause: String,
        /// What to do.
        cure: &'static str,
    },
    /// A name that cannot stand in a certificate.
    #[error("{name:?} cannot stand in a certificate; use a host name such as bank.example or an IP address")]
    Name {
        /// The name as given.
        name: String,
    },
    /// Making a certificate failed.
    #[error("a certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// The TLS configuration was refused.
    #[error("the TLS configuration was refused: {0}")]
    Configuration(#[from] rustls::Error),
}

/// The server's TLS: 1.3 preferred and 1.2 allowed, X25519MLKEM768 offered first, HTTP/1.1.
///
/// The suites are those of aws-lc-rs: AEADs with forward secrecy only.
pub fn server_config(resolver: Arc<Resolver>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets instead of a session table: resuming costs no memory per client.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

#[cfg(test)]
mod tests;
