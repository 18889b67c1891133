//! Messages on their way out, until they were handed over: so that a stop loses none.

use crate::log::insert;
use crate::{Connection, Id, Result};
use strongroom_sql::{Row, Value};

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id.
    pub id: Id,
    /// To whom.
    pub person: Id,
    /// The message, sealed under the person's key.
    pub message: Vec<u8>,
    /// How often it was tried.
    pub tries: i64,
    /// When it is to be tried next.
    pub due_us: i64,
    /// When it is no longer of use.
    pub expires_us: i64,
}

const COLUMNS: &[&str] = &["id", "person", "message", "tries", "due_us", "expires_us"];

/// Adds a message.
pub fn add(connection: &mut dyn Connection, row: &OutboxRow) -> Result<()> {
    let values = [
        Value::Bytes(&row.id),
        Value::Bytes(&row.person),
        Value::Bytes(&row.message),
        Value::Int(row.tries),
        Value::Int(row.due_us),
        Value::Int(row.expires_us),
    ];
    insert(connection, "outbox", COLUMNS, &[values])
}

/// Messages that are due, the longest waiting first.
pub fn due(connection: &mut dyn Connection, now_us: i64, limit: i64) -> Result<Vec<OutboxRow>> {
    let sql = format!("SELECT {} FROM outbox WHERE due_us <= ? ORDER BY due_us LIMIT ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Int(now_us), Value::Int(limit)])?.iter().map(read).collect()
}

/// Notes that a message was tried in vain.
pub fn postpone(connection: &mut dyn Connection, id: &Id, tries: i64, due_us: i64) -> Result<()> {
    let sql = "UPDATE outbox SET tries = ?, due_us = ? WHERE id = ?";
    connection.execute(sql, &[Value::Int(tries), Value::Int(due_us), Value::Bytes(id)])?;
    Ok(())
}

/// Removes a message.
pub fn remove(connection: &mut dyn Connection, id: &Id) -> Result<()> {
    connection.execute("DELETE FROM outbox WHERE id = ?", &[Value::Bytes(id)])?;
    Ok(())
}

fn read(row: &Row) -> Result<OutboxRow> {
    Ok(OutboxRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        message: row.bytes(2)?.to_vec(),
        tries: row.int(3)?,
        due_us: row.int(4)?,
        expires_us: row.int(5)?,
    })
}
