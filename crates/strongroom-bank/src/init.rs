//! How an empty home becomes a bank: root key, keyring, configuration, schema, the first leaf of
//! the log, the bank's own accounts, and the code with which the first administrator enrols.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use strongroom_crypto::random;
use strongroom_crypto::root::Provider;
use strongroom_ledger::decide::AccountKind;
use strongroom_ledger::id::{AccountId, KeyId};
use strongroom_ledger::leaf::{self, KeyChangeCore};
use strongroom_ledger::merkle::Frontier;
use strongroom_ledger::money::Currency;
use strongroom_ledger::number::NumberScheme;
use strongroom_sql::{Connection, Role, Url};
use strongroom_store::{Id, accounts, meta, schema};

use crate::account::new_account;
use crate::era::Eras;
use crate::head::Head;
use strongroom_notify::MailConfig;
use strongroom_notify::sms::SmsConfig;

use crate::home::{
    BankConfig, Config, DatabaseConfig, FactorsConfig, Home, KeyConfig, LogConfig, MetricsConfig, PasswordConfig,
    ServerConfig, TlsConfig,
};
use crate::keyring::Keyring;
use crate::tx::{LogState, Tx};
use crate::{Database, Error, Result, clock, hex, people};

/// What `init` may be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `sqlite:PATH` or `mysql://user@host:port/database`.
    pub database: Option<String>,
    /// A file with the database password.
    pub password_file: Option<std::path::PathBuf>,
    /// `file[:PATH]` or `env:NAME`.
    pub key: Option<String>,
    /// ISO 4217 code.
    pub currency: Option<String>,
    /// `clabe` or `iban`.
    pub numbers: Option<String>,
    /// Shown to people.
    pub name: Option<String>,
    /// A demo bank prints its people's secrets.
    pub demo: bool,
}

/// A bank that has just been made.
pub struct Initialised {
    /// With this the first administrator enrols, once.
    pub enrolment_code: String,
    /// Where the root key is.
    pub root_key: String,
}

/// Makes a bank in a home that is empty.
pub fn initialise(home: &Home, options: &Options) -> Result<Initialised> {
    if home.is_initialised() {
        return Err(Error::Conflict {
            code: "already_initialised",
            detail: format!(
                "{} holds a bank already. Name another home with --home DIR, or start this one with `strongroom serve`.",
                home.dir().display()
            ),
        });
    }
    // What an init that was stopped has left is gone on with: its keys are this bank's.
    let store: Id = begun(home)?.unwrap_or_else(random::bytes);
    let config = configure(home, options, &store)?;
    let currency: Currency = config.bank.currency.parse().map_err(|_| {
        Error::Malformed(format!(
            "--currency {} is not an ISO 4217 code; give three letters such as USD or MXN",
            config.bank.currency
        ))
    })?;
    let numbers = scheme(&config.bank.numbers)?;
    home.create()?;
    let _lock = lock(home)?;
    let database = Database::of(home, &config)?;
    let mut connection = database.connect(Role::Writer)?;
    refuse_foreign(connection.as_mut(), &store)?;
    let provider = Provider::parse(&config.key.root).map_err(|e| Error::Malformed(e.to_string()))?;
    let root = create_root(&provider)?;
    let now_us = clock::now_us();
    let mut keyring = strongroom_sql::open(&Url::Sqlite(home.path("keys.db")), None, Role::Writer)?;
    schema::migrate_keyring(keyring.as_mut(), now_us)?;
    if meta::value(keyring.as_mut(), "store")?.is_none() {
        Keyring::create(keyring.as_mut(), &root, store, now_us)?;
    }
    let keys = Keyring::open(keyring, &root)?;
    schema::migrate_bank(connection.as_mut(), now_us)?;
    let enrolment_code = if meta::value(connection.as_mut(), "store")?.is_some() {
        // It was founded; only its first code was never told.
        people::invite(connection.as_mut(), &keys, "admin", now_us)?
    } else {
        found(home, connection.as_mut(), &keys, &origin(&keys.store()), currency, numbers, now_us)?
    };
    // The configuration comes last: a home without it is empty, and init may be run again.
    home.write_config(&config)?;
    Ok(Initialised { enrolment_code, root_key: config.key.root })
}

