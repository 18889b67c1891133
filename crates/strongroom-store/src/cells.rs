//! Sealed fields wherever they stand, so that they can be sealed anew under another version of
//! their key: found by owner or page by page, and replaced only where nobody has changed them since.

use crate::{Connection, Id, Result};
use strongroom_sql::{Row, Value};

/// One sealed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Where it stands.
    pub column: Column,
    /// The row's id.
    pub id: Id,
    /// What stands there.
    pub sealed: Vec<u8>,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $table:literal, $column:literal;)*) => {
        /// A column of sealed fields.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Column { $($(#[$doc])* $name,)* }

        impl Column {
            /// Its table and column.
            fn names(self) -> (&'static str, &'static str) {
                match self { $(Column::$name => ($table, $column),)* }
            }
        }
    };
}

columns! {
    /// people.password
    Password = "people", "password";
    /// people.username
    Username = "people", "username";
    /// people.full_name
    FullName = "people", "full_name";
    /// people.email
    Email = "people", "email";
    /// people.phone
    Phone = "people", "phone";
    /// people.national_id
    NationalId = "people", "national_id";
    /// people.date_of_birth
    DateOfBirth = "people", "date_of_birth";
    /// people.address
    Address = "people", "address";
    /// factors.name
    FactorName = "factors", "name";
    /// outbox.message
    OutboxMessage = "outbox", "message";
    /// audit.detail
    AuditDetail = "audit", "detail";
    /// factors.secret
    FactorSecret = "factors", "secret";
    /// challenges.data
    ChallengeData = "challenges", "data";
    /// sessions.successor
    SessionSuccessor = "sessions", "successor";
    /// devices.name
    DeviceName = "devices", "name";
    /// accounts.number
    AccountNumber = "accounts", "number";
    /// accounts.name
    AccountName = "accounts", "name";
    /// transfers.payer
    PayerPart = "transfers", "payer";
    /// transfers.payee
    PayeePart = "transfers", "payee";
    /// holds.payer
    HeldPayerPart = "holds", "payer";
    /// holds.payee
    HeldPayeePart = "holds", "payee";
    /// bulks.signed
    SignedBulk = "bulks", "signed";
}

/// What a person has told of themselves.
const PROFILE: [Column; 7] = [
    Column::Username,
    Column::FullName,
    Column::Email,
    Column::Phone,
    Column::NationalId,
    Column::DateOfBirth,
    Column::Address,
];

/// What a person has told of themselves.
pub fn of_profile(connection: &mut dyn Connection, person: &Id) -> Result<Vec<Cell>> {
    some(connection, &PROFILE, "id = ?", &[Value::Bytes(person)])
}

/// A person's own fields, and those of their devices, factors, accounts, audit entries and mail.
pub fn of_person(connection: &mut dyn Connection, person: &Id) -> Result<Vec<Cell>> {
    let mut cells = of_profile(connection, person)?;
    for column in [Column::DeviceName, Column::FactorName, Column::AuditDetail, Column::OutboxMessage] {
        cells.extend(some(connection, &[column], "person = ?", &[Value::Bytes(person)])?);
    }
    cells.extend(some(connection, &ACCOUNT, "owner = ?", &[Value::Bytes(person)])?);
    Ok(cells)
}

const ACCOUNT: [Column; 2] = [Column::AccountNumber, Column::AccountName];

/// The fields of the bank's own accounts.
pub fn of_bank(connection: &mut dyn Connection) -> Result<Vec<Cell>> {
    some(connection, &ACCOUNT, "owner IS NULL", &[])
}

/// A page of audit entries about nobody who is known, after one.
pub fn of_nobody(connection: &mut dyn Connection, after: Option<&Id>, limit: i64) -> Result<Vec<Cell>> {
    let condition = "person IS NULL AND LENGTH(detail) > 0 AND id > ? ORDER BY id LIMIT ?";
    let after = after.map_or(&[][..], |id| id);
    some(connection, &[Column::AuditDetail], condition, &[Value::Bytes(after), Value::Int(limit)])
}

/// A page of the bulks that a person has signed, after one: they are large.
pub fn of_bulks(connection: &mut dyn Connection, person: &Id, after: &Id, limit: i64) -> Result<Vec<Cell>> {
    let condition = "person = ? AND id > ? ORDER BY id LIMIT ?";
    let values = [Value::Bytes(person), Value::Bytes(after), Value::Int(limit)];
    some(connection, &[Column::SignedBulk], condition, &values)
}

