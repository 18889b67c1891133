//! The keyring: every key of the bank, wrapped in its own database, opened when it is needed.
//!
//! Below the root key stands one key-encryption key per purpose; below those stand the keys that
//! do the work. A person's key seals everything personal about them, so destroying it erases
//! them. A key is stored and read back before the first byte is sealed with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use strongroom_crypto::blind::IndexKey;
use strongroom_crypto::mac::MacKey;
use strongroom_crypto::password::Hasher;
use strongroom_crypto::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use strongroom_crypto::secret::Secret;
use strongroom_crypto::sign::SigningKey;
use strongroom_crypto::wrap;
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::keys::{self, WrappedKey};
use strongroom_store::meta;

use crate::{Error, Result};

/// Column ids of the bank's own sealed fields: constants, for ever.
pub mod column {
    use strongroom_crypto::sealed::ColumnId;

    /// The id of the `n`th sealed column.
    const fn id(n: u8) -> ColumnId {
        let mut bytes = *b"strongroom/col/\0";
        bytes[15] = n;
        ColumnId(bytes)
    }

    /// people.password
    pub const PASSWORD: ColumnId = id(1);
    /// people.username
    pub const USERNAME: ColumnId = id(2);
    /// people.full_name
    pub const FULL_NAME: ColumnId = id(3);
    /// people.email
    pub const EMAIL: ColumnId = id(4);
    /// people.phone
    pub const PHONE: ColumnId = id(5);
    /// people.national_id
    pub const NATIONAL_ID: ColumnId = id(6);
    /// people.date_of_birth
    pub const DATE_OF_BIRTH: ColumnId = id(7);
    /// people.address
    pub const ADDRESS: ColumnId = id(8);
    /// factors.secret
    pub const FACTOR_SECRET: ColumnId = id(9);
    /// devices.name
    pub const DEVICE_NAME: ColumnId = id(10);
    /// accounts.number
    pub const ACCOUNT_NUMBER: ColumnId = id(11);
    /// accounts.name
    pub const ACCOUNT_NAME: ColumnId = id(12);
    /// transfers.payer
    pub const PAYER_PART: ColumnId = id(13);
    /// transfers.payee
    pub const PAYEE_PART: ColumnId = id(14);
    /// sessions.successor
    pub const SESSION_SUCCESSOR: ColumnId = id(15);
}

/// Purposes that have a single key each.
const SINGLE: &[&str] = &["mac", "index", "token", "log", "pepper", "credential", "bank"];
const PERSON: &str = "person";
const ACTIVE: i64 = 1;
/// People's keys kept open; beyond it the cache starts anew.
const OPEN_KEYS_MAX: usize = 200_000;

/// The bank's keys, ready for use.
pub struct Keyring {
    store: Id,
    connection: Mutex<Box<dyn Connection>>,
    person_kek: Secret,
    open: RwLock<HashMap<Id, Arc<FieldKey>>>,
    /// Authenticates rows.
    pub mac: MacKey,
    /// Finds people by username.
    pub usernames: IndexKey,
    /// Finds people by e-mail address.
    pub emails: IndexKey,
    /// Finds people by phone number.
    pub phones: IndexKey,
    /// Finds accounts by number.
    pub numbers: IndexKey,
    /// Hashes passwords, with the pepper.
    pub hasher: Hasher,
    /// Signs access tokens.
    pub token: SigningKey,
    /// Signs the log's checkpoints.
    pub log: SigningKey,
    /// Seals credentials.
    credential: FieldKey,
    /// Seals the bank's own fields.
    bank: FieldKey,
}

impl Keyring {
    /// Makes the keys of a new bank under its root key.
    pub fn create(connection: &mut dyn Connection, root: &Secret, store: Id, now_us: i64) -> Result<()> {
        connection.begin()?;
        meta::set_value(connection, "store", &store)?;
        for purpose in SINGLE.iter().chain([&PERSON]) {
            let kek = Secret::random();
            insert(connection, root, "kek", purpose_series(purpose), &kek, now_us)?;
            if *purpose != PERSON {
                insert(connection, &kek, purpose, [0; 16], &Secret::random(), now_us)?;
            }
        }
        connection.commit()?;
        Ok(())
    }

