//! The running bank: one writer, readers beside it, keys, home and log.
//!
//! It joins the rules (ledger, identity), the store and the keys: every change of state is seen,
//! decided by a pure function and done inside the writer's batch. **Absence:** no HTTP, no HTML,
//! no argument parsing; and nothing but `clock` reads the time.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use strongroom_crypto::passkey::Site;
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::id::AccountId;
use strongroom_ledger::merkle::Frontier;
use strongroom_ledger::money::Currency;
use strongroom_ledger::note::LogKey;
use strongroom_ledger::number::NumberScheme;
use strongroom_sql::{Connection, Role, Url};
use strongroom_store::{Id, accounts, log, meta};
use tokio::sync::Semaphore;

pub mod account;
pub mod approvals;
pub mod audit;
pub mod audit_head;
pub mod bulk;
pub mod clock;
pub mod contact;
pub mod custody;
pub mod demo;
pub mod device;
pub mod era;
pub mod erasure;
mod error;
pub mod export;
pub mod factor;
pub mod fault;
mod hashing;
mod head;
mod hex;
pub mod home;
pub mod init;
mod keeper;
pub mod key_order;
pub mod keyring;
mod known;
pub mod logs;
pub mod masked;
mod metrics;
mod money;
mod orders;
mod password;
pub mod people;
mod post;
mod queue;
pub mod receipts;
pub mod recovery;
mod reindex;
mod remac;
mod reseal;
pub mod roles;
mod rows;
pub mod service_account;
pub mod sessions;
pub mod sign_in;
#[cfg(test)]
mod simulator;
pub mod staff;
mod step_up;
mod tries;
mod tx;
pub mod verification;
pub mod verify;
mod wal;
pub mod witnesses;
mod writer;

pub use error::{Error, Result};
pub use home::{Config, Home};
pub use keyring::{Keyring, TokenKey, column};
pub use money::{Placed, Posted, Status};
pub use orders::{Consent, SignedOrder, Verified};
pub use sessions::Caller;

use audit::Chain;
use audit_head::AuditHead;
use era::Eras;
use hashing::Hashing;
use head::Head;
use known::Known;
use metrics::Metrics;
use queue::{Lane, Queue};
use tx::{LogState, Tx};
use witnesses::Witnesses;
use writer::{Change, Task, Writer};

/// An open bank.
pub struct Bank {
    config: Config,
    origin: String,
    eras: RwLock<Arc<Eras>>,
    currency: Currency,
    numbers: NumberScheme,
    cash: AccountId,
    keys: Arc<Keyring>,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Readers>,
    published: Arc<RwLock<String>>,
    metrics: Arc<Metrics>,
    hashing: Hashing,
    bulks: Arc<Semaphore>,
    known_devices: Known<(Id, Arc<PublicKey>)>,
    known_numbers: Known<Id>,
    known_owners: Known<Option<Id>>,
    site: Arc<Site>,
    blocked_passwords: HashSet<String>,
    key_orders: Mutex<()>,
    sms: Option<factor::sms::SharedSms>,
    sms_setup: tokio::sync::Mutex<()>,
    stopped: Arc<Stopped>,
    _lock: std::fs::File,
}

/// Why the bank may not write, once it may not.
pub(crate) struct Stopped(RwLock<Option<String>>);

impl Stopped {
    pub(crate) fn why(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stop(&self, why: &str) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }
}

/// What every local command needs of a home: its configuration, keys and database.
pub struct Opened {
    /// The configuration.
    pub config: Config,
    /// The keys.
    pub keys: Arc<Keyring>,
    /// The log's name.
    pub origin: String,
    /// The log's public key.
    pub log_key: LogKey,
    /// The names that the log has had.
    pub eras: Eras,
    /// The bank's database.
    pub database: Database,
}

/// Where the bank's rows are.
#[derive(Clone)]
pub struct Database {
    url: Url,
    password: Option<String>,
}

impl Database {
    /// The database of a home's configuration.
    pub fn of(home: &Home, config: &Config) -> Result<Self> {
        let url = Url::parse(&home.database_url(&config.database.url))?;
        let password = match &config.database.password_file {
            Some(path) => Some(home::read_private(path)?.trim_end().to_owned()),
            None => std::env::var("STRONGROOM_DATABASE_PASSWORD").ok(),
        };
        Ok(Database { url, password })
    }

