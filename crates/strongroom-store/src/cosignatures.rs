//! What witnesses have signed of the log: of each its newest cosignature, and those of others at the same sizes.

use strongroom_sql::{Connection, Result, Row, Value};

use crate::Id;

/// A witness's cosignature of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureRow {
    /// How many leaves the checkpoint has.
    pub size: i64,
    /// The witness, by its key.
    pub witness: Id,
    /// The signed checkpoint.
    pub note: String,
    /// The witness's signature line.
    pub line: String,
}

/// Keeps one. Sizes that are no witness's newest any more go.
pub fn add(connection: &mut dyn Connection, row: &CosignatureRow) -> Result<()> {
    let sql = "INSERT INTO cosignatures (size, witness, note, line) VALUES (?, ?, ?, ?)";
    let (note, line) = (Value::Bytes(row.note.as_bytes()), Value::Bytes(row.line.as_bytes()));
    connection.execute(sql, &[Value::Int(row.size), Value::Bytes(&row.witness), note, line])?;
    let sql = "DELETE FROM cosignatures WHERE size NOT IN \
               (SELECT size FROM (SELECT MAX(size) AS size FROM cosignatures GROUP BY witness) AS newest)";
    connection.execute(sql, &[]).map(drop)
}

/// The largest size that a witness has signed.
pub fn newest_of(connection: &mut dyn Connection, witness: &Id) -> Result<Option<i64>> {
    let sql = "SELECT MAX(size) FROM cosignatures WHERE witness = ?";
    connection.query(sql, &[Value::Bytes(witness)])?.first().map_or(Ok(None), |row| row.opt_int(0))
}

/// All that are kept, by size: a few for each witness.
pub fn all(connection: &mut dyn Connection) -> Result<Vec<CosignatureRow>> {
    let sql = "SELECT size, witness, note, line FROM cosignatures ORDER BY size, witness";
    connection.query(sql, &[])?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<CosignatureRow> {
    let text = |at| row.bytes(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Ok(CosignatureRow { size: row.int(0)?, witness: row.array(1)?, note: text(2)?, line: text(3)? })
}
