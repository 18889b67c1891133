//! The files of TLS: where they are, and reading and writing them safely.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::TlsError;

/// The four files of a development authority in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate: what clients trust.
    pub ca: PathBuf,
    /// The authority's private key.
    pub ca_key: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's private key.
    pub server_key: PathBuf,
}

impl Files {
    /// The files in `dir` (usually `<home>/tls`).
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            ca: dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            server: dir.join("server.pem"),
            server_key: dir.join("server.key"),
        }
    }
}

/// Makes the folder, for its owner only.
pub(super) fn make_dir(dir: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| failed("make the folder", dir, source))
}

/// Reads a certificate file.
pub(super) fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| failed("read", path, source))
}

/// Reads a private key; refuses one that others can read.
pub(super) fn read_key(path: &Path) -> Result<String, TlsError> {
    let metadata = fs::metadata(path).map_err(|source| failed("read", path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed { path: path.to_owned(), mode });
    }
    read(path)
}

/// Replaces a file in one step: a reader sees the old content or the new, never half of it.
pub(super) fn replace(path: &Path, content: &str, mode: u32) -> Result<(), TlsError> {
    let temporary = path.with_added_extension("new");
    write_synced(&temporary, content, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_parent(path))
        .map_err(|source| failed("write", path, source))
}

fn write_synced(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    // A leftover of an interrupted write would keep its own permissions: remove it first.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> TlsError {
    TlsError::File { action, path: path.to_owned(), source }
}
