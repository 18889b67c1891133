//! Is one posting intact? Five checks, each by itself, and words for the one that fails.

use strongroom_crypto::digest::sha256;
use strongroom_crypto::jws;
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::id::{DeviceId, TransferId};
use strongroom_ledger::leaf::{self, PayerPart, Signed};
use strongroom_ledger::merkle;
use strongroom_ledger::note::LogKey;
use strongroom_store::accounts;
use strongroom_store::identity;
use strongroom_store::log;
use strongroom_store::money::{self as store, TransferRow};
use strongroom_store::{Connection, Id};

use crate::account::open_part;
use crate::keyring::{Keyring, column};
use crate::logs::Hashes;
use crate::receipts::{posting_core, see_posting};
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::tx::block_hash;
use crate::{Bank, Error, Result, bulk, clock};

/// The outcome of the five checks; `Err` says why one failed.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The row carries the bank's MAC.
    pub mac: Result<(), String>,
    /// The order was signed by the device that the log registered.
    pub signature: Result<(), String>,
    /// The posting is the leaf at its place in the log.
    pub inclusion: Result<(), String>,
    /// Its block links to the one before and carries a signed checkpoint.
    pub chain: Result<(), String>,
    /// Both accounts' balances follow from the entries before.
    pub balances: Result<(), String>,
}

impl Checks {
    /// Whether all five hold.
    pub fn is_valid(&self) -> bool {
        self.failures().is_empty()
    }

    /// Why the others do not.
    pub fn failures(&self) -> Vec<String> {
        [&self.mac, &self.signature, &self.inclusion, &self.chain, &self.balances]
            .into_iter()
            .filter_map(|c| c.clone().err())
            .collect()
    }
}

impl Bank {
    /// Checks one posting that the caller takes part in or ordered.
    pub async fn verification(&self, caller: &Caller, id: TransferId) -> Result<Checks> {
        let (keys, caller, now_us, eras) = (self.keys.clone(), caller.clone(), clock::now_us(), self.eras());
        self.read_at_once(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let row = match see_posting(c, &keys, &seen, id) {
                Ok((row, _)) => row,
                Err(Error::Integrity(_)) => store::transfer(c, &id.0)?.ok_or(Error::NotFound)?,
                Err(e) => return Err(e),
            };
            Ok(check(c, &keys, eras.key_at(row.sequence as u64), &row))
        })
        .await
    }
}

fn check(connection: &mut dyn Connection, keys: &Keyring, log_key: &LogKey, row: &TransferRow) -> Checks {
    let words = |outcome: Result<()>| outcome.map_err(|e| e.to_string());
    Checks {
        mac: words(row.check(keys)),
        signature: words(signature(connection, keys, row)),
        inclusion: words(inclusion(connection, row)),
        chain: words(chain(connection, log_key, row)),
        balances: words(balances(connection, keys, row)),
    }
}

fn broken(what: &str) -> Error {
    Error::Integrity(what.to_owned())
}

fn signature(connection: &mut dyn Connection, keys: &Keyring, row: &TransferRow) -> Result<()> {
    let rows = accounts::by_ids(connection, &[row.from, row.to], false)?;
    let owner = |id: &Id| rows.iter().find(|a| a.id == *id).and_then(|a| a.owner);
    let owner = owner(&row.from).or_else(|| owner(&row.to)).ok_or_else(|| broken("neither account has an owner"))?;
    let part = match open_part(keys, &owner, column::PAYER_PART, &row.id, row.payer.as_deref()) {
        // The order was checked when it was posted, and the log holds its hash; nobody can read it any more.
        Err(Error::Erased(_)) => return Ok(()),
        part => part?,
    };
    let (salt, content) = part.ok_or_else(|| broken("the signed order is gone"))?;
    if leaf::part_hash(leaf::PAYER, &salt, &content) != row.payer_hash {
        return Err(broken("the payer's part does not match its hash"));
    }
    let part = PayerPart::decode(&content).map_err(|e| broken(&e.to_string()))?;
    if sha256(&part.order) != row.order_hash {
        return Err(broken("the order does not match its hash"));
    }
    let device =
        identity::devices(connection, &[row.authority])?.pop().ok_or_else(|| broken("the signing device is gone"))?;
    device.check(keys)?;
    let key = PublicKey::from_bytes(&device.public_key).map_err(|e| broken(&e.to_string()))?;
    let (jws, signed) = match part.signed {
        Signed::Alone(jws) => (jws, part.order),
        Signed::InBulk { jws_sha256, index } => {
            let proof = bulk::proof(connection, keys, &owner, &jws_sha256, index)?;
            if !proof.holds(&part.order, index) {
                return Err(broken("the order is not one of the bulk that was signed"));
            }
            let text = proof.text().into_bytes();
            (proof.jws, text)
        }
    };
    let detached = jws::parse_detached(&jws).map_err(|e| broken(&e.to_string()))?;
    if detached.protected().kid != DeviceId(row.authority).to_string() || !detached.verify(&key, &signed) {
        return Err(broken("the order's signature does not hold"));
    }
    Ok(())
}

