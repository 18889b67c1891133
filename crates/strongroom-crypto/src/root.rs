//! Where the root key lives: a file that its owner alone can read, shut by a passphrase or not, or an
//! environment variable.

pub mod passphrase;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base64url;
use crate::secret::Secret;

/// A place that holds the root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A file, mode 0600.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

/// Why the root key cannot be had, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The provider is not one that exists.
    #[error("the key provider `{0}` is not known; give file:PATH or env:NAME")]
    UnknownProvider(String),
    /// A file could not be read or written.
    #[error(
        "the root key file {path}: {source}; name the right file in strongroom.toml, [key] root, or restore it from where it is kept"
    )]
    File {
        /// The file.
        path: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("the root key file {path} can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set.
    #[error("the environment variable {0} is not set; set it to the bank's root key line")]
    Unset(String),
    /// The variable is to be set by the operator, who makes the key.
    #[error(
        "the environment variable {0} is not set; make a key with: printf 'strongroom-root-key-v1 %s' \"$(head -c 32 /dev/urandom | basenc --base64url | tr -d =)\""
    )]
    MakeYourOwn(String),
    /// A passphrase shuts the file.
    #[error(
        "a passphrase shuts {0}; put it into a file and name that in STRONGROOM_ROOT_PASSPHRASE_FILE, or give it in STRONGROOM_ROOT_PASSPHRASE"
    )]
    PassphraseNeeded(String),
    /// The passphrase is not the right one.
    #[error("the passphrase does not open {0}: it is another one, or the file was changed; nothing was done")]
    WrongPassphrase(String),
    /// What was read is not a root key.
    #[error("{0} does not hold a root key: it must be one line `strongroom-root-key-v1 ` and 43 base64url characters")]
    Malformed(String),
}

const PREFIX: &str = "strongroom-root-key-v1 ";

impl Provider {
    /// `file:PATH` or `env:NAME`.
    pub fn parse(text: &str) -> Result<Self, RootError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Provider::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Provider::Environment(name.into())),
            _ => Err(RootError::UnknownProvider(text.split(':').next().unwrap_or_default().to_owned())),
        }
    }

    /// Makes a new root key. A file that is there is never overwritten.
    pub fn create(&self) -> Result<(), RootError> {
        match self {
            Provider::File(path) => write_new(path, &Secret::random(), None),
            Provider::Environment(name) if std::env::var_os(name).is_none() => {
                Err(RootError::MakeYourOwn(name.clone()))
            }
            Provider::Environment(_) => self.load().map(drop),
        }
    }

    /// Keeps a root key that exists already, shut by a passphrase if one is given. A file that is there is
    /// never overwritten; a variable is for its operator to set, so it must hold the key already.
    pub fn store(&self, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError> {
        match self {
            Provider::File(path) => write_new(path, root, passphrase),
            Provider::Environment(name) => match self.load()?.expose() == root.expose() {
                true => Ok(()),
                false => Err(RootError::Malformed(format!("the environment variable {name}"))),
            },
        }
    }

    /// Reads the root key.
    pub fn load(&self) -> Result<Secret, RootError> {
        match self {
            Provider::File(path) => {
                let fail = |source| RootError::File { path: path.display().to_string(), source };
                let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(RootError::Exposed { path: path.display().to_string(), mode: mode & 0o777 });
                }
                let text = Zeroizing::new(fs::read_to_string(path).map_err(fail)?);
                if text.starts_with(passphrase::PREFIX) {
                    return open_shut(path, &text);
                }
                parse(&text).ok_or_else(|| RootError::Malformed(path.display().to_string()))
            }
            Provider::Environment(name) => {
                let text = Zeroizing::new(std::env::var(name).map_err(|_| RootError::Unset(name.clone()))?);
                parse(&text).ok_or_else(|| RootError::Malformed(format!("the environment variable {name}")))
            }
        }
    }
}

fn parse(text: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(base64url::decode(text.trim_end().strip_prefix(PREFIX)?)?);
    Some(Secret::from_bytes(bytes.as_slice().try_into().ok()?))
}

fn open_shut(path: &Path, text: &str) -> Result<Secret, RootError> {
    let shown = path.display().to_string();
    let given = given_passphrase()?.ok_or_else(|| RootError::PassphraseNeeded(shown.clone()))?;
    match passphrase::open(text, &given) {
        passphrase::Opened::Root(root) => Ok(root),
        passphrase::Opened::Wrong => Err(RootError::WrongPassphrase(shown)),
        passphrase::Opened::Malformed => Err(RootError::Malformed(shown)),
    }
}

/// The passphrase that the environment gives: the first line of a file, or itself.
fn given_passphrase() -> Result<Option<Zeroizing<String>>, RootError> {
    let Some(file) = std::env::var_os("STRONGROOM_ROOT_PASSPHRASE_FILE") else {
        return Ok(std::env::var("STRONGROOM_ROOT_PASSPHRASE").ok().map(Zeroizing::new));
    };
    let path = PathBuf::from(file);
    let fail = |source| RootError::File { path: path.display().to_string(), source };
    let mode = fs::metadata(&path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RootError::Exposed { path: path.display().to_string(), mode: mode & 0o777 });
    }
    let text = Zeroizing::new(fs::read_to_string(&path).map_err(fail)?);
    Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
}

fn write_new(path: &Path, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError> {
    let fail = |source| RootError::File { path: path.display().to_string(), source };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
    }
    let line = match passphrase {
        Some(passphrase) => passphrase::shut(root, passphrase),
        None => format!("{PREFIX}{}", base64url::encode(root.expose())),
    };
    let text = Zeroizing::new(format!("{line}\n"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)
}
