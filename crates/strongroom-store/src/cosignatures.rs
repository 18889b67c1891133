//! What witnesses have signed of the log.

use strongroom_sql::{Connection, Result, Row, Value};

/// A witness's cosignature of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureRow {
    /// How many leaves the checkpoint has.
    pub size: i64,
    /// The witness's name.
    pub witness: String,
    /// The signed checkpoint.
    pub note: String,
    /// The witness's signature line.
    pub line: String,
}

/// Keeps one.
pub fn add(connection: &mut dyn Connection, row: &CosignatureRow) -> Result<()> {
    let sql = "INSERT INTO cosignatures (size, witness, note, line) VALUES (?, ?, ?, ?)";
    let (note, line) = (Value::Bytes(row.note.as_bytes()), Value::Bytes(row.line.as_bytes()));
    connection.execute(sql, &[Value::Int(row.size), Value::Text(&row.witness), note, line]).map(drop)
}

/// The largest size that a witness has signed.
pub fn newest_of(connection: &mut dyn Connection, witness: &str) -> Result<Option<i64>> {
    let sql = "SELECT MAX(size) FROM cosignatures WHERE witness = ?";
    connection.query(sql, &[Value::Text(witness)])?.first().map_or(Ok(None), |row| row.opt_int(0))
}

/// The cosignatures of the largest checkpoint that has any.
pub fn newest(connection: &mut dyn Connection) -> Result<Vec<CosignatureRow>> {
    let sql = "SELECT size, witness, note, line FROM cosignatures \
               WHERE size = (SELECT MAX(size) FROM cosignatures) ORDER BY witness";
    connection.query(sql, &[])?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<CosignatureRow> {
    let text = |at| row.bytes(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Ok(CosignatureRow { size: row.int(0)?, witness: row.text(1)?.to_owned(), note: text(2)?, line: text(3)? })
}
