//! Reservations: each begins with a leaf and ends with one, what is open makes up what is reserved on accounts, and
//! what was captured was posted under the same id. No posting is taken back twice.

use std::collections::{HashMap, HashSet};

use strongroom_ledger::leaf::{HoldState, PostingKind};
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::holds::{self as store, HoldRow};
use strongroom_store::money::{self, TransferRow};

use super::{integrity, stream};
use crate::Result;
use crate::hex;
use crate::keyring::Keyring;
use crate::money::hold::{begin_commitment, end_commitment};
use crate::rows::Authenticated;

/// The leaves that the rows give.
pub(super) fn leaves(
    connection: &mut dyn Connection,
    keys: &Keyring,
    expected: &mut HashMap<i64, [u8; 32]>,
) -> Result<()> {
    stream(
        |each| store::each(connection, each),
        |row: HoldRow| {
            let at = format!("reservation at sequence {}", row.sequence);
            row.check(keys).map_err(|_| integrity(format!("{at}: its row was changed (MAC)")))?;
            let malformed = || integrity(format!("{at}: it says nothing of a reservation"));
            let is_open = HoldState::from_number(row.state).ok_or_else(malformed)?.is_open();
            if is_open != row.end.is_none() || (is_open && row.state != row.purpose) {
                return Err(integrity(format!("{at}: its state and its end differ")));
            }
            expected.insert(row.sequence, begin_commitment(&row).ok_or_else(malformed)?);
            if let Some(end) = &row.end {
                expected.insert(end.sequence, end_commitment(&row).ok_or_else(malformed)?);
            }
            Ok(())
        },
    )
}

/// What is reserved on each account; and what was captured is posted, with the same id.
pub(super) fn held(connection: &mut dyn Connection) -> Result<HashMap<Id, i64>> {
    let (mut held, mut captured) = (HashMap::<Id, i64>::new(), HashMap::new());
    stream(
        |each| store::each(connection, each),
        |row: HoldRow| {
            match &row.end {
                None => *held.entry(row.from).or_default() += row.amount,
                Some(end) if row.state == HoldState::Captured as i64 => {
                    captured.insert(row.id, (row.from, row.to, end.amount, end.sequence + 1));
                }
                Some(_) => {}
            }
            Ok(())
        },
    )?;
    stream(
        |each| money::each_transfer(connection, each),
        |row: TransferRow| {
            if row.refers != Some(row.id) {
                return Ok(());
            }
            if captured.remove(&row.id) != Some((row.from, row.to, row.amount, row.sequence)) {
                return Err(integrity(format!(
                    "transfer at sequence {}: it is not what was captured of its reservation",
                    row.sequence
                )));
            }
            Ok(())
        },
    )?;
    match captured.into_keys().next() {
        Some(id) => {
            Err(integrity(format!("reservation {}: it was captured, and nothing was posted", hex::encode(&id))))
        }
        None => Ok(held),
    }
}

/// What takes a posting back is noted with it, once.
pub(super) fn reversals(connection: &mut dyn Connection) -> Result<()> {
    let mut noted = HashSet::new();
    stream(
        |each| store::each_reversal(connection, each),
        |pair: (Id, Id)| {
            noted.insert(pair);
            Ok(())
        },
    )?;
    stream(
        |each| money::each_transfer(connection, each),
        |row: TransferRow| {
            if row.kind != PostingKind::Reversal as i64 {
                return Ok(());
            }
            if row.refers.is_none_or(|original| !noted.remove(&(original, row.id))) {
                return Err(integrity(format!(
                    "transfer at sequence {}: that it takes another one back is not noted",
                    row.sequence
                )));
            }
            Ok(())
        },
    )?;
    match noted.into_iter().next() {
        Some((original, _)) => {
            Err(integrity(format!("transfer {}: a reversal is noted that is not there", hex::encode(&original))))
        }
        None => Ok(()),
    }
}