/// The store id of a bank whose making was stopped before it had a configuration.
fn begun(home: &Home) -> Result<Option<Id>> {
    if !home.path("keys.db").exists() {
        return Ok(None);
    }
    let mut keyring = home.keyring(Role::Writer)?;
    schema::migrate_keyring(keyring.as_mut(), clock::now_us())?;
    Ok(meta::value(keyring.as_mut(), "store")?.and_then(|store| store.try_into().ok()))
}

fn configure(home: &Home, options: &Options, store: &Id) -> Result<Config> {
    let root = match options.key.as_deref() {
        None | Some("file") => Home::default_root_key(store),
        Some(other) => absolute(other)?,
    };
    if root.strip_prefix("file:").is_some_and(|path| std::path::Path::new(path).starts_with(home.dir())) {
        tracing::warn!("the root key lies inside the home: whoever copies the home can open it");
    }
    Ok(Config {
        limits: Default::default(),
        bank: BankConfig {
            name: options.name.clone().unwrap_or_else(|| "Strongroom".into()),
            currency: options.currency.clone().unwrap_or_else(|| "USD".into()).to_uppercase(),
            numbers: options.numbers.clone().unwrap_or_else(|| "clabe".into()),
            demo: options.demo,
        },
        database: DatabaseConfig {
            url: options.database.clone().unwrap_or_else(|| "sqlite:bank.db".into()),
            password_file: options
                .password_file
                .as_deref()
                .map(std::path::absolute)
                .transpose()
                .map_err(|e| Error::Malformed(format!("--password-file: {e}")))?,
        },
        key: KeyConfig { root, rotate_after_days: None, rotate_after_uses: None },
        password: PasswordConfig::default(),
        factors: FactorsConfig::default(),
        // A demonstration's mail goes into a folder.
        mail: options.demo.then(|| MailConfig {
            via: "folder:outbox".into(),
            from: "Strongroom Demo <bank@example.com>".into(),
            password_file: None,
            ca: None,
        }),
        sms: options.demo.then(|| SmsConfig {
            via: "folder:outbox".into(),
            token_file: None,
            service: None,
            api: None,
            ca: None,
        }),
        log: LogConfig::default(),
        witness: Vec::new(),
        server: ServerConfig::default(),
        metrics: MetricsConfig::default(),
        tls: TlsConfig::default(),
    })
}

/// A `file:` key with its path made absolute.
pub(crate) fn absolute(key: &str) -> Result<String> {
    match key.strip_prefix("file:") {
        Some(path) => {
            let path = std::path::absolute(path).map_err(|e| Error::Malformed(format!("--key {key}: {e}")))?;
            Ok(format!("file:{}", path.display()))
        }
        None => Ok(key.to_owned()),
    }
}

/// A key that is already there is used only when nothing has been sealed with it by another bank.
fn create_root(provider: &Provider) -> Result<strongroom_crypto::secret::Secret> {
    if let Err(e) = provider.create() {
        return provider.load().map_err(|_| Error::Internal(e.to_string()));
    }
    provider.load().map_err(|e| Error::Internal(e.to_string()))
}

fn refuse_foreign(connection: &mut dyn Connection, store: &Id) -> Result<()> {
    let held = meta::value(connection, "store").ok().flatten();
    match held {
        Some(held) if held != store => Err(Error::Conflict {
            code: "database_in_use",
            detail: "This database holds a bank already, and this home does not have its keys. Give an empty database, or the bank's own home.".into(),
        }),
        _ => Ok(()),
    }
}

/// The log's name.
fn origin(store: &Id) -> String {
    format!("strongroom.bank/{}", hex::encode(store))
}

