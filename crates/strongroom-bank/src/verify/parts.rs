//! The sealed parts of postings and reservations: they open under their person's key and are what the log has
//! committed to, and what came in a bulk stands in it. Only what belongs to somebody who was erased may be gone.

use std::collections::HashMap;

use strongroom_crypto::jws;
use strongroom_crypto::sealed::ColumnId;
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::id::DeviceId;
use strongroom_ledger::leaf::{self, PayerPart, Signed};
use strongroom_ledger::merkle::{self, Hash};
use strongroom_store::holds::HoldRow;
use strongroom_store::identity;
use strongroom_store::money::TransferRow;
use strongroom_store::{Connection, Id};

use super::books::Owners;
use super::{Signatures, integrity};
use crate::account::open_part;
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::{Error, Result, bulk};

/// What parts are compared with.
pub(super) struct Parts<'a> {
    pub(super) keys: &'a Keyring,
    owners: &'a Owners,
    checks: Signatures,
    /// How many were checked.
    pub(super) signatures: u64,
    devices: HashMap<Id, PublicKey>,
    /// The bulk of the last order that came in one, with its signer and device: its orders stand one behind the other.
    bulk: Option<((Hash, Id, Id), Vec<Hash>)>,
}

/// Where a posting or reservation keeps its two parts.
struct Row<'a> {
    id: &'a Id,
    device: &'a Id,
    accounts: [&'a Id; 2],
    sealed: [Option<&'a [u8]>; 2],
    hashes: [&'a Hash; 2],
}

/// Why a part does not hold.
enum Broken {
    Changed,
    Failed(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(_) => Broken::Failed(error),
            _ => Broken::Changed,
        }
    }
}

impl<'a> Parts<'a> {
    pub(super) fn new(keys: &'a Keyring, owners: &'a Owners, checks: Signatures) -> Self {
        Parts { keys, owners, checks, signatures: 0, devices: HashMap::new(), bulk: None }
    }

    pub(super) fn posting(&mut self, connection: &mut dyn Connection, row: &TransferRow) -> Result<()> {
        let parts = Row {
            id: &row.id,
            device: &row.authority,
            accounts: [&row.from, &row.to],
            sealed: [row.payer.as_deref(), row.payee.as_deref()],
            hashes: [&row.payer_hash, &row.payee_hash],
        };
        self.both(connection, &parts, || format!("transfer at sequence {}", row.sequence))
    }

    pub(super) fn hold(&mut self, connection: &mut dyn Connection, row: &HoldRow) -> Result<()> {
        let parts = Row {
            id: &row.id,
            device: &row.device,
            accounts: [&row.from, &row.to],
            sealed: [row.payer.as_deref(), row.payee.as_deref()],
            hashes: [&row.payer_hash, &row.payee_hash],
        };
        self.both(connection, &parts, || format!("reservation at sequence {}", row.sequence))
    }

    fn both(&mut self, connection: &mut dyn Connection, row: &Row<'_>, at: impl Fn() -> String) -> Result<()> {
        let owner = |account: &Id| self.owners.get(account).copied().flatten();
        let [from, to] = row.accounts.map(owner);
        let named = |whose: &'static str| {
            let at = &at;
            move |broken| match broken {
                Broken::Changed => integrity(format!("{}: the {whose}'s part is gone, or not what the log says", at())),
                Broken::Failed(error) => error,
            }
        };
        // Where neither side belongs to a person, there is no key to seal a part under.
        if let Some(payer) = from.or(to) {
            self.payer(connection, &payer, row).map_err(named("payer"))?;
        }
        if let Some(payee) = to.or(from) {
            self.content(&payee, column::PAYEE_PART, leaf::PAYEE, row).map_err(named("payee"))?;
        }
        Ok(())
    }

    fn payer(&mut self, connection: &mut dyn Connection, owner: &Id, row: &Row<'_>) -> std::result::Result<(), Broken> {
        let Some(content) = self.content(owner, column::PAYER_PART, leaf::PAYER, row)? else { return Ok(()) };
        let part = PayerPart::decode(&content).map_err(|_| Broken::Changed)?;
        let (jws_sha256, index) = match part.signed {
            Signed::Alone(jws) => return self.signature(connection, row.device, &jws, &part.order),
            Signed::InBulk { jws_sha256, index } => (jws_sha256, index),
        };
        let of = (jws_sha256, *owner, *row.device);
        if self.bulk.as_ref().is_none_or(|(kept, _)| *kept != of) {
            let bulk = bulk::kept(connection, self.keys, owner, &jws_sha256)?;
            if self.checks == Signatures::Checked {
                self.signature(connection, row.device, &bulk.jws, bulk.text().as_bytes())?;
            }
            self.bulk = Some((of, bulk.leaves));
        }
        let leaf = self.bulk.as_ref().and_then(|(_, leaves)| leaves.get(usize::try_from(index).ok()?));
        if leaf == Some(&merkle::leaf_hash(&part.order)) { Ok(()) } else { Err(Broken::Changed) }
    }

    /// The device has signed this.
    fn signature(
        &mut self,
        connection: &mut dyn Connection,
        device: &Id,
        jws: &str,
        text: &[u8],
    ) -> std::result::Result<(), Broken> {
        if self.checks == Signatures::Trusted {
            return Ok(());
        }
        if !self.devices.contains_key(device) {
            let row = identity::devices(connection, &[*device]).map_err(|e| Broken::Failed(e.into()))?.pop();
            let row = row.filter(|row| row.check(self.keys).is_ok()).ok_or(Broken::Changed)?;
            let key = PublicKey::from_bytes(&row.public_key).map_err(|_| Broken::Changed)?;
            self.devices.insert(*device, key);
        }
        let detached = jws::parse_detached(jws).map_err(|_| Broken::Changed)?;
        let is_its = detached.protected().kid == DeviceId(*device).to_string();
        let key = self.devices.get(device).ok_or(Broken::Changed)?;
        self.signatures += 1;
        if is_its && detached.verify(key, text) { Ok(()) } else { Err(Broken::Changed) }
    }

    /// What a part holds; none of somebody who was erased.
    fn content(
        &self,
        owner: &Id,
        column: ColumnId,
        tag: u8,
        row: &Row<'_>,
    ) -> std::result::Result<Option<Vec<u8>>, Broken> {
        let at = usize::from(tag != leaf::PAYER);
        match open_part(self.keys, owner, column, row.id, row.sealed[at]) {
            Ok(Some((salt, content))) if leaf::part_hash(tag, &salt, &content) == *row.hashes[at] => Ok(Some(content)),
            Err(Error::Erased(_)) => Ok(None),
            Ok(None) if is_erased(self.keys, owner) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Broken::Changed),
        }
    }
}

fn is_erased(keys: &Keyring, person: &Id) -> bool {
    matches!(keys.owners(Some(person)), Err(Error::Erased(_)))
}
