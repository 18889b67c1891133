//! The keyring: every key of the bank, wrapped in its own database, opened when it is needed.
//!
//! Below the root key stands one key-encryption key per purpose; below those stand the keys that
//! do the work, in series of versions. A person's series seals everything personal about them, so
//! destroying it erases them. A key is stored and read back before the first byte is sealed with it.

pub mod backup;
pub mod column;
pub mod indexes;
pub mod lifecycle;
pub mod macs;
pub mod purpose;
pub mod series;
pub mod wrapped;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use strongroom_crypto::lifecycle::State;
use strongroom_crypto::password::Hasher;
use strongroom_crypto::sealed::{ColumnId, Context, LogicalType, Suite};
use strongroom_crypto::secret::Secret;
use strongroom_crypto::sign::{PublicKey, SigningKey};
use strongroom_identity::session::ACCESS_TOKEN_S;
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::keys::{self, WrappedKey};
use strongroom_store::meta;

use indexes::Indexes;
use macs::Macs;
pub use purpose::Purpose;
use series::Series;

use crate::sessions::KnownTokens;
use crate::{Error, Result};

/// The series of the purposes that have one only.
pub const SINGLE: Id = [0; 16];
/// How long after a token key was followed its last tokens may be out.
const TOKENS_OUT_US: i64 = ACCESS_TOKEN_S * 1_000_000;
/// People's keys kept open; beyond it the cache starts anew.
const OPEN_KEYS_MAX: usize = 200_000;

/// The bank's keys, ready for use.
pub struct Keyring {
    store: Id,
    connection: Mutex<Box<dyn Connection>>,
    keks: RwLock<HashMap<Purpose, Arc<Secret>>>,
    people: RwLock<HashMap<Id, Arc<Series>>>,
    bank: RwLock<Arc<Series>>,
    credential: RwLock<Arc<Series>>,
    tokens: RwLock<Arc<Tokens>>,
    indexes: RwLock<Arc<Indexes>>,
    macs: RwLock<Arc<Macs>>,
    hasher: RwLock<Arc<Hasher>>,
}

/// The keys of access tokens: the one that signs, and those whose tokens may still be out.
pub struct Tokens {
    /// Its kid.
    pub kid: String,
    /// The key that signs.
    pub key: SigningKey,
    /// All that verify.
    pub public: Vec<TokenKey>,
    /// Tokens that they have verified.
    pub(crate) known: KnownTokens,
}

/// A key that verifies access tokens.
#[derive(Clone, Debug)]
pub struct TokenKey {
    /// Its name in tokens.
    pub kid: String,
    /// The key.
    pub key: PublicKey,
    /// Until when it verifies: the tokens of a key that was followed have all expired then.
    pub until_us: Option<i64>,
}

impl Keyring {
    /// Makes the keys of a new bank under its root key.
    pub fn create(connection: &mut dyn Connection, root: &Secret, store: Id, now_us: i64) -> Result<()> {
        connection.begin()?;
        meta::set_value(connection, "store", &store)?;
        for purpose in Purpose::ALL {
            let kek = Secret::random();
            wrapped::insert_kek(connection, root, purpose, 1, &kek, now_us)?;
            if purpose != Purpose::Person {
                wrapped::insert_next(connection, &kek, purpose, SINGLE, State::Active, now_us)?;
            }
        }
        connection.commit()?;
        Ok(())
    }

