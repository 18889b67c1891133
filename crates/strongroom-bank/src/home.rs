//! The bank's home: where its files are, its configuration, and how an empty home becomes a bank.
//!
//! ```text
//! <home>/strongroom.toml   configuration
//! <home>/bank.db           the bank, when it runs on SQLite
//! <home>/keys.db           the keyring: wrapped keys, backed up apart
//! <home>/head.0, head.1    the highest signed checkpoint, kept outside the database
//! <home>/tls/              development CA and server certificate
//! <home>/lock              held while a server runs
//! <home>/control           the running server's socket for the console
//! ```
//! The root key lies outside the home, so that a copied home opens nothing.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strongroom_crypto::password::Scheme;
use strongroom_crypto::root::Provider;
use strongroom_crypto::secret::Secret;
use strongroom_ledger::money::Currency;
use strongroom_notify::sms::{Sms, SmsConfig};
use strongroom_notify::witness::WitnessConfig;
use strongroom_notify::{Mail, MailConfig};
use strongroom_sql::{Connection, Role, Url};

use crate::{Error, Result};

/// `strongroom.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The bank itself.
    pub bank: BankConfig,
    /// Where its rows live.
    pub database: DatabaseConfig,
    /// Where its root key lives.
    pub key: KeyConfig,
    /// How passwords are kept.
    #[serde(default)]
    pub password: PasswordConfig,
    /// Which second factors there are.
    #[serde(default)]
    pub factors: FactorsConfig,
    /// What needs a second person.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How mail goes out; without it none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailConfig>,
    /// How codes by SMS go out; without it none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsConfig>,
    /// How the log is published.
    #[serde(default, skip_serializing_if = "LogConfig::is_default")]
    pub log: LogConfig,
    /// Who cosigns the log's checkpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<WitnessConfig>,
    /// How it is reached.
    #[serde(default)]
    pub server: ServerConfig,
    /// Where the bank tells what it has counted.
    #[serde(default, skip_serializing_if = "MetricsConfig::is_default")]
    pub metrics: MetricsConfig,
    /// The operator's own certificate, if there is one.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// `[bank]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankConfig {
    /// Shown to people.
    pub name: String,
    /// ISO 4217 code of its accounts.
    pub currency: String,
    /// `clabe` or `iban`.
    pub numbers: String,
    /// A demo bank prints its people's secrets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub demo: bool,
}

/// `[limits]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// A customer's transfer of more than this, in its own currency, waits for the bank's approval; 100000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_above: Option<u32>,
}

impl LimitsConfig {
    const APPROVAL_ABOVE: u32 = 100_000;

    /// The limit in a currency's minor units.
    pub(crate) fn approval_above(&self, currency: Currency) -> i64 {
        let units = i64::from(self.approval_above.unwrap_or(Self::APPROVAL_ABOVE));
        units.saturating_mul(10_i64.saturating_pow(u32::from(currency.digits())))
    }
}

/// `[database]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` (relative to the home) or `mysql://user@host:port/database`.
    pub url: String,
    /// A file that holds the database password, readable by its owner alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// `[key]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// `file:PATH` or `env:NAME`.
    pub root: String,
    /// Keys that follow by themselves do so after this many days [default: by purpose].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after_days: Option<u32>,
    /// And after this many uses [default: by purpose].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after_uses: Option<u64>,
}

impl KeyConfig {
    /// Gives the root key.
    pub fn load_root(&self) -> Result<Secret> {
        Provider::parse(&self.root).and_then(|place| place.load()).map_err(|e| Error::Internal(e.to_string()))
    }
}

/// `[password]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordConfig {
    /// `argon2id` or `bcrypt` [default: argon2id].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashName>,
    /// A file of passwords that nobody may choose, one in each line, beside the common ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<PathBuf>,
}

/// `[factors]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorsConfig {
    /// No codes by mail or SMS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hardened: bool,
    /// How long a recovery waits after it was proven, in hours [default: 24].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_hours: Option<u32>,
}

/// A way to hash passwords.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashName {
    /// Argon2id.
    Argon2id,
    /// bcrypt.
    Bcrypt,
}

impl PasswordConfig {
    /// How new passwords are hashed.
    pub fn scheme(&self) -> Scheme {
        match self.hash {
            Some(HashName::Bcrypt) => Scheme::Bcrypt,
            Some(HashName::Argon2id) | None => Scheme::Argon2id,
        }
    }

    /// The operator's own list of passwords that nobody may choose, in lower case.
    pub fn blocked(&self) -> Result<HashSet<String>> {
        let Some(path) = &self.blocked else { return Ok(HashSet::new()) };
        let text = fs::read_to_string(path).map_err(|e| {
            Error::Internal(format!(
                "[password] blocked in strongroom.toml: {}: {e}; give a file that can be read, or take the line out",
                path.display()
            ))
        })?;
        Ok(text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect())
    }
}

/// `[server]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen when `--listen` is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The host name by which browsers reach the bank [default: localhost]: passkeys are made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// `[log]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Seconds between two checkpoints that are sent to the witnesses [default: 10].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness_every_s: Option<NonZeroU32>,
}

impl LogConfig {
    fn is_default(&self) -> bool {
        self.witness_every_s.is_none()
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `/metrics` is served, as plain HTTP and to whoever asks; without it, nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

impl MetricsConfig {
    fn is_default(&self) -> bool {
        self.listen.is_none()
    }
}

/// `[tls]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Names the development certificate is for, beside localhost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The operator's certificate chain (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM, 0600).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// A bank's home directory.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// The home at a path; it need not exist.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Home { dir: dir.into() }
    }