    /// Opens a connection.
    pub fn connect(&self, role: Role) -> strongroom_sql::Result<Box<dyn Connection>> {
        strongroom_sql::open(&self.url, self.password.as_deref(), role)
    }

    /// `sqlite` or `mariadb`.
    pub fn kind(&self) -> &'static str {
        match self.url {
            Url::Sqlite(_) => "sqlite",
            Url::MariaDb(_) => "mariadb",
        }
    }
}

impl Opened {
    /// Opens a home's keys and finds its database, without writing anything.
    pub fn at(home: &Home) -> Result<Self> {
        let config = home.config()?;
        let database = Database::of(home, &config)?;
        let keys = Arc::new(Keyring::open(home.keyring(Role::Writer)?, &config.key.load_root()?)?);
        let mut connection = database.connect(Role::Reader)?;
        if meta::value(connection.as_mut(), "store")?.as_deref() != Some(&keys.store()) {
            return Err(Error::Internal(
                "the database belongs to another bank than keys.db: check [database] url in strongroom.toml".into(),
            ));
        }
        let eras = Eras::read(connection.as_mut(), &keys)?;
        let log_key = eras.present().clone();
        let origin = log_key.origin().to_owned();
        Ok(Opened { config, keys, origin, log_key, eras, database })
    }

    /// The log's size and its newest signed checkpoint.
    pub fn newest(&self) -> Result<(i64, String)> {
        let mut connection = self.database.connect(Role::Reader)?;
        let block = log::last_block(connection.as_mut())?;
        let block = block.ok_or_else(|| Error::Integrity("the log has no block".into()))?;
        Ok((block.size, block.note))
    }

    /// The checkpoint that is kept outside the database, if one of the two files holds it.
    pub fn kept_size(&self, home: &Home) -> Result<Option<u64>> {
        Ok(Head::open(home.dir())?.highest(&self.eras).map(|(checkpoint, _)| checkpoint.size))
    }

    /// Checks the audit log from its first entry to what was kept outside the database.
    pub fn check_audit(&self, home: &Home) -> Result<audit::Checked> {
        let kept = AuditHead::open(home)?.furthest(&self.keys);
        audit::verify(self.database.connect(Role::Reader)?.as_mut(), kept)
    }

    /// Audit entries below a position, newest first, opened where they can be.
    pub fn audit_below(&self, below: i64, limit: i64) -> Result<Vec<audit::Entry>> {
        let rows = strongroom_store::audit::below(self.database.connect(Role::Reader)?.as_mut(), None, below, limit)?;
        Ok(rows.iter().map(|row| audit::Entry::open(&self.keys, row)).collect())
    }

    /// Why the bank would not write: its database is behind the checkpoint kept outside it.
    pub fn behind_head(&self, home: &Home) -> Result<Option<String>> {
        let mut connection = self.database.connect(Role::Reader)?;
        let (log, note) = resume(connection.as_mut(), &self.keys, &self.eras)?;
        init::check_head(&Head::open(home.dir())?, &self.eras, connection.as_mut(), &log, &note)
    }
}

