//! Receipts: what one party of a posting may know of it, as canonical text with everything that
//! proves it: salts, the path to a signed checkpoint, the signed order and its device's own leaf.
//!
//! [`verify`] needs nothing but the text and the bank's log key, which comes from elsewhere and
//! never from the receipt. There is one spelling of a receipt, and every byte of it counts.

mod text;
mod verify;

pub use text::NotAReceipt;
pub use verify::{ReceiptError, Verified, verify};

use crate::leaf::bulk::BulkProof;
use crate::leaf::{self, DeviceCore, PostingCore};
use crate::merkle::Hash;

/// Whose view of the posting a receipt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The payer's: it shows the signed order.
    Payer,
    /// The payee's: it shows the description.
    Payee,
}

/// A party's part of the posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// With its content.
    Shown {
        /// The salt of its hash.
        salt: [u8; 16],
        /// Its bytes.
        content: Vec<u8>,
    },
    /// Only its hash; [`leaf::ABSENT`] for a part that the posting does not have.
    Hash(Hash),
}

impl Part {
    fn hash(&self, tag: u8) -> Hash {
        match self {
            Part::Shown { salt, content } => leaf::part_hash(tag, salt, content),
            Part::Hash(hash) => *hash,
        }
    }
}

/// A posting with its proofs, as one party may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose view it is.
    pub view: View,
    /// What was posted.
    pub core: PostingCore,
    /// The salt of the core's hash.
    pub core_salt: [u8; 16],
    /// Shown to the payer when a device signed the order, otherwise its hash.
    pub payer: Part,
    /// Shown to the payee, otherwise its hash.
    pub payee: Part,
    /// The posting's place in the log; always the core's sequence.
    pub index: u64,
    /// From its leaf to the checkpoint's root.
    pub path: Vec<Hash>,
    /// In the payer's view of an order that came in a bulk: the bulk's signature.
    pub bulk: Option<BulkProof>,
    /// The signing device's registration, in the payer's view of an order that a device signed.
    pub device: Option<DeviceProof>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// That a device's key stood in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceProof {
    /// The device's registration.
    pub core: DeviceCore,
    /// The salt of the core's hash.
    pub salt: [u8; 16],
    /// The registration's place in the log.
    pub index: u64,
    /// From its leaf to the checkpoint's root.
    pub path: Vec<Hash>,
}

impl Receipt {
    /// The canonical text.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// Reads canonical text and no other. **Nothing in it is proven by that**: see [`verify`].
    pub fn parse(text: &str) -> Result<Self, NotAReceipt> {
        let receipt = text::read(text)?;
        if receipt.to_text() == text {
            Ok(receipt)
        } else {
            Err(NotAReceipt { line: None, expected: "its canonical spelling" })
        }
    }
}

#[cfg(test)]
#[path = "receipt/tests.rs"]
mod tests;
