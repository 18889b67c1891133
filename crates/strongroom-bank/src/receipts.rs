//! Receipts: what a party of a posting may know of it, with the proofs that let anyone check it
//! offline against the bank's log key.

use strongroom_identity::role::Permission;
use strongroom_ledger::id::{AccountId, TransferId};
use strongroom_ledger::leaf::bulk::BulkProof;
use strongroom_ledger::leaf::{Authority, DeviceCore, HoldState, PayerPart, PostingCore, PostingKind, Signed};
use strongroom_ledger::merkle;
use strongroom_ledger::receipt::{DeviceProof, Part, Receipt, View};
use strongroom_store::accounts;
use strongroom_store::holds;
use strongroom_store::identity;
use strongroom_store::log;
use strongroom_store::money::{self as store, TransferRow};
use strongroom_store::{Connection, Id};

use crate::account::{open_part, words, words_of};
use crate::keyring::{Keyring, column};
use crate::logs::Hashes;
use crate::money::{Status, hold, posted};
use crate::rows::Authenticated;
use crate::sessions::{self, Caller, Seen};
use crate::{Bank, Error, Posted, Result, bulk, clock};

/// A posting as one of its parties sees it.
#[derive(Clone, Debug)]
pub struct TransferDetails {
    /// What the first answer said.
    pub posted: Posted,
    /// The order id is the caller's own.
    pub is_own_order: bool,
    /// The private description.
    pub description: Option<String>,
    /// The account credited, as the payer wrote it: theirs to read.
    pub to_as_ordered: Option<String>,
}

impl Bank {
    /// A transfer that one of the caller's accounts takes part in, posted or reserved.
    pub async fn transfer_details(&self, caller: &Caller, id: TransferId) -> Result<TransferDetails> {
        let (keys, looking, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        let (details, is_theirs) = self
            .read_at_once(move |c| {
                let seen = sessions::see(c, &keys, &looking, now_us)?;
                match see_posting(c, &keys, &seen, id) {
                    Ok((row, side)) => posting_details(c, &keys, &looking, &row, side),
                    Err(Error::NotFound) => hold_details(c, &keys, &seen, &looking, id),
                    Err(e) => Err(e),
                }
            })
            .await?;
        if !is_theirs {
            self.note_look(caller, &[Permission::BooksRead], "transfer.seen", Some(id.0)).await?;
        }
        Ok(details)
    }

    /// Its receipt, as canonical text.
    pub async fn receipt(&self, caller: &Caller, id: TransferId) -> Result<String> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        let (eras, newest) = (self.eras(), self.checkpoint());
        self.read_at_once(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let (row, side) = see_posting(c, &keys, &seen, id)?;
            let view = side.ok_or(Error::NotFound)?;
            let (size, note) = eras.checkpoint_for(row.sequence as u64, newest)?;
            Ok(receipt(c, &keys, &caller, &row, view, size, note)?.to_text())
        })
        .await
    }
}

/// A posting, and on which side the caller stands; staff see the ones they ordered, who reads the books all.
pub(crate) fn see_posting(
    connection: &mut dyn Connection,
    keys: &Keyring,
    seen: &Seen,
    id: TransferId,
) -> Result<(TransferRow, Option<View>)> {
    let row = store::transfer(connection, &id.0)?.ok_or(Error::NotFound)?;
    row.check(keys)?;
    let side = side_of(connection, keys, &seen.person.id, [&row.from, &row.to])?;
    let reads_all = seen.permissions.allows(Permission::BooksRead);
    if side.is_none() && row.person != seen.person.id && !reads_all {
        return Err(Error::NotFound);
    }
    Ok((row, side))
}

/// A posting as the caller sees it, and whether it is theirs.
fn posting_details(
    connection: &mut dyn Connection,
    keys: &Keyring,
    caller: &Caller,
    row: &TransferRow,
    side: Option<View>,
) -> Result<(TransferDetails, bool)> {
    let mut posted = posted(row).ok_or_else(|| Error::Integrity("a posting's currency is unknown".into()))?;
    if !holds::reversals(connection, &[row.id])?.is_empty() {
        posted.status = Status::Reversed;
    } else if posted.status == Status::Captured {
        let hold = holds::by_ids(connection, &[row.id], false)?.pop();
        let was_approved = hold.is_some_and(|hold| hold.purpose == HoldState::Pending as i64);
        posted.status = if was_approved { Status::Posted } else { Status::Captured };
    }
    let words = side.and_then(|s| words(keys, &caller.person, row, s == View::Payer).ok()).unwrap_or_default();
    let is_own_order = row.person == caller.person;
    let details = TransferDetails { posted, is_own_order, description: words.description, to_as_ordered: words.to };
    Ok((details, side.is_some() || is_own_order))
}