    /// The platform's data directory: `$XDG_DATA_HOME/strongroom`, else `~/.local/share/strongroom`.
    pub fn default_dir() -> PathBuf {
        base_dir("XDG_DATA_HOME", ".local/share").join("strongroom")
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether a bank has been initialised here.
    pub fn is_initialised(&self) -> bool {
        self.path("strongroom.toml").exists()
    }

    /// Makes the directory, readable by its owner alone.
    pub fn create(&self) -> Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(|e| {
            Error::Internal(format!("cannot make the home {}: {e}; choose another with --home DIR", self.dir.display()))
        })
    }

    /// Opens the keyring's database, which must be there.
    pub fn keyring(&self, role: Role) -> Result<Box<dyn Connection>> {
        let path = self.path("keys.db");
        if !path.exists() {
            return Err(Error::Internal(format!(
                "{} is not there; name the bank's home with --home DIR, or put the keyring back with `keys restore`",
                path.display()
            )));
        }
        Ok(strongroom_sql::open(&Url::Sqlite(path), None, role)?)
    }

    /// The way out for mail, if one is configured.
    pub fn mail(&self, config: &Config) -> Result<Option<Mail>> {
        let Some(mail) = &config.mail else { return Ok(None) };
        let password = mail.password_file.as_deref().map(read_private).transpose()?;
        let password = password.map(|password| password.trim_end().to_owned());
        let unusable = |e| Error::Internal(format!("[mail] in strongroom.toml: {e}"));
        Mail::new(mail, &self.dir, password).map(Some).map_err(unusable)
    }

    /// The way out for codes by SMS, if one is configured.
    pub fn sms(&self, config: &Config) -> Result<Option<Sms>> {
        let Some(sms) = &config.sms else { return Ok(None) };
        let token = sms.token_file.as_deref().map(read_private).transpose()?;
        let unusable = |e| Error::Internal(format!("[sms] in strongroom.toml: {e}"));
        Sms::new(sms, &self.dir, token.as_deref().map(str::trim_end)).map(Some).map_err(unusable)
    }

    /// Reads the configuration.
    pub fn config(&self) -> Result<Config> {
        let path = self.path("strongroom.toml");
        let text = fs::read_to_string(&path).map_err(|e| {
            Error::Internal(format!(
                "cannot read {}: {e}; run `strongroom init`, or name the home with --home DIR",
                path.display()
            ))
        })?;
        toml::from_str(&text).map_err(|e| Error::Internal(format!("{}: {}", path.display(), explain(&e, &text))))
    }

    /// Writes the configuration of a new home.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        let text = toml::to_string_pretty(config).map_err(|e| Error::Internal(e.to_string()))?;
        write_private(&self.path("strongroom.toml"), text.as_bytes())
    }

    /// Writes another configuration in the place of the present one, wholly or not at all.
    pub fn replace_config(&self, config: &Config) -> Result<()> {
        let (new, present) = (self.path("strongroom.toml.new"), self.path("strongroom.toml"));
        let text = toml::to_string_pretty(config).map_err(|e| Error::Internal(e.to_string()))?;
        write_private(&new, text.as_bytes())?;
        let renamed = fs::rename(&new, &present).and_then(|()| fs::File::open(&self.dir)?.sync_all());
        renamed.map_err(|e| Error::Internal(format!("cannot write {}: {e}", present.display())))
    }

    /// Where the root key of a new bank goes: outside the home.
    pub fn default_root_key(store: &[u8; 16]) -> String {
        let name: String = store[10..].iter().map(|b| format!("{b:02x}")).collect();
        let path = base_dir("XDG_CONFIG_HOME", ".config").join("strongroom").join(format!("root-{name}.key"));
        format!("file:{}", path.display())
    }

    /// A database URL with the home put before a relative SQLite path.
    pub fn database_url(&self, url: &str) -> String {
        match url.strip_prefix("sqlite:") {
            Some(path) if Path::new(path).is_relative() => format!("sqlite:{}", self.dir.join(path).display()),
            _ => url.to_owned(),
        }
    }
}

fn base_dir(variable: &str, under_home: &str) -> PathBuf {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(under_home),
        PathBuf::from,
    )
}

/// Writes a new file that only its owner can read, durably.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| Error::Internal(format!("cannot write {}: {e}", path.display()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(content).map_err(fail)?;
    file.sync_all().map_err(fail)
}

/// Reads a file with a secret, refusing one that others can read.
pub fn read_private(path: &Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let fail = |e: std::io::Error| Error::Internal(format!("cannot read {}: {e}", path.display()));
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::Internal(format!(
            "{} can be read by others (mode {:o}); run: chmod 600 {}",
            path.display(),
            mode & 0o777,
            path.display()
        )));
    }
    fs::read_to_string(path).map_err(fail)
}

/// An unknown key gets the nearest known one beside it.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let nearest = message.starts_with("unknown field").then(|| {
        let unknown = quoted.next().unwrap_or_default();
        quoted.max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)))
    });
    let line = error.span().map_or(String::new(), |span| {
        let before = text.get(..span.start).unwrap_or_default();
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!(" (line {}, column {column})", before.matches('\n').count() + 1)
    });
    match nearest.flatten() {
        Some(known) => format!("{message}{line}. Did you mean `{known}`?"),
        None => format!("{message}{line}"),
    }
}
