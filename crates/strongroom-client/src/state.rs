//! What a client keeps between runs, one directory per server: the pinned authority and log key,
//! the session's tokens, and device keys. Files are private to their owner or refused.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strongroom_crypto::base64url;
use strongroom_crypto::sign::SigningKey;
use zeroize::Zeroizing;

use crate::{ServerUrl, Signer};

/// The client's files.
#[derive(Clone, Debug)]
pub struct State {
    dir: PathBuf,
}

/// What is kept of one server.
#[derive(Clone, Debug)]
pub struct ServerState {
    dir: PathBuf,
}

/// A bank, as pinned at first contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its address.
    pub server: String,
    /// Its name.
    pub bank: String,
    /// Its log's name: the audience of signed orders.
    pub origin: String,
    /// Its log's key.
    pub log_key: String,
    /// Its authority, in PEM.
    pub ca: String,
    /// Its currencies.
    pub currencies: Vec<String>,
}

/// A session's tokens.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    /// Who signed in.
    pub username: String,
    /// For requests.
    pub access_token: String,
    /// When it ends, in seconds since 1970.
    pub access_ends_s: i64,
    /// For the next tokens; none while only a factor can be enrolled.
    pub refresh_token: Option<String>,
    /// `sess_…`
    pub session_id: Option<String>,
}

/// A device of this client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Device {
    /// `dev_…`
    pub id: String,
    /// Whose it is, by user name.
    pub username: String,
    /// What they call it.
    pub name: String,
    /// Its private key, in base64url.
    key: Zeroizing<String>,
}

/// What can go wrong with the client's files.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("{} is open to others (mode {mode:04o}), and it holds secrets: run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{} is damaged: {cause}; delete it, and sign in or pin the bank again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
}

type Result<T> = std::result::Result<T, StateError>;

const BANK: &str = "bank.json";
const TOKENS: &str = "session.json";
const DEVICES: &str = "devices.json";
const CURRENT: &str = "current";

impl State {
    /// The files in this directory.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        State { dir: dir.into() }
    }

    /// `STRONGROOM_CLIENT_HOME`, or `strongroom/client` among the person's configuration.
    pub fn default_dir() -> PathBuf {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        named("STRONGROOM_CLIENT_HOME").unwrap_or_else(|| {
            let config = named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")));
            config.unwrap_or_default().join("strongroom").join("client")
        })
    }

    /// What is kept of a server.
    pub fn server(&self, url: &ServerUrl) -> ServerState {
        ServerState { dir: self.dir.join(url.file_name()) }
    }

    /// The server used last.
    pub fn current(&self) -> Result<Option<String>> {
        Ok(read(&self.dir.join(CURRENT))?.map(|text| text.trim().to_owned()))
    }

    /// Makes it the one that is used when none is named.
    pub fn set_current(&self, url: &ServerUrl) -> Result<()> {
        write(&self.dir.join(CURRENT), format!("{url}\n").as_bytes())
    }
}

impl ServerState {
    /// The pinned bank.
    pub fn pinned(&self) -> Result<Option<Pinned>> {
        read_json(&self.dir.join(BANK))
    }

    /// Pins a bank.
    pub fn pin(&self, bank: &Pinned) -> Result<()> {
        write_json(&self.dir.join(BANK), bank)
    }

    /// The session's tokens.
    pub fn tokens(&self) -> Result<Option<Tokens>> {
        read_json(&self.dir.join(TOKENS))
    }

    /// Keeps them.
    pub fn keep_tokens(&self, tokens: &Tokens) -> Result<()> {
        write_json(&self.dir.join(TOKENS), tokens)
    }

    /// Forgets them.
    pub fn forget_tokens(&self) -> Result<()> {
        let path = self.dir.join(TOKENS);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(file("delete", &path, e)),
            _ => Ok(()),
        }
    }

    /// Waits until no other run is changing this server's files, and holds them until it is dropped.
    pub fn lock(&self) -> Result<File> {
        make_dir(&self.dir)?;
        let path = self.dir.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        opened.and_then(|lock| lock.lock().map(|()| lock)).map_err(|e| file("lock", &path, e))
    }

    /// Every device key kept for this server.
    pub fn devices(&self) -> Result<Vec<Device>> {
        Ok(read_json(&self.dir.join(DEVICES))?.unwrap_or_default())
    }

    /// Keeps one more.
    pub fn keep_device(&self, device: Device) -> Result<()> {
        let mut devices = self.devices()?;
        devices.push(device);
        write_json(&self.dir.join(DEVICES), &devices)
    }

    /// Forgets one.
    pub fn forget_device(&self, id: &str) -> Result<()> {
        let mut devices = self.devices()?;
        devices.retain(|device| device.id != id);
        write_json(&self.dir.join(DEVICES), &devices)
    }
}

impl Device {
    /// A device with its key.
    pub fn new(id: &str, username: &str, name: &str, key: &SigningKey) -> Self {
        let key = Zeroizing::new(base64url::encode(key.to_bytes()));
        Device { id: id.into(), username: username.into(), name: name.into(), key }
    }

    /// As it signs for the bank of this origin; none when its key is damaged.
    pub fn signer(&self, origin: &str) -> Option<Signer> {
        let bytes = Zeroizing::new(base64url::decode(&self.key)?);
        Some(Signer::new(SigningKey::from_bytes(&bytes).ok()?, &self.id, origin))
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|e| StateError::Content { path: path.into(), cause: e.to_string() })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|e| StateError::Content { path: path.into(), cause: e.to_string() })?;
    write(path, &Zeroizing::new(text))
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>> {
    let mode = match fs::metadata(path) {
        Ok(found) => found.permissions().mode() & 0o7777,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(file("read", path, e)),
    };
    if mode & 0o077 != 0 {
        return Err(StateError::Exposed { path: path.into(), mode });
    }
    fs::read_to_string(path).map(|text| Some(Zeroizing::new(text))).map_err(|e| file("read", path, e))
}

/// Another file takes its place whole, so that nobody reads half of one.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(|e| file("write", path, e))
}

fn make_dir(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| file("make", dir, e))
}

fn file(action: &'static str, path: &Path, source: std::io::Error) -> StateError {
    StateError::File { action, path: path.into(), source }
}
