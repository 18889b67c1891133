//! The log against the rows behind it, place by place: every leaf has its row, every row its leaf, and the leaves give
//! the roots that were signed. On the way the books are kept anew from the postings.

use std::collections::BTreeMap;

use strongroom_ledger::leaf::{HoldState, Kind, LogKeyCore};
use strongroom_ledger::merkle::{self, Frontier};
use strongroom_sql::Connection;
use strongroom_store::holds::{self, HoldRow};
use strongroom_store::log::{self as rows, FactRow};
use strongroom_store::money::{self as store, TransferRow};

use super::books::Books;
use super::parts::Parts;
use super::{Report, Roots, Tiles, integrity};
use crate::Result;
use crate::keyring::Keyring;
use crate::money::hold::{begin_commitment, end_commitment};
use crate::rows::Authenticated;
use crate::tx::fact_commitment;
use crate::verification::commitment;

/// Places looked at in one go.
const PLACES: i64 = 4_096;

/// What stands behind a place.
enum Behind {
    Posting(Box<TransferRow>),
    Began(Box<HoldRow>),
    Ended(Box<HoldRow>),
    Fact,
}

/// Checks all of it. Answers the books as the postings make them, and the tiles as the leaves do.
pub(super) fn log(
    connection: &mut dyn Connection,
    mut parts: Parts<'_>,
    roots: &Roots,
    report: &mut Report,
) -> Result<(Books, Tiles)> {
    let (mut books, mut frontier, mut blocks) = (Books::default(), Frontier::default(), roots.iter());
    let mut tiles = Tiles::new();
    let mut block = blocks.next();
    let (end, mut from) = (rows::end(connection)?, 0);
    while from < end {
        let until = from + PLACES;
        let mut behind = behind(connection, parts.keys, from, until)?;
        for leaf in rows::leaves(connection, from, until)? {
            if leaf.position != report.leaves as i64 {
                return Err(integrity(format!("leaf {} is missing", report.leaves)));
            }
            let at = || format!("leaf {}", leaf.position);
            let kind = Kind::of_core(u8::try_from(leaf.kind).unwrap_or_default());
            let found = behind.remove(&leaf.position);
            let is_right = match (kind, &found) {
                // Refused orders are compared all at once: they are found by their person and id.
                (Some(Kind::Refusal), None) => {
                    books.refused(leaf.position, &leaf.commitment);
                    true
                }
                (Some(kind), Some((of, commitment, _))) => kind == *of && *commitment == leaf.commitment,
                _ => false,
            };
            if !is_right {
                return Err(integrity(format!("{}: the row behind it is missing or was changed", at())));
            }
            let time_us = block.map_or(0, |(_, _, time_us)| *time_us);
            if let Some((.., row)) = found {
                parts.check(connection, &row)?;
                keep(&mut books, report, time_us, row)?;
            }
            for (level, _, root) in frontier.append(merkle::leaf_hash(&leaf.commitment)) {
                tiles.entry(level).or_default().push(root);
            }
            report.leaves += 1;
            if let Some((_, root, _)) = block.filter(|(size, ..)| *size == report.leaves as i64) {
                if frontier.root() != *root {
                    return Err(integrity(format!("the block that ends at {} signed another root", at())));
                }
                block = blocks.next();
            }
        }
        if let Some(place) = behind.keys().next() {
            return Err(integrity(format!("leaf {place}: it is missing, and a row stands behind it")));
        }
        from = until;
    }
    if block.is_some() || roots.last().is_none_or(|(size, ..)| *size != report.leaves as i64) {
        return Err(integrity(format!("the log ends after {} leaves, its blocks say otherwise", report.leaves)));
    }
    report.signatures = parts.signatures;
    Ok((books, tiles))
}

type Row = (Kind, [u8; 32], Behind);

