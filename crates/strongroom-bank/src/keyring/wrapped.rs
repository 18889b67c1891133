//! Keys on their way into and out of the keyring's database: each wrapped under the key-encryption
//! key of its purpose, and bound to purpose, series and version.

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

/// What a wrapped key is bound to.
pub fn info(purpose: &str, series: &Id, version: i64) -> String {
    format!("{purpose}/{}/{version}", hex::encode(series))
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
    let key = WrappedKey {
        series,
        version,
        purpose: purpose.name().to_owned(),
        algorithm: purpose.algorithm().to_owned(),
        state: state as i64,
        created_us: now_us,
        changed_us: now_us,
        uses: 0,
        is_pending: false,
        wrapped: wrap::wrap(kek, &info(purpose.name(), &series, version), &Secret::random()),
    };
    keys::insert(connection, &key)?;
    let stored = keys::of_series(connection, purpose.name(), &series)?.pop();
    let stored = stored.ok_or_else(|| Error::Internal("a new key was not stored".into()))?;
    unwrap(kek, &stored)?;
    Ok(stored)
}

/// Opens a key.
pub fn unwrap(kek: &Secret, key: &WrappedKey) -> Result<Secret> {
    wrap::unwrap(kek, &info(&key.purpose, &key.series, key.version), &key.wrapped).map_err(|_| {
        Error::Integrity(format!(
            "a {} key does not open: the root key is another bank's, or keys.db was changed; use the bank's own root key, or \
             restore keys.db from its backup",
            key.purpose
        ))
    })
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
