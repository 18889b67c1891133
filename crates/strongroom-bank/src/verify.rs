//! `ledger verify`: rebuilds balances, leaves, tiles and blocks from the rows alone, streaming, and
//! names the first break.

mod devices;
mod holds;
mod orders;
mod power;

use std::collections::{BTreeMap, HashMap};

use strongroom_ledger::leaf::{Kind, LogKeyCore};
use strongroom_ledger::merkle::{self, Frontier};
use strongroom_ledger::note::Checkpoint;
use strongroom_sql::{Connection, Role};
use strongroom_store::log::{self, BlockRow, FactRow, LeafRow};
use strongroom_store::money::{self as store, TransferRow};
use strongroom_store::{Id, accounts};

use crate::era::Eras;
use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::tx::{block_hash, fact_commitment};
use crate::verification::commitment;
use crate::{Error, Home, Opened, Result};

/// What a whole verification counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Leaves of the log.
    pub leaves: u64,
    /// Postings among them.
    pub transfers: u64,
    /// Blocks.
    pub blocks: u64,
    /// Accounts.
    pub accounts: u64,
    /// Orders spent.
    pub orders: u64,
    /// The sum of all balances per currency: zero.
    pub totals: BTreeMap<String, i64>,
    /// The newest signed checkpoint.
    pub checkpoint: String,
    /// The first break that was found, in words.
    pub broken: Option<String>,
}

/// Verifies a home's whole ledger, beside a running server or without one.
pub fn verify_home(home: &Home) -> Result<Report> {
    let opened = Opened::at(home)?;
    // Read before the snapshot: a running server keeps a checkpoint after its commit.
    let head = crate::head::Head::open(home.dir())?.highest(&opened.eras).map(|(checkpoint, _)| checkpoint);
    let mut connection = opened.database.connect(Role::Reader)?;
    connection.begin()?; // one snapshot for every table
    let mut report = Report::default();
    let outcome = walk(connection.as_mut(), &opened.keys, &opened.eras, head, &mut report);
    connection.rollback()?;
    match outcome {
        Ok(()) => Ok(report),
        Err(Error::Integrity(what)) => {
            report.broken = Some(what);
            Ok(report)
        }
        Err(e) => Err(e),
    }
}

pub(crate) fn walk(
    connection: &mut dyn Connection,
    keys: &Keyring,
    eras: &Eras,
    head: Option<Checkpoint>,
    report: &mut Report,
) -> Result<()> {
    let expected = expected_leaves(connection, keys, report)?;
    let blocks = blocks(connection, eras, report)?;
    leaves(connection, &expected, &blocks, report)?;
    follows_head(head, &blocks, report.leaves)?;
    tiles(connection, report.leaves)?;
    devices::devices(connection, keys)?;
    power::power(connection, keys)?;
    let balances = entries(connection, report)?;
    let held = holds::held(connection)?;
    accounts_follow(connection, keys, &balances, &held, report)?;
    holds::reversals(connection)?;
    orders::orders(connection, report)
}

fn integrity(what: String) -> Error {
    Error::Integrity(what)
}

/// Streams rows whose check may fail with our own error.
fn stream<R>(
    run: impl FnOnce(&mut dyn FnMut(R) -> strongroom_sql::Result<()>) -> strongroom_sql::Result<()>,
    mut each: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let mut failed = None;
    let outcome = run(&mut |row| {
        each(row).map_err(|e| {
            failed = Some(e);
            strongroom_sql::Error::other("stopped at the first break")
        })
    });
    match failed {
        Some(e) => Err(e),
        None => Ok(outcome?),
    }
}

