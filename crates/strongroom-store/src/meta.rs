//! Named values of a bank (its store id, origin, limits) and the writer's fence.

use crate::{Connection, Id, Result};
use strongroom_sql::{Error, Value};

/// Reads a named value.
pub fn value(connection: &mut dyn Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let rows = connection.query("SELECT value FROM meta WHERE name = ?", &[Value::Text(name)])?;
    rows.first().map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
}

/// Writes a named value, new or not.
pub fn set_value(connection: &mut dyn Connection, name: &str, value: &[u8]) -> Result<()> {
    connection.execute("DELETE FROM meta WHERE name = ?", &[Value::Text(name)])?;
    connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", &[Value::Text(name), Value::Bytes(value)])?;
    Ok(())
}

/// Takes the writer's role: every batch of an earlier holder fails from now on. Answers the epoch.
pub fn take_writer(connection: &mut dyn Connection) -> Result<i64> {
    connection.begin()?;
    let taken = connection.execute("UPDATE writer SET epoch = epoch + 1 WHERE id = 1", &[])?;
    if taken == 0 {
        connection
            .execute("INSERT INTO writer (id, epoch, height, batch) VALUES (1, 1, 0, ?)", &[Value::Bytes(&[0; 16])])?;
    }
    let rows = connection.query("SELECT epoch FROM writer WHERE id = 1", &[])?;
    let epoch = rows.first().ok_or_else(|| Error::other("the writer's row vanished".to_owned()))?.int(0)?;
    connection.commit()?;
    Ok(epoch)
}

/// Stamps a batch inside its own transaction. `false`: another process has taken the role.
pub fn stamp_batch(connection: &mut dyn Connection, epoch: i64, batch: &Id) -> Result<bool> {
    let stamped = connection.execute(
        "UPDATE writer SET height = height + 1, batch = ? WHERE id = 1 AND epoch = ?",
        &[Value::Bytes(batch), Value::Int(epoch)],
    )?;
    Ok(stamped == 1)
}

/// The batch that was committed last: settles a COMMIT whose reply was lost. The row is locked first, so that
/// a transaction of a lost connection has ended, one way or the other.
pub fn settled_batch(connection: &mut dyn Connection) -> Result<Option<Id>> {
    connection.begin()?;
    let read = connection
        .execute("UPDATE writer SET height = height WHERE id = 1", &[])
        .and_then(|_| connection.query("SELECT batch FROM writer WHERE id = 1", &[]));
    connection.rollback()?;
    read?.first().map(|row| row.array::<16>(0)).transpose()
}
