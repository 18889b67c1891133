//! Certificates are made, renewed, refused and swapped as promised.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::*;

const NOW_US: i64 = 1_800_000_000_000_000;
const DAY_US: i64 = 24 * 3600 * 1_000_000;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("the file").permissions().mode() & 0o777
}

#[test]
fn issue_makes_private_keys_and_a_certificate_for_localhost() {
    let dir = dir();
    let issued = issue(dir.path(), &["Bank.example".into()], NOW_US).expect("issued");
    assert!(issued.is_new_authority);
    for name in ["localhost", "127.0.0.1", "::1", "bank.example"] {
        assert!(issued.server.names.iter().any(|n| n == name), "{name} is missing");
    }
    let files = Files::in_dir(dir.path());
    assert_eq!((mode(&files.ca_key), mode(&files.server_key)), (0o600, 0o600));
    Resolver::open(&files.server, &files.server_key).expect("the pair loads");
}

#[test]
fn a_certificate_is_renewed_when_a_third_is_left_and_keeps_its_names() {
    let dir = dir();
    let first = issue(dir.path(), &["bank.example".into()], NOW_US).expect("issued");
    assert_eq!(renew_if_due(dir.path(), &[], NOW_US + 59 * DAY_US).expect("looked"), None);
    let again = renew_if_due(dir.path(), &[], NOW_US + 61 * DAY_US).expect("looked").expect("renewed");
    assert!(!again.is_new_authority);
    assert_eq!(again.authority, first.authority);
    assert_ne!(again.server.serial, first.server.serial);
    assert!(again.server.names.contains(&"bank.example".to_owned()));
}

#[test]
fn a_name_outside_the_constraints_makes_a_new_authority() {
    let dir = dir();
    issue(dir.path(), &[], NOW_US).expect("issued");
    assert!(!issue(dir.path(), &[], NOW_US).expect("issued").is_new_authority);
    assert!(issue(dir.path(), &["bank.example".into()], NOW_US).expect("issued").is_new_authority);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_cure() {
    let dir = dir();
    issue(dir.path(), &[], NOW_US).expect("issued");
    let files = Files::in_dir(dir.path());
    std::fs::set_permissions(&files.server_key, PermissionsExt::from_mode(0o640)).expect("chmod");
    let error = Resolver::open(&files.server, &files.server_key).expect_err("refused");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_nonsense_name_is_refused() {
    let dir = dir();
    for name in ["", "two words", ".example", "a/b"] {
        assert!(matches!(issue(dir.path(), &[name.into()], NOW_US), Err(TlsError::Name { .. })), "{name:?}");
    }
}

#[test]
fn a_broken_pair_keeps_the_old_certificate_and_a_good_one_is_taken() {
    let dir = dir();
    issue(dir.path(), &[], NOW_US).expect("issued");
    let files = Files::in_dir(dir.path());
    let resolver = Resolver::open(&files.server, &files.server_key).expect("loads");
    assert!(!resolver.reload_if_changed().expect("nothing changed"));
    std::fs::write(&files.server, "not a certificate").expect("written");
    assert!(resolver.reload_if_changed().is_err());
    assert!(!resolver.reload_if_changed().expect("reported once"));
    issue(dir.path(), &[], NOW_US).expect("issued");
    assert!(resolver.reload_if_changed().expect("loads"));
}

/// The constraints hold in the verifier the clients use: the good name passes, a foreign one does not.
#[tokio::test]
async fn a_client_that_trusts_the_authority_connects() {
    let dir = dir();
    let now_us = strongroom_bank::clock::now_us();
    issue(dir.path(), &[], now_us).expect("issued");
    let files = Files::in_dir(dir.path());
    let resolver = Resolver::open(&files.server, &files.server_key).expect("loads");
    let server = tokio_rustls::TlsAcceptor::from(Arc::new(server_config(Arc::new(resolver)).expect("config")));
    let client = tokio_rustls::TlsConnector::from(Arc::new(trusting(&files.ca)));
    for (name, passes) in [("localhost", true), ("127.0.0.1", true), ("::1", true), ("bank.example", false)] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let name = rustls_pki_types::ServerName::try_from(name).expect("a name");
        let handshakes = async { tokio::join!(client.connect(name.clone(), near), server.accept(far)) };
        let (connected, _) = tokio::time::timeout(Duration::from_secs(5), handshakes).await.expect("in time");
        assert_eq!(connected.is_ok(), passes, "{name:?}");
        if let Ok(stream) = connected {
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
            let group = session.negotiated_key_exchange_group().expect("a group").name();
            assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
        }
    }
}

fn trusting(ca: &Path) -> rustls::ClientConfig {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
