//! Keys on their way into and out of the keyring's database: each wrapped under the key-encryption
//! key of its purpose, and bound to the row it stands in.

use strongroom_crypto::lifecycle::State;
use strongroom_crypto::secret::Secret;
use strongroom_crypto::wrap;
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::keys::{self, WrappedKey};

use super::Purpose;
use crate::{Error, Result, hex};

/// The purpose of key-encryption keys: they are wrapped under the root key.
pub const KEK: &str = "kek";

/// The series of a purpose's key-encryption key.
pub fn kek_series(purpose: &str) -> Id {
    let mut series = [0; 16];
    series[..purpose.len()].copy_from_slice(purpose.as_bytes());
    series
}

/// Wraps a key for its row. It is bound to what it is for, to its state and to when it was made, so
/// that nobody can call a version active again, or younger than it is, by writing so.
pub fn wrap(kek: &Secret, row: &WrappedKey, key: &Secret) -> Vec<u8> {
    wrap::wrap(kek, &info(row), key)
}

fn info(row: &WrappedKey) -> String {
    let series = hex::encode(&row.series);
    format!("{}/{series}/{}/{}/{}", row.purpose, row.version, row.state, row.created_us)
}

/// Makes the next version of a series, stores it, and proves that it can be read back: all before
/// anything is protected with it.
pub fn insert_next(
    connection: &mut dyn Connection,
    kek: &Secret,
    purpose: Purpose,
    series: Id,
    state: State,
    now_us: i64,
) -> Result<WrappedKey> {
    let version = keys::of_series(connection, purpose.name(), &series)?.last().map_or(1, |last| last.version + 1);
    let mut key = new_row(purpose.name(), series, version, purpose.algorithm(), state, now_us);
    key.wrapped = wrap(kek, &key, &Secret::random());
    keys::insert(connection, &key)?;
    let stored = keys::of_series(connection, purpose.name(), &series)?.pop();
    let stored = stored.ok_or_else(|| Error::Internal("a new key was not stored".into()))?;
    unwrap(kek, &stored)?;
    Ok(stored)
}

/// Stores a purpose's key-encryption key under the root key.
pub fn insert_kek(
    connection: &mut dyn Connection,
    root: &Secret,
    purpose: Purpose,
    version: i64,
    kek: &Secret,
    now_us: i64,
) -> Result<()> {
    let mut key = new_row(KEK, kek_series(purpose.name()), version, "XAES-256-GCM", State::Active, now_us);
    key.wrapped = wrap(root, &key, kek);
    Ok(keys::insert(connection, &key)?)
}

fn new_row(purpose: &str, series: Id, version: i64, algorithm: &str, state: State, now_us: i64) -> WrappedKey {
    WrappedKey {
        series,
        version,
        purpose: purpose.to_owned(),
        algorithm: algorithm.to_owned(),
        state: state as i64,
        created_us: now_us,
        changed_us: now_us,
        uses: 0,
        is_pending: false,
        wrapped: Vec::new(),
    }
}

/// Opens a key.
pub fn unwrap(kek: &Secret, key: &WrappedKey) -> Result<Secret> {
    wrap::unwrap(kek, &info(key), &key.wrapped).map_err(|_| {
        Error::Integrity(format!(
            "a {} key does not open: the root key is another bank's, or keys.db was changed; use the bank's own root key, or \
             restore keys.db from its backup",
            key.purpose
        ))
    })
}

/// The versions that may check or find, the active one first, then the newer before the older.
pub fn usable<'a>(rows: &'a [WrappedKey], purpose: &str) -> Result<Vec<&'a WrappedKey>> {
    let may_process = |row: &&WrappedKey| State::from_number(row.state).is_some_and(State::may_process);
    let mut usable: Vec<&WrappedKey> = rows.iter().filter(may_process).collect();
    usable.sort_by_key(|row| (row.state != State::Active as i64, -row.version));
    if usable.first().is_none_or(|row| row.state != State::Active as i64) {
        return Err(Error::Integrity(format!(
            "the keyring has no active {purpose} key; restore keys.db from its backup"
        )));
    }
    Ok(usable)
}

/// The newest key-encryption key of a purpose.
pub fn kek(connection: &mut dyn Connection, root: &Secret, purpose: &str) -> Result<Secret> {
    let key = keys::of_series(connection, KEK, &kek_series(purpose))?.pop();
    let key = key.ok_or_else(|| {
        Error::Integrity(format!(
            "the keyring has no key-encryption key for {purpose}; restore keys.db from its backup"
        ))
    })?;
    unwrap(root, &key)
}
