//! Lines of the security checklist that have no better place: limits on clients, TLS, secrets on command lines
//! and in files. docs/security.md has the table of all of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, NamedGroup, RootCertStore, Stream};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::bank::{Engine, TestBank};
use crate::path::python_with;

#[test]
fn checklist_15_and_22_greedy_clients_and_old_tls_get_nothing() {
    let bank = TestBank::open(Engine::Sqlite);
    let (host, port) = bank.address().trim_start_matches("https://").rsplit_once(':').expect("an address");
    python_with("limits.py", &[host, port, bank.ca_file().to_str().expect("a path is text")]);
}

#[test]
fn checklist_22_a_key_exchange_that_outlives_quantum_computers() {
    let bank = TestBank::open(Engine::Sqlite);
    let pem = std::fs::read(bank.ca_file()).expect("the authority is there");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut socket = TcpStream::connect(bank.address().trim_start_matches("https://")).expect("it listens");
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it can be asked");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("it answers");
    let group = connection.negotiated_key_exchange_group().expect("one was agreed on");
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn checklist_23_secrets_stand_in_no_command_line_and_in_no_open_file() {
    let bank = TestBank::open(Engine::Sqlite);
    let command_line = std::fs::read(format!("/proc/{}/cmdline", bank.process_id())).expect("the server runs");
    let command_line = String::from_utf8_lossy(&command_line).into_owned();
    for role in ["customer", "admin"] {
        for secret in ["password", "totp_secret"] {
            let secret = bank.person(role)[secret].as_str().expect("people have it");
            assert!(!command_line.contains(secret));
        }
    }
    for args in [
        &["login", "--password", "a secret"][..],
        &["login", "--code", "123456"],
        &["init", "--database", "mysql://bank:a-secret@127.0.0.1/bank"],
        &["signup", "--password", "a secret"],
        &["password", "--password", "a secret"],
    ] {
        let mut command = bank.command(args);
        command.env("STRONGROOM_HOME", bank.folder.path().join("new"));
        let refused = command.output().expect("the program can be run");
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("a-secret"), "{refused:?}");
    }
    // Whatever the bank wrote is for its owner alone; the authority's certificate is for everyone.
    let folders = [bank.home(), bank.folder.path().join("config")];
    let files: Vec<_> = folders.iter().flat_map(|folder| files(folder)).collect();
    assert!(files.len() > 5, "{files:?}");
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "ca.pem")) {
        let mode = std::fs::metadata(file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