    /// Opens the keyring with the root key.
    pub fn open(mut connection: Box<dyn Connection>, root: &Secret) -> Result<Self> {
        // Read as it is at one moment, beside whoever follows keys.
        let c = connection.as_mut();
        c.begin()?;
        let store: Id = meta::value(c, "store")?.and_then(|v| v.try_into().ok()).ok_or_else(|| {
            Error::Internal("the keyring names no bank: keys.db is empty or damaged; restore it from its backup".into())
        })?;
        let mut keks = HashMap::new();
        for purpose in Purpose::ALL {
            keks.insert(purpose, Arc::new(wrapped::kek(c, root, purpose.name())?));
        }
        let rows = |c: &mut dyn Connection, purpose: Purpose| keys::of_series(c, purpose.name(), &SINGLE);
        let sealing = |c: &mut dyn Connection, purpose: Purpose| {
            Series::open(&keks[&purpose], &rows(c, purpose)?, Suite::Xaes256Gcm)
        };
        let (bank, credential) = (sealing(c, Purpose::Bank)?, sealing(c, Purpose::Credential)?);
        let tokens = Tokens::open(&keks[&Purpose::Token], &rows(c, Purpose::Token)?)?;
        let indexes = Indexes::open(&keks[&Purpose::Index], &rows(c, Purpose::Index)?)?;
        let macs = Macs::open(&keks[&Purpose::Mac], &rows(c, Purpose::Mac)?)?;
        let hasher = peppered(&keks[&Purpose::Pepper], &rows(c, Purpose::Pepper)?)?;
        c.rollback()?;
        Ok(Keyring {
            store,
            bank: kept(bank),
            credential: kept(credential),
            tokens: kept(tokens),
            indexes: kept(indexes),
            macs: kept(macs),
            hasher: kept(hasher),
            people: RwLock::default(),
            keks: RwLock::new(keks),
            connection: Mutex::new(connection),
        })
    }

    /// The bank's store id: part of every sealed field's context.
    pub fn store(&self) -> Id {
        self.store
    }

    /// The keys of access tokens.
    pub fn tokens(&self) -> Arc<Tokens> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A version of the key that signs the log's checkpoints. The database says which one signs now.
    pub fn log(&self, version: i64) -> Result<SigningKey> {
        let mut connection = self.locked();
        let kek = self.kek(Purpose::Log)?;
        let rows = keys::of_series(connection.as_mut(), Purpose::Log.name(), &SINGLE)?;
        let row = rows.into_iter().find(|row| row.version == version && !row.wrapped.is_empty());
        let row = row.ok_or_else(|| {
            Error::Integrity(format!("the keyring has no log key {version}; restore keys.db from its backup"))
        })?;
        Ok(SigningKey::from_seed(wrapped::unwrap(&kek, &row)?.expose()))
    }

    /// The version of the log's key that will follow the present one, made if it is not there yet. One that
    /// was marked as compromised before it signed anything is passed over.
    pub fn prepare_log(&self, present: i64, now_us: i64) -> Result<(i64, SigningKey)> {
        let waiting = |row: &&WrappedKey| row.state == State::PreActive as i64 && row.version > present;
        let version = match self.versions(Purpose::Log, &SINGLE)?.iter().find(waiting) {
            Some(row) => row.version,
            None => self.insert_next(Purpose::Log, SINGLE, State::PreActive, now_us)?,
        };
        Ok((version, self.log(version)?))
    }