/// What each leaf must be, by the rows behind it. A posting is 32 bytes here, and its amounts.
fn expected_leaves(
    connection: &mut dyn Connection,
    keys: &Keyring,
    report: &mut Report,
) -> Result<HashMap<i64, [u8; 32]>> {
    let mut expected = HashMap::new();
    stream(
        |each| store::each_transfer(connection, each),
        |row: TransferRow| {
            if row.check(keys).is_err() {
                return Err(integrity(format!("transfer at sequence {}: its row was changed (MAC)", row.sequence)));
            }
            report.transfers += 1;
            expected.insert(row.sequence, commitment(&row)?);
            Ok(())
        },
    )?;
    holds::leaves(connection, keys, &mut expected)?;
    stream(
        |each| log::each_fact(connection, each),
        |row: FactRow| {
            let kind = row.core.first().copied().and_then(Kind::of_core);
            let kind = kind.ok_or_else(|| integrity(format!("leaf {}: its fact has an unknown kind", row.position)))?;
            if kind == Kind::LogKey && !LogKeyCore::decode(&row.core).is_ok_and(|core| core.verify()) {
                return Err(integrity(format!(
                    "leaf {}: the change of the log's key is not signed by both keys",
                    row.position
                )));
            }
            expected.insert(row.position, fact_commitment(kind, &row.salt, &row.core));
            Ok(())
        },
    )?;
    Ok(expected)
}

/// Blocks link, carry signed checkpoints and grow. Answers size → root.
fn blocks(connection: &mut dyn Connection, eras: &Eras, report: &mut Report) -> Result<HashMap<i64, [u8; 32]>> {
    let mut roots = HashMap::new();
    let (mut previous, mut size) = ([0; 32], 0);
    stream(
        |each| log::each_block(connection, each),
        |block: BlockRow| {
            let at = format!("block {}", block.height);
            if block.height != report.blocks as i64 {
                return Err(integrity(format!("{at}: the block before it is missing")));
            }
            if block.previous != previous || block_hash(&block) != block.hash {
                return Err(integrity(format!("{at}: its hash or its link to the one before does not hold")));
            }
            let key = eras.key_at(block.size.unsigned_abs().saturating_sub(1));
            let checkpoint = key.verify(&block.note).map_err(|e| integrity(format!("{at}: its checkpoint: {e}")))?;
            if checkpoint.size != block.size as u64 || block.size <= size {
                return Err(integrity(format!("{at}: its size does not follow")));
            }
            (previous, size) = (block.hash, block.size);
            roots.insert(block.size, checkpoint.root);
            report.blocks += 1;
            report.checkpoint = block.note;
            Ok(())
        },
    )?;
    Ok(roots)
}

/// Leaves are contiguous, match the rows behind them, and give each block's root.
fn leaves(
    connection: &mut dyn Connection,
    expected: &HashMap<i64, [u8; 32]>,
    roots: &HashMap<i64, [u8; 32]>,
    report: &mut Report,
) -> Result<()> {
    let mut frontier = Frontier::default();
    let mut checked = 0;
    stream(
        |each| log::each_leaf(connection, each),
        |leaf: LeafRow| {
            if leaf.position != report.leaves as i64 {
                return Err(integrity(format!("leaf {} is missing", report.leaves)));
            }
            if expected.get(&leaf.position) != Some(&leaf.commitment) {
                return Err(integrity(format!("leaf {}: the row behind it is missing or was changed", leaf.position)));
            }
            frontier.append(merkle::leaf_hash(&leaf.commitment));
            report.leaves += 1;
            if let Some(root) = roots.get(&(report.leaves as i64)) {
                checked += 1;
                if frontier.root() != *root {
                    return Err(integrity(format!(
                        "the block that ends at leaf {} signed another root",
                        leaf.position
                    )));
                }
            }
            Ok(())
        },
    )?;
    if checked != roots.len() || !roots.contains_key(&(report.leaves as i64)) {
        return Err(integrity(format!("the log ends at leaf {}, its blocks say otherwise", report.leaves)));
    }
    if expected.len() as u64 != report.leaves {
        return Err(integrity("a row stands behind no leaf of the log".into()));
    }
    Ok(())
}

/// The log holds the checkpoint that is kept outside the database.
fn follows_head(head: Option<Checkpoint>, roots: &HashMap<i64, [u8; 32]>, leaves: u64) -> Result<()> {
    match head {
        Some(head) if head.size > leaves => Err(integrity(format!(
            "the database holds {leaves} leaves, the checkpoint kept outside it {}: it is an older copy",
            head.size
        ))),
        Some(head) if roots.get(&(head.size as i64)) != Some(&head.root) => Err(integrity(format!(
            "the checkpoint kept outside the database, of {} leaves, is not of this log: history was rewritten",
            head.size
        ))),
        _ => Ok(()),
    }
}

