//! The sealed parts of postings and reservations: they open under their person's key and are what the log has
//! committed to. Only what belongs to somebody who was erased may be gone.

use strongroom_crypto::sealed::ColumnId;
use strongroom_ledger::leaf;
use strongroom_store::Id;
use strongroom_store::holds::HoldRow;
use strongroom_store::money::TransferRow;

use super::books::Owners;
use super::integrity;
use crate::account::open_part;
use crate::keyring::{Keyring, column};
use crate::{Error, Result};

/// One part: whose it is, where it stands, and what the log says of it.
struct Part<'a> {
    owner: Option<Id>,
    column: ColumnId,
    tag: u8,
    row: &'a Id,
    sealed: Option<&'a [u8]>,
    hash: &'a [u8; 32],
}

pub(super) fn posting(keys: &Keyring, owners: &Owners, row: &TransferRow) -> Result<()> {
    let at = || format!("transfer at sequence {}", row.sequence);
    let sealed = [row.payer.as_deref(), row.payee.as_deref()];
    both(keys, owners, [&row.from, &row.to], &row.id, sealed, [&row.payer_hash, &row.payee_hash], at)
}

pub(super) fn hold(keys: &Keyring, owners: &Owners, row: &HoldRow) -> Result<()> {
    let at = || format!("reservation at sequence {}", row.sequence);
    let sealed = [row.payer.as_deref(), row.payee.as_deref()];
    both(keys, owners, [&row.from, &row.to], &row.id, sealed, [&row.payer_hash, &row.payee_hash], at)
}

fn both(
    keys: &Keyring,
    owners: &Owners,
    [from, to]: [&Id; 2],
    row: &Id,
    [payer, payee]: [Option<&[u8]>; 2],
    [payer_hash, payee_hash]: [&[u8; 32]; 2],
    at: impl Fn() -> String,
) -> Result<()> {
    let owner = |account: &Id| owners.get(account).copied().flatten();
    let (payers, payees) = (owner(from).or_else(|| owner(to)), owner(to).or_else(|| owner(from)));
    let payer =
        Part { owner: payers, column: column::PAYER_PART, tag: leaf::PAYER, row, sealed: payer, hash: payer_hash };
    let payee =
        Part { owner: payees, column: column::PAYEE_PART, tag: leaf::PAYEE, row, sealed: payee, hash: payee_hash };
    check(keys, &payer).map_err(|why| why.named(&at(), "payer"))?;
    check(keys, &payee).map_err(|why| why.named(&at(), "payee"))
}

/// Why a part does not hold.
enum Broken {
    Changed,
    Failed(Error),
}

impl Broken {
    fn named(self, at: &str, whose: &str) -> Error {
        match self {
            Broken::Changed => integrity(format!("{at}: the {whose}'s part is gone, or not what the log says")),
            Broken::Failed(error) => error,
        }
    }
}

fn check(keys: &Keyring, part: &Part<'_>) -> std::result::Result<(), Broken> {
    // Neither side belongs to a person: there is no key to seal a part under.
    let Some(owner) = &part.owner else { return Ok(()) };
    match open_part(keys, owner, part.column, part.row, part.sealed) {
        Ok(Some((salt, content))) if leaf::part_hash(part.tag, &salt, &content) == *part.hash => Ok(()),
        Err(Error::Erased(_)) => Ok(()),
        Err(error @ Error::Database(_)) => Err(Broken::Failed(error)),
        Ok(None) if is_erased(keys, owner) => Ok(()),
        _ => Err(Broken::Changed),
    }
}

fn is_erased(keys: &Keyring, person: &Id) -> bool {
    matches!(keys.owners(Some(person)), Err(Error::Erased(_)))
}
