//! Where a run takes place: a bank made once with people, devices and accounts, copied for each seed, and its writer,
//! started as the server starts it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use strongroom_crypto::sign::SigningKey;
use strongroom_ledger::decide::{AccountKind, AccountStatus};
use strongroom_ledger::id::{AccountId, DeviceId, PersonId};
use strongroom_sql::{Connection, Role, Url};
use strongroom_store::identity::{self, PersonIndexes, PersonRow, ProfileRow, SessionRow};
use strongroom_store::{Id, accounts, log, meta};

use super::Dice;
use super::faults::{Faulty, Shared};
use super::shadow::{ACCOUNTS, CASH, PEOPLE, TELLER, owner};
use crate::account::new_account;
use crate::audit::Chain;
use crate::audit_head::AuditHead;
use crate::era::Eras;
use crate::head::Head;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::writer::Writer;
use crate::{Home, Opened, Stopped, device, init, resume, sessions};

/// When the runs begin.
pub const START_US: i64 = 2_000_000_000_000_000;
const FILES: [&str; 5] = ["bank.db", "head.0", "head.1", "audit.0", "audit.1"];

/// The bank as it is before the first command.
pub struct Template {
    dir: PathBuf,
    pub keys: Arc<Keyring>,
    pub origin: String,
    pub accounts: Vec<AccountId>,
}

/// Somebody's id, session and device: the same in every run.
pub fn person_id(person: usize) -> Id {
    Dice(person as u64 + 1).id()
}

pub fn session_id(person: usize) -> Id {
    Dice(person as u64 + 101).id()
}

pub fn device_id(person: usize) -> Id {
    Dice(person as u64 + 201).id()
}

/// Memory, where the system offers it as a folder: a run writes for nobody.
fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    dir.join(format!(
        "strongroom-simulator-{}-{:x}",
        std::process::id(),
        Dice(strongroom_crypto::random::bytes::<8>().iter().fold(0, |n, b| n << 8 | u64::from(*b))).next()
    ))
}

fn database(dir: &Path) -> Box<dyn Connection> {
    strongroom_sql::open(&Url::Sqlite(dir.join("bank.db")), None, Role::Writer).expect("the database opens")
}

impl Template {
    pub fn make() -> Self {
        let dir = scratch();
        let home = Home::at(dir.join("home"));
        let key = dir.join("root.key");
        std::fs::create_dir_all(&dir).expect("a folder can be made");
        let options = init::Options {
            database: None,
            password_file: None,
            key: Some(format!("file:{}", key.display())),
            currency: None,
            numbers: None,
            name: None,
            demo: false,
        };
        init::initialise(&home, &options).expect("a bank can be made");
        let opened = Opened::at(&home).expect("it opens");
        let mut connection = database(home.dir());
        let c = connection.as_mut();
        c.begin().expect("it begins");
        for person in 0..PEOPLE {
            insert_person(c, &opened.keys, person);
        }
        let (state, _) = resume(c, &opened.keys, &opened.eras).expect("the log");
        let mut tx = Tx::new(c, &opened.keys, START_US, &state, Chain::default());
        for person in 0..PEOPLE {
            let key = SigningKey::from_seed(&[person as u8 + 1; 32]).public().to_bytes();
            let (id, owner) = (DeviceId(device_id(person)), PersonId(person_id(person)));
            device::register(&mut tx, id, owner, &[], &key, [7; 16]).expect("a device is added");
        }
        let (_, note) = tx.finish(&opened.origin, &state).expect("a block").expect("it has leaves");
        Head::open(home.dir()).expect("the kept checkpoint").keep(&note).expect("it is kept");
        let numbers = init::scheme("clabe").expect("a scheme");
        let currency = "USD".parse().expect("a currency");
        let mut ids = Vec::new();
        for account in (0..ACCOUNTS).filter(|account| *account != CASH) {
            let id = AccountId(Dice(account as u64 + 301).id());
            let owner = owner(account).map(person_id);
            let kind = AccountKind::Customer;
            let rows = new_account(&opened.keys, id, owner, kind, currency, numbers, "Simulated", START_US);
            let (account, balance) = rows.expect("an account");
            accounts::insert(c, &account, &balance).expect("it is added");
            ids.push(id);
        }
        let cash = accounts::of_bank(c).expect("the bank's own").pop().expect("there is one");
        ids.push(AccountId(cash.id));
        c.commit().expect("it commits");
        drop(connection);
        Template { dir, keys: opened.keys.clone(), origin: opened.origin, accounts: ids }
    }

