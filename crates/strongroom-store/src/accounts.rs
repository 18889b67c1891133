//! Accounts and their balances. The account row says who may draw and how far, so it carries a
//! MAC; the balance row changes with each posting and carries one of its own.

use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, SelectKeys, Upsert, Value};

/// What never changes about an account, its status and its floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub id: Id,
    /// The person who owns it; none for the bank's own.
    pub owner: Option<Id>,
    /// The ledger's account kind, by number.
    pub kind: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// The ledger's account status, by number.
    pub status: i64,
    /// The balance may not go below; none for accounts without a limit.
    pub floor: Option<i64>,
    /// One order may not take more; none for accounts without such a limit.
    pub order_limit: Option<i64>,
    /// When it was opened.
    pub created_us: i64,
    /// HMAC over the fields above.
    pub mac: Mac,
    /// Blind index of the number.
    pub number_index: Id,
    /// Sealed number.
    pub number: Vec<u8>,
    /// Sealed name.
    pub name: Vec<u8>,
}

/// An account's balance after its newest posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceRow {
    /// The account.
    pub account: Id,
    /// Minor units.
    pub balance: i64,
    /// Minor units of it that are reserved.
    pub held: i64,
    /// The newest posting's sequence; -1 before the first.
    pub last_sequence: i64,
    /// HMAC over the fields above.
    pub mac: Mac,
}

const COLUMNS: &[&str] = &[
    "id",
    "owner",
    "kind",
    "currency",
    "status",
    "floor",
    "order_limit",
    "created_us",
    "mac",
    "number_index",
    "number",
    "name",
];
const ACCOUNT: &str = "SELECT id, owner, kind, currency, status, floor, order_limit, created_us, mac, number_index, number, name FROM accounts";

/// Changes an account's status, its limits and how it is found.
pub fn update(connection: &mut dyn Connection, account: &AccountRow) -> Result<()> {
    connection.execute(
        "UPDATE accounts SET status = ?, floor = ?, order_limit = ?, number_index = ?, mac = ? WHERE id = ?",
        &[
            Value::Int(account.status),
            account.floor.map_or(Value::Null, Value::Int),
            account.order_limit.map_or(Value::Null, Value::Int),
            Value::Bytes(&account.number_index),
            Value::Bytes(&account.mac),
            Value::Bytes(&account.id),
        ],
    )?;
    Ok(())
}

/// Opens an account with its first balance row.
pub fn insert(connection: &mut dyn Connection, account: &AccountRow, balance: &BalanceRow) -> Result<()> {
    let row = [
        Value::Bytes(&account.id),
        account.owner.as_ref().map_or(Value::Null, |o| Value::Bytes(o)),
        Value::Int(account.kind),
        Value::Text(&account.currency),
        Value::Int(account.status),
        account.floor.map_or(Value::Null, Value::Int),
        account.order_limit.map_or(Value::Null, Value::Int),
        Value::Int(account.created_us),
        Value::Bytes(&account.mac),
        Value::Bytes(&account.number_index),
        Value::Bytes(&account.number),
        Value::Bytes(&account.name),
    ];
    crate::log::insert(connection, "accounts", COLUMNS, &[row])?;
    set_balances(connection, std::slice::from_ref(balance))
}

/// Accounts by id; missing ones are left out. `lock` holds their rows until the commit.
pub fn by_ids(connection: &mut dyn Connection, ids: &[Id], lock: bool) -> Result<Vec<AccountRow>> {
    select(connection, "id", ids, lock)
}

/// The account with one of these blind indexes of its number.
pub fn by_number(connection: &mut dyn Connection, indexes: &[Id]) -> Result<Option<AccountRow>> {
    Ok(select(connection, "number_index", indexes, false)?.pop())
}

fn select(connection: &mut dyn Connection, key: &'static str, ids: &[Id], lock: bool) -> Result<Vec<AccountRow>> {
    let key: &'static [&'static str] = match key {
        "id" => &["id"],
        _ => &["number_index"],
    };
    let keys: Vec<[Value<'_>; 1]> = ids.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    connection
        .select_keys(&SelectKeys { columns: COLUMNS, table: "accounts", key, lock }, &keys)?
        .iter()
        .map(account_row)
        .collect()
}

/// A person's accounts, oldest first, after `after` (zeros for the first page).
pub fn of_owner(connection: &mut dyn Connection, owner: &Id, after: &Id, limit: i64) -> Result<Vec<AccountRow>> {
    let sql = format!("{ACCOUNT} WHERE owner = ? AND id > ? ORDER BY id LIMIT {}", limit.clamp(1, 201));
    connection.query(&sql, &[Value::Bytes(owner), Value::Bytes(after)])?.iter().map(account_row).collect()
}

/// The bank's own accounts (without an owner).
pub fn of_bank(connection: &mut dyn Connection) -> Result<Vec<AccountRow>> {
    connection.query(&format!("{ACCOUNT} WHERE owner IS NULL ORDER BY id"), &[])?.iter().map(account_row).collect()
}

