//! The ledger for others: every leaf of the log as an auditor checks it with nothing but the log's key
//! (`strongroom_ledger::export`), and a journal that hledger reads. Nothing personal is in either.

use std::collections::HashMap;
use std::io::{self, Write};

use strongroom_ledger::export::{LeafLine, Line};
use strongroom_ledger::leaf::{Kind, PostingKind, RefusalCore};
use strongroom_ledger::money::Currency;
use strongroom_sql::{Connection, Role};
use strongroom_store::money::{self as store, OrderRow};
use strongroom_store::{Id, accounts, holds, log};

use crate::factor::NOBODY;
use crate::money::hold::{begin_core, end_core};
use crate::receipts::posting_core;
use crate::{Error, Opened, Result, hex};
use strongroom_ledger::decide::AccountKind;
use strongroom_ledger::id::{AccountId, PersonId, TransferId};

/// Places written in one go.
const PLACES: i64 = 4_096;
const ABSENT: [u8; 32] = strongroom_ledger::leaf::ABSENT;

/// Writes every leaf and the newest checkpoint, a line of JSON each. Answers how many leaves there are.
pub fn leaves(opened: &Opened, out: &mut dyn Write) -> Result<u64> {
    let mut connection = opened.database.connect(Role::Reader)?;
    let c = connection.as_mut();
    c.begin()?; // one snapshot for every table
    let block = log::last_block(c)?.ok_or_else(|| Error::Integrity("the log has no block".into()))?;
    let refused = refused(c)?;
    let mut from = 0;
    while from < block.size {
        let mut lines = lines(c, from, from + PLACES)?;
        for leaf in log::leaves(c, from, from + PLACES)? {
            let line = match lines.remove(&leaf.position) {
                Some(line) => line,
                None => {
                    let order = refused.get(&leaf.position).filter(|_| leaf.kind == Kind::Refusal as i64);
                    let missing = || Error::Integrity(format!("leaf {}: no row stands behind it", leaf.position));
                    refusal(order.ok_or_else(missing)?)
                }
            };
            write(out, &Line::Leaf(line))?;
        }
        from += PLACES;
    }
    write(out, &Line::Checkpoint(block.note))?;
    c.rollback()?;
    Ok(block.size.unsigned_abs())
}

/// Writes every posting as hledger reads it. Answers how many there are.
pub fn journal(opened: &Opened, out: &mut dyn Write) -> Result<u64> {
    let mut connection = opened.database.connect(Role::Reader)?;
    let c = connection.as_mut();
    c.begin()?;
    let mut names: HashMap<Id, String> = HashMap::new();
    accounts::each(c, &mut |row| {
        let kind = AccountKind::from_number(row.kind).map_or("unknown", AccountKind::name);
        names.insert(row.id, format!("{kind}:{}", AccountId(row.id)));
        Ok(())
    })?;
    let (end, mut from, mut count) = (log::end(c)?, 0, 0);
    while from < end {
        for row in store::between(c, from, from + PLACES)? {
            let unknown = |_| Error::Integrity("a posting's currency is unknown".into());
            let currency: Currency = row.currency.parse().map_err(unknown)?;
            let day = strongroom_ledger::time::to_text(row.time_us);
            let kind = PostingKind::from_number(row.kind).map_or("posting", PostingKind::name);
            let name = |account: &Id| names.get(account).map_or("unknown", String::as_str);
            let text = format!(
                "{} * ({}) {kind}  ; sequence:{}\n    {}  {} -{}\n    {}  {} {}\n\n",
                &day[..10],
                TransferId(row.id),
                row.sequence,
                name(&row.from),
                row.currency,
                currency.format_amount(row.amount),
                name(&row.to),
                row.currency,
                currency.format_amount(row.amount),
            );
            out.write_all(text.as_bytes()).map_err(unwritten)?;
            count += 1;
        }
        from += PLACES;
    }
    c.rollback()?;
    Ok(count)
}

fn write(out: &mut dyn Write, line: &Line) -> Result<()> {
    let mut json = serde_json::to_vec(line).map_err(|e| Error::Internal(e.to_string()))?;
    json.push(b'\n');
    out.write_all(&json).map_err(unwritten)
}

fn unwritten(error: io::Error) -> Error {
    Error::Internal(format!("the export cannot be written: {error}"))
}

/// The leaves that the rows at these places give.
fn lines(c: &mut dyn Connection, from: i64, until: i64) -> Result<HashMap<i64, LeafLine>> {
    let mut lines = HashMap::new();
    let unreadable = |id: &Id| Error::Integrity(format!("reservation {}: it cannot be read", hex::encode(id)));
    for row in store::between(c, from, until)? {
        let core = posting_core(&row)?.encode();
        lines.insert(row.sequence, LeafLine::new(&core, &row.core_salt, &row.payer_hash, &row.payee_hash));
    }
    for row in holds::between(c, from, until)? {
        let core = begin_core(&row).ok_or_else(|| unreadable(&row.id))?.encode();
        lines.insert(row.sequence, LeafLine::new(&core, &row.core_salt, &row.payer_hash, &row.payee_hash));
        if let Some(end) = &row.end {
            let core = end_core(&row).ok_or_else(|| unreadable(&row.id))?.encode();
            lines.insert(end.sequence, LeafLine::new(&core, &row.core_salt, &ABSENT, &ABSENT));
        }
    }
    for row in log::facts(c, from, until)? {
        lines.insert(row.position, LeafLine::new(&row.core, &row.salt, &ABSENT, &ABSENT));
    }
    Ok(lines)
}

/// Orders that were refused, by their place.
fn refused(c: &mut dyn Connection) -> Result<HashMap<i64, OrderRow>> {
    let mut refused = HashMap::new();
    store::each_order(c, &mut |row| {
        if row.refusal.is_some() {
            refused.insert(row.sequence, row);
        }
        Ok(())
    })?;
    Ok(refused)
}

fn refusal(row: &OrderRow) -> LeafLine {
    let core = RefusalCore {
        person: PersonId(row.person),
        time_us: row.time_us,
        order_sha256: row.body_hash,
        order_id: row.order_id.clone(),
        code: row.refusal.clone().unwrap_or_default(),
    };
    LeafLine::new(&core.encode(), &NOBODY, &ABSENT, &ABSENT)
}
