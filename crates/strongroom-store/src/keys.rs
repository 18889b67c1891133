//! Wrapped keys, in the keyring's own database.

use crate::{Connection, Id, Result};
use strongroom_sql::{Row, Value};

/// A key as the keyring keeps it: wrapped under the key of its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// What the versions of one key have in common: a person, or a purpose.
    pub series: Id,
    /// Counts up within the series; a number is never used again.
    pub version: i64,
    /// What the key may be used for.
    pub purpose: String,
    /// What it is used with, as in `AES-256-GCM`.
    pub algorithm: String,
    /// The state of SP 800-57, by number.
    pub state: i64,
    /// When it was made.
    pub created_us: i64,
    /// When it came into its state.
    pub changed_us: i64,
    /// How often it has protected something, as far as it was counted.
    pub uses: i64,
    /// Something may still be protected by it that is to be protected anew by a newer version.
    pub is_pending: bool,
    /// The key itself, wrapped; empty when it is destroyed.
    pub wrapped: Vec<u8>,
}

/// How many keys of a purpose are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The purpose.
    pub purpose: String,
    /// The state, by number.
    pub state: i64,
    /// How many.
    pub keys: i64,
    /// How many of them still protect something that is to be protected anew.
    pub pending: i64,
    /// When the oldest of them was made.
    pub oldest_us: i64,
    /// How often all of them have been used.
    pub uses: i64,
}

const COLUMNS: &str = "series, version, purpose, algorithm, state, created_us, changed_us, uses, pending, wrapped";

/// Stores a new key. Durable when it returns.
pub fn insert(connection: &mut dyn Connection, key: &WrappedKey) -> Result<()> {
    connection.execute(
        &format!("INSERT INTO wrapped_keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        &[
            Value::Bytes(&key.series),
            Value::Int(key.version),
            Value::Text(&key.purpose),
            Value::Text(&key.algorithm),
            Value::Int(key.state),
            Value::Int(key.created_us),
            Value::Int(key.changed_us),
            Value::Int(key.uses),
            Value::Int(key.is_pending.into()),
            Value::Bytes(&key.wrapped),
        ],
    )?;
    Ok(())
}

/// Removes a series that nothing was ever kept under.
pub fn discard(connection: &mut dyn Connection, purpose: &str, series: &Id) -> Result<()> {
    let sql = "DELETE FROM wrapped_keys WHERE purpose = ? AND series = ?";
    connection.execute(sql, &[Value::Text(purpose), Value::Bytes(series)])?;
    Ok(())
}

/// The versions of one series, oldest first.
pub fn of_series(connection: &mut dyn Connection, purpose: &str, series: &Id) -> Result<Vec<WrappedKey>> {
    let sql = format!("SELECT {COLUMNS} FROM wrapped_keys WHERE purpose = ? AND series = ? ORDER BY version");
    connection.query(&sql, &[Value::Text(purpose), Value::Bytes(series)])?.iter().map(wrapped_key).collect()
}

/// A page of a purpose's keys, by series and version, after the one given.
pub fn page(connection: &mut dyn Connection, purpose: &str, after: (&Id, i64), limit: i64) -> Result<Vec<WrappedKey>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM wrapped_keys WHERE purpose = ? AND (series > ? OR (series = ? AND version > ?)) \
         ORDER BY series, version LIMIT ?"
    );
    let params =
        [Value::Text(purpose), Value::Bytes(after.0), Value::Bytes(after.0), Value::Int(after.1), Value::Int(limit)];
    connection.query(&sql, &params)?.iter().map(wrapped_key).collect()
}

/// Series of a purpose with a version that still protects something to be protected anew.
pub fn pending(connection: &mut dyn Connection, purpose: &str, limit: i64) -> Result<Vec<Id>> {
    let sql = "SELECT DISTINCT series FROM wrapped_keys WHERE pending = 1 AND purpose = ? ORDER BY series LIMIT ?";
    connection.query(sql, &[Value::Text(purpose), Value::Int(limit)])?.iter().map(|row| row.array::<16>(0)).collect()
}