impl Bank {
    /// Opens a bank and starts its writer.
    pub fn open(home: &Home) -> Result<Arc<Self>> {
        let lock = init::lock(home)?;
        let Opened { config, keys, origin, eras, database, .. } = Opened::at(home)?;
        let mut connection = database.connect(Role::Writer)?;
        strongroom_store::schema::migrate_bank(connection.as_mut(), clock::now_us())?;
        for warning in connection.durability_warnings()? {
            tracing::warn!("{warning}");
        }
        let epoch = meta::take_writer(connection.as_mut())?;
        let (log, note) = resume(connection.as_mut(), &keys, &eras)?;
        let mut head = Head::open(home.dir())?;
        let stopped = init::check_head(&head, &eras, connection.as_mut(), &log, &note)?;
        if head.highest(&eras).is_none() {
            let kept = head.keep(&note).and_then(|()| head.sync());
            kept.map_err(|e| Error::Internal(format!("the checkpoint cannot be kept in {}: {e}", shown(home.dir()))))?;
        }
        let stopped = Arc::new(Stopped(RwLock::new(stopped)));
        let cash = cash_account(connection.as_mut(), &config)?;
        let last_us = log::last_block(connection.as_mut())?.map_or(0, |block| block.time_us);
        let (mail, witnesses) = (home.mail(&config)?, Witnesses::of(&config)?);
        let sms = home.sms(&config)?;
        let audit = Chain::read(connection.as_mut())?;
        let published = Arc::new(RwLock::new(note));
        let (metrics, wal_is_large) = (Arc::new(Metrics::new()), Arc::new(AtomicBool::new(false)));
        wal::tend(database.clone(), Arc::downgrade(&wal_is_large));
        let queue = Arc::new(Queue::new(metrics.waited.clone()));
        let again = database.clone();
        let writer = Writer {
            connection,
            reconnect: Box::new(move || again.connect(Role::Writer)),
            keys: keys.clone(),
            origin: origin.clone(),
            epoch,
            log,
            head,
            published: published.clone(),
            metrics: metrics.clone(),
            wal_is_large,
            last_us,
            stopped: stopped.clone(),
            seen: Default::default(),
            has_mail: mail.is_some(),
            audit,
            audit_head: AuditHead::open(home)?,
            clock: Box::new(clock::now_us),
            pause: std::thread::sleep,
        };
        let tasks = queue.clone();
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&tasks))
            .map_err(|e| Error::Internal(format!("cannot start the writer: {e}")))?;
        let blocked_passwords = config.password.blocked()?;
        let host = config.server.host.as_deref().unwrap_or("localhost");
        let site = Site::new(host, &config.bank.name)
            .map_err(|e| Error::Internal(format!("[server] host in strongroom.toml must be a host name: {e}")))?;
        let bank = Arc::new(Bank {
            currency: config
                .bank
                .currency
                .parse()
                .map_err(|_| Error::Internal("[bank] currency is not an ISO 4217 code".into()))?,
            numbers: init::scheme(&config.bank.numbers)?,
            config,
            origin,
            eras: RwLock::new(Arc::new(eras)),
            cash,
            keys,
            queue,
            writer: Mutex::new(Some(thread)),
            readers: Arc::new(Readers { database, idle: Mutex::default() }),
            published,
            metrics,
            hashing: Hashing::start().map_err(|e| Error::Internal(format!("cannot start the hashing pool: {e}")))?,
            bulks: Arc::new(Semaphore::new(bulk::AT_ONCE)),
            known_devices: Known::default(),
            known_numbers: Known::default(),
            known_owners: Known::default(),
            site: Arc::new(site),
            blocked_passwords,
            key_orders: Mutex::default(),
            sms: sms.map(Arc::new),
            sms_setup: tokio::sync::Mutex::default(),
            stopped,
            _lock: lock,
        });
        bank.finish_erasures()?;
        bank.keys.activate_log(bank.eras().version(), clock::now_us())?;
        keeper::start(&bank).map_err(|e| Error::Internal(format!("cannot start the keeper of keys: {e}")))?;
        let witnessing = witnesses::start(&bank, witnesses);
        witnessing.map_err(|e| Error::Internal(format!("cannot start to ask witnesses: {e}")))?;
        if let Some(mail) = mail {
            post::start(&bank, mail).map_err(|e| Error::Internal(format!("cannot start the post: {e}")))?;
        }
        Ok(bank)
    }

    /// Finishes what was accepted and stops the writer.
    pub fn close(&self) {
        self.queue.close();
        if let Some(thread) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
            && thread.join().is_err()
        {
            tracing::error!("the writer ended badly");
        }
        if let Err(e) = self.keys.count_uses() {
            tracing::warn!(error = %e, "the uses of keys could not be written down");
        }
    }

    fn is_closing(&self) -> bool {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The log's name: the audience of every signed order.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The log's public key.
    pub fn log_key(&self) -> LogKey {
        self.eras().present().clone()
    }

    fn eras(&self) -> Arc<Eras> {
        self.eras.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The currency of its accounts.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Why the bank may not write, if it may not.
    pub fn read_only(&self) -> Option<String> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = writer.as_ref().is_some_and(JoinHandle::is_finished);
        let ended = || "The writer has ended unexpectedly; restart the server and look at its log.".to_owned();
        self.stopped.why().or_else(|| has_ended.then(ended))
    }

    /// What the bank has counted of itself, as OpenMetrics text.
    pub fn metrics(&self) -> String {
        let size = self.log_size().unwrap_or_default();
        self.metrics.text(size, self.queue.waiting(), self.read_only().is_some())
    }

    /// The keys that check access tokens now: the one that signs, and the one before it for as long as its
    /// tokens may be out.
    pub fn token_keys(&self) -> Vec<TokenKey> {
        self.keys.tokens().verifying(clock::now_us()).cloned().collect()
    }

    /// The newest signed checkpoint.
    pub fn checkpoint(&self) -> String {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn cash_account(&self) -> AccountId {
        self.cash
    }

    /// Reads beside the writer, on a thread that may block.
    pub(crate) async fn read<A: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Connection) -> Result<A> + Send + 'static,
    ) -> Result<A> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.read(work))
            .await
            .map_err(|e| Error::Internal(format!("a reader failed: {e}")))?
    }

    /// Reads several things as they were at one moment.
    pub(crate) async fn read_at_once<A: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Connection) -> Result<A> + Send + 'static,
    ) -> Result<A> {
        self.read(move |c| {
            c.begin()?;
            let answer = work(c);
            c.rollback()?;
            answer
        })
        .await
    }

    /// Changes state through the writer. The closure may run again when its batch is rolled back;
    /// it reads, decides and only then writes.
    pub(crate) async fn change<A: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<A> + Send + 'static,
    ) -> Result<A> {
        self.submit(work)?.await.map_err(|_| Error::Busy)?
    }

    /// The same from a thread that may wait.
    pub(crate) fn change_blocking<A: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<A> + Send + 'static,
    ) -> Result<A> {
        self.submit(work)?.blocking_recv().map_err(|_| Error::Busy)?
    }

    fn submit<A: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<A> + Send + 'static,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<A>>> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let task = Task::Other(Box::new(Change::new(work, reply)));
        self.queue.push(Lane::Other, task).map_err(|_| Error::Busy)?;
        Ok(answer)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.close();
    }
}

