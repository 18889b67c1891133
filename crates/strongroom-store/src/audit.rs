//! The audit log's rows: append only, each with the hash that chains it to the one before.

use crate::log::insert;
use crate::{Connection, Id, Result};
use strongroom_sql::{Row, Value};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place: 0, 1, 2, …
    pub position: i64,
    /// Its place as an id, for the seal: eight zeros and the position, big-endian.
    pub id: Id,
    /// When it happened.
    pub time_us: i64,
    /// What happened, as in `session.opened`.
    pub event: String,
    /// Who did it, if they are known.
    pub person: Option<Id>,
    /// To whom or what.
    pub subject: Option<Id>,
    /// In which session.
    pub session: Option<Id>,
    /// SHA-256 of salt and detail.
    pub detail_hash: [u8; 32],
    /// Salt and detail, sealed under the key of the person, else of the bank.
    pub detail: Vec<u8>,
    /// Over all of the above but the sealed detail, and the hash before.
    pub hash: [u8; 32],
}

const COLUMNS: &[&str] =
    &["position", "id", "time_us", "event", "person", "subject", "session", "detail_hash", "detail", "hash"];

/// The id of a position.
pub fn id(position: i64) -> Id {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&position.to_be_bytes());
    id
}

/// Appends an entry.
pub fn append(connection: &mut dyn Connection, row: &AuditRow) -> Result<()> {
    let optional = |id: &Option<Id>| id.map_or(Vec::new(), |id| id.to_vec());
    let (person, subject, session) = (optional(&row.person), optional(&row.subject), optional(&row.session));
    fn value(bytes: &[u8]) -> Value<'_> {
        if bytes.is_empty() { Value::Null } else { Value::Bytes(bytes) }
    }
    let values = [
        Value::Int(row.position),
        Value::Bytes(&row.id),
        Value::Int(row.time_us),
        Value::Text(&row.event),
        value(&person),
        value(&subject),
        value(&session),
        Value::Bytes(&row.detail_hash),
        Value::Bytes(&row.detail),
        Value::Bytes(&row.hash),
    ];
    insert(connection, "audit", COLUMNS, &[values])
}

/// The newest entry.
pub fn last(connection: &mut dyn Connection) -> Result<Option<AuditRow>> {
    let sql = format!("SELECT {} FROM audit ORDER BY position DESC LIMIT 1", COLUMNS.join(", "));
    connection.query(&sql, &[])?.first().map(read).transpose()
}

/// Entries below a position, newest first; of one person, if given.
pub fn below(connection: &mut dyn Connection, person: Option<&Id>, below: i64, limit: i64) -> Result<Vec<AuditRow>> {
    let columns = COLUMNS.join(", ");
    let rows = match person {
        None => connection.query(
            &format!("SELECT {columns} FROM audit WHERE position < ? ORDER BY position DESC LIMIT ?"),
            &[Value::Int(below), Value::Int(limit)],
        )?,
        Some(person) => connection.query(
            &format!("SELECT {columns} FROM audit WHERE person = ? AND position < ? ORDER BY position DESC LIMIT ?"),
            &[Value::Bytes(person), Value::Int(below), Value::Int(limit)],
        )?,
    };
    rows.iter().map(read).collect()
}

/// Every entry in order, one at a time.
pub fn each(connection: &mut dyn Connection, each: &mut dyn FnMut(AuditRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM audit ORDER BY position", COLUMNS.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(read(row)?))
}

fn read(row: &Row) -> Result<AuditRow> {
    Ok(AuditRow {
        position: row.int(0)?,
        id: row.array::<16>(1)?,
        time_us: row.int(2)?,
        event: row.text(3)?.to_owned(),
        person: row.opt_array::<16>(4)?,
        subject: row.opt_array::<16>(5)?,
        session: row.opt_array::<16>(6)?,
        detail_hash: row.array::<32>(7)?,
        detail: row.bytes(8)?.to_vec(),
        hash: row.array::<32>(9)?,
    })
}