/// What the rows at these places give as leaves.
fn behind(connection: &mut dyn Connection, keys: &Keyring, from: i64, until: i64) -> Result<BTreeMap<i64, Row>> {
    let mut behind = BTreeMap::new();
    let mut put = |place: i64, row: Row| match behind.insert(place, row) {
        None => Ok(()),
        Some(_) => Err(integrity(format!("leaf {place}: two rows stand behind it"))),
    };
    for row in store::between(connection, from, until)? {
        let changed = |_| integrity(format!("transfer at sequence {}: its row was changed (MAC)", row.sequence));
        row.check(keys).map_err(changed)?;
        put(row.sequence, (Kind::Posting, commitment(&row)?, Behind::Posting(Box::new(row))))?;
    }
    for row in holds::between(connection, from, until)? {
        let at = format!("reservation at sequence {}", row.sequence);
        row.check(keys).map_err(|_| integrity(format!("{at}: its row was changed (MAC)")))?;
        let malformed = || integrity(format!("{at}: it says nothing of a reservation"));
        let is_open = HoldState::from_number(row.state).ok_or_else(malformed)?.is_open();
        if is_open != row.end.is_none() || (is_open && row.state != row.purpose) {
            return Err(integrity(format!("{at}: its state and its end differ")));
        }
        if let Some(place) = row.end.as_ref().map(|end| end.sequence).filter(|place| (from..until).contains(place)) {
            let commitment = end_commitment(&row).ok_or_else(malformed)?;
            put(place, (Kind::Hold, commitment, Behind::Ended(Box::new(row.clone()))))?;
        }
        if (from..until).contains(&row.sequence) {
            let commitment = begin_commitment(&row).ok_or_else(malformed)?;
            put(row.sequence, (Kind::Hold, commitment, Behind::Began(Box::new(row))))?;
        }
    }
    for row in rows::facts(connection, from, until)? {
        let kind = fact_kind(&row)?;
        put(row.position, (kind, fact_commitment(kind, &row.salt, &row.core), Behind::Fact))?;
    }
    Ok(behind)
}

fn fact_kind(row: &FactRow) -> Result<Kind> {
    let kind = row.core.first().copied().and_then(Kind::of_core);
    // Postings, reservations and refusals stand in tables of their own.
    let kind = kind.filter(|kind| !matches!(kind, Kind::Posting | Kind::Hold | Kind::Refusal));
    let kind = kind.ok_or_else(|| integrity(format!("leaf {}: its fact is of no kind that is one", row.position)))?;
    if kind == Kind::LogKey && !LogKeyCore::decode(&row.core).is_ok_and(|core| core.verify()) {
        let what = format!("leaf {}: the change of the log's key is not signed by both keys", row.position);
        return Err(integrity(what));
    }
    // A core begins with its kind, and most name whom they are about.
    if row.core.get(1..17).is_some_and(|subject| has_subject(kind) && subject != row.subject) {
        return Err(integrity(format!("leaf {}: its fact is about somebody else", row.position)));
    }
    Ok(kind)
}

fn has_subject(kind: Kind) -> bool {
    matches!(kind, Kind::Device | Kind::KeyChange | Kind::Erasure)
}

impl Parts<'_> {
    fn check(&mut self, connection: &mut dyn Connection, row: &Behind) -> Result<()> {
        match row {
            Behind::Posting(row) => self.posting(connection, row),
            Behind::Began(row) => self.hold(connection, row),
            Behind::Ended(_) | Behind::Fact => Ok(()),
        }
    }
}

/// Keeps the books of what stood behind a leaf.
fn keep(books: &mut Books, report: &mut Report, block_us: i64, row: Behind) -> Result<()> {
    let of_its_block = |what: &str, sequence: i64, time_us: i64| match time_us == block_us {
        true => Ok(()),
        false => Err(integrity(format!("{what} at sequence {sequence}: its time is not its block's"))),
    };
    match row {
        Behind::Posting(row) => {
            of_its_block("transfer", row.sequence, row.time_us)?;
            report.transfers += 1;
            books.posting(&row)
        }
        Behind::Began(row) => {
            of_its_block("reservation", row.sequence, row.time_us)?;
            books.began(&row)
        }
        Behind::Ended(row) => books.ended(&row),
        Behind::Fact => Ok(()),
    }
}