    /// Opens the keyring with the root key.
    pub fn open(mut connection: Box<dyn Connection>, root: &Secret) -> Result<Self> {
        let c = connection.as_mut();
        let store: Id = meta::value(c, "store")?.and_then(|v| v.try_into().ok()).ok_or_else(|| {
            Error::Internal("the keyring names no bank: keys.db is empty or damaged; restore it from its backup".into())
        })?;
        let mut single = |purpose: &str| -> Result<Secret> {
            let kek = unwrap(c, root, "kek", purpose_series(purpose))?;
            unwrap(c, &kek, purpose, [0; 16])
        };
        let index = single("index")?;
        let keyring = Keyring {
            store,
            mac: MacKey::new(&single("mac")?),
            usernames: IndexKey::new(&index, column::USERNAME.0),
            emails: IndexKey::new(&index, column::EMAIL.0),
            phones: IndexKey::new(&index, column::PHONE.0),
            numbers: IndexKey::new(&index, column::ACCOUNT_NUMBER.0),
            hasher: Hasher::new(&single("pepper")?),
            token: SigningKey::from_seed(single("token")?.expose()),
            log: SigningKey::from_seed(single("log")?.expose()),
            credential: FieldKey::new(&single("credential")?, Suite::Xaes256Gcm, 1),
            bank: FieldKey::new(&single("bank")?, Suite::Xaes256Gcm, 1),
            person_kek: unwrap(c, root, "kek", purpose_series(PERSON))?,
            open: RwLock::default(),
            connection: Mutex::new(connection),
        };
        Ok(keyring)
    }

    /// The bank's store id: part of every sealed field's context.
    pub fn store(&self) -> Id {
        self.store
    }

    /// Makes and stores a person's key, and proves that it can be read back.
    pub fn create_person(&self, person: Id, now_us: i64) -> Result<()> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        insert(connection.as_mut(), &self.person_kek, PERSON, person, &Secret::random(), now_us)?;
        unwrap(connection.as_mut(), &self.person_kek, PERSON, person)?;
        Ok(())
    }

    fn person(&self, person: &Id) -> Result<Arc<FieldKey>> {
        if let Some(key) = self.open.read().unwrap_or_else(PoisonError::into_inner).get(person) {
            return Ok(key.clone());
        }
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = unwrap(connection.as_mut(), &self.person_kek, PERSON, *person)?;
        drop(connection);
        let key = Arc::new(FieldKey::new(&secret, Suite::Aes256Gcm, 1));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_KEYS_MAX {
            open.clear();
        }
        open.insert(*person, key.clone());
        Ok(key)
    }

    /// Seals a field that belongs to a person, or to the bank itself.
    pub fn seal(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let context = self.context(column, row);
        Ok(match owner {
            Some(person) => sealed::seal(self.person(person)?.as_ref(), &context, plaintext),
            None => sealed::seal(&self.bank, &context, plaintext),
        })
    }

    /// Opens such a field.
    pub fn unseal(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let context = self.context(column, row);
        let opened = match owner {
            Some(person) => sealed::open(self.person(person)?.as_ref(), &context, sealed),
            None => sealed::open(&self.bank, &context, sealed),
        };
        opened.map_err(|e| Error::Integrity(format!("a sealed field does not open: {e}")))
    }

    /// Opens a field that holds text.
    pub fn unseal_text(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<String> {
        String::from_utf8(self.unseal(owner, column, row, sealed)?)
            .map_err(|_| Error::Integrity("a sealed text is not UTF-8".into()))
    }

    /// Seals a credential to the row it belongs to.
    pub fn seal_credential(&self, column: ColumnId, row: &[u8], plaintext: &[u8]) -> Vec<u8> {
        sealed::seal(&self.credential, &self.context(column, row), plaintext)
    }

    /// Opens a credential; one copied from another row does not open.
    pub fn unseal_credential(&self, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        sealed::open(&self.credential, &self.context(column, row), sealed)
            .map_err(|_| Error::Integrity("a credential does not belong to its row: it was copied or changed".into()))
    }

    fn context<'a>(&self, column: ColumnId, row: &'a [u8]) -> Context<'a> {
        Context { store: self.store, column, row, kind: LogicalType::Bytes }
    }
}

fn purpose_series(purpose: &str) -> Id {
    let mut series = [0; 16];
    series[..purpose.len()].copy_from_slice(purpose.as_bytes());
    series
}

/// What a wrapped key is bound to.
fn info(purpose: &str, series: &Id, version: i64) -> String {
    let series: String = series.iter().map(|b| format!("{b:02x}")).collect();
    format!("{purpose}/{series}/{version}")
}

fn insert(
    connection: &mut dyn Connection,
    kek: &Secret,
    purpose: &str,
    series: Id,
    key: &Secret,
    now_us: i64,
) -> Result<()> {
    let wrapped = wrap::wrap(kek, &info(purpose, &series, 1), key);
    keys::insert(
        connection,
        &WrappedKey { series, version: 1, purpose: purpose.to_owned(), state: ACTIVE, created_us: now_us, wrapped },
    )?;
    Ok(())
}

fn unwrap(connection: &mut dyn Connection, kek: &Secret, purpose: &str, series: Id) -> Result<Secret> {
    let Some(row) = keys::of_series(connection, purpose, &series)?.pop() else {
        return Err(Error::Integrity(format!(
            "the keyring has no {purpose} key for this row; restore keys.db from its backup"
        )));
    };
    wrap::unwrap(kek, &info(purpose, &series, row.version), &row.wrapped).map_err(|_| {
        Error::Integrity(format!(
            "a {purpose} key does not open: the root key is another bank's, or keys.db was changed"
        ))
    })
}
