//! MACs wherever they stand, so that rows can be authenticated anew under another version of their
//! key: found page by page, and replaced only where nobody has changed them since.

use crate::{Connection, Id, Mac, Result};
use strongroom_sql::Value;

/// A table whose rows carry a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// people
    People,
    /// factors
    Factors,
    /// enrolments
    Enrolments,
    /// challenges
    Challenges,
    /// sessions
    Sessions,
    /// devices
    Devices,
    /// accounts
    Accounts,
    /// balances
    Balances,
    /// transfers
    Transfers,
    /// holds
    Holds,
    /// roles
    Roles,
    /// approvals
    Approvals,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 12] = [
        Table::People,
        Table::Factors,
        Table::Enrolments,
        Table::Challenges,
        Table::Sessions,
        Table::Devices,
        Table::Accounts,
        Table::Balances,
        Table::Transfers,
        Table::Holds,
        Table::Roles,
        Table::Approvals,
    ];

    /// Its name, and the column its rows are known by.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Table::People => ("people", "id"),
            Table::Factors => ("factors", "id"),
            Table::Enrolments => ("enrolments", "id"),
            Table::Challenges => ("challenges", "id"),
            Table::Sessions => ("sessions", "id"),
            Table::Devices => ("devices", "id"),
            Table::Accounts => ("accounts", "id"),
            Table::Balances => ("balances", "account"),
            Table::Transfers => ("transfers", "id"),
            Table::Holds => ("holds", "id"),
            Table::Roles => ("roles", "id"),
            Table::Approvals => ("approvals", "id"),
        }
    }
}

/// A page of the rows whose MAC names another version than this one, in the order of their ids, after a row.
pub fn outdated(
    connection: &mut dyn Connection,
    table: Table,
    version: &[u8; 4],
    after: &Id,
    limit: i64,
) -> Result<Vec<Id>> {
    let (table, id) = table.names();
    let sql = format!("SELECT {id} FROM {table} WHERE {id} > ? AND SUBSTR(mac, 1, 4) <> ? ORDER BY {id} LIMIT ?");
    let rows = connection.query(&sql, &[Value::Bytes(after), Value::Bytes(version), Value::Int(limit)])?;
    rows.iter().map(|row| row.array::<16>(0)).collect()
}

/// The versions that the MACs of a table name.
pub fn versions(connection: &mut dyn Connection, table: Table) -> Result<Vec<Vec<u8>>> {
    let (table, _) = table.names();
    let rows = connection.query(&format!("SELECT DISTINCT SUBSTR(mac, 1, 4) FROM {table}"), &[])?;
    rows.iter().map(|row| Ok(row.bytes(0)?.to_vec())).collect()
}

/// Puts another MAC in one's place. `false`: the row has changed since it was read.
pub fn replace(connection: &mut dyn Connection, table: Table, id: &Id, old: &Mac, new: &Mac) -> Result<bool> {
    let (table, column) = table.names();
    let sql = format!("UPDATE {table} SET mac = ? WHERE {column} = ? AND mac = ?");
    Ok(connection.execute(&sql, &[Value::Bytes(new), Value::Bytes(id), Value::Bytes(old)])? == 1)
}
