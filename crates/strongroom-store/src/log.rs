//! The log's rows: leaves, facts behind leaves that are not postings, roots of complete tiles, and blocks.

use crate::{Connection, Id, Result};
use strongroom_sql::{Insert, Row, Value};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafRow {
    /// Its place, from 0.
    pub position: i64,
    /// The kind of fact it commits to.
    pub kind: i64,
    /// The 32 bytes that the log entry consists of.
    pub commitment: [u8; 32],
}

/// The core of a leaf that has no table of its own (devices, keys).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRow {
    /// Its place in the log.
    pub position: i64,
    /// The device, key or person it is about.
    pub subject: Id,
    /// The salt of the core part.
    pub salt: Id,
    /// The core part.
    pub core: Vec<u8>,
}

/// The root of a complete tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRow {
    /// 1 for tiles of leaves, 2 for tiles of those, and so on.
    pub level: i64,
    /// The tile's number within its level.
    pub position: i64,
    /// Its root.
    pub hash: [u8; 32],
}

/// A committed batch: the checkpoint it reached and the hash of the block before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Counts from 0.
    pub height: i64,
    /// The previous block's hash; zeros for the first.
    pub previous: [u8; 32],
    /// The log's size after this block.
    pub size: i64,
    /// When the batch was decided.
    pub time_us: i64,
    /// The signed checkpoint.
    pub note: String,
    /// This block's hash.
    pub hash: [u8; 32],
}

/// Appends what one batch adds to the log.
pub fn append(
    connection: &mut dyn Connection,
    leaves: &[LeafRow],
    facts: &[FactRow],
    tiles: &[TileRow],
    block: &BlockRow,
) -> Result<()> {
    let rows: Vec<_> =
        leaves.iter().map(|l| [Value::Int(l.position), Value::Int(l.kind), Value::Bytes(&l.commitment)]).collect();
    insert(connection, "log_leaves", &["position", "kind", "commitment"], &rows)?;
    let rows: Vec<_> = facts
        .iter()
        .map(|f| [Value::Int(f.position), Value::Bytes(&f.subject), Value::Bytes(&f.salt), Value::Bytes(&f.core)])
        .collect();
    insert(connection, "log_facts", &["position", "subject", "salt", "core"], &rows)?;
    let rows: Vec<_> =
        tiles.iter().map(|t| [Value::Int(t.level), Value::Int(t.position), Value::Bytes(&t.hash)]).collect();
    insert(connection, "log_tiles", &["level", "position", "hash"], &rows)?;
    connection.execute(
        "INSERT INTO blocks (height, previous, size, time_us, note, hash) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            Value::Int(block.height),
            Value::Bytes(&block.previous),
            Value::Int(block.size),
            Value::Int(block.time_us),
            Value::Bytes(block.note.as_bytes()),
            Value::Bytes(&block.hash),
        ],
    )?;
    Ok(())
}

