//! Bulks: many orders under one signature. The bank keeps the signature and the orders' hashes once for all of them;
//! a receipt shows the signature with the path from its own order to the root that was signed.

use strongroom_crypto::digest::sha256;

use super::NotALeaf;
use super::bytes::{Reader, whole, with_lengths};
use crate::merkle::{self, Hash};

/// A bulk as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBulk {
    /// The detached signature over the bulk's text.
    pub jws: String,
    /// All of its orders are carried out, or none.
    pub linked: bool,
    /// The leaf hashes of its orders (RFC 6962), in their order.
    pub leaves: Vec<Hash>,
}

/// That an order is one of a bulk that was signed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkProof {
    /// The detached signature over the bulk's text.
    pub jws: String,
    /// The root of the bulk's orders (RFC 6962).
    pub root: Hash,
    /// How many orders it has.
    pub count: u64,
    /// All of them, or none.
    pub linked: bool,
    /// The inclusion path, from the order's leaf upwards.
    pub path: Vec<Hash>,
}

/// What is signed of a bulk.
pub fn text(root: &Hash, count: u64, linked: bool) -> String {
    let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r#"{{"root":"{root}","count":{count},"linked":{linked}}}"#)
}

impl SignedBulk {
    /// What its orders commit to: SHA-256 of the signature.
    pub fn digest(&self) -> Hash {
        sha256(self.jws.as_bytes())
    }

    /// What was signed.
    pub fn text(&self) -> String {
        text(&merkle::root_of(&self.leaves), self.leaves.len() as u64, self.linked)
    }

    /// The proof of one of its orders; none when it has no such place.
    pub fn proof(&self, index: u64) -> Option<BulkProof> {
        let (root, path) = merkle::path_of(&self.leaves, usize::try_from(index).ok()?)?;
        Some(BulkProof { jws: self.jws.clone(), root, count: self.leaves.len() as u64, linked: self.linked, path })
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        with_lengths(vec![u8::from(self.linked)], &[self.jws.as_bytes(), &self.leaves.concat()])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        whole(bytes, |at: &mut Reader<'_>| {
            let linked = Some(at.byte()?).filter(|flag| *flag < 2)? == 1;
            let jws = at.text()?;
            let (leaves, rest) = at.sized()?.as_chunks::<32>();
            rest.is_empty().then(|| SignedBulk { jws, linked, leaves: leaves.to_vec() })
        })
    }
}

impl BulkProof {
    /// What was signed.
    pub fn text(&self) -> String {
        text(&self.root, self.count, self.linked)
    }

    /// Whether an order stands at this place of it.
    pub fn holds(&self, order: &[u8], index: u64) -> bool {
        merkle::verify_inclusion(&merkle::leaf_hash(order), index, self.count, &self.path, &self.root)
    }
}
