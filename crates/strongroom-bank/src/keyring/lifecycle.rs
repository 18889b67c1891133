//! What happens to keys in their life: a next version, a compromise, an end. Each step is one transaction
//! of the keyring's database (a compromised key is followed first, and key-encryption keys are renewed
//! purpose by purpose), and what it means for keys in memory follows at once.
//!
//! What is destroyed leaves the disk too: SQLite overwrites what it deletes, and the write-ahead log is
//! cut behind each end.

use std::sync::{Arc, PoisonError, RwLock};

use strongroom_crypto::lifecycle::State;
use strongroom_crypto::sealed::Suite;
use strongroom_crypto::secret::Secret;
use strongroom_sql::{Checkpoint, Connection};
use strongroom_store::Id;
use strongroom_store::keys::{self, WrappedKey};

use super::indexes::Indexes;
use super::macs::Macs;
use super::series::Series;
use super::wrapped::{self, KEK};
use super::{Keyring, Purpose, SINGLE, Tokens, peppered};
use crate::{Error, Result, hex};

/// Keys looked at in one query.
const PAGE: i64 = 1_000;

impl Keyring {
    /// Gives a series its next version, which protects from now on; the one before opens what it
    /// sealed and waits for that to be sealed anew. Answers the new version.
    pub fn rotate(&self, purpose: Purpose, series: &Id, now_us: i64) -> Result<i64> {
        let mut connection = self.locked();
        let kek = self.kek(purpose)?;
        let next = transaction(connection.as_mut(), |c| {
            let before = keys::of_series(c, purpose.name(), series)?;
            let active = before.iter().find(|key| key.state == State::Active as i64);
            let active = active
                .ok_or_else(|| refused("no_active_key", "There is no active key of that name: nothing to follow."))?;
            let next = wrapped::insert_next(c, &kek, purpose, *series, State::PreActive, now_us)?;
            change(c, &kek, active, State::Deactivated, purpose.is_renewed(), now_us)?;
            change(c, &kek, &next, State::Active, false, now_us)?;
            Ok(next.version)
        })?;
        self.read_again(connection.as_mut(), purpose, series)?;
        tracing::info!(target: "strongroom::keys", purpose = purpose.name(), series = hex::encode(series), version = next, "a key was followed by its next version");
        Ok(next)
    }