/// Multi-row insert of fixed-width rows.
pub(crate) fn insert<const N: usize>(
    connection: &mut dyn Connection,
    table: &'static str,
    columns: &'static [&'static str],
    rows: &[[Value<'_>; N]],
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<&[Value<'_>]> = rows.iter().map(|r| r.as_slice()).collect();
    connection.insert_rows(&Insert { table, columns }, &rows)?;
    Ok(())
}

/// Commitments of the leaves in `from..until`, in order.
pub fn commitments(connection: &mut dyn Connection, from: i64, until: i64) -> Result<Vec<[u8; 32]>> {
    let sql = "SELECT commitment FROM log_leaves WHERE position >= ? AND position < ? ORDER BY position";
    connection.query(sql, &[Value::Int(from), Value::Int(until)])?.iter().map(|row| row.array::<32>(0)).collect()
}

/// One leaf.
pub fn leaf(connection: &mut dyn Connection, position: i64) -> Result<Option<LeafRow>> {
    let rows = connection
        .query("SELECT position, kind, commitment FROM log_leaves WHERE position = ?", &[Value::Int(position)])?;
    rows.first().map(leaf_row).transpose()
}

/// The leaves in `from..until`, in order.
pub fn leaves(connection: &mut dyn Connection, from: i64, until: i64) -> Result<Vec<LeafRow>> {
    let sql =
        "SELECT position, kind, commitment FROM log_leaves WHERE position >= ? AND position < ? ORDER BY position";
    connection.query(sql, &[Value::Int(from), Value::Int(until)])?.iter().map(leaf_row).collect()
}

/// The facts behind the leaves in `from..until`, in order.
pub fn facts(connection: &mut dyn Connection, from: i64, until: i64) -> Result<Vec<FactRow>> {
    let sql =
        "SELECT position, subject, salt, core FROM log_facts WHERE position >= ? AND position < ? ORDER BY position";
    connection.query(sql, &[Value::Int(from), Value::Int(until)])?.iter().map(fact_row).collect()
}

/// The last place that any table behind the log knows of, and one more.
pub fn end(connection: &mut dyn Connection) -> Result<i64> {
    let mut end = 0;
    for (table, column) in [
        ("log_leaves", "position"),
        ("log_facts", "position"),
        ("transfers", "sequence"),
        ("holds", "sequence"),
        ("holds", "end_sequence"),
    ] {
        let rows = connection.query(&format!("SELECT MAX({column}) FROM {table}"), &[])?;
        end = end.max(rows.first().map_or(Ok(None), |row| row.opt_int(0))?.map_or(0, |last| last.saturating_add(1)));
    }
    Ok(end)
}

fn leaf_row(row: &Row) -> Result<LeafRow> {
    Ok(LeafRow { position: row.int(0)?, kind: row.int(1)?, commitment: row.array::<32>(2)? })
}

/// The root of one complete tile.
pub fn tile(connection: &mut dyn Connection, level: i64, position: i64) -> Result<Option<[u8; 32]>> {
    let rows = connection.query(
        "SELECT hash FROM log_tiles WHERE level = ? AND position = ?",
        &[Value::Int(level), Value::Int(position)],
    )?;
    rows.first().map(|row| row.array::<32>(0)).transpose()
}

/// Roots of the tiles `from..until` of a level, in order.
pub fn tiles(connection: &mut dyn Connection, level: i64, from: i64, until: i64) -> Result<Vec<[u8; 32]>> {
    let sql = "SELECT hash FROM log_tiles WHERE level = ? AND position >= ? AND position < ? ORDER BY position";
    connection
        .query(sql, &[Value::Int(level), Value::Int(from), Value::Int(until)])?
        .iter()
        .map(|row| row.array::<32>(0))
        .collect()
}

/// The fact behind a leaf that is not a posting.
pub fn fact(connection: &mut dyn Connection, position: i64) -> Result<Option<FactRow>> {
    let rows = connection
        .query("SELECT position, subject, salt, core FROM log_facts WHERE position = ?", &[Value::Int(position)])?;
    rows.first().map(fact_row).transpose()
}

/// All facts in order.
pub fn each_fact(connection: &mut dyn Connection, each: &mut dyn FnMut(FactRow) -> Result<()>) -> Result<()> {
    connection.query_each("SELECT position, subject, salt, core FROM log_facts ORDER BY position", &[], &mut |row| {
        each(fact_row(row)?)
    })
}

fn fact_row(row: &Row) -> Result<FactRow> {
    Ok(FactRow {
        position: row.int(0)?,
        subject: row.array::<16>(1)?,
        salt: row.array::<16>(2)?,
        core: row.bytes(3)?.to_vec(),
    })
}

const BLOCK: &str = "SELECT height, previous, size, time_us, note, hash FROM blocks";

/// How many leaves stood before a moment. Blocks grow with time, so that it is found by halving.
pub fn size_before(connection: &mut dyn Connection, time_us: i64) -> Result<i64> {
    let (mut low, mut high) = (0, last_block(connection)?.map_or(0, |block| block.height + 1));
    let mut size = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        match block(connection, middle)? {
            Some(block) if block.time_us < time_us => {
                size = block.size;
                low = middle + 1;
            }
            Some(_) => high = middle,
            None => return Err(strongroom_sql::Error::other("a block of the log is missing")),
        }
    }
    Ok(size)
}

/// The newest block.
pub fn last_block(connection: &mut dyn Connection) -> Result<Option<BlockRow>> {
    let rows = connection.query(&format!("{BLOCK} ORDER BY height DESC LIMIT 1"), &[])?;
    rows.first().map(block_row).transpose()
}

/// One block by height.
pub fn block(connection: &mut dyn Connection, height: i64) -> Result<Option<BlockRow>> {
    let rows = connection.query(&format!("{BLOCK} WHERE height = ?"), &[Value::Int(height)])?;
    rows.first().map(block_row).transpose()
}

/// Up to `limit` blocks below a height, newest first.
pub fn blocks_below(connection: &mut dyn Connection, below: i64, limit: i64) -> Result<Vec<BlockRow>> {
    let sql = format!("{BLOCK} WHERE height < ? ORDER BY height DESC LIMIT {}", limit.clamp(1, 200));
    connection.query(&sql, &[Value::Int(below)])?.iter().map(block_row).collect()
}

/// All blocks in order, one at a time.
pub fn each_block(connection: &mut dyn Connection, each: &mut dyn FnMut(BlockRow) -> Result<()>) -> Result<()> {
    connection.query_each(&format!("{BLOCK} ORDER BY height"), &[], &mut |row| each(block_row(row)?))
}

fn block_row(row: &Row) -> Result<BlockRow> {
    Ok(BlockRow {
        height: row.int(0)?,
        previous: row.array::<32>(1)?,
        size: row.int(2)?,
        time_us: row.int(3)?,
        note: String::from_utf8_lossy(row.bytes(4)?).into_owned(),
        hash: row.array::<32>(5)?,
    })
}
