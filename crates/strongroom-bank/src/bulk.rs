//! Many transfers under one signature: verified once, prepared beside the writer, and decided in one batch; linked ones
//! all or none.

use strongroom_ledger::leaf::BulkProof;
use strongroom_ledger::merkle;
use strongroom_ledger::order::{BulkOrder, TransferOrder};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::money::{Command, Placed};
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
        let whole = BulkProof::signed(&bulk.root, count, bulk.linked);
        let device = self.signed_for("bulk", caller.person, signature, whole.as_bytes(), "the signing device").await?;
        let signature = signature.unwrap_or_default();
        let leaves: Vec<_> = bulk.orders.iter().map(|order| merkle::leaf_hash(order.as_bytes())).collect();
        let mut commands = Vec::with_capacity(bulk.orders.len());
        for (index, (text, path)) in bulk.orders.into_iter().zip(merkle::paths(&leaves)).enumerate() {
            let order = TransferOrder::parse(text.as_bytes())
                .map_err(|e| Error::Malformed(format!("order {index} of the bulk: {e}")))?;
            let proof = BulkProof { root: bulk.root, count, linked: bulk.linked, index: index as u64, path };
            let verified = Verified::of_bulk(order, text.into_bytes(), signature, device, caller, proof);
            commands.push(self.transfer_command(verified).await?);
            // Others are served meanwhile.
            if index.is_multiple_of(64) {
                tokio::task::yield_now().await;
            }
        }
        let ids: Vec<String> = commands.iter().map(|command| command.order_id.clone()).collect();
        let placed = self.place_all(commands, bulk.linked, turn).await?;
        Ok(ids.into_iter().zip(placed).map(|(order_id, placed)| BulkResult { order_id, placed }).collect())
    }

    /// Hands a bulk to the writer, with its turn: its place is free when it was answered, whoever still waits.
    async fn place_all(
        &self,
        commands: Vec<Command>,
        linked: bool,
        turn: OwnedSemaphorePermit,
    ) -> Result<Vec<Result<Placed>>> {
        let (reply, answer) = oneshot::channel();
        let task = Task::Bulk(commands, linked, reply, Some(turn));
        self.queue.push(Lane::Money, task).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }
}