    /// A copy for one run.
    pub fn copy(&self) -> Scene<'_> {
        let dir = scratch();
        std::fs::create_dir_all(&dir).expect("a folder can be made");
        for file in FILES {
            let from = self.dir.join("home").join(file);
            if from.exists() {
                std::fs::copy(from, dir.join(file)).expect("it can be copied");
            }
        }
        Scene { template: self, dir, clock: Arc::new(AtomicI64::new(START_US)) }
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One run's bank.
pub struct Scene<'a> {
    pub template: &'a Template,
    dir: PathBuf,
    pub clock: Arc<AtomicI64>,
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Scene<'_> {
    /// A connection on which nothing fails.
    pub fn look(&self) -> Box<dyn Connection> {
        database(&self.dir)
    }

    /// Starts the writer on what the database holds, as the server does.
    pub fn start(&self, faults: &Shared) -> Writer {
        let keys = self.template.keys.clone();
        let home = Home::at(&self.dir);
        let mut connection = self.look();
        let c = connection.as_mut();
        let eras = Eras::read(c, &keys).expect("the log's names");
        let epoch = meta::take_writer(c).expect("the writer's role");
        let (state, note) = resume(c, &keys, &eras).expect("the log goes on");
        let head = Head::open(&self.dir).expect("the kept checkpoint");
        let stopped = init::check_head(&head, &eras, c, &state, &note).expect("it can be compared");
        assert_eq!(stopped, None, "nothing that was signed is missing");
        let last_us = log::last_block(c).expect("the log").map_or(0, |block| block.time_us);
        let audit = Chain::read(c).expect("the audit log");
        let (dir, again, clock) = (self.dir.clone(), faults.clone(), self.clock.clone());
        Writer {
            connection: Box::new(Faulty::new(connection, faults.clone())),
            reconnect: Box::new(move || Ok(Box::new(Faulty::new(database(&dir), again.clone())))),
            keys,
            origin: self.template.origin.clone(),
            epoch,
            log: state,
            head,
            published: Arc::new(RwLock::new(note)),
            metrics: Arc::new(Metrics::new()),
            wal_is_large: Arc::default(),
            last_us,
            seen: Default::default(),
            stopped: Arc::new(Stopped(RwLock::new(None))),
            has_mail: false,
            audit,
            audit_head: AuditHead::open(&home).expect("the kept audit head"),
            clock: Box::new(move || clock.load(Ordering::Relaxed)),
            pause: |_| {},
        }
    }
}

/// Where nobody gives words away: a lock that a crash may poison.
pub fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn insert_person(c: &mut dyn Connection, keys: &Keyring, person: usize) {
    let id = person_id(person);
    keys.create_person(id, START_US).expect("a key is made");
    let mut row = PersonRow {
        id,
        status: 1,
        roles: if person == TELLER { "teller" } else { "customer" }.into(),
        has_factor: true,
        version: 1,
        created_us: START_US,
        legal_hold_us: None,
        email_verified_us: None,
        phone_verified_us: None,
        mac: [0; 36],
        password: Vec::new(),
    };
    row.mac = row.expected(keys);
    let indexes = PersonIndexes { username: id, email: None, phone: None, national_id: None };
    identity::insert_person(c, &row, &indexes, &ProfileRow::default()).expect("a person is added");
    let mut session = SessionRow {
        id: session_id(person),
        person: id,
        // A key of a program's: it outlives the jumps of the clock.
        kind: sessions::SERVICE,
        created_us: START_US,
        seen_us: START_US,
        // Fresh for ever: step-up is tested with the server.
        factor_us: i64::MAX,
        expires_us: i64::MAX,
        secret_hash: [0; 32],
        previous_hash: None,
        rotated_us: None,
        successor: None,
        ended_us: None,
        mac: [0; 36],
    };
    session.mac = session.expected(keys);
    identity::insert_session(c, &session).expect("a session is added");
}

/// Whether an account is open or frozen, by SQL's word.
pub fn set_status(
    c: &mut dyn Connection,
    keys: &Keyring,
    account: AccountId,
    is_frozen: bool,
) -> strongroom_sql::Result<()> {
    let Some(mut row) = accounts::by_ids(c, &[account.0], true)?.pop() else { return Ok(()) };
    row.status = if is_frozen { AccountStatus::Frozen } else { AccountStatus::Open } as i64;
    row.mac = row.expected(keys);
    accounts::update(c, &row)
}
