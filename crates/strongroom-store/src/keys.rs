//! Wrapped keys, in the keyring's own database.

use crate::{Connection, Id, Result};
use strongroom_sql::Value;

/// A key as the keyring keeps it: wrapped under the key of its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// What the versions of one key have in common: a person, or a purpose.
    pub series: Id,
    /// Counts up within the series.
    pub version: i64,
    /// What the key may be used for.
    pub purpose: String,
    /// The state of SP 800-57, by number: 1 active, 2 deactivated, 3 compromised, 4 destroyed.
    pub state: i64,
    /// When it was made.
    pub created_us: i64,
    /// The key itself, wrapped.
    pub wrapped: Vec<u8>,
}

/// Stores a new key. Durable when it returns.
pub fn insert(connection: &mut dyn Connection, key: &WrappedKey) -> Result<()> {
    connection.execute(
        "INSERT INTO wrapped_keys (series, version, purpose, state, created_us, wrapped) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            Value::Bytes(&key.series),
            Value::Int(key.version),
            Value::Text(&key.purpose),
            Value::Int(key.state),
            Value::Int(key.created_us),
            Value::Bytes(&key.wrapped),
        ],
    )?;
    Ok(())
}

/// The versions of one series, oldest first.
pub fn of_series(connection: &mut dyn Connection, purpose: &str, series: &Id) -> Result<Vec<WrappedKey>> {
    let sql = "SELECT series, version, purpose, state, created_us, wrapped FROM wrapped_keys WHERE purpose = ? AND series = ? ORDER BY version";
    let mut keys = Vec::new();
    for row in connection.query(sql, &[Value::Text(purpose), Value::Bytes(series)])? {
        keys.push(WrappedKey {
            series: row.array::<16>(0)?,
            version: row.int(1)?,
            purpose: row.text(2)?.to_owned(),
            state: row.int(3)?,
            created_us: row.int(4)?,
            wrapped: row.bytes(5)?.to_vec(),
        });
    }
    Ok(keys)
}
