//! What an account held and what moved on it: lines by time, amount and counterparty, the balance at a moment, and
//! statements with both balances and the log's checkpoint that all of it stands under.

use strongroom_ledger::decide::AccountKind;
use strongroom_ledger::id::AccountId;
use strongroom_ledger::money::Currency;
use strongroom_store::money::{self as store, EntryFilter};
use strongroom_store::{Connection, accounts, log};

use super::{AccountDetails, EntryDetails, entry, for_eyes, readable, with_balance};
use crate::keyring::Keyring;
use crate::sessions::{self, Caller};
use crate::{Bank, Error, Result, clock};

/// Which lines are wanted; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// From this moment on.
    pub from_us: Option<i64>,
    /// Before this moment.
    pub until_us: Option<i64>,
    /// Minor units that moved, at least.
    pub least: Option<i64>,
    /// Minor units that moved, at most.
    pub most: Option<i64>,
    /// With this account on the other side.
    pub counterparty: Option<AccountId>,
}

/// A balance at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceAt {
    /// Minor units.
    pub balance: i64,
    /// Of this currency.
    pub currency: Currency,
    /// The moment.
    pub time_us: i64,
}

/// A statement: lines of a time, oldest first, between two balances.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The account, as it stands now.
    pub account: AccountDetails,
    /// From when on.
    pub from_us: i64,
    /// Until when.
    pub until_us: i64,
    /// Before the first line.
    pub opening: i64,
    /// After the last one.
    pub closing: i64,
    /// The lines.
    pub lines: Vec<EntryDetails>,
    /// The signed checkpoint of the log that holds them all.
    pub checkpoint: String,
}

/// The lines of the longest statement; a longer one is asked for in parts.
const LINES_MAX: i64 = 100_000;
const PAGE: i64 = 200;

impl Bank {
    /// Its lines, newest first, below a sequence.
    pub async fn entries(
        &self,
        caller: &Caller,
        id: AccountId,
        wanted: Wanted,
        below: Option<i64>,
        limit: i64,
    ) -> Result<Vec<EntryDetails>> {
        self.note_account(caller, id).await?;
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read_at_once(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            readable(c, &keys, &seen, id)?;
            let filter = filter(c, &wanted)?;
            lines(c, &keys, &caller, id, &filter, below.unwrap_or(i64::MAX), limit)
        })
        .await
    }

    /// What it held at a moment.
    pub async fn balance_at(&self, caller: &Caller, id: AccountId, time_us: i64) -> Result<BalanceAt> {
        self.note_account(caller, id).await?;
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        if time_us > now_us {
            return Err(Error::field("at", "out_of_range", "Give a moment that has passed."));
        }
        self.read_at_once(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let row = readable(c, &keys, &seen, id)?;
            let below = log::size_before(c, time_us.saturating_add(1))?;
            let newest = store::entries_below(c, &id.0, below, 1)?.pop();
            let currency =
                row.currency.parse().map_err(|_| Error::Integrity("an account's currency is unknown".into()))?;
            Ok(BalanceAt { balance: newest.map_or(0, |entry| entry.balance_after), currency, time_us })
        })
        .await
    }

    /// A statement of a time.
    pub async fn statement(&self, caller: &Caller, id: AccountId, from_us: i64, until_us: i64) -> Result<Statement> {
        if from_us >= until_us {
            return Err(Error::field("to", "out_of_range", "The end has to come after the beginning."));
        }
        self.note_account(caller, id).await?;
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read_at_once(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let row = readable(c, &keys, &seen, id)?;
            let account = for_eyes(&caller, row.owner.unwrap_or_default(), with_balance(c, &keys, &row)?);
            let (from, until) = (log::size_before(c, from_us)?, log::size_before(c, until_us)?);
            let mut balance_at = |below: i64| -> Result<i64> {
                Ok(store::entries_below(c, &id.0, below, 1)?.pop().map_or(0, |entry| entry.balance_after))
            };
            let (opening, closing) = (balance_at(from)?, balance_at(until)?);
            let filter = EntryFilter { from, ..EntryFilter::default() };
            let mut lines_of = Vec::new();
            let mut below = until;
            loop {
                let page = lines(c, &keys, &caller, id, &filter, below, PAGE)?;
                let Some(last) = page.last() else { break };
                below = last.sequence;
                lines_of.extend(page);
                if lines_of.len() as i64 > LINES_MAX {
                    let detail = "This statement has more than 100000 lines; ask for a shorter time.";
                    return Err(Error::field("to", "too_long", detail));
                }
            }
            lines_of.reverse();
            let block = log::last_block(c)?.ok_or_else(|| Error::Integrity("the log has no block".into()))?;
            let checkpoint = block.note;
            Ok(Statement { account, from_us, until_us, opening, closing, lines: lines_of, checkpoint })
        })
        .await
    }
}

/// What all accounts of a kind hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// In this currency.
    pub currency: Currency,
    /// Of this kind.
    pub kind: AccountKind,
    /// How many there are.
    pub accounts: u64,
    /// Minor units of those that hold less than nothing.
    pub debit: i64,
    /// Minor units of the others.
    pub credit: i64,
}

impl Bank {
    /// The trial balance: by currency and kind, debits and credits; their sums are the same for each currency.
    pub async fn trial_balance(&self, caller: &Caller) -> Result<Vec<Total>> {
        self.note_look(caller, &super::BOOKS, "trial_balance.seen", None).await?;
        self.read(totals).await
    }
}

/// The trial balance, for whoever holds the database.
pub fn totals(connection: &mut dyn Connection) -> Result<Vec<Total>> {
    let unknown = |what: &str| Error::Integrity(format!("an account's {what} is unknown"));
    accounts::totals(connection)?
        .into_iter()
        .map(|row| {
            Ok(Total {
                currency: row.currency.parse().map_err(|_| unknown("currency"))?,
                kind: AccountKind::from_number(row.kind).ok_or_else(|| unknown("kind"))?,
                accounts: row.accounts.unsigned_abs(),
                debit: row.debit,
                credit: row.credit,
            })
        })
        .collect()
}

/// Moments become places in the log, which grows with time.
fn filter(connection: &mut dyn Connection, wanted: &Wanted) -> Result<EntryFilter> {
    Ok(EntryFilter {
        from: wanted.from_us.map(|time| log::size_before(connection, time)).transpose()?.unwrap_or(0),
        until: wanted.until_us.map(|time| log::size_before(connection, time)).transpose()?.unwrap_or(i64::MAX),
        least: wanted.least.unwrap_or(0),
        most: wanted.most.unwrap_or(i64::MAX),
        counterparty: wanted.counterparty.map(|account| account.0),
    })
}

fn lines(
    connection: &mut dyn Connection,
    keys: &Keyring,
    caller: &Caller,
    id: AccountId,
    filter: &EntryFilter,
    below: i64,
    limit: i64,
) -> Result<Vec<EntryDetails>> {
    let entries = store::entries_where(connection, &id.0, filter, below, limit)?;
    let sequences: Vec<i64> = entries.iter().map(|e| e.sequence).collect();
    let postings = store::by_sequences(connection, &sequences)?;
    let postings: std::collections::HashMap<i64, _> = postings.iter().map(|p| (p.sequence, p)).collect();
    let missing = || Error::Integrity("an entry has no posting".into());
    entries.iter().map(|e| entry(keys, caller, e, postings.get(&e.sequence).ok_or_else(missing)?)).collect()
}
