//! Reservations: money that is to move later, on a capture or an approval. A row is written with the order and
//! changed once, when it ends; what was posted of it is a transfer with the same id.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, SelectKeys, Value};

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The transfer that it is, and will be.
    pub id: Id,
    /// Its leaf's place in the log.
    pub sequence: i64,
    /// The ledger's state of a reservation with which it began, by number.
    pub purpose: i64,
    /// The account that pays.
    pub from: Id,
    /// The account that is paid.
    pub to: Id,
    /// Minor units, above zero.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Who may capture it; zeros while it waits for approval.
    pub capturer: Id,
    /// Until when.
    pub until_us: i64,
    /// When it was decided.
    pub time_us: i64,
    /// Who ordered it.
    pub person: Id,
    /// Their order id.
    pub order_id: String,
    /// SHA-256 of the exact order.
    pub order_hash: [u8; 32],
    /// The device that signed it.
    pub device: Id,
    /// Salt of the core parts of its leaves.
    pub core_salt: Id,
    /// Hash of the payer's part.
    pub payer_hash: [u8; 32],
    /// Hash of the payee's part.
    pub payee_hash: [u8; 32],
    /// Where it stands, by number.
    pub state: i64,
    /// How it ended, once it has.
    pub end: Option<HoldEnd>,
    /// The payer's part, sealed.
    pub payer: Option<Vec<u8>>,
    /// The payee's part, sealed.
    pub payee: Option<Vec<u8>>,
    /// HMAC over all that is not sealed.
    pub mac: Mac,
}

/// How a reservation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEnd {
    /// Its leaf's place in the log.
    pub sequence: i64,
    /// When.
    pub time_us: i64,
    /// Minor units that were posted.
    pub amount: i64,
    /// Who ended it; zeros for a rule.
    pub person: Id,
    /// The id of the order that ended it, if one did.
    pub order_id: Option<String>,
    /// The ledger's authority kind, by number.
    pub authority_kind: i64,
    /// The device or rule.
    pub authority: Id,
    /// SHA-256 of the order or approval; zeros for a rule.
    pub order_hash: [u8; 32],
}

const COLUMNS: &[&str] = &[
    "id",
    "sequence",
    "purpose",
    "from_account",
    "to_account",
    "amount",
    "currency",
    "capturer",
    "until_us",
    "time_us",
    "person",
    "order_id",
    "order_hash",
    "device",
    "core_salt",
    "payer_hash",
    "payee_hash",
    "state",
    "end_sequence",
    "end_us",
    "end_amount",
    "end_person",
    "end_order",
    "end_kind",
    "end_authority",
    "end_hash",
    "payer",
    "payee",
    "mac",
];

/// Writes the reservations of a batch.
pub fn insert_holds(connection: &mut dyn Connection, holds: &[HoldRow]) -> Result<()> {
    let rows: Vec<_> = holds
        .iter()
        .map(|h| {
            let end = h.end.as_ref();
            [
                Value::Bytes(&h.id),
                Value::Int(h.sequence),
                Value::Int(h.purpose),
                Value::Bytes(&h.from),
                Value::Bytes(&h.to),
                Value::Int(h.amount),
                Value::Text(&h.currency),
                Value::Bytes(&h.capturer),
                Value::Int(h.until_us),
                Value::Int(h.time_us),
                Value::Bytes(&h.person),
                Value::Text(&h.order_id),
                Value::Bytes(&h.order_hash),
                Value::Bytes(&h.device),
                Value::Bytes(&h.core_salt),
                Value::Bytes(&h.payer_hash),
                Value::Bytes(&h.payee_hash),
                Value::Int(h.state),
                end.map_or(Value::Null, |e| Value::Int(e.sequence)),
                end.map_or(Value::Null, |e| Value::Int(e.time_us)),
                end.map_or(Value::Null, |e| Value::Int(e.amount)),
                end.map_or(Value::Null, |e| Value::Bytes(&e.person)),
                end.and_then(|e| e.order_id.as_deref()).map_or(Value::Null, Value::Text),
                end.map_or(Value::Null, |e| Value::Int(e.authority_kind)),
                end.map_or(Value::Null, |e| Value::Bytes(&e.authority)),
                end.map_or(Value::Null, |e| Value::Bytes(&e.order_hash)),
                h.payer.as_deref().map_or(Value::Null, Value::Bytes),
                h.payee.as_deref().map_or(Value::Null, Value::Bytes),
                Value::Bytes(&h.mac),
            ]
        })
        .collect();
    insert(connection, "holds", COLUMNS, &rows)
}