/// The commitment that a posting's row gives.
pub(crate) fn commitment(row: &TransferRow) -> Result<[u8; 32]> {
    let core = leaf::part_hash(leaf::CORE, &row.core_salt, &posting_core(row)?.encode());
    Ok(leaf::commitment(leaf::Kind::Posting, &core, &row.payer_hash, &row.payee_hash))
}

fn inclusion(connection: &mut dyn Connection, row: &TransferRow) -> Result<()> {
    let commitment = commitment(row)?;
    let block = log::last_block(connection)?.ok_or_else(|| broken("the log has no block"))?;
    let size = block.size as u64;
    let index = row.sequence as u64;
    let path = merkle::inclusion_proof(index, size, &mut Hashes { connection })?;
    let root = checkpoint_root(&block.note).ok_or_else(|| broken("the newest checkpoint is unreadable"))?;
    if !merkle::verify_inclusion(&merkle::leaf_hash(&commitment), index, size, &path, &root) {
        return Err(broken("the posting is not the log's leaf at its place"));
    }
    Ok(())
}

fn checkpoint_root(note: &str) -> Option<[u8; 32]> {
    strongroom_ledger::note::Checkpoint::parse(note).ok().map(|c| c.root)
}

fn chain(connection: &mut dyn Connection, log_key: &LogKey, row: &TransferRow) -> Result<()> {
    let block = log::block(connection, row.height)?.ok_or_else(|| broken("the posting's block is gone"))?;
    if block_hash(&block) != block.hash {
        return Err(broken("the block does not match its hash"));
    }
    let mut before = 0;
    if row.height > 0 {
        let previous = log::block(connection, row.height - 1)?.ok_or_else(|| broken("the block before is gone"))?;
        if previous.hash != block.previous {
            return Err(broken("the block does not link to the one before"));
        }
        before = previous.size;
    }
    if !(before..block.size).contains(&row.sequence) {
        return Err(broken("the posting is not inside its block"));
    }
    let checkpoint = log_key.verify(&block.note).map_err(|e| broken(&format!("the block's checkpoint: {e}")))?;
    if checkpoint.size != block.size as u64 {
        return Err(broken("the block's checkpoint has another size"));
    }
    Ok(())
}

fn balances(connection: &mut dyn Connection, keys: &Keyring, row: &TransferRow) -> Result<()> {
    let entries = store::entries_of(connection, [&row.from, &row.to], row.sequence)?;
    for (account, amount) in [(row.from, -row.amount), (row.to, row.amount)] {
        let entry = entries.iter().find(|e| e.account == account).ok_or_else(|| broken("an entry is gone"))?;
        let before = store::entries_below(connection, &account, row.sequence, 1)?.pop().map_or(0, |e| e.balance_after);
        if entry.amount != amount || before.checked_add(amount) != Some(entry.balance_after) {
            return Err(broken("an entry's amount or balance does not follow from the one before"));
        }
        let newest =
            store::entries_below(connection, &account, i64::MAX, 1)?.pop().ok_or_else(|| broken("an entry is gone"))?;
        let balance =
            accounts::balances(connection, &[account], false)?.pop().ok_or_else(|| broken("a balance is gone"))?;
        balance.check(keys)?;
        if balance.balance != newest.balance_after || balance.last_sequence != newest.sequence {
            return Err(broken("an account's balance is not its newest entry's"));
        }
    }
    Ok(())
}
