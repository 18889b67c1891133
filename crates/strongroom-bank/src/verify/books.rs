//! The books kept anew from the postings: balances, what is reserved, entries and spent orders, and then what the
//! tables say of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use strongroom_ledger::leaf::{HoldState, PostingKind};
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::accounts::{self, AccountRow, BalanceRow};
use strongroom_store::holds::{self, HoldRow};
use strongroom_store::money::{self as store, EntryRow, OrderRow, TransferRow};

use super::multiset::Multiset;
use super::{Report, integrity, stream};
use crate::keyring::indexes::Field;
use crate::keyring::{Keyring, column};
use crate::money::refusal_commitment;
use crate::rows::Authenticated;
use crate::{Error, Result, hex};

/// Who owns which account.
pub(super) type Owners = HashMap<Id, Option<Id>>;

/// What an account holds.
#[derive(Clone, Copy, Default)]
struct Holds {
    balance: i64,
    held: i64,
    last_sequence: i64,
    moved: bool,
}

/// The books, as the postings make them.
pub(super) struct Books {
    accounts: HashMap<Id, Holds>,
    entries: [Multiset; 2],
    orders: [Multiset; 2],
    refused: [Multiset; 2],
    /// Reservations that were captured, until their posting comes: payer, payee, amount, place.
    captured: HashMap<Id, (Id, Id, i64, i64)>,
    reversals: HashSet<(Id, Id)>,
}

impl Default for Books {
    fn default() -> Self {
        let pair = || {
            let (one, other) = Multiset::pair();
            [one, other]
        };
        Books {
            accounts: HashMap::new(),
            entries: pair(),
            orders: pair(),
            refused: pair(),
            captured: HashMap::new(),
            reversals: HashSet::new(),
        }
    }
}

/// Every account's row carries our MAC, its number and name open, and the number is found by its index.
pub(super) fn owners(connection: &mut dyn Connection, keys: &Keyring) -> Result<Owners> {
    let mut owners = HashMap::new();
    stream(
        |each| accounts::each(connection, each),
        |row: AccountRow| {
            let at = hex::encode(&row.id);
            row.check(keys).map_err(|_| integrity(format!("account {at}: its row was changed (MAC)")))?;
            let opened = |column, sealed: &[u8]| keys.unseal_text(row.owner.as_ref(), column, &row.id, sealed);
            match (opened(column::ACCOUNT_NUMBER, &row.number), opened(column::ACCOUNT_NAME, &row.name)) {
                (Ok(number), Ok(_)) if keys.indexes().all(Field::Number, &number).contains(&row.number_index) => {}
                (Err(Error::Erased(_)), _) => {}
                (Err(error @ Error::Database(_)), _) => return Err(error),
                _ => return Err(integrity(format!("account {at}: its number or its name was changed"))),
            }
            owners.insert(row.id, row.owner);
            Ok(())
        },
    )?;
    Ok(owners)
}

fn add_entry(set: &mut Multiset, row: &EntryRow) {
    let (sequence, amount, after) =
        (row.sequence.to_be_bytes(), row.amount.to_be_bytes(), row.balance_after.to_be_bytes());
    set.add(&[&row.account, &sequence, &amount, &after]);
}

fn add_order(set: &mut Multiset, person: &Id, hash: &[u8; 32], sequence: i64, time_us: i64, id: &str) {
    set.add(&[person, hash, &sequence.to_be_bytes(), &time_us.to_be_bytes(), id.as_bytes()]);
}

impl Books {
    /// A posting: both accounts move, and its order is spent unless it was reserved first.
    pub(super) fn posting(&mut self, row: &TransferRow) -> Result<()> {
        for (account, amount) in [(row.from, -row.amount), (row.to, row.amount)] {
            let holds = self.accounts.entry(account).or_default();
            let too_much = || integrity(format!("transfer at sequence {}: an account overflows", row.sequence));
            holds.balance = holds.balance.checked_add(amount).ok_or_else(too_much)?;
            (holds.last_sequence, holds.moved) = (row.sequence, true);
            let entry = EntryRow { account, sequence: row.sequence, amount, balance_after: holds.balance };
            add_entry(&mut self.entries[0], &entry);
        }
        if row.kind == PostingKind::Reversal as i64 {
            let original = row
                .refers
                .ok_or_else(|| integrity(format!("transfer at sequence {}: it takes nothing back", row.sequence)))?;
            self.reversals.insert((original, row.id));
        }
        if row.refers == Some(row.id) {
            let expected = Some((row.from, row.to, row.amount, row.sequence));
            if self.captured.remove(&row.id) != expected {
                let what = "it is not what was captured of its reservation";
                return Err(integrity(format!("transfer at sequence {}: {what}", row.sequence)));
            }
            return Ok(());
        }
        add_order(&mut self.orders[0], &row.person, &row.order_hash, row.sequence, row.time_us, &row.order_id);
        Ok(())
    }