/// Stored tile roots are those of the leaves.
fn tiles(connection: &mut dyn Connection, leaves: u64) -> Result<()> {
    let mut below = leaves;
    for level in 1..=7 {
        let complete = below / merkle::TILE_WIDTH;
        let found = log::tiles(connection, level, 0, i64::MAX)?;
        if found.len() as u64 != complete {
            return Err(integrity(format!("{} tile roots stand at level {level}, {complete} should", found.len())));
        }
        for (position, root) in found.iter().enumerate() {
            let from = position as i64 * merkle::TILE_WIDTH as i64;
            let until = from + merkle::TILE_WIDTH as i64;
            let hashes = if level == 1 {
                log::commitments(connection, from, until)?.iter().map(|c| merkle::leaf_hash(c)).collect()
            } else {
                log::tiles(connection, level - 1, from, until)?
            };
            if merkle::root_of(&hashes) != *root {
                return Err(integrity(format!("the tile root {position} at level {level} was changed")));
            }
        }
        below = complete;
    }
    Ok(())
}

/// Entries are those of the postings, and each balance follows from the one before.
fn entries(connection: &mut dyn Connection, report: &Report) -> Result<HashMap<Id, (i64, i64)>> {
    let mut amounts: HashMap<(Id, i64), i64> = HashMap::new();
    stream(
        |each| store::each_transfer(connection, each),
        |row: TransferRow| {
            amounts.insert((row.from, row.sequence), -row.amount);
            amounts.insert((row.to, row.sequence), row.amount);
            Ok(())
        },
    )?;
    let mut balances: HashMap<Id, (i64, i64)> = HashMap::new();
    let mut seen = 0;
    stream(
        |each| store::each_entry(connection, each),
        |entry: store::EntryRow| {
            let at = format!("entry of account {} at sequence {}", crate::hex::encode(&entry.account), entry.sequence);
            if amounts.get(&(entry.account, entry.sequence)) != Some(&entry.amount) {
                return Err(integrity(format!("{at}: it is not its posting's")));
            }
            let balance = balances.entry(entry.account).or_insert((0, -1));
            if balance.0.checked_add(entry.amount) != Some(entry.balance_after) {
                return Err(integrity(format!("{at}: its balance does not follow")));
            }
            *balance = (entry.balance_after, entry.sequence);
            seen += 1;
            Ok(())
        },
    )?;
    if seen != 2 * report.transfers {
        return Err(integrity(format!("{seen} entries stand for {} transfers", report.transfers)));
    }
    Ok(balances)
}

/// Each account's balance is its newest entry's, none is under its floor, and every currency sums to zero.
fn accounts_follow(
    connection: &mut dyn Connection,
    keys: &Keyring,
    expected: &HashMap<Id, (i64, i64)>,
    held: &HashMap<Id, i64>,
    report: &mut Report,
) -> Result<()> {
    let mut stored = HashMap::new();
    stream(
        |each| accounts::each_balance(connection, each),
        |row: accounts::BalanceRow| {
            let at = crate::hex::encode(&row.account);
            row.check(keys).map_err(|_| integrity(format!("balance of account {at}: its row was changed (MAC)")))?;
            if expected.get(&row.account).copied().unwrap_or((0, -1)) != (row.balance, row.last_sequence) {
                return Err(integrity(format!("balance of account {at}: it does not follow from its entries")));
            }
            if held.get(&row.account).copied().unwrap_or_default() != row.held {
                return Err(integrity(format!("balance of account {at}: what is reserved on it does not follow")));
            }
            stored.insert(row.account, (row.balance, row.balance - row.held));
            Ok(())
        },
    )?;
    let mut totals: BTreeMap<String, i128> = BTreeMap::new();
    stream(
        |each| accounts::each(connection, each),
        |row: accounts::AccountRow| {
            let at = crate::hex::encode(&row.id);
            row.check(keys).map_err(|_| integrity(format!("account {at}: its row was changed (MAC)")))?;
            let (balance, free) =
                *stored.get(&row.id).ok_or_else(|| integrity(format!("account {at}: its balance is missing")))?;
            if row.floor.is_some_and(|floor| free < floor) {
                return Err(integrity(format!("account {at}: its balance is under its limit")));
            }
            *totals.entry(row.currency).or_default() += i128::from(balance);
            report.accounts += 1;
            Ok(())
        },
    )?;
    if report.accounts != stored.len() as u64 {
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