/// A reservation as the caller sees it, and whether it is theirs: a party's, or who may capture it.
fn hold_details(
    connection: &mut dyn Connection,
    keys: &Keyring,
    seen: &Seen,
    caller: &Caller,
    id: TransferId,
) -> Result<(TransferDetails, bool)> {
    let row = holds::by_ids(connection, &[id.0], false)?.pop().ok_or(Error::NotFound)?;
    row.check(keys)?;
    let side = side_of(connection, keys, &caller.person, [&row.from, &row.to])?;
    let is_theirs = side.is_some() || row.capturer == caller.person;
    if !is_theirs && !seen.permissions.allows(Permission::BooksRead) {
        return Err(Error::NotFound);
    }
    let posted = hold::seen(&row).ok_or_else(|| Error::Integrity("a reservation's currency is unknown".into()))?;
    let is_own_order = row.person == caller.person;
    let words = side.and_then(|side| {
        let sealed = if side == View::Payer { row.payer.as_deref() } else { row.payee.as_deref() };
        words_of(keys, &caller.person, &row.id, sealed, side == View::Payer).ok()
    });
    let words = words.unwrap_or_default();
    let details = TransferDetails { posted, is_own_order, description: words.description, to_as_ordered: words.to };
    Ok((details, is_theirs))
}

fn side_of(connection: &mut dyn Connection, keys: &Keyring, person: &Id, [from, to]: [&Id; 2]) -> Result<Option<View>> {
    let rows = accounts::by_ids(connection, &[*from, *to], false)?;
    let owns = |id: &Id| rows.iter().any(|a| a.id == *id && a.owner == Some(*person) && a.check(keys).is_ok());
    Ok(match (owns(from), owns(to)) {
        (true, _) => Some(View::Payer),
        (false, true) => Some(View::Payee),
        (false, false) => None,
    })
}

fn receipt(
    connection: &mut dyn Connection,
    keys: &Keyring,
    caller: &Caller,
    row: &TransferRow,
    view: View,
    size: u64,
    note: String,
) -> Result<Receipt> {
    let gone = || Error::Erased("This part of the posting has been erased.");
    let opened = |column, sealed: Option<&[u8]>| -> Result<Part> {
        let (salt, content) = open_part(keys, &caller.person, column, &row.id, sealed)?.ok_or_else(gone)?;
        Ok(Part::Shown { salt, content })
    };
    let index = row.sequence as u64;
    let path = merkle::inclusion_proof(index, size, &mut Hashes { connection })?;
    let payer = match view {
        View::Payer => opened(column::PAYER_PART, row.payer.as_deref())?,
        View::Payee => Part::Hash(row.payer_hash),
    };
    Ok(Receipt {
        view,
        core: posting_core(row)?,
        core_salt: row.core_salt,
        bulk: bulk_proof(connection, keys, caller, &payer)?,
        payer,
        payee: if view == View::Payee {
            opened(column::PAYEE_PART, row.payee.as_deref())?
        } else {
            Part::Hash(row.payee_hash)
        },
        index,
        path,
        device: if view == View::Payer { Some(device_proof(connection, keys, &row.authority, size)?) } else { None },
        checkpoint: note,
    })
}

/// The signature of the bulk that the order came in, if it did.
fn bulk_proof(
    connection: &mut dyn Connection,
    keys: &Keyring,
    caller: &Caller,
    payer: &Part,
) -> Result<Option<BulkProof>> {
    let Part::Shown { content, .. } = payer else { return Ok(None) };
    match PayerPart::decode(content).map_err(|e| Error::Integrity(e.to_string()))?.signed {
        Signed::InBulk { jws_sha256, index } => {
            bulk::proof(connection, keys, &caller.person, &jws_sha256, index).map(Some)
        }
        Signed::Alone(_) => Ok(None),
    }
}

/// The device's own leaf: that its key was registered before it signed.
fn device_proof(connection: &mut dyn Connection, keys: &Keyring, device: &Id, size: u64) -> Result<DeviceProof> {
    let row = identity::devices(connection, &[*device])?
        .pop()
        .ok_or_else(|| Error::Integrity("the signing device is gone".into()))?;
    row.check(keys)?;
    let fact = log::fact(connection, row.leaf)?.ok_or_else(|| Error::Integrity("the device's leaf is gone".into()))?;
    let index = fact.position as u64;
    let path = merkle::inclusion_proof(index, size, &mut Hashes { connection })?;
    let core = DeviceCore::decode(&fact.core).map_err(|e| Error::Integrity(e.to_string()))?;
    Ok(DeviceProof { core, salt: fact.salt, index, path })
}

/// The core part of a posting, from its row.
pub(crate) fn posting_core(row: &TransferRow) -> Result<PostingCore> {
    let broken = |what: &str| Error::Integrity(format!("posting {} has an unknown {what}", row.sequence));
    Ok(PostingCore {
        transfer: TransferId(row.id),
        sequence: row.sequence as u64,
        kind: PostingKind::from_number(row.kind).ok_or_else(|| broken("kind"))?,
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: row.amount,
        currency: row.currency.parse().map_err(|_| broken("currency"))?,
        time_us: row.time_us,
        authority: Authority::from_parts(row.authority_kind, row.authority).ok_or_else(|| broken("authority"))?,
        order_sha256: row.order_hash,
        refers: row.refers.map(TransferId),
    })
}
