//! What somebody has asked for and another person has to approve.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, Value};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: Id,
    /// Who asked.
    pub person: Id,
    /// What exactly is asked for, as JSON.
    pub request: Vec<u8>,
    /// When it was asked for.
    pub created_us: i64,
    /// Until when it can be decided.
    pub expires_us: i64,
    /// 0 pending, 1 approved, 2 refused, 3 failed.
    pub status: i64,
    /// Who decided.
    pub decided_by: Option<Id>,
    /// When.
    pub decided_us: Option<i64>,
    /// The detached signature of who approved, over what they approved.
    pub signature: Option<Vec<u8>>,
    /// HMAC over all of it.
    pub mac: Mac,
}

const COLUMNS: &[&str] =
    &["id", "person", "request", "created_us", "expires_us", "status", "decided_by", "decided_us", "signature", "mac"];

/// Adds a request.
pub fn add(connection: &mut dyn Connection, row: &ApprovalRow) -> Result<()> {
    insert(connection, "approvals", COLUMNS, &[values(row)])
}

/// Writes a decision.
pub fn decide(connection: &mut dyn Connection, row: &ApprovalRow) -> Result<()> {
    let sql = "UPDATE approvals SET status = ?, decided_by = ?, decided_us = ?, signature = ?, mac = ? WHERE id = ?";
    let [id, .., status, by, at, signature, mac] = values(row);
    connection.execute(sql, &[status, by, at, signature, mac, id])?;
    Ok(())
}

/// The one of an id.
pub fn by_id(connection: &mut dyn Connection, id: &Id) -> Result<Option<ApprovalRow>> {
    let sql = format!("SELECT {} FROM approvals WHERE id = ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Bytes(id)])?.first().map(read).transpose()
}

/// Requests after one, oldest first; those that are pending, or all.
pub fn after(connection: &mut dyn Connection, pending: bool, after: &Id, limit: i64) -> Result<Vec<ApprovalRow>> {
    let condition = if pending { "status = 0 AND id > ?" } else { "id > ?" };
    let sql = format!("SELECT {} FROM approvals WHERE {condition} ORDER BY id LIMIT ?", COLUMNS.join(", "));
    connection.query(&sql, &[Value::Bytes(after), Value::Int(limit)])?.iter().map(read).collect()
}

fn values(row: &ApprovalRow) -> [Value<'_>; 10] {
    [
        Value::Bytes(&row.id),
        Value::Bytes(&row.person),
        Value::Bytes(&row.request),
        Value::Int(row.created_us),
        Value::Int(row.expires_us),
        Value::Int(row.status),
        row.decided_by.as_ref().map_or(Value::Null, |id| Value::Bytes(id)),
        row.decided_us.map_or(Value::Null, Value::Int),
        row.signature.as_deref().map_or(Value::Null, Value::Bytes),
        Value::Bytes(&row.mac),
    ]
}

fn read(row: &Row) -> Result<ApprovalRow> {
    Ok(ApprovalRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        request: row.bytes(2)?.to_vec(),
        created_us: row.int(3)?,
        expires_us: row.int(4)?,
        status: row.int(5)?,
        decided_by: row.opt_array::<16>(6)?,
        decided_us: row.opt_int(7)?,
        signature: row.opt_bytes(8)?.map(<[u8]>::to_vec),
        mac: row.array::<36>(9)?,
    })
}
