//! What was tried in vain, by a blind index of what it was tried against.

use crate::{Connection, Id, Result};
use strongroom_sql::{Upsert, Value};

/// How often, and when last (microseconds since 1970).
pub fn of(connection: &mut dyn Connection, key: &Id) -> Result<Option<(i64, i64)>> {
    let rows = connection.query("SELECT count, last_us FROM tries WHERE id = ?", &[Value::Bytes(key)])?;
    rows.first().map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

/// Writes down how often.
pub fn set(connection: &mut dyn Connection, key: &Id, count: i64, last_us: i64) -> Result<()> {
    let row = [Value::Bytes(key), Value::Int(count), Value::Int(last_us)];
    let upsert = Upsert { table: "tries", key: &["id"], columns: &["id", "count", "last_us"] };
    connection.upsert_rows(&upsert, &[&row])?;
    Ok(())
}

/// Takes one try back: it was right.
pub fn take_back(connection: &mut dyn Connection, key: &Id) -> Result<()> {
    connection.execute("UPDATE tries SET count = count - 1 WHERE id = ? AND count > 0", &[Value::Bytes(key)])?;
    Ok(())
}

/// Forgets all tries against something.
pub fn forget(connection: &mut dyn Connection, key: &Id) -> Result<()> {
    connection.execute("DELETE FROM tries WHERE id = ?", &[Value::Bytes(key)])?;
    Ok(())
}

/// Forgets what was last tried before a time.
pub fn forget_before(connection: &mut dyn Connection, before_us: i64) -> Result<()> {
    connection.execute("DELETE FROM tries WHERE last_us < ?", &[Value::Int(before_us)])?;
    Ok(())
}