    /// The states of the log's keys follow what the database says: this version signs.
    pub fn activate_log(&self, present: i64, now_us: i64) -> Result<()> {
        let mut connection = self.locked();
        let kek = self.kek(Purpose::Log)?;
        transaction(connection.as_mut(), |c| {
            for key in keys::of_series(c, Purpose::Log.name(), &SINGLE)? {
                match State::from_number(key.state) {
                    Some(State::Active) if key.version < present => {
                        change(c, &kek, &key, State::Deactivated, false, now_us)?;
                    }
                    Some(State::PreActive) if key.version == present => {
                        change(c, &kek, &key, State::Active, false, now_us)?;
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// Marks a version as known to someone else. An active one is followed first.
    pub fn compromise(&self, purpose: Purpose, series: &Id, version: i64, now_us: i64) -> Result<()> {
        let is_active = self.version(purpose, series, version)?.state == State::Active as i64;
        if is_active && purpose == Purpose::Log {
            return Err(refused(
                "key_active",
                "This key is active and has no next version yet. Follow it with `keys rotate log` first.",
            ));
        }
        if is_active {
            self.rotate(purpose, series, now_us)?;
        }
        let mut connection = self.locked();
        let kek = self.kek(purpose)?;
        transaction(connection.as_mut(), |c| {
            let key = version_of(c, purpose, series, version)?;
            change(c, &kek, &key, State::Compromised, purpose.is_renewed(), now_us)
        })?;
        tracing::warn!(target: "strongroom::keys", purpose = purpose.name(), series = hex::encode(series), version, "a key is marked as compromised");
        self.read_again(connection.as_mut(), purpose, series)
    }

    /// Ends a version that protects nothing any more. Its number stays taken.
    pub fn destroy(&self, purpose: Purpose, series: &Id, version: i64, now_us: i64) -> Result<()> {
        let mut connection = self.locked();
        transaction(connection.as_mut(), |c| {
            let key = version_of(c, purpose, series, version)?;
            if key.state == State::Active as i64 {
                return Err(refused(
                    "key_active",
                    "This version is active. Rotate the key first; then its old version can be destroyed.",
                ));
            }
            if key.is_pending {
                return Err(refused(
                    "key_in_use",
                    "Fields are still sealed under this version. Wait until `keys status` shows none, then destroy it.",
                ));
            }
            end(c, &key, now_us)
        })?;
        connection.checkpoint(Checkpoint::Truncate)?;
        tracing::info!(target: "strongroom::keys", purpose = purpose.name(), series = hex::encode(series), version, "a key was destroyed");
        self.read_again(connection.as_mut(), purpose, series)
    }

    /// Ends a person's keys, all versions. What was sealed under them is unreadable from now on.
    pub fn destroy_person(&self, person: &Id, now_us: i64) -> Result<()> {
        let mut connection = self.locked();
        let ended = transaction(connection.as_mut(), |c| {
            let mut versions = keys::of_series(c, Purpose::Person.name(), person)?;
            versions.retain(|key| key.state != State::Destroyed as i64);
            versions.iter().try_for_each(|key| end(c, key, now_us))?;
            Ok(!versions.is_empty())
        })?;
        if ended {
            connection.checkpoint(Checkpoint::Truncate)?;
        }
        self.people.write().unwrap_or_else(PoisonError::into_inner).remove(person);
        Ok(())
    }

    /// Gives every purpose a new key-encryption key and wraps all keys under them; no sealed field
    /// changes. Answers how many keys were wrapped.
    pub fn rewrap(&self, root: &Secret, now_us: i64) -> Result<u64> {
        let mut connection = self.locked();
        // A root key that was changed behind the bank's back must not get hold of half the keys.
        for purpose in Purpose::ALL {
            wrapped::kek(connection.as_mut(), root, purpose.name())?;
        }
        let mut count = 0;
        for purpose in Purpose::ALL {
            let old = self.kek(purpose)?;
            let new = Secret::random();
            transaction(connection.as_mut(), |c| {
                let before = keys::of_series(c, KEK, &wrapped::kek_series(purpose.name()))?;
                let last = before.last().ok_or_else(|| Error::Integrity("a key-encryption key is missing".into()))?;
                wrapped::insert_kek(c, root, purpose, last.version + 1, &new, now_us)?;
                wrapped::kek(c, root, purpose.name())?;
                end(c, last, now_us)?;
                count += rewrap_purpose(c, purpose, &old, &new)?;
                Ok(())
            })?;
            self.keks.write().unwrap_or_else(PoisonError::into_inner).insert(purpose, Arc::new(new));
        }
        connection.checkpoint(Checkpoint::Truncate)?;
        tracing::info!(target: "strongroom::keys", count, "all keys were wrapped under new key-encryption keys");
        Ok(count)
    }

    /// How many keys it has that another keyring does not know, or knows only as gone.
    pub fn missing_in(&self, other: &Keyring) -> Result<u64> {
        let mut count = 0;
        for purpose in Purpose::ALL {
            let mut after = (SINGLE, 0);
            loop {
                let page = keys::page(self.locked().as_mut(), purpose.name(), (&after.0, after.1), PAGE)?;
                let Some(last) = page.last() else { break };
                after = (last.series, last.version);
                for key in page.iter().filter(|key| key.state != State::Destroyed as i64) {
                    let there = keys::of_series(other.locked().as_mut(), purpose.name(), &key.series)?;
                    let is_same = |held: &WrappedKey| held.version == key.version && !held.wrapped.is_empty();
                    count += u64::from(!there.iter().any(is_same));
                }
            }
        }
        Ok(count)
    }

    /// The versions of a series.
    pub fn versions(&self, purpose: Purpose, series: &Id) -> Result<Vec<WrappedKey>> {
        Ok(keys::of_series(self.locked().as_mut(), purpose.name(), series)?)
    }

    /// Series under whose older versions something may still be sealed.
    pub fn pending(&self, purpose: Purpose, limit: i64) -> Result<Vec<Id>> {
        Ok(keys::pending(self.locked().as_mut(), purpose.name(), limit)?)
    }

    /// Series whose active key is due.
    pub fn due(&self, purpose: Purpose, age_us_max: i64, uses_max: u64, now_us: i64, limit: i64) -> Result<Vec<Id>> {
        let uses = i64::try_from(uses_max).unwrap_or(i64::MAX);
        let active = State::Active as i64;
        Ok(keys::due(self.locked().as_mut(), purpose.name(), active, now_us - age_us_max, uses, limit)?)
    }

    /// The version of a series that protects now, as memory knows it.
    pub fn protecting(&self, purpose: Purpose, series: &Id) -> Result<i64> {
        let version = match purpose {
            Purpose::Person => self.owners(Some(series))?.active(),
            Purpose::Bank => self.owners(None)?.active(),
            Purpose::Credential => self.credentials().active(),
            Purpose::Mac => u32::from_be_bytes(self.macs().active()),
            Purpose::Index => self.indexes().active(),
            Purpose::Token | Purpose::Log | Purpose::Pepper => {
                return Err(Error::Internal("nothing that this key protects is protected anew".into()));
            }
        };
        Ok(version.into())
    }

    /// Notes that nothing is protected by the versions of a series below this one any more. `false`: this one
    /// does not protect any longer, or memory lags behind the database, so that more may come.
    pub fn settle(&self, purpose: Purpose, series: &Id, protecting: i64) -> Result<bool> {
        let mut connection = self.locked();
        let versions = keys::of_series(connection.as_mut(), purpose.name(), series)?;
        let active = versions.iter().find(|key| key.state == State::Active as i64).map(|key| key.version);
        if active != Some(protecting) {
            self.read_again(connection.as_mut(), purpose, series)?;
            return Ok(false);
        }
        keys::settle(connection.as_mut(), purpose.name(), series, protecting - 1)?;
        if purpose == Purpose::Mac {
            self.read_again(connection.as_mut(), purpose, series)?;
        }
        Ok(true)
    }

    /// Whatever older versions protect is looked for anew: the data may be of another time.
    pub fn expect_older(&self) -> Result<()> {
        let mut connection = self.locked();
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.is_renewed()) {
            keys::expect(connection.as_mut(), purpose.name(), State::Deactivated as i64)?;
            keys::expect(connection.as_mut(), purpose.name(), State::Compromised as i64)?;
        }
        Ok(())
    }

    /// Copies the keyring's write-ahead log into its database and cuts it.
    pub fn tidy(&self) -> Result<()> {
        self.locked().checkpoint(Checkpoint::Truncate)?;
        Ok(())
    }

    /// Writes down how often keys were used since the last time.
    pub fn count_uses(&self) -> Result<()> {
        let people: Vec<(Id, Arc<Series>)> = {
            let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
            people.iter().map(|(id, series)| (*id, series.clone())).collect()
        };
        let (bank, credential) = (self.owners(None)?, self.credentials());
        let own = [(Purpose::Bank, SINGLE, &*bank), (Purpose::Credential, SINGLE, &*credential)];
        let people = people.iter().map(|(id, series)| (Purpose::Person, *id, &**series));
        count(self.locked().as_mut(), people.chain(own))
    }

    fn version(&self, purpose: Purpose, series: &Id, version: i64) -> Result<WrappedKey> {
        version_of(self.locked().as_mut(), purpose, series, version)
    }

    /// Keys in memory follow those in the database.
    fn read_again(&self, connection: &mut dyn Connection, purpose: Purpose, series: &Id) -> Result<()> {
        let kek = self.kek(purpose)?;
        let rows = keys::of_series(connection, purpose.name(), series)?;
        let mut reopen = |slot: &RwLock<Arc<Series>>| {
            let opened = Series::open(&kek, &rows, Suite::Xaes256Gcm)?;
            let closed =
                std::mem::replace(&mut *slot.write().unwrap_or_else(PoisonError::into_inner), Arc::new(opened));
            count(connection, [(purpose, *series, &*closed)].into_iter())
        };
        match purpose {
            Purpose::Person => {
                let closed = self.people.write().unwrap_or_else(PoisonError::into_inner).remove(series);
                count(connection, closed.iter().map(|closed| (purpose, *series, &**closed)))
            }
            Purpose::Bank => reopen(&self.bank),
            Purpose::Credential => reopen(&self.credential),
            Purpose::Token => put(&self.tokens, Tokens::open(&kek, &rows)),
            Purpose::Index => put(&self.indexes, Indexes::open(&kek, &rows)),
            Purpose::Mac => put(&self.macs, Macs::open(&kek, &rows)),
            Purpose::Pepper => put(&self.hasher, peppered(&kek, &rows)),
            Purpose::Log => Ok(()),
        }
    }
}

fn put<T>(slot: &RwLock<Arc<T>>, opened: Result<T>) -> Result<()> {
    *slot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened?);
    Ok(())
}

/// Adds uses to their versions, in one transaction.
pub(super) fn count<'a>(
    connection: &mut dyn Connection,
    series: impl Iterator<Item = (Purpose, Id, &'a Series)>,
) -> Result<()> {
    let used: Vec<_> = series
        .map(|(purpose, id, series)| (purpose, id, series, series.take_uses()))
        .filter(|(.., uses)| *uses > 0)
        .collect();
    if used.is_empty() {
        return Ok(());
    }
    let written = transaction(connection, |c| {
        for (purpose, id, series, uses) in &used {
            keys::add_uses(c, purpose.name(), id, series.active().into(), *uses as i64)?;
        }
        Ok(())
    });
    if written.is_err() {
        used.iter().for_each(|(.., series, uses)| series.put_uses_back(*uses));
    }
    written
}

fn version_of(connection: &mut dyn Connection, purpose: Purpose, series: &Id, version: i64) -> Result<WrappedKey> {
    let versions = keys::of_series(connection, purpose.name(), series)?;
    versions.into_iter().find(|key| key.version == version).ok_or(Error::NotFound)
}

/// Brings a version into another state and wraps its key anew, since the wrapping says the state.
fn change(
    c: &mut dyn Connection,
    kek: &Secret,
    key: &WrappedKey,
    next: State,
    is_pending: bool,
    now_us: i64,
) -> Result<()> {
    let secret = wrapped::unwrap(kek, key)?;
    let mut changed = WrappedKey { is_pending, ..brought_into(key, next, now_us)? };
    changed.wrapped = wrapped::wrap(kek, &changed, &secret);
    Ok(keys::update(c, &changed)?)
}

/// Ends a version: the key is gone from its row, which stays.
fn end(c: &mut dyn Connection, key: &WrappedKey, now_us: i64) -> Result<()> {
    Ok(keys::update(c, &brought_into(key, State::Destroyed, now_us)?)?)
}

/// The row in a state that it may come into, without its key.
fn brought_into(key: &WrappedKey, next: State, now_us: i64) -> Result<WrappedKey> {
    let state = State::from_number(key.state).ok_or_else(|| Error::Integrity("a key's state is unknown".into()))?;
    if !state.may_become(next) {
        let detail = format!("A key that is {} cannot become {}.", state.name(), next.name());
        return Err(Error::Conflict { code: "key_state", detail });
    }
    Ok(WrappedKey { state: next as i64, changed_us: now_us, is_pending: false, wrapped: Vec::new(), ..key.clone() })
}

fn rewrap_purpose(c: &mut dyn Connection, purpose: Purpose, old: &Secret, new: &Secret) -> Result<u64> {
    let (mut after, mut count) = ((SINGLE, 0), 0);
    loop {
        let page = keys::page(c, purpose.name(), (&after.0, after.1), PAGE)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = (last.series, last.version);
        for key in page.iter().filter(|key| key.state != State::Destroyed as i64) {
            let secret = wrapped::unwrap(old, key)?;
            keys::set_wrapped(c, key, &wrapped::wrap(new, key, &secret))?;
            count += 1;
        }
    }
}

fn transaction<T>(connection: &mut dyn Connection, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
    connection.begin()?;
    match work(connection) {
        Ok(done) => {
            connection.commit()?;
            Ok(done)
        }
        Err(e) => {
            let _ = connection.rollback();
            Err(e)
        }
    }
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::Conflict { code, detail: detail.to_owned() }
}
