//! Postings: what is written of one, and what its order was answered.

use std::collections::HashMap;

use strongroom_ledger::action::Action;
use strongroom_ledger::decide::{Entry, Posting};
use strongroom_ledger::id::{AccountId, DeviceId, TransferId};
use strongroom_ledger::leaf::{self, Authority, HoldState, PostingCore, PostingKind};
use strongroom_store::holds::{self, HoldRow};
use strongroom_store::money::{self as store, EntryRow, TransferRow};
use strongroom_store::{Connection, Id};

use super::{Command, Effects, Parts, Posted, Status, View, hold};
use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::tx::Tx;

/// A posting that was decided, and by whose will.
pub(super) struct Move<'a> {
    pub(super) transfer: TransferId,
    pub(super) kind: PostingKind,
    pub(super) posting: Posting,
    pub(super) authority: Authority,
    pub(super) person: Id,
    pub(super) order_id: &'a str,
    pub(super) order_hash: [u8; 32],
    pub(super) refers: Option<TransferId>,
    pub(super) parts: &'a Parts,
    pub(super) status: Status,
}

impl<'a> Move<'a> {
    pub(super) fn of(command: &'a Command, posting: Posting, is_payers: bool) -> Self {
        let device = DeviceId(command.device);
        let (kind, refers) = match command.action {
            Action::Post(kind) => (kind, None),
            Action::Reverse(original) => (PostingKind::Reversal, Some(original)),
            _ => (PostingKind::Transfer, None),
        };
        // Who gives back what they were paid does so as a customer.
        let is_customers = kind == PostingKind::Transfer || (kind == PostingKind::Reversal && is_payers);
        Move {
            transfer: command.transfer,
            kind,
            posting,
            authority: if is_customers { Authority::CustomerDevice(device) } else { Authority::StaffDevice(device) },
            person: command.person,
            order_id: &command.order_id,
            order_hash: command.order_hash,
            refers,
            parts: &command.parts,
            status: Status::Posted,
        }
    }
}

/// Moves the money in the view and notes the rows that say so.
pub(super) fn post(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    moved: &Move<'_>,
    entries: &[Entry; 2],
) -> Posted {
    let sequence = tx.next_position();
    let (posting, parts) = (&moved.posting, moved.parts);
    let core = PostingCore {
        transfer: moved.transfer,
        sequence: sequence as u64,
        kind: moved.kind,
        from: posting.from,
        to: posting.to,
        amount: posting.amount,
        currency: posting.currency,
        time_us: tx.now_us,
        authority: moved.authority,
        order_sha256: moved.order_hash,
        refers: moved.refers,
    };
    let core_hash = leaf::part_hash(leaf::CORE, &parts.core_salt, &core.encode());
    tx.append(
        leaf::Kind::Posting,
        leaf::commitment(leaf::Kind::Posting, &core_hash, &parts.payer_hash, &parts.payee_hash),
    );
    let (authority_kind, authority) = moved.authority.parts();
    let mut row = TransferRow {
        sequence,
        id: moved.transfer.0,
        kind: moved.kind as i64,
        from: posting.from.0,
        to: posting.to.0,
        amount: posting.amount,
        currency: posting.currency.to_string(),
        time_us: tx.now_us,
        person: moved.person,
        order_id: moved.order_id.to_owned(),
        order_hash: moved.order_hash,
        authority_kind: i64::from(authority_kind),
        authority,
        refers: moved.refers.map(|id| id.0),
        height: tx.height,
        core_salt: parts.core_salt,
        payer_hash: parts.payer_hash,
        payee_hash: parts.payee_hash,
        payer: parts.payer.clone(),
        payee: parts.payee.clone(),
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    for entry in entries {
        if let Some(account) = view.seen.accounts.get_mut(&entry.account.0) {
            account.balance = entry.balance_after;
            account.last_sequence = sequence;
        }
        effects.touched.push(entry.account.0);
        effects.entries.push(EntryRow {
            account: entry.account.0,
            sequence,
            amount: entry.amount,
            balance_after: entry.balance_after,
        });
    }
    effects.transfers.push(row);
    Posted {
        id: moved.transfer,
        order_id: moved.order_id.to_owned(),
        sequence,
        kind: moved.kind as i64,
        from: posting.from,
        to: posting.to,
        amount: posting.amount,
        currency: posting.currency,
        time_us: tx.now_us,
        status: moved.status,
        until_us: None,
        refers: moved.refers.filter(|id| *id != moved.transfer),
    }
}

/// The posting that a row describes, as its first answer said it.
pub fn posted(row: &TransferRow) -> Option<Posted> {
    let completes = row.refers == Some(row.id);
    Some(Posted {
        id: TransferId(row.id),
        order_id: row.order_id.clone(),
        sequence: row.sequence,
        kind: row.kind,
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: row.amount,
        currency: row.currency.parse().ok()?,
        time_us: row.time_us,
        status: if completes { Status::Captured } else { Status::Posted },
        until_us: None,
        refers: row.refers.filter(|id| *id != row.id).map(TransferId),
    })
}

/// The first answers of orders that were spent before, by the places that they have kept.
pub(super) fn first_answers(
    connection: &mut dyn Connection,
    keys: &Keyring,
    spent: &[i64],
) -> strongroom_sql::Result<HashMap<i64, Posted>> {
    if spent.is_empty() {
        return Ok(HashMap::new());
    }
    let postings = store::by_sequences(connection, spent)?;
    let mut answers: HashMap<i64, Posted> =
        postings.iter().filter_map(|row| Some((row.sequence, posted(row)?))).collect();
    let others: Vec<i64> = spent.iter().copied().filter(|place| !answers.contains_key(place)).collect();
    if others.is_empty() {
        return Ok(answers);
    }
    let rows = holds::at(connection, &others)?;
    let rows: Vec<_> = rows.into_iter().filter(|row| row.check(keys).is_ok()).collect();
    let is_captured = |row: &&HoldRow| row.state == HoldState::Captured as i64;
    let captured: Vec<Id> = rows.iter().filter(is_captured).map(|row| row.id).collect();
    let captured: HashMap<Id, Posted> =
        store::by_ids(connection, &captured)?.iter().filter_map(|row| Some((row.id, posted(row)?))).collect();
    for row in &rows {
        answers.extend(hold::first_answer(row).map(|answer| (row.sequence, answer)));
        if let Some(end) = &row.end {
            let answer = if is_captured(&row) { captured.get(&row.id).cloned() } else { hold::seen(row) };
            answers.extend(answer.map(|answer| (end.sequence, answer)));
        }
    }
    Ok(answers)
}
