//! `ledger verify`: rebuilds balances, leaves, tiles and blocks from the rows alone, streaming, and
//! names the first break.

mod books;
mod devices;
mod log;
mod multiset;
mod parts;
mod power;

use std::collections::BTreeMap;

use strongroom_ledger::note::Checkpoint;
use strongroom_sql::{Connection, Kind, Role};
use strongroom_store::log::{self as log_rows, BlockRow};

use crate::era::Eras;
use crate::keyring::Keyring;
use crate::tx::block_hash;
use crate::{Error, Home, Opened, Result};
use parts::Parts;

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
    /// Signatures of orders and bulks that were checked.
    pub signatures: u64,
    /// The sum of all balances per currency: zero.
    pub totals: BTreeMap<String, i64>,
    /// The newest signed checkpoint.
    pub checkpoint: String,
    /// The first break that was found, in words.
    pub broken: Option<String>,
}

/// Whether a verification checks each order's signature, too: by far the largest part of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// With the key that the device had registered.
    Checked,
    /// The log has committed to them; they are not computed again.
    Trusted,
}

/// Verifies a home's whole ledger, beside a running server or without one.
pub fn verify_home(home: &Home, signatures: Signatures) -> Result<Report> {
    let opened = Opened::at(home)?;
    // Read before the snapshot: a running server keeps a checkpoint after its commit.
    let head = crate::head::Head::open(home.dir())?.highest(&opened.eras).map(|(checkpoint, _)| checkpoint);
    let mut connection = opened.database.connect(Role::Reader)?;
    connection.begin()?; // one snapshot for every table
    let mut report = Report::default();
    let outcome = walk(connection.as_mut(), &opened.keys, &opened.eras, head, signatures, &mut report);
    connection.rollback()?;
    match outcome {
        Ok(()) => Ok(report),
        Err(Error::Integrity(what)) => {
            report.broken = Some(what);
            Ok(report)
        }
        // What was written into a column that it does not fit is a break like any other.
        Err(Error::Database(e)) if e.kind == Kind::Other => {
            report.broken = Some(format!("a row cannot be read as what it is: {e}"));
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
    signatures: Signatures,
    report: &mut Report,
) -> Result<()> {
    let owners = books::owners(connection, keys)?;
    let blocks = blocks(connection, eras, report)?;
    let (books, complete) = log::log(connection, Parts::new(keys, &owners, signatures), &blocks, report)?;
    follows_head(head, &blocks, report.leaves)?;
    tiles(connection, &complete)?;
    devices::devices(connection, keys)?;
    power::power(connection, keys)?;
    books.entries(connection)?;
    books.balances(connection, keys, report)?;
    books.reversals(connection)?;
    books.orders(connection, report)
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

/// What the blocks commit to, in order: the log's size, its root, and the time.
type Roots = Vec<(i64, [u8; 32], i64)>;

/// Blocks link, carry signed checkpoints and grow, and their time never runs back.
fn blocks(connection: &mut dyn Connection, eras: &Eras, report: &mut Report) -> Result<Roots> {
    let mut roots: Roots = Vec::new();
    let (mut previous, mut size) = ([0; 32], 0);
    stream(
        |each| log_rows::each_block(connection, each),
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
            if roots.last().is_some_and(|(.., before_us)| block.time_us < *before_us) {
                return Err(integrity(format!("{at}: it is older than the block before")));
            }
            roots.push((block.size, checkpoint.root, block.time_us));
            report.blocks += 1;
            report.checkpoint = block.note;
            Ok(())
        },
    )?;
    Ok(roots)
}

/// The log holds the checkpoint that is kept outside the database.
fn follows_head(head: Option<Checkpoint>, roots: &Roots, leaves: u64) -> Result<()> {
    let root_at = |size: u64| {
        let at = roots.binary_search_by_key(&(size as i64), |(size, ..)| *size).ok()?;
        Some(roots[at].1)
    };
    match head {
        Some(head) if head.size > leaves => Err(integrity(format!(
            "the database holds {leaves} leaves, the checkpoint kept outside it {}: it is an older copy",
            head.size
        ))),
        Some(head) if root_at(head.size) != Some(head.root) => Err(integrity(format!(
            "the checkpoint kept outside the database, of {} leaves, is not of this log: history was rewritten",
            head.size
        ))),
        _ => Ok(()),
    }
}

/// The roots of complete tiles, by level, as the leaves give them.
type Tiles = BTreeMap<u8, Vec<[u8; 32]>>;

/// Stored tile roots are those of the leaves.
fn tiles(connection: &mut dyn Connection, expected: &Tiles) -> Result<()> {
    for level in 1..=7 {
        let expected = expected.get(&level).map_or(&[][..], Vec::as_slice);
        let found = log_rows::tiles(connection, level.into(), 0, i64::MAX)?;
        if found.len() != expected.len() {
            let (found, expected) = (found.len(), expected.len());
            return Err(integrity(format!("{found} tile roots stand at level {level}, {expected} should")));
        }
        if let Some(position) = found.iter().zip(expected).position(|(one, other)| one != other) {
            return Err(integrity(format!("the tile root {position} at level {level} was changed")));
        }
    }
    Ok(())
}