/// Writes how a reservation ended.
pub fn end(connection: &mut dyn Connection, hold: &HoldRow, end: &HoldEnd) -> Result<()> {
    connection.execute(
        "UPDATE holds SET state = ?, end_sequence = ?, end_us = ?, end_amount = ?, end_person = ?, end_order = ?, end_kind = ?, \
         end_authority = ?, end_hash = ?, mac = ? WHERE id = ?",
        &[
            Value::Int(hold.state),
            Value::Int(end.sequence),
            Value::Int(end.time_us),
            Value::Int(end.amount),
            Value::Bytes(&end.person),
            end.order_id.as_deref().map_or(Value::Null, Value::Text),
            Value::Int(end.authority_kind),
            Value::Bytes(&end.authority),
            Value::Bytes(&end.order_hash),
            Value::Bytes(&hold.mac),
            Value::Bytes(&hold.id),
        ],
    )?;
    Ok(())
}

/// Reservations by id; missing ones are left out. `lock` holds their rows until the commit.
pub fn by_ids(connection: &mut dyn Connection, ids: &[Id], lock: bool) -> Result<Vec<HoldRow>> {
    let keys: Vec<[Value<'_>; 1]> = ids.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: COLUMNS, table: "holds", key: &["id"], lock };
    connection.select_keys(&select, &keys)?.iter().map(hold_row).collect()
}

/// The reservations that began or ended at these places in the log.
pub fn at(connection: &mut dyn Connection, places: &[i64]) -> Result<Vec<HoldRow>> {
    let keys: Vec<[Value<'_>; 1]> = places.iter().map(|place| [Value::Int(*place)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let mut rows = Vec::new();
    for key in [&["sequence"], &["end_sequence"]] {
        let select = SelectKeys { columns: COLUMNS, table: "holds", key, lock: false };
        for row in connection.select_keys(&select, &keys)? {
            rows.push(hold_row(&row)?);
        }
    }
    Ok(rows)
}

/// Ids of reservations in these two states whose time is over, behind some of them.
pub fn due(connection: &mut dyn Connection, open: [i64; 2], now_us: i64, limit: i64, behind: i64) -> Result<Vec<Id>> {
    let sql = "SELECT id FROM holds WHERE state IN (?, ?) AND until_us <= ? ORDER BY until_us, id LIMIT ? OFFSET ?";
    let values = [Value::Int(open[0]), Value::Int(open[1]), Value::Int(now_us), Value::Int(limit), Value::Int(behind)];
    connection.query(sql, &values)?.iter().map(|row| row.array::<16>(0)).collect()
}

/// An account's reservations in these two states, oldest first.
pub fn of_account(connection: &mut dyn Connection, account: &Id, open: [i64; 2], limit: i64) -> Result<Vec<HoldRow>> {
    let sql = format!(
        "SELECT {} FROM holds WHERE from_account = ? AND state IN (?, ?) ORDER BY sequence LIMIT ?",
        COLUMNS.join(", ")
    );
    let values = [Value::Bytes(account), Value::Int(open[0]), Value::Int(open[1]), Value::Int(limit)];
    connection.query(&sql, &values)?.iter().map(hold_row).collect()
}

/// The reservations that began or ended at these places in the log.
pub fn between(connection: &mut dyn Connection, from: i64, until: i64) -> Result<Vec<HoldRow>> {
    let columns = COLUMNS.join(", ");
    let sql = format!(
        "SELECT {columns} FROM holds WHERE sequence >= ? AND sequence < ? UNION \
         SELECT {columns} FROM holds WHERE end_sequence >= ? AND end_sequence < ?"
    );
    let values = [Value::Int(from), Value::Int(until), Value::Int(from), Value::Int(until)];
    connection.query(&sql, &values)?.iter().map(hold_row).collect()
}

/// Notes that a posting was taken back by another one.
pub fn insert_reversals(connection: &mut dyn Connection, reversals: &[(Id, Id)]) -> Result<()> {
    let rows: Vec<_> = reversals.iter().map(|(original, by)| [Value::Bytes(original), Value::Bytes(by)]).collect();
    insert(connection, "reversals", REVERSAL, &rows)
}

const REVERSAL: &[&str] = &["original", "reversal"];

/// The postings among these that were taken back, and by which.
pub fn reversals(connection: &mut dyn Connection, originals: &[Id]) -> Result<Vec<(Id, Id)>> {
    let keys: Vec<[Value<'_>; 1]> = originals.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: REVERSAL, table: "reversals", key: &["original"], lock: false };
    connection.select_keys(&select, &keys)?.iter().map(|row| Ok((row.array::<16>(0)?, row.array::<16>(1)?))).collect()
}

/// Every reversal, one at a time: the original and what took it back.
pub fn each_reversal(connection: &mut dyn Connection, each: &mut dyn FnMut((Id, Id)) -> Result<()>) -> Result<()> {
    let sql = "SELECT original, reversal FROM reversals ORDER BY original";
    connection.query_each(sql, &[], &mut |row| each((row.array::<16>(0)?, row.array::<16>(1)?)))
}

fn hold_row(row: &Row) -> Result<HoldRow> {
    let end = match row.opt_int(18)? {
        Some(sequence) => Some(HoldEnd {
            sequence,
            time_us: row.int(19)?,
            amount: row.int(20)?,
            person: row.array::<16>(21)?,
            order_id: row.opt_text(22)?.map(str::to_owned),
            authority_kind: row.int(23)?,
            authority: row.array::<16>(24)?,
            order_hash: row.array::<32>(25)?,
        }),
        None => {
            let has_end = row.opt_int(19)?.is_some()
                || row.opt_int(20)?.is_some()
                || row.opt_bytes(21)?.is_some()
                || row.opt_text(22)?.is_some()
                || row.opt_int(23)?.is_some()
                || row.opt_bytes(24)?.is_some()
                || row.opt_bytes(25)?.is_some();
            if has_end {
                return Err(strongroom_sql::Error::other("a reservation that stands says how it ended"));
            }
            None
        }
    };
    Ok(HoldRow {
        id: row.array::<16>(0)?,
        sequence: row.int(1)?,
        purpose: row.int(2)?,
        from: row.array::<16>(3)?,
        to: row.array::<16>(4)?,
        amount: row.int(5)?,
        currency: row.text(6)?.to_owned(),
        capturer: row.array::<16>(7)?,
        until_us: row.int(8)?,
        time_us: row.int(9)?,
        person: row.array::<16>(10)?,
        order_id: row.text(11)?.to_owned(),
        order_hash: row.array::<32>(12)?,
        device: row.array::<16>(13)?,
        core_salt: row.array::<16>(14)?,
        payer_hash: row.array::<32>(15)?,
        payee_hash: row.array::<32>(16)?,
        state: row.int(17)?,
        end,
        payer: row.opt_bytes(26)?.map(<[u8]>::to_vec),
        payee: row.opt_bytes(27)?.map(<[u8]>::to_vec),
        mac: row.array::<36>(28)?,
    })
}