    /// Money is reserved from here on.
    pub(super) fn began(&mut self, row: &HoldRow) -> Result<()> {
        self.accounts.entry(row.from).or_default().held += row.amount;
        add_order(&mut self.orders[0], &row.person, &row.order_hash, row.sequence, row.time_us, &row.order_id);
        Ok(())
    }

    /// It is not any more; what was captured is posted at the next place.
    pub(super) fn ended(&mut self, row: &HoldRow) -> Result<()> {
        let Some(end) = &row.end else { return Ok(()) };
        let is_captured = row.state == HoldState::Captured as i64;
        if end.amount > row.amount || is_captured != (end.amount > 0) {
            return Err(integrity(format!("reservation at sequence {}: not what was reserved ended", row.sequence)));
        }
        self.accounts.entry(row.from).or_default().held -= row.amount;
        if row.state == HoldState::Captured as i64 {
            self.captured.insert(row.id, (row.from, row.to, end.amount, end.sequence + 1));
        }
        if let Some(order_id) = &end.order_id {
            add_order(&mut self.orders[0], &end.person, &end.order_hash, end.sequence, end.time_us, order_id);
        }
        Ok(())
    }

    /// The leaf of an order that was refused.
    pub(super) fn refused(&mut self, place: i64, commitment: &[u8; 32]) {
        self.refused[0].add(&[&place.to_be_bytes(), commitment]);
    }

    /// Entries are those of the postings, and each balance follows from the one before.
    pub(super) fn entries(&self, connection: &mut dyn Connection) -> Result<()> {
        if let Some(id) = self.captured.keys().min() {
            let what = format!("reservation {}: it was captured, and nothing was posted", hex::encode(id));
            return Err(integrity(what));
        }
        let mut found = self.entries[1].clone();
        let mut before: Option<EntryRow> = None;
        let mut odd = None;
        stream(
            |each| store::each_entry(connection, each),
            |row: EntryRow| {
                add_entry(&mut found, &row);
                let start = before.as_ref().filter(|b| b.account == row.account).map_or(0, |b| b.balance_after);
                if odd.is_none() && start.checked_add(row.amount) != Some(row.balance_after) {
                    odd = Some((row.account, row.sequence));
                }
                before = Some(row);
                Ok(())
            },
        )?;
        if found == self.entries[0] {
            return Ok(());
        }
        let words = match odd {
            Some((account, sequence)) => {
                format!(
                    "entry of account {} at sequence {sequence}: its balance does not follow",
                    hex::encode(&account)
                )
            }
            None => first_odd_entry(connection, found.count, self.entries[0].count)?,
        };
        Err(integrity(words))
    }

    /// Each account's row says what its postings make, none is under its limit, and every currency sums to zero.
    pub(super) fn balances(&self, connection: &mut dyn Connection, keys: &Keyring, report: &mut Report) -> Result<()> {
        let mut stored = HashMap::new();
        stream(
            |each| accounts::each_balance(connection, each),
            |row: BalanceRow| {
                let at = hex::encode(&row.account);
                row.check(keys)
                    .map_err(|_| integrity(format!("balance of account {at}: its row was changed (MAC)")))?;
                let expected = self.accounts.get(&row.account).copied().unwrap_or_default();
                let last = if expected.moved { expected.last_sequence } else { -1 };
                if (expected.balance, last) != (row.balance, row.last_sequence) {
                    return Err(integrity(format!("balance of account {at}: it does not follow from its entries")));
                }
                if expected.held != row.held {
                    return Err(integrity(format!("balance of account {at}: what is reserved on it does not follow")));
                }
                stored.insert(row.account, (row.balance, row.balance - row.held));
                Ok(())
            },
        )?;
        let mut totals: BTreeMap<String, i128> = BTreeMap::new();
        stream(
            |each| accounts::each(connection, each),
            |row: AccountRow| {
                let at = hex::encode(&row.id);
                let missing = || integrity(format!("account {at}: its balance is missing"));
                let (balance, free) = stored.remove(&row.id).ok_or_else(missing)?;
                if row.floor.is_some_and(|floor| free < floor) {
                    return Err(integrity(format!("account {at}: its balance is under its limit")));
                }
                *totals.entry(row.currency).or_default() += i128::from(balance);
                report.accounts += 1;
                Ok(())
            },
        )?;
        if !stored.is_empty() {
            return Err(integrity("a balance stands without its account".into()));
        }
        for (currency, total) in totals {
            if total != 0 {
                return Err(integrity(format!("{currency} does not sum to zero: {total}")));
            }
            report.totals.insert(currency, 0);
        }
        Ok(())
    }