/// The first batch of a bank: its log key's leaf and its cash account.
fn found(
    home: &Home,
    connection: &mut dyn Connection,
    keys: &Keyring,
    origin: &str,
    currency: Currency,
    numbers: NumberScheme,
    now_us: i64,
) -> Result<String> {
    let epoch = meta::take_writer(connection)?;
    connection.begin()?;
    if !meta::stamp_batch(connection, epoch, &random::bytes())? {
        return Err(Error::Internal("another process is initialising this database".into()));
    }
    meta::set_value(connection, "store", &keys.store())?;
    meta::set_value(connection, "origin", origin.as_bytes())?;
    let id = AccountId::from_time(now_us, random::bytes());
    let (account, balance) = new_account(keys, id, None, AccountKind::Cash, currency, numbers, "Cash", now_us)?;
    accounts::insert(connection, &account, &balance)?;
    let code = people::invite(connection, keys, "admin", now_us)?;
    let log_key = Arc::new(keys.log(1)?);
    let public_key = log_key.public().to_bytes();
    let state = LogState { frontier: Frontier::default(), height: -1, last_hash: [0; 32], key: log_key };
    let mut tx = Tx::new(connection, keys, now_us, &state, crate::audit::Chain::default());
    let key = KeyId::from_time(now_us, random::bytes());
    let core = KeyChangeCore { key, public_key, time_us: now_us };
    tx.append_fact(leaf::Kind::KeyChange, key.0, random::bytes(), core.encode());
    let (_, note) = tx.finish(origin, &state)?.ok_or_else(|| Error::Internal("the first block was not made".into()))?;
    connection.commit()?;
    let mut head = Head::open(home.dir())?;
    head.keep(&note)
        .and_then(|()| head.sync())
        .map_err(|e| Error::Internal(format!("the first checkpoint could not be kept: {e}")))?;
    Ok(code)
}

/// Holds the home for one process.
pub(crate) fn lock(home: &Home) -> Result<File> {
    let path = home.path("lock");
    let fail = |e: std::io::Error| Error::Internal(format!("cannot lock {}: {e}", crate::shown(&path)));
    let file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fail)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(e) if std::io::Error::from(e).kind() == ErrorKind::WouldBlock => Err(Error::Busy),
        Err(e) => Err(fail(e.into())),
    }
}

/// Compares the database with the checkpoint kept outside it. Answers why the bank may not write.
pub(crate) fn check_head(
    head: &Head,
    eras: &Eras,
    connection: &mut dyn Connection,
    state: &LogState,
    note: &str,
) -> Result<Option<String>> {
    let here =
        eras.verify(note).ok_or_else(|| Error::Integrity("the newest block's checkpoint does not verify".into()))?;
    let Some((kept, _)) = head.highest(eras) else {
        tracing::warn!(
            "no checkpoint is kept outside the database: its age cannot be checked; the present one is kept from now on"
        );
        return Ok(None);
    };
    if kept.size > here.size {
        return Ok(Some(format!(
            "The database has been put back to an older copy: it holds {} log entries, and this bank has signed {}. Writing now would sign a second \
             history, so the bank only reads. To recover, stop the server and put the newer database back. If that one is lost, run `strongroom ledger reopen`: \
             it goes on from this copy under a new log name, and says in the log what was lost.",
            here.size, kept.size
        )));
    }
    let kept_root = if kept.size == here.size {
        state.frontier.root()
    } else {
        strongroom_ledger::merkle::root_at(kept.size, here.size, &mut crate::logs::Hashes { connection })?
    };
    if kept_root != kept.root {
        return Ok(Some(
            "The database's log is not the one whose checkpoint is kept outside it: history was rewritten. The bank only reads. To recover, stop the \
             server, keep this copy as evidence, and put the true database back; if that one is lost, run `strongroom ledger reopen`."
                .into(),
        ));
    }
    Ok(None)
}

/// The number scheme that the configuration names.
pub(crate) fn scheme(name: &str) -> Result<NumberScheme> {
    match name {
        "clabe" => Ok(NumberScheme::Clabe),
        "iban" => Ok(NumberScheme::Iban),
        other => Err(Error::Malformed(format!("account numbers `{other}` are not known; use clabe or iban"))),
    }
}
