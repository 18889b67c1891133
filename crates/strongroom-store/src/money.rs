//! Orders (kept for ever), postings and the entries they make in accounts.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, SelectKeys, Value};

/// An order id that has been spent: by a posting, or by a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Whose order it is.
    pub person: Id,
    /// The id they chose.
    pub order_id: String,
    /// SHA-256 of the exact body.
    pub body_hash: [u8; 32],
    /// The place in the log of what it made: a posting, a reservation, the end of one, or a refusal.
    pub sequence: i64,
    /// The code of its refusal, if it was refused.
    pub refusal: Option<String>,
    /// When it was decided.
    pub time_us: i64,
}

/// A posting: money moved from one account to another, by someone's will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// Its place in the log.
    pub sequence: i64,
    /// Its id.
    pub id: Id,
    /// The ledger's posting kind, by number.
    pub kind: i64,
    /// The account debited.
    pub from: Id,
    /// The account credited.
    pub to: Id,
    /// Minor units, above zero.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was decided.
    pub time_us: i64,
    /// Who ordered it.
    pub person: Id,
    /// Their order id.
    pub order_id: String,
    /// SHA-256 of the exact order.
    pub order_hash: [u8; 32],
    /// The ledger's authority kind, by number.
    pub authority_kind: i64,
    /// The device or rule.
    pub authority: Id,
    /// The posting it refers to.
    pub refers: Option<Id>,
    /// The block that holds it.
    pub height: i64,
    /// Salt of the core part.
    pub core_salt: Id,
    /// Hash of the payer's part.
    pub payer_hash: [u8; 32],
    /// Hash of the payee's part.
    pub payee_hash: [u8; 32],
    /// The payer's part, sealed.
    pub payer: Option<Vec<u8>>,
    /// The payee's part, sealed.
    pub payee: Option<Vec<u8>>,
    /// HMAC over all that is not sealed.
    pub mac: Mac,
}

/// One account's side of a posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// The account.
    pub account: Id,
    /// The posting.
    pub sequence: i64,
    /// Minor units; debits negative.
    pub amount: i64,
    /// The account's balance after it.
    pub balance_after: i64,
}

