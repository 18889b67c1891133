//! The log as others read it: an implementation of RFC 6962 that is not ours takes our proofs and gives our roots, and
//! a signed-note reader that is not ours takes our checkpoints.
#![allow(clippy::unwrap_used)] // a test

use std::collections::HashMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};
use strongroom_crypto::sign::SigningKey;
use strongroom_ledger::merkle::{self, Frontier, Hash, Hashes, TILE_WIDTH};
use strongroom_ledger::note::{Checkpoint, LogKey};

const SIZES: u64 = 600;

/// Leaves and the roots of full tiles, as the bank's tables hold them.
#[derive(Default)]
struct Rows(HashMap<(u8, u64), Hash>);

impl Hashes for Rows {
    type Error = Infallible;
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.0[&(level, index)])
    }
}

fn root(hash: &Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new((*hash).into(), size)
}

#[test]
fn another_implementation_of_rfc_6962_gives_our_roots_and_takes_our_proofs() {
    let (mut frontier, mut rows, mut theirs) = (Frontier::new(), Rows::default(), MemoryBackedTree::<Sha256, _>::new());
    let mut roots = vec![merkle::empty_root()];
    for size in 1..=SIZES {
        let leaf = size.to_be_bytes().to_vec();
        let hash = merkle::leaf_hash(&leaf);
        rows.0.insert((0, size - 1), hash);
        for (level, index, hash) in frontier.append(hash) {
            rows.0.insert((level, index), hash);
        }
        theirs.push(leaf);
        assert_eq!(theirs.root().as_bytes().as_slice(), frontier.root(), "{size} leaves");
        roots.push(frontier.root());
    }
    const { assert!(SIZES > 2 * TILE_WIDTH, "more than one tile is full") };
    for index in (0..SIZES).step_by(7) {
        let path = merkle::inclusion_proof(index, SIZES, &mut rows).unwrap();
        let proof = InclusionProof::<Sha256>::try_from_bytes(path.concat()).unwrap();
        let leaf = (index + 1).to_be_bytes().to_vec();
        root(&roots[SIZES as usize], SIZES).verify_inclusion(&leaf, index, &proof).unwrap();
        let other = (index + 2).to_be_bytes().to_vec();
        assert!(root(&roots[SIZES as usize], SIZES).verify_inclusion(&other, index, &proof).is_err());
    }
    for old in (1..SIZES).step_by(11) {
        let path = merkle::consistency_proof(old, SIZES, &mut rows).unwrap();
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(path.concat()).unwrap();
        let (before, now) = (root(&roots[old as usize], old), root(&roots[SIZES as usize], SIZES));
        now.verify_consistency(&before, &proof).unwrap();
        let rewritten = root(&[7; 32], old);
        assert!(now.verify_consistency(&rewritten, &proof).is_err());
    }
}

#[test]
fn another_reader_of_signed_notes_takes_our_checkpoints() {
    let key = SigningKey::from_seed(&[9; 32]);
    let checkpoint = Checkpoint { origin: "bank.example/log".into(), size: 12_345, root: [0xab; 32] };
    let note = checkpoint.sign(&key);
    let log_key = LogKey::new("bank.example/log", &key.public()).to_string();
    let verify = |note: &str, key: &str| {
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())]);
        let note = Note::from_bytes(note.as_bytes()).ok()?;
        let (verified, _) = note.verify(&known).ok()?;
        Some((verified.len(), note.text().to_vec()))
    };
    let (signatures, text) = verify(&note, &log_key).unwrap();
    assert_eq!((signatures, text), (1, checkpoint.body().into_bytes()));
    assert_eq!(verify(&note.replacen("12345", "12346", 1), &log_key), None);
    let other = LogKey::new("bank.example/log", &SigningKey::from_seed(&[8; 32]).public()).to_string();
    assert_eq!(verify(&note, &other), None);
}