/// A page of one column's fields, in the order of their rows, after a row.
pub fn page(connection: &mut dyn Connection, column: Column, after: &Id, limit: i64) -> Result<Vec<Cell>> {
    // A page of rows whose fields are empty must not look like the end.
    let condition = format!("id > ? AND LENGTH({}) > 0 ORDER BY id LIMIT ?", column.names().1);
    some(connection, &[column], &condition, &[Value::Bytes(after), Value::Int(limit)])
}

fn some(
    connection: &mut dyn Connection,
    columns: &[Column],
    condition: &str,
    params: &[Value<'_>],
) -> Result<Vec<Cell>> {
    let Some((table, _)) = columns.first().map(|column| column.names()) else { return Ok(Vec::new()) };
    let names: Vec<&str> = columns.iter().map(|column| column.names().1).collect();
    let sql = format!("SELECT id, {} FROM {table} WHERE {condition}", names.join(", "));
    let mut cells = Vec::new();
    for row in connection.query(&sql, params)? {
        read_cells(&row, columns, 0, &mut cells)?;
    }
    Ok(cells)
}

/// The fields of a row whose columns from `from` on are its id and these columns.
fn read_cells(row: &Row, columns: &[Column], from: usize, cells: &mut Vec<Cell>) -> Result<()> {
    for (at, column) in columns.iter().enumerate() {
        match row.opt_bytes(from + 1 + at)? {
            Some(sealed) if !sealed.is_empty() => {
                cells.push(Cell { column: *column, id: row.array::<16>(from)?, sealed: sealed.to_vec() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// A posting's two sealed parts, and who owns its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingCells {
    /// Its place in the log.
    pub sequence: i64,
    /// Who owns the account debited.
    pub payer: Option<Id>,
    /// Who owns the account credited.
    pub payee: Option<Id>,
    /// The parts that are there.
    pub cells: Vec<Cell>,
}

/// A page of an account's postings, in the order of the log, after a place in it.
pub fn of_postings(connection: &mut dyn Connection, account: &Id, after: i64, limit: i64) -> Result<Vec<PostingCells>> {
    let sql = "SELECT t.sequence, f.owner, o.owner, t.id, t.payer, t.payee FROM entries e \
               JOIN transfers t ON t.sequence = e.sequence \
               LEFT JOIN accounts f ON f.id = t.from_account LEFT JOIN accounts o ON o.id = t.to_account \
               WHERE e.account = ? AND e.sequence > ? ORDER BY e.sequence LIMIT ?";
    let rows = connection.query(sql, &[Value::Bytes(account), Value::Int(after), Value::Int(limit)])?;
    rows.iter().map(|row| parts(row, [Column::PayerPart, Column::PayeePart])).collect()
}

fn parts(row: &Row, columns: [Column; 2]) -> Result<PostingCells> {
    let mut cells = Vec::new();
    read_cells(row, &columns, 3, &mut cells)?;
    Ok(PostingCells { sequence: row.int(0)?, payer: row.opt_array::<16>(1)?, payee: row.opt_array::<16>(2)?, cells })
}

/// A page of the reservations on an account or for it, in the order of the log, after a place in it.
pub fn of_holds(connection: &mut dyn Connection, account: &Id, after: i64, limit: i64) -> Result<Vec<PostingCells>> {
    let sql = "SELECT h.sequence, f.owner, o.owner, h.id, h.payer, h.payee FROM holds h \
               LEFT JOIN accounts f ON f.id = h.from_account LEFT JOIN accounts o ON o.id = h.to_account \
               WHERE (h.from_account = ? OR h.to_account = ?) AND h.sequence > ? ORDER BY h.sequence LIMIT ?";
    let values = [Value::Bytes(account), Value::Bytes(account), Value::Int(after), Value::Int(limit)];
    let rows = connection.query(sql, &values)?;
    rows.iter().map(|row| parts(row, [Column::HeldPayerPart, Column::HeldPayeePart])).collect()
}

/// Puts another sealing of the same value in its place. `false`: it has changed since it was read.
pub fn replace(connection: &mut dyn Connection, cell: &Cell, sealed: &[u8]) -> Result<bool> {
    let (table, column) = cell.column.names();
    let sql = format!("UPDATE {table} SET {column} = ? WHERE id = ? AND {column} = ?");
    let changed =
        connection.execute(&sql, &[Value::Bytes(sealed), Value::Bytes(&cell.id), Value::Bytes(&cell.sealed)])?;
    Ok(changed == 1)
}

/// Whose the row of a factor is: part of its context.
pub fn person_of_factor(connection: &mut dyn Connection, factor: &Id) -> Result<Option<Id>> {
    let rows = connection.query("SELECT person FROM factors WHERE id = ?", &[Value::Bytes(factor)])?;
    rows.first().map(|row| row.array::<16>(0)).transpose()
}