/// Orders by (person, order id); unspent ones are left out.
pub fn orders(connection: &mut dyn Connection, keys: &[(Id, &str)]) -> Result<Vec<OrderRow>> {
    let keys: Vec<[Value<'_>; 2]> = keys.iter().map(|(p, o)| [Value::Bytes(p), Value::Text(o)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: ORDER, table: "orders", key: &["person", "order_id"], lock: false };
    connection.select_keys(&select, &keys)?.iter().map(order_row).collect()
}

const ORDER: &[&str] = &["person", "order_id", "body_hash", "sequence", "refusal", "time_us"];

fn order_row(row: &Row) -> Result<OrderRow> {
    Ok(OrderRow {
        person: row.array::<16>(0)?,
        order_id: row.text(1)?.to_owned(),
        body_hash: row.array::<32>(2)?,
        sequence: row.int(3)?,
        refusal: row.opt_text(4)?.map(str::to_owned),
        time_us: row.int(5)?,
    })
}

/// Spends order ids.
pub fn insert_orders(connection: &mut dyn Connection, orders: &[OrderRow]) -> Result<()> {
    let rows: Vec<_> = orders
        .iter()
        .map(|o| {
            [
                Value::Bytes(&o.person),
                Value::Text(&o.order_id),
                Value::Bytes(&o.body_hash),
                Value::Int(o.sequence),
                o.refusal.as_deref().map_or(Value::Null, Value::Text),
                Value::Int(o.time_us),
            ]
        })
        .collect();
    insert(connection, "orders", ORDER, &rows)
}

const TRANSFER: &[&str] = &[
    "sequence",
    "id",
    "kind",
    "from_account",
    "to_account",
    "amount",
    "currency",
    "time_us",
    "person",
    "order_id",
    "order_hash",
    "authority_kind",
    "authority",
    "refers",
    "height",
    "core_salt",
    "payer_hash",
    "payee_hash",
    "payer",
    "payee",
    "mac",
];

/// Writes the postings of a batch.
pub fn insert_transfers(connection: &mut dyn Connection, transfers: &[TransferRow]) -> Result<()> {
    let rows: Vec<_> = transfers
        .iter()
        .map(|t| {
            [
                Value::Int(t.sequence),
                Value::Bytes(&t.id),
                Value::Int(t.kind),
                Value::Bytes(&t.from),
                Value::Bytes(&t.to),
                Value::Int(t.amount),
                Value::Text(&t.currency),
                Value::Int(t.time_us),
                Value::Bytes(&t.person),
                Value::Text(&t.order_id),
                Value::Bytes(&t.order_hash),
                Value::Int(t.authority_kind),
                Value::Bytes(&t.authority),
                t.refers.as_ref().map_or(Value::Null, |r| Value::Bytes(r)),
                Value::Int(t.height),
                Value::Bytes(&t.core_salt),
                Value::Bytes(&t.payer_hash),
                Value::Bytes(&t.payee_hash),
                t.payer.as_deref().map_or(Value::Null, Value::Bytes),
                t.payee.as_deref().map_or(Value::Null, Value::Bytes),
                Value::Bytes(&t.mac),
            ]
        })
        .collect();
    insert(connection, "transfers", TRANSFER, &rows)
}

/// Writes the entries of a batch.
pub fn insert_entries(connection: &mut dyn Connection, entries: &[EntryRow]) -> Result<()> {
    // In the order of the table's key: neighbours go onto the same page.
    let mut entries: Vec<&EntryRow> = entries.iter().collect();
    entries.sort_unstable_by_key(|e| (e.account, e.sequence));
    let rows: Vec<_> = entries
        .iter()
        .map(|e| [Value::Bytes(&e.account), Value::Int(e.sequence), Value::Int(e.amount), Value::Int(e.balance_after)])
        .collect();
    insert(connection, "entries", &["account", "sequence", "amount", "balance_after"], &rows)
}

/// A posting by id.
pub fn transfer(connection: &mut dyn Connection, id: &Id) -> Result<Option<TransferRow>> {
    let sql = format!("SELECT {} FROM transfers WHERE id = ?", TRANSFER.join(", "));
    connection.query(&sql, &[Value::Bytes(id)])?.first().map(transfer_row).transpose()
}

/// Postings by id, in no order; missing ones are left out.
pub fn by_ids(connection: &mut dyn Connection, ids: &[Id]) -> Result<Vec<TransferRow>> {
    let keys: Vec<[Value<'_>; 1]> = ids.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: TRANSFER, table: "transfers", key: &["id"], lock: false };
    connection.select_keys(&select, &keys)?.iter().map(transfer_row).collect()
}

/// Postings by sequence, in no order; missing ones are left out.
pub fn by_sequences(connection: &mut dyn Connection, sequences: &[i64]) -> Result<Vec<TransferRow>> {
    let keys: Vec<[Value<'_>; 1]> = sequences.iter().map(|s| [Value::Int(*s)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: TRANSFER, table: "transfers", key: &["sequence"], lock: false };
    connection.select_keys(&select, &keys)?.iter().map(transfer_row).collect()
}

/// The postings at these places in the log, in order.
pub fn between(connection: &mut dyn Connection, from: i64, until: i64) -> Result<Vec<TransferRow>> {
    let columns = TRANSFER.join(", ");
    let sql = format!("SELECT {columns} FROM transfers WHERE sequence >= ? AND sequence < ? ORDER BY sequence");
    connection.query(&sql, &[Value::Int(from), Value::Int(until)])?.iter().map(transfer_row).collect()
}

/// Every posting in order, one at a time.
pub fn each_transfer(connection: &mut dyn Connection, each: &mut dyn FnMut(TransferRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM transfers ORDER BY sequence", TRANSFER.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(transfer_row(row)?))
}

/// Every spent order, one at a time.
pub fn each_order(connection: &mut dyn Connection, each: &mut dyn FnMut(OrderRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM orders ORDER BY order_id, person", ORDER.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(order_row(row)?))
}

fn transfer_row(row: &Row) -> Result<TransferRow> {
    Ok(TransferRow {
        sequence: row.int(0)?,
        id: row.array::<16>(1)?,
        kind: row.int(2)?,
        from: row.array::<16>(3)?,
        to: row.array::<16>(4)?,
        amount: row.int(5)?,
        currency: row.text(6)?.to_owned(),
        time_us: row.int(7)?,
        person: row.array::<16>(8)?,
        order_id: row.text(9)?.to_owned(),
        order_hash: row.array::<32>(10)?,
        authority_kind: row.int(11)?,
        authority: row.array::<16>(12)?,
        refers: row.opt_array::<16>(13)?,
        height: row.int(14)?,
        core_salt: row.array::<16>(15)?,
        payer_hash: row.array::<32>(16)?,
        payee_hash: row.array::<32>(17)?,
        payer: row.opt_bytes(18)?.map(<[u8]>::to_vec),
        payee: row.opt_bytes(19)?.map(<[u8]>::to_vec),
        mac: row.array::<36>(20)?,
    })
}

/// An account's entries below a sequence, newest first.
pub fn entries_below(connection: &mut dyn Connection, account: &Id, below: i64, limit: i64) -> Result<Vec<EntryRow>> {
    let sql = format!(
        "SELECT account, sequence, amount, balance_after FROM entries WHERE account = ? AND sequence < ? ORDER BY sequence DESC LIMIT {}",
        limit.clamp(1, 201)
    );
    connection.query(&sql, &[Value::Bytes(account), Value::Int(below)])?.iter().map(entry_row).collect()
}

/// Which of an account's entries are wanted.
#[derive(Clone, Debug)]
pub struct EntryFilter {
    /// From this sequence on.
    pub from: i64,
    /// Before this one.
    pub until: i64,
    /// Minor units that moved, at least.
    pub least: i64,
    /// Minor units that moved, at most.
    pub most: i64,
    /// With this account on the other side.
    pub counterparty: Option<Id>,
}

impl Default for EntryFilter {
    fn default() -> Self {
        EntryFilter { from: 0, until: i64::MAX, least: 0, most: i64::MAX, counterparty: None }
    }
}

/// An account's entries that a filter lets through below a sequence, newest first.
pub fn entries_where(
    connection: &mut dyn Connection,
    account: &Id,
    filter: &EntryFilter,
    below: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    let mut sql = "SELECT e.account, e.sequence, e.amount, e.balance_after FROM entries e".to_owned();
    let mut values = Vec::new();
    if let Some(other) = &filter.counterparty {
        sql.push_str(" JOIN transfers t ON t.sequence = e.sequence AND (t.from_account = ? OR t.to_account = ?)");
        values.extend([Value::Bytes(other), Value::Bytes(other)]);
    }
    sql.push_str(" WHERE e.account = ? AND e.sequence >= ? AND e.sequence < ? AND ABS(e.amount) BETWEEN ? AND ?");
    sql.push_str(" ORDER BY e.sequence DESC LIMIT ?");
    values.extend([
        Value::Bytes(account),
        Value::Int(filter.from),
        Value::Int(filter.until.min(below)),
        Value::Int(filter.least),
        Value::Int(filter.most),
        Value::Int(limit.clamp(1, 201)),
    ]);
    connection.query(&sql, &values)?.iter().map(entry_row).collect()
}

/// The entries of one posting.
pub fn entries_of(connection: &mut dyn Connection, accounts: [&Id; 2], sequence: i64) -> Result<Vec<EntryRow>> {
    let keys = [[Value::Bytes(accounts[0]), Value::Int(sequence)], [Value::Bytes(accounts[1]), Value::Int(sequence)]];
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys {
        columns: &["account", "sequence", "amount", "balance_after"],
        table: "entries",
        key: &["account", "sequence"],
        lock: false,
    };
    connection.select_keys(&select, &keys)?.iter().map(entry_row).collect()
}

/// Every entry by account and sequence, one at a time.
pub fn each_entry(connection: &mut dyn Connection, each: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<()> {
    let sql = "SELECT account, sequence, amount, balance_after FROM entries ORDER BY account, sequence";
    connection.query_each(sql, &[], &mut |row| each(entry_row(row)?))
}

fn entry_row(row: &Row) -> Result<EntryRow> {
    Ok(EntryRow {
        account: row.array::<16>(0)?,
        sequence: row.int(1)?,
        amount: row.int(2)?,
        balance_after: row.int(3)?,
    })
}