/// Every account, one at a time.
pub fn each(connection: &mut dyn Connection, each: &mut dyn FnMut(AccountRow) -> Result<()>) -> Result<()> {
    connection.query_each(&format!("{ACCOUNT} ORDER BY id"), &[], &mut |row| each(account_row(row)?))
}

fn account_row(row: &Row) -> Result<AccountRow> {
    Ok(AccountRow {
        id: row.array::<16>(0)?,
        owner: row.opt_array::<16>(1)?,
        kind: row.int(2)?,
        currency: row.text(3)?.to_owned(),
        status: row.int(4)?,
        floor: row.opt_int(5)?,
        order_limit: row.opt_int(6)?,
        created_us: row.int(7)?,
        mac: row.array::<36>(8)?,
        number_index: row.array::<16>(9)?,
        number: row.bytes(10)?.to_vec(),
        name: row.bytes(11)?.to_vec(),
    })
}

/// Balances by account; missing ones are left out.
pub fn balances(connection: &mut dyn Connection, accounts: &[Id], lock: bool) -> Result<Vec<BalanceRow>> {
    let keys: Vec<[Value<'_>; 1]> = accounts.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    let select = SelectKeys { columns: BALANCE, table: "balances", key: &["account"], lock };
    connection.select_keys(&select, &keys)?.iter().map(balance_row).collect()
}

/// Every balance, one at a time.
pub fn each_balance(connection: &mut dyn Connection, each: &mut dyn FnMut(BalanceRow) -> Result<()>) -> Result<()> {
    connection.query_each(
        "SELECT account, balance, held, last_sequence, mac FROM balances ORDER BY account",
        &[],
        &mut |row| each(balance_row(row)?),
    )
}

const BALANCE: &[&str] = &["account", "balance", "held", "last_sequence", "mac"];

/// Writes balances, new or changed.
pub fn set_balances(connection: &mut dyn Connection, balances: &[BalanceRow]) -> Result<()> {
    let rows: Vec<[Value<'_>; 5]> = balances
        .iter()
        .map(|b| {
            [
                Value::Bytes(&b.account),
                Value::Int(b.balance),
                Value::Int(b.held),
                Value::Int(b.last_sequence),
                Value::Bytes(&b.mac),
            ]
        })
        .collect();
    let rows: Vec<&[Value<'_>]> = rows.iter().map(|r| r.as_slice()).collect();
    connection.upsert_rows(&Upsert { table: "balances", key: &["account"], columns: BALANCE }, &rows)?;
    Ok(())
}

fn balance_row(row: &Row) -> Result<BalanceRow> {
    Ok(BalanceRow {
        account: row.array::<16>(0)?,
        balance: row.int(1)?,
        held: row.int(2)?,
        last_sequence: row.int(3)?,
        mac: row.array::<36>(4)?,
    })
}

/// The ids of a person's accounts.
pub fn ids_of(connection: &mut dyn Connection, person: &Id) -> Result<Vec<Id>> {
    let rows = connection.query("SELECT id FROM accounts WHERE owner = ? ORDER BY id", &[Value::Bytes(person)])?;
    rows.iter().map(|row| row.array::<16>(0)).collect()
}

/// A page of all accounts' ids, after one.
pub fn ids(connection: &mut dyn Connection, after: &Id, limit: i64) -> Result<Vec<Id>> {
    let sql = "SELECT id FROM accounts WHERE id > ? ORDER BY id LIMIT ?";
    let rows = connection.query(sql, &[Value::Bytes(after), Value::Int(limit)])?;
    rows.iter().map(|row| row.array::<16>(0)).collect()
}

/// What all accounts of a kind hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindTotal {
    /// ISO 4217 code.
    pub currency: String,
    /// The ledger's account kind, by number.
    pub kind: i64,
    /// How many there are.
    pub accounts: i64,
    /// Minor units, of those that hold less than nothing.
    pub debit: i64,
    /// Minor units, of the others.
    pub credit: i64,
}

/// The trial balance: what the accounts hold, by currency and kind.
pub fn totals(connection: &mut dyn Connection) -> Result<Vec<KindTotal>> {
    let sql = "SELECT a.currency, a.kind, COUNT(*), \
               CAST(COALESCE(SUM(CASE WHEN b.balance < 0 THEN -b.balance ELSE 0 END), 0) AS {integer}), \
               CAST(COALESCE(SUM(CASE WHEN b.balance > 0 THEN b.balance ELSE 0 END), 0) AS {integer}) \
               FROM accounts a JOIN balances b ON b.account = a.id GROUP BY a.currency, a.kind ORDER BY a.currency, a.kind";
    let integer = match connection.dialect() {
        strongroom_sql::Dialect::Sqlite => "INTEGER",
        strongroom_sql::Dialect::MariaDb => "SIGNED",
    };
    let rows = connection.query(&sql.replace("{integer}", integer), &[])?;
    let total = |row: &Row| {
        Ok(KindTotal {
            currency: row.text(0)?.to_owned(),
            kind: row.int(1)?,
            accounts: row.int(2)?,
            debit: row.int(3)?,
            credit: row.int(4)?,
        })
    };
    rows.iter().map(total).collect()
}