/// Connections for reading, opened when they are needed and kept.
struct Readers {
    database: Database,
    idle: Mutex<Vec<Box<dyn Connection>>>,
}

const IDLE_READERS_MAX: usize = 16;

impl Readers {
    fn read<A>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<A>) -> Result<A> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.database.connect(Role::Reader)?,
        };
        let answer = work(connection.as_mut());
        let broken = matches!(&answer, Err(Error::Database(_)));
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !broken && idle.len() < IDLE_READERS_MAX {
            idle.push(connection);
        }
        answer
    }
}

/// The account that cash is paid in and out of.
fn cash_account(connection: &mut dyn Connection, config: &Config) -> Result<AccountId> {
    let cash = accounts::of_bank(connection)?.into_iter().next();
    let cash = cash.ok_or_else(|| Error::Internal("the bank has no cash account; run `strongroom init`".into()))?;
    if cash.currency != config.bank.currency {
        return Err(Error::Internal(format!(
            "[bank] currency in strongroom.toml is {}, and the bank's accounts are in {}: put {} back",
            config.bank.currency, cash.currency, cash.currency
        )));
    }
    Ok(AccountId(cash.id))
}

/// Where the log stands, by its own rows.
fn resume(connection: &mut dyn Connection, keys: &Keyring, eras: &Eras) -> Result<(LogState, String)> {
    let Some(block) = log::last_block(connection)? else {
        return Err(Error::Internal("the log has no first block; run `strongroom init`".into()));
    };
    let size = block.size as u64;
    let frontier = Frontier::load(size, &mut logs::Hashes { connection })?;
    let key = Arc::new(keys.log(eras.version())?);
    Ok((LogState { frontier, height: block.height, last_hash: block.hash, key }, block.note))
}

/// A path for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