    /// The keys of blind indexes.
    pub fn indexes(&self) -> Arc<Indexes> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hashes passwords, with the pepper.
    pub fn hasher(&self) -> Arc<Hasher> {
        self.hasher.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that authenticate rows.
    pub fn macs(&self) -> Arc<Macs> {
        self.macs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes and stores a person's key, and proves that it can be read back.
    pub fn create_person(&self, person: Id, now_us: i64) -> Result<()> {
        self.insert_next(Purpose::Person, person, State::Active, now_us).map(drop)
    }

    fn insert_next(&self, purpose: Purpose, series: Id, state: State, now_us: i64) -> Result<i64> {
        let mut connection = self.locked();
        let kek = self.kek(purpose)?;
        Ok(wrapped::insert_next(connection.as_mut(), &kek, purpose, series, state, now_us)?.version)
    }

    /// Takes back the key of someone who was not added after all.
    pub fn discard_person(&self, person: &Id) -> Result<()> {
        self.people.write().unwrap_or_else(PoisonError::into_inner).remove(person);
        Ok(keys::discard(self.locked().as_mut(), Purpose::Person.name(), person)?)
    }

    /// Seals a field that belongs to a person, or to the bank itself.
    pub fn seal(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        Ok(self.owners(owner)?.seal(&self.context(column, row), plaintext))
    }

    /// Opens such a field.
    pub fn unseal(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        self.owners(owner)?.unseal(&self.context(column, row), sealed)
    }

    /// Opens a field that holds text.
    pub fn unseal_text(&self, owner: Option<&Id>, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<String> {
        String::from_utf8(self.unseal(owner, column, row, sealed)?)
            .map_err(|_| Error::Integrity("a sealed text is not UTF-8".into()))
    }

    /// Seals a credential to the row it belongs to.
    pub fn seal_credential(&self, column: ColumnId, row: &[u8], plaintext: &[u8]) -> Vec<u8> {
        self.credentials().seal(&self.context(column, row), plaintext)
    }

    /// Opens a credential; one copied from another row does not open.
    pub fn unseal_credential(&self, column: ColumnId, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        self.credentials()
            .unseal(&self.context(column, row), sealed)
            .map_err(|_| Error::Integrity("a credential does not belong to its row: it was copied or changed".into()))
    }

    /// The series that seals credentials.
    pub fn credentials(&self) -> Arc<Series> {
        self.credential.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The series of a person, or of the bank itself.
    pub fn owners(&self, owner: Option<&Id>) -> Result<Arc<Series>> {
        let Some(person) = owner else {
            return Ok(self.bank.read().unwrap_or_else(PoisonError::into_inner).clone());
        };
        if let Some(series) = self.people.read().unwrap_or_else(PoisonError::into_inner).get(person) {
            return Ok(series.clone());
        }
        // The lock is held until the series is kept, so that a rotation cannot slip between.
        let mut connection = self.locked();
        let kek = self.kek(Purpose::Person)?;
        let rows = keys::of_series(connection.as_mut(), Purpose::Person.name(), person)?;
        let series = Arc::new(Series::open(&kek, &rows, Suite::Aes256Gcm)?);
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= OPEN_KEYS_MAX {
            let closed = std::mem::take(&mut *people);
            lifecycle::count(connection.as_mut(), closed.iter().map(|(id, series)| (Purpose::Person, *id, &**series)))?;
        }
        people.insert(*person, series.clone());
        Ok(series)
    }

    fn context<'a>(&self, column: ColumnId, row: &'a [u8]) -> Context<'a> {
        Context { store: self.store, column, row, kind: LogicalType::Bytes }
    }

    /// A purpose's key-encryption key. Who wraps or unwraps with it holds the connection already, so that
    /// no new wrapping can come between.
    fn kek(&self, purpose: Purpose) -> Result<Arc<Secret>> {
        let keks = self.keks.read().unwrap_or_else(PoisonError::into_inner);
        keks.get(&purpose).cloned().ok_or_else(|| Error::Internal("a key-encryption key is missing".into()))
    }

    fn locked(&self) -> MutexGuard<'_, Box<dyn Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept<T>(value: T) -> RwLock<Arc<T>> {
    RwLock::new(Arc::new(value))
}

/// The hasher of passwords with all versions of the pepper that may check.
fn peppered(kek: &Secret, rows: &[WrappedKey]) -> Result<Hasher> {
    let usable = wrapped::usable(rows, "pepper")?;
    let open = |row: &WrappedKey| Ok((row.version as u32, wrapped::unwrap(kek, row)?));
    Ok(Hasher::new(usable.into_iter().map(open).collect::<Result<_>>()?))
}

impl Tokens {
    fn open(kek: &Secret, rows: &[WrappedKey]) -> Result<Self> {
        let (mut active, mut public) = (None, Vec::new());
        for row in rows {
            // A compromised key's tokens could be anyone's.
            let is_active = row.state == State::Active as i64;
            if !is_active && row.state != State::Deactivated as i64 {
                continue;
            }
            let key = SigningKey::from_seed(wrapped::unwrap(kek, row)?.expose());
            let kid = format!("token-{}", row.version);
            let until_us = (!is_active).then_some(row.changed_us + TOKENS_OUT_US);
            public.push(TokenKey { kid: kid.clone(), key: key.public(), until_us });
            if is_active {
                active = Some((kid, key));
            }
        }
        let (kid, key) = active.ok_or_else(|| {
            Error::Integrity("the keyring has no active token key; restore keys.db from its backup".into())
        })?;
        Ok(Tokens { kid, key, public, known: KnownTokens::default() })
    }

    /// Those that verify at a time.
    pub fn verifying(&self, now_us: i64) -> impl Iterator<Item = &TokenKey> {
        self.public.iter().filter(move |key| key.until_us.is_none_or(|until| now_us < until))
    }
}
