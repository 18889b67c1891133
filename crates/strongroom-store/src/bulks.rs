//! Bulks as they were signed: kept once for all the orders that came in one.

use strongroom_sql::{Connection, Result, Row, Value};

use crate::Id;

/// A bulk of which at least one order was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRow {
    /// The first 16 bytes of the SHA-256 of its signature.
    pub id: Id,
    /// Who signed it.
    pub person: Id,
    /// The signature and the hashes of its orders, sealed under the person's key.
    pub signed: Vec<u8>,
}

/// Keeps a bulk; one that is kept already stays as it is.
pub fn keep(connection: &mut dyn Connection, row: &BulkRow) -> Result<()> {
    if by_id(connection, &row.id)?.is_none() {
        let values = [Value::Bytes(&row.id), Value::Bytes(&row.person), Value::Bytes(&row.signed)];
        connection.execute("INSERT INTO bulks (id, person, signed) VALUES (?, ?, ?)", &values)?;
    }
    Ok(())
}

/// A bulk.
pub fn by_id(connection: &mut dyn Connection, id: &Id) -> Result<Option<BulkRow>> {
    let rows = connection.query("SELECT id, person, signed FROM bulks WHERE id = ?", &[Value::Bytes(id)])?;
    rows.first().map(read).transpose()
}

fn read(row: &Row) -> Result<BulkRow> {
    Ok(BulkRow { id: row.array(0)?, person: row.array(1)?, signed: row.bytes(2)?.to_vec() })
}