/// Active keys of a purpose that were made before a time or used more often than this.
pub fn due(
    connection: &mut dyn Connection,
    purpose: &str,
    active: i64,
    before_us: i64,
    uses: i64,
    limit: i64,
) -> Result<Vec<Id>> {
    let sql =
        "SELECT series FROM wrapped_keys WHERE state = ? AND purpose = ? AND (created_us <= ? OR uses >= ?) LIMIT ?";
    let params = [Value::Int(active), Value::Text(purpose), Value::Int(before_us), Value::Int(uses), Value::Int(limit)];
    connection.query(sql, &params)?.iter().map(|row| row.array::<16>(0)).collect()
}

/// Writes a version's state, when it came into it, whether it is pending, and its key.
pub fn update(connection: &mut dyn Connection, key: &WrappedKey) -> Result<()> {
    connection.execute(
        "UPDATE wrapped_keys SET state = ?, pending = ?, changed_us = ?, wrapped = ? WHERE purpose = ? AND series = ? AND version = ?",
        &[
            Value::Int(key.state),
            Value::Int(key.is_pending.into()),
            Value::Int(key.changed_us),
            Value::Bytes(&key.wrapped),
            Value::Text(&key.purpose),
            Value::Bytes(&key.series),
            Value::Int(key.version),
        ],
    )?;
    Ok(())
}

/// Nothing is protected by these versions any more, up to and with this one.
pub fn settle(connection: &mut dyn Connection, purpose: &str, series: &Id, version: i64) -> Result<()> {
    connection.execute(
        "UPDATE wrapped_keys SET pending = 0 WHERE pending = 1 AND purpose = ? AND series = ? AND version <= ?",
        &[Value::Text(purpose), Value::Bytes(series), Value::Int(version)],
    )?;
    Ok(())
}

/// Something may be protected by every version of a purpose that is in this state.
pub fn expect(connection: &mut dyn Connection, purpose: &str, state: i64) -> Result<()> {
    let sql = "UPDATE wrapped_keys SET pending = 1 WHERE state = ? AND purpose = ?";
    connection.execute(sql, &[Value::Int(state), Value::Text(purpose)])?;
    Ok(())
}

/// Puts another wrapping of the same key in place.
pub fn set_wrapped(connection: &mut dyn Connection, key: &WrappedKey, wrapped: &[u8]) -> Result<()> {
    connection.execute(
        "UPDATE wrapped_keys SET wrapped = ? WHERE purpose = ? AND series = ? AND version = ?",
        &[Value::Bytes(wrapped), Value::Text(&key.purpose), Value::Bytes(&key.series), Value::Int(key.version)],
    )?;
    Ok(())
}

/// Counts uses of a version.
pub fn add_uses(connection: &mut dyn Connection, purpose: &str, series: &Id, version: i64, uses: i64) -> Result<()> {
    connection.execute(
        "UPDATE wrapped_keys SET uses = uses + ? WHERE purpose = ? AND series = ? AND version = ?",
        &[Value::Int(uses), Value::Text(purpose), Value::Bytes(series), Value::Int(version)],
    )?;
    Ok(())
}

/// What the keyring holds, by purpose and state.
pub fn tally(connection: &mut dyn Connection) -> Result<Vec<Tally>> {
    let sql = "SELECT purpose, state, COUNT(*), SUM(pending), MIN(created_us), SUM(uses) FROM wrapped_keys \
               GROUP BY purpose, state ORDER BY purpose, state";
    let read = |row: &Row| {
        Ok(Tally {
            purpose: row.text(0)?.to_owned(),
            state: row.int(1)?,
            keys: row.int(2)?,
            pending: row.int(3)?,
            oldest_us: row.int(4)?,
            uses: row.int(5)?,
        })
    };
    connection.query(sql, &[])?.iter().map(read).collect()
}

fn wrapped_key(row: &Row) -> Result<WrappedKey> {
    Ok(WrappedKey {
        series: row.array::<16>(0)?,
        version: row.int(1)?,
        purpose: row.text(2)?.to_owned(),
        algorithm: row.text(3)?.to_owned(),
        state: row.int(4)?,
        created_us: row.int(5)?,
        changed_us: row.int(6)?,
        uses: row.int(7)?,
        is_pending: row.int(8)? != 0,
        wrapped: row.bytes(9)?.to_vec(),
    })
}
