//! Many transfers under one signature: verified once, prepared beside the writer, and decided in one batch; linked ones
//! all or none.

use strongroom_ledger::leaf::bulk::{self, BulkProof, SignedBulk};
use strongroom_ledger::merkle::Hash;
use strongroom_ledger::order::{BulkOrder, TransferOrder};
use strongroom_store::bulks::{self, BulkRow};
use strongroom_store::{Connection, Id};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::keyring::{Keyring, column};
use crate::money::{Bulk, Placed};
use crate::orders::Verified;
use crate::queue::Lane;
use crate::sessions::Caller;
use crate::writer::Task;
use crate::{Bank, Error, Result};

/// What became of one order of a bulk.
#[derive(Debug)]
pub struct BulkResult {
    /// The order's id.
    pub order_id: String,
    /// The same as of an order by itself.
    pub placed: Result<Placed>,
}

/// Bulks that are read, prepared and carried out at the same time: each holds megabytes.
pub(crate) const AT_ONCE: usize = 4;

impl Bank {
    /// A turn to send a bulk, before its body is read. Who finds no place comes back.
    pub fn turn_for_bulk(&self) -> Result<OwnedSemaphorePermit> {
        self.bulks.clone().try_acquire_owned().map_err(|_| Error::Busy)
    }

    /// Checks the signature of a bulk and places its orders. An order that is malformed refuses them all.
    pub async fn bulk(
        &self,
        caller: &Caller,
        signature: Option<&str>,
        body: &[u8],
        turn: OwnedSemaphorePermit,
    ) -> Result<Vec<BulkResult>> {
        let bulk = BulkOrder::parse(body).map_err(|e| Error::Malformed(e.to_string()))?;
        let count = bulk.orders.len() as u64;
        let whole = bulk::text(&bulk.root, count, bulk.linked);
        let device = self.signed_for("bulk", caller.person, signature, whole.as_bytes(), "the signing device").await?;
        let jws = signature.unwrap_or_default().to_owned();
        let signed = SignedBulk { jws, linked: bulk.linked, leaves: bulk.leaves };
        let digest = signed.digest();
        let mut commands = Vec::with_capacity(bulk.orders.len());
        for (index, text) in bulk.orders.into_iter().enumerate() {
            let order = TransferOrder::parse(text.as_bytes())
                .map_err(|e| Error::Malformed(format!("order {index} of the bulk: {e}")))?;
            let verified = Verified::of_bulk(order, text.into_bytes(), device, caller, (digest, index as u64));
            commands.push(self.transfer_command(verified).await?);
            // Others are served meanwhile.
            if index.is_multiple_of(64) {
                tokio::task::yield_now().await;
            }
        }
        let ids: Vec<String> = commands.iter().map(|command| command.order_id.clone()).collect();
        let id = id_of(&digest);
        let signed = self.keys.seal(Some(&caller.person), column::SIGNED_BULK, &id, &signed.encode())?;
        let row = BulkRow { id, person: caller.person, signed };
        let placed = self.place_all(Bulk { commands, linked: bulk.linked, row }, turn).await?;
        Ok(ids.into_iter().zip(placed).map(|(order_id, placed)| BulkResult { order_id, placed }).collect())
    }

    /// Hands a bulk to the writer, with its turn: its place is free when it was answered, whoever still waits.
    async fn place_all(&self, bulk: Bulk, turn: OwnedSemaphorePermit) -> Result<Vec<Result<Placed>>> {
        let (reply, answer) = oneshot::channel();
        let task = Task::Bulk(Box::new(bulk), reply, turn);
        self.queue.push(Lane::Money, task).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }
}

/// Under which id a bulk is kept.
pub(crate) fn id_of(digest: &Hash) -> Id {
    std::array::from_fn(|at| digest[at])
}

/// A bulk that is kept, by the hash of its signature. It is its signer's.
pub(crate) fn kept(connection: &mut dyn Connection, keys: &Keyring, signer: &Id, digest: &Hash) -> Result<SignedBulk> {
    let changed = || Error::Integrity("the bulk that the order came in is gone or was changed".into());
    let row = bulks::by_id(connection, &id_of(digest))?.filter(|row| row.person == *signer).ok_or_else(changed)?;
    let bulk = keys.unseal(Some(signer), column::SIGNED_BULK, &row.id, &row.signed)?;
    SignedBulk::decode(&bulk).ok().filter(|bulk| bulk.digest() == *digest).ok_or_else(changed)
}

/// That an order stands in a bulk that is kept.
pub(crate) fn proof(
    connection: &mut dyn Connection,
    keys: &Keyring,
    signer: &Id,
    digest: &Hash,
    index: u64,
) -> Result<BulkProof> {
    let proof = kept(connection, keys, signer, digest)?.proof(index);
    proof.ok_or_else(|| Error::Integrity("the bulk that the order came in has no such place".into()))
}