    /// What takes a posting back is noted with it, once.
    pub(super) fn reversals(&self, connection: &mut dyn Connection) -> Result<()> {
        let mut missing = self.reversals.clone();
        stream(
            |each| holds::each_reversal(connection, each),
            |pair: (Id, Id)| match missing.remove(&pair) {
                true => Ok(()),
                false => {
                    let of = hex::encode(&pair.0);
                    Err(integrity(format!("transfer {of}: a reversal is noted that is not there")))
                }
            },
        )?;
        match missing.into_iter().next() {
            Some((_, by)) => {
                let what = "that it takes another one back is not noted";
                Err(integrity(format!("transfer {}: {what}", hex::encode(&by))))
            }
            None => Ok(()),
        }
    }

    /// Each leaf that an order made has its order, and each order its leaf, refused ones too.
    pub(super) fn orders(&self, connection: &mut dyn Connection, report: &mut Report) -> Result<()> {
        let (mut done, mut refused) = (self.orders[1].clone(), self.refused[1].clone());
        stream(
            |each| store::each_order(connection, each),
            |row: OrderRow| {
                report.orders += 1;
                match &row.refusal {
                    Some(code) => {
                        let leaf = refusal_commitment(&row.person, &row.order_id, &row.body_hash, code, row.time_us);
                        refused.add(&[&row.sequence.to_be_bytes(), &leaf]);
                    }
                    None => {
                        let (person, hash) = (&row.person, &row.body_hash);
                        add_order(&mut done, person, hash, row.sequence, row.time_us, &row.order_id);
                    }
                }
                Ok(())
            },
        )?;
        if done == self.orders[0] && refused == self.refused[0] {
            return Ok(());
        }
        Err(integrity(first_odd_order(connection)?))
    }
}

/// In words, the first entry that is not its posting's.
fn first_odd_entry(connection: &mut dyn Connection, found: u64, expected: u64) -> Result<String> {
    let (mut from, end) = (0, strongroom_store::log::end(connection)?);
    while from < end {
        for row in store::between(connection, from, from + 1_000)? {
            let entries = store::entries_of(connection, [&row.from, &row.to], row.sequence)?;
            let has = |account: &Id, amount: i64| entries.iter().any(|e| e.account == *account && e.amount == amount);
            if entries.len() != 2 || !has(&row.from, -row.amount) || !has(&row.to, row.amount) {
                return Ok(format!("the entries of the posting at sequence {} are not its own", row.sequence));
            }
        }
        from += 1_000;
    }
    Ok(format!("{found} entries stand where the postings make {expected}"))
}

/// In words, the first order that does not match what it made.
fn first_odd_order(connection: &mut dyn Connection) -> Result<String> {
    let (mut from, end) = (0, strongroom_store::log::end(connection)?);
    while from < end {
        let mut makers: Vec<(Id, String, i64)> = Vec::new();
        for row in store::between(connection, from, from + 1_000)? {
            if row.refers != Some(row.id) {
                makers.push((row.person, row.order_id, row.sequence));
            }
        }
        for row in holds::between(connection, from, from + 1_000)? {
            makers.push((row.person, row.order_id, row.sequence));
        }
        makers.sort_by_key(|(.., sequence)| *sequence);
        let keys: Vec<(Id, &str)> = makers.iter().map(|(person, id, _)| (*person, id.as_str())).collect();
        let orders = if keys.is_empty() { Vec::new() } else { store::orders(connection, &keys)? };
        for (person, order_id, sequence) in &makers {
            let is_it = |o: &&OrderRow| o.person == *person && o.order_id == *order_id && o.sequence == *sequence;
            if !orders.iter().any(|order| is_it(&order)) {
                return Ok(format!("the order of the posting at sequence {sequence} is missing or was changed"));
            }
        }
        from += 1_000;
    }
    Ok("a spent order was changed, added or taken away: what it was answered is not what the log says".into())
}
