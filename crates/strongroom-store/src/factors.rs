//! The rows of second factors: one for each that a person holds or has begun.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, Value};

/// A second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorRow {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub person: Id,
    /// Its kind, by number.
    pub kind: i64,
    /// What proves it, sealed with factor and person as context.
    pub secret: Vec<u8>,
    /// What its owner calls it, sealed.
    pub name: Option<Vec<u8>>,
    /// When its owner proved to hold it.
    pub confirmed_us: Option<i64>,
    /// The last TOTP step that was accepted, or the last count that a passkey gave.
    pub last_step: Option<i64>,
    /// When it was last used.
    pub last_used_us: Option<i64>,
    /// When it was made.
    pub created_us: i64,
    /// HMAC over all of the above but secret and name.
    pub mac: Mac,
}

const COLUMNS: &[&str] =
    &["id", "person", "kind", "secret", "name", "confirmed_us", "last_step", "last_used_us", "created_us", "mac"];

/// Adds a factor.
pub fn add(connection: &mut dyn Connection, factor: &FactorRow) -> Result<()> {
    let row = [
        Value::Bytes(&factor.id),
        Value::Bytes(&factor.person),
        Value::Int(factor.kind),
        Value::Bytes(&factor.secret),
        factor.name.as_deref().map_or(Value::Null, Value::Bytes),
        factor.confirmed_us.map_or(Value::Null, Value::Int),
        factor.last_step.map_or(Value::Null, Value::Int),
        factor.last_used_us.map_or(Value::Null, Value::Int),
        Value::Int(factor.created_us),
        Value::Bytes(&factor.mac),
    ];
    insert(connection, "factors", COLUMNS, &[row])
}

/// Writes what changes in a factor's life.
pub fn update(connection: &mut dyn Connection, factor: &FactorRow) -> Result<()> {
    connection.execute(
        "UPDATE factors SET secret = ?, name = ?, confirmed_us = ?, last_step = ?, last_used_us = ?, mac = ? WHERE id = ?",
        &[
            Value::Bytes(&factor.secret),
            factor.name.as_deref().map_or(Value::Null, Value::Bytes),
            factor.confirmed_us.map_or(Value::Null, Value::Int),
            factor.last_step.map_or(Value::Null, Value::Int),
            factor.last_used_us.map_or(Value::Null, Value::Int),
            Value::Bytes(&factor.mac),
            Value::Bytes(&factor.id),
        ],
    )?;
    Ok(())
}

/// A person's factors, oldest first.
pub fn of_person(connection: &mut dyn Connection, person: &Id) -> Result<Vec<FactorRow>> {
    let sql = format!("SELECT {} FROM factors WHERE person = ? ORDER BY id", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Bytes(person)])?.iter().map(read).collect()
}

/// A factor by id.
pub fn by_id(connection: &mut dyn Connection, id: &Id) -> Result<Option<FactorRow>> {
    let sql = format!("SELECT {} FROM factors WHERE id = ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Bytes(id)])?.first().map(read).transpose()
}

/// Removes a factor.
pub fn delete(connection: &mut dyn Connection, id: &Id) -> Result<()> {
    connection.execute("DELETE FROM factors WHERE id = ?", &[Value::Bytes(id)])?;
    Ok(())
}

fn read(row: &Row) -> Result<FactorRow> {
    Ok(FactorRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        kind: row.int(2)?,
        secret: row.bytes(3)?.to_vec(),
        name: row.opt_bytes(4)?.map(<[u8]>::to_vec),
        confirmed_us: row.opt_int(5)?,
        last_step: row.opt_int(6)?,
        last_used_us: row.opt_int(7)?,
        created_us: row.int(8)?,
        mac: row.array::<36>(9)?,
    })
}
