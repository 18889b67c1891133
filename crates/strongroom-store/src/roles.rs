//! Roles that a bank has made beside the built-in ones.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, Value};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Whether it is of the bank's own staff.
    pub is_staff: bool,
    /// The names of what it allows, separated by spaces.
    pub permissions: String,
    /// HMAC over all of it.
    pub mac: Mac,
}

const COLUMNS: &[&str] = &["id", "name", "is_staff", "permissions", "mac"];

/// All of them, by name.
pub fn all(connection: &mut dyn Connection) -> Result<Vec<RoleRow>> {
    let sql = format!("SELECT {} FROM roles ORDER BY name", COLUMNS.join(", "));
    connection.query(&sql, &[])?.iter().map(read).collect()
}

/// The one of a name.
pub fn by_name(connection: &mut dyn Connection, name: &str) -> Result<Option<RoleRow>> {
    let sql = format!("SELECT {} FROM roles WHERE name = ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Text(name)])?.first().map(read).transpose()
}

/// The one of an id.
pub fn by_id(connection: &mut dyn Connection, id: &Id) -> Result<Option<RoleRow>> {
    let sql = format!("SELECT {} FROM roles WHERE id = ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Bytes(id)])?.first().map(read).transpose()
}

/// Puts a role in the place of the one of its name, if there is one.
pub fn put(connection: &mut dyn Connection, row: &RoleRow) -> Result<()> {
    remove(connection, &row.name)?;
    let values = [
        Value::Bytes(&row.id),
        Value::Text(&row.name),
        Value::Int(row.is_staff.into()),
        Value::Bytes(row.permissions.as_bytes()),
        Value::Bytes(&row.mac),
    ];
    insert(connection, "roles", COLUMNS, &[values])
}

/// Removes a role. `false`: there is none of this name.
pub fn remove(connection: &mut dyn Connection, name: &str) -> Result<bool> {
    Ok(connection.execute("DELETE FROM roles WHERE name = ?", &[Value::Text(name)])? > 0)
}

fn read(row: &Row) -> Result<RoleRow> {
    Ok(RoleRow {
        id: row.array::<16>(0)?,
        name: row.text(1)?.to_owned(),
        is_staff: row.int(2)? != 0,
        permissions: String::from_utf8_lossy(row.bytes(3)?).into_owned(),
        mac: row.array::<36>(4)?,
    })
}
