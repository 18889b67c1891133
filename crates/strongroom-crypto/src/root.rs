//! Where the root key lives: a file that its owner alone can read, shut by a passphrase or not, or an
//! environment variable, or wrapped by a hardware token.

pub mod passphrase;
pub mod token;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base64url;
use crate::secret::Secret;

/// A place that holds the root key, or that alone can open what holds it. A cloud's key management joins
/// the others by this.
pub trait Place: std::fmt::Debug {
    /// Makes a new root key there. What is there is never overwritten.
    fn create(&self) -> Result<(), RootError>;
    /// Keeps a root key that exists already, shut by a passphrase where the place knows one. A place that holds
    /// this very key is left as it is, so that a move that was stopped can be given again.
    fn store(&self, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError>;
    /// Gives the root key.
    fn load(&self) -> Result<Secret, RootError>;
    /// Whether it gives back this root key, by this passphrase where one shuts it.
    fn holds(&self, root: &Secret, _passphrase: Option<&str>) -> Result<bool, RootError> {
        Ok(self.load()?.expose() == root.expose())
    }
}

/// The place that a configuration names.
#[derive(Debug)]
pub struct Provider(Box<dyn Place>);

/// A file, mode 0600.
#[derive(Debug)]
struct File(PathBuf);

/// An environment variable.
#[derive(Debug)]
struct Environment(String);

/// Why the root key cannot be had, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The provider is not one that exists.
    #[error("the key provider `{0}` is not known; give file:PATH, env:NAME or pkcs11:…")]
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
    /// A passphrase was given for a place that is shut by other means.
    #[error("{0} takes no passphrase; leave it out, or give file:PATH, which can be shut by one")]
    NoPassphrase(String),
    /// The place holds another key than the one that is to be kept there.
    #[error("{0} holds another root key than this bank's; set it to this bank's, or give another place")]
    OtherKey(String),
    /// A hardware token does not serve.
    #[error("the hardware token {0}")]
    Token(String),
    /// What was read is not a root key.
    #[error("{0} does not hold a root key: it must be one line `strongroom-root-key-v1 ` and 43 base64url characters")]
    Malformed(String),
}

const PREFIX: &str = "strongroom-root-key-v1 ";

impl Provider {
    /// `file:PATH`, `env:NAME` or `pkcs11:…`.
    pub fn parse(text: &str) -> Result<Self, RootError> {
        let place: Box<dyn Place> = match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Box::new(File(path.into())),
            Some(("env", name)) if !name.is_empty() => Box::new(Environment(name.into())),
            Some(("pkcs11", uri)) => Box::new(token::Token::parse(uri)?),
            _ => return Err(RootError::UnknownProvider(text.split(':').next().unwrap_or_default().to_owned())),
        };
        Ok(Provider(place))
    }
}

impl std::ops::Deref for Provider {
    type Target = dyn Place;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl Place for File {
    fn create(&self) -> Result<(), RootError> {
        self.store(&Secret::random(), None)
    }

    fn store(&self, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError> {
        if self.0.exists() && self.holds(root, passphrase).unwrap_or(false) {
            return Ok(());
        }
        let line = match passphrase {
            Some(passphrase) => passphrase::shut(root, passphrase),
            None => format!("{PREFIX}{}", *Zeroizing::new(base64url::encode(root.expose()))),
        };
        let line = Zeroizing::new(line);
        write_private_new(&self.0, &Zeroizing::new(format!("{}\n", *line)))
    }

    fn load(&self) -> Result<Secret, RootError> {
        let text = private_text(&self.0)?;
        if text.starts_with(passphrase::PREFIX) {
            return open_shut(&self.0, &text);
        }
        parse(&text).ok_or_else(|| RootError::Malformed(self.0.display().to_string()))
    }

    fn holds(&self, root: &Secret, passphrase: Option<&str>) -> Result<bool, RootError> {
        let held = match passphrase {
            Some(passphrase) => open_with(&self.0, &private_text(&self.0)?, passphrase)?,
            None => self.load()?,
        };
        Ok(held.expose() == root.expose())
    }
}

/// A variable is for its operator to set, so it must hold the key already.
impl Place for Environment {
    fn create(&self) -> Result<(), RootError> {
        match std::env::var_os(&self.0) {
            Some(_) => self.load().map(drop),
            None => Err(RootError::MakeYourOwn(self.0.clone())),
        }
    }

    fn store(&self, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError> {
        if passphrase.is_some() {
            return Err(RootError::NoPassphrase(format!("the environment variable {}", self.0)));
        }
        match self.holds(root, None)? {
            true => Ok(()),
            false => Err(RootError::OtherKey(format!("the environment variable {}", self.0))),
        }
    }

    fn load(&self) -> Result<Secret, RootError> {
        let text = Zeroizing::new(std::env::var(&self.0).map_err(|_| RootError::Unset(self.0.clone()))?);
        parse(&text).ok_or_else(|| RootError::Malformed(format!("the environment variable {}", self.0)))
    }
}

/// The text of a file that its owner alone can read.
fn private_text(path: &Path) -> Result<Zeroizing<String>, RootError> {
    let fail = |source| RootError::File { path: path.display().to_string(), source };
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RootError::Exposed { path: path.display().to_string(), mode: mode & 0o777 });
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(fail)
}

fn parse(text: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(base64url::decode(text.trim_end().strip_prefix(PREFIX)?)?);
    Some(Secret::from_bytes(bytes.as_slice().try_into().ok()?))
}

fn open_shut(path: &Path, text: &str) -> Result<Secret, RootError> {
    let shown = path.display().to_string();
    let given = given_passphrase()?.ok_or(RootError::PassphraseNeeded(shown))?;
    open_with(path, text, &given)
}

fn open_with(path: &Path, text: &str, given: &str) -> Result<Secret, RootError> {
    let shown = path.display().to_string();
    match passphrase::open(text, given) {
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
    let text = private_text(&PathBuf::from(file))?;
    Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
}

/// Writes a file that is not there yet, for its owner alone.
fn write_private_new(path: &Path, text: &str) -> Result<(), RootError> {
    let fail = |source| RootError::File { path: path.display().to_string(), source };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
    // Without this the file's name may be lost with the power.
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail)
}
