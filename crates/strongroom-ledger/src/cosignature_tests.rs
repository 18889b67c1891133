//! Cosignatures and proofs against a witness made here.

use strongroom_crypto::sign::SigningKey;

use super::*;

const TIME_S: u64 = 1_763_676_000;

fn witness(name: &str, seed: u8) -> (SigningKey, WitnessKey) {
    let key = SigningKey::from_seed(&[seed; 32]);
    let mut bytes = key.public().to_bytes();
    bytes[0] = 4;
    let id = strongroom_crypto::digest::sha256_parts(&[name.as_bytes(), b"\n", &bytes]);
    let id: String = id[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{name}+{id}+{}", BASE64.encode(bytes));
    (key, text.parse().unwrap())
}

fn cosign(key: &SigningKey, public: &WitnessKey, checkpoint: &Checkpoint, time_s: u64) -> String {
    let message = format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.body());
    let line = [&public.id[..], &time_s.to_be_bytes(), &key.sign(message.as_bytes())].concat();
    format!("\u{2014} {} {}", public.name, BASE64.encode(line))
}

/// Five entries, and a proof of the fourth.
fn story() -> (Hash, LogKey, SigningKey, Checkpoint, Proof) {
    let entries: Vec<Hash> = (0..5).map(|n| [n; 32]).collect();
    let leaves: Vec<Hash> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
    let (root, path) = merkle::path_of(&leaves, 3).unwrap();
    let key = SigningKey::from_seed(&[9; 32]);
    let log = LogKey::new("bank.example/log", &key.public());
    let checkpoint = Checkpoint { origin: log.origin().to_owned(), size: 5, root };
    let proof = Proof { index: 3, path, checkpoint: checkpoint.sign(&key), cosignatures: Vec::new() };
    (entries[3], log, key, checkpoint, proof)
}

#[test]
fn a_proof_shows_who_has_cosigned_it() {
    let (entry, log, _, checkpoint, mut proof) = story();
    let ((one, one_key), (_, other_key)) = (witness("witness.example/one", 1), witness("witness.example/two", 2));
    let keys = [one_key.clone(), other_key];
    assert_eq!(proof.verify(&entry, &log, &keys).unwrap().1, [None, None]);
    proof.cosignatures.push(cosign(&one, &one_key, &checkpoint, TIME_S));
    let text = proof.to_text();
    assert_eq!(Proof::parse(&text), Some(proof.clone()));
    let with_extra = text.replacen("\nindex", "\nextra bm90aGluZw==\nindex", 1);
    assert_eq!(Proof::parse(&with_extra), Some(proof.clone()));
    let (before, after) = text.rsplit_once("\n\n").unwrap();
    let turned = format!("{before}\n\n{}\n", after.lines().rev().collect::<Vec<_>>().join("\n"));
    assert_eq!(Proof::parse(&turned), Some(proof.clone()), "the log's line may stand behind others");
    assert_eq!(proof.verify(&entry, &log, &keys).unwrap(), (checkpoint, vec![Some(TIME_S), None]));
    assert_eq!(proof.verify(&[8; 32], &log, &keys), Err(ProofError::NotInLog));
    let moved = Proof { index: 2, ..proof.clone() };
    assert_eq!(moved.verify(&entry, &log, &keys), Err(ProofError::NotInLog));
    let stranger = LogKey::new("bank.example/log", &SigningKey::from_seed(&[8; 32]).public());
    assert_eq!(proof.verify(&entry, &stranger, &keys), Err(ProofError::Checkpoint(NoteError::OtherKey)));
}

#[test]
fn a_cosignature_holds_for_one_checkpoint_time_and_witness() {
    let (.., checkpoint, _) = story();
    let ((key, public), (_, other)) = (witness("witness.example", 1), witness("witness.example", 2));
    let line = cosign(&key, &public, &checkpoint, TIME_S);
    assert_eq!(public.verify(&checkpoint, &line), Some(TIME_S));
    assert_eq!(other.verify(&checkpoint, &line), None, "another key under the same name");
    assert_eq!(public.verify(&Checkpoint { size: 6, ..checkpoint.clone() }, &line), None);
    assert_eq!(public.verify(&checkpoint, &line.replace("witness", "wetness")), None);
    let mut bytes = BASE64.decode(line.rsplit_once(' ').unwrap().1).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        let changed = format!("\u{2014} witness.example {}", BASE64.encode(&bytes));
        assert_eq!(public.verify(&checkpoint, &changed), None, "byte {at}");
        bytes[at] ^= 1;
    }
}

#[test]
fn a_witness_key_has_one_spelling() {
    let (_, key) = witness("witness.example", 1);
    let text = key.to_string();
    assert_eq!(text.parse::<WitnessKey>().unwrap().to_string(), text);
    let (_, log, ..) = story();
    for wrong in ["", "witness.example", &log.to_string(), &text.replace("example", "exomple"), &format!("{text} ")] {
        assert!(wrong.parse::<WitnessKey>().is_err(), "{wrong}");
    }
}

#[test]
fn what_a_witness_is_asked() {
    let (.., proof) = story();
    let asked = add_checkpoint(2, &[[1; 32], [2; 32]], &proof.checkpoint);
    let hashes = format!("{}\n{}\n", BASE64.encode([1; 32]), BASE64.encode([2; 32]));
    assert_eq!(asked, format!("old 2\n{hashes}\n{}", proof.checkpoint));
}

#[test]
fn the_checkpoint_that_most_have_cosigned_is_shown() {
    let (_, log, key, ..) = story();
    let note = |size: u64| Checkpoint { origin: log.origin().to_owned(), size, root: [1; 32] }.sign(&key);
    let lines = |count: usize| vec!["a line".to_owned(); count];
    let foreign = Checkpoint { origin: "elsewhere/log".into(), size: 90, root: [1; 32] }.sign(&key);
    let all = || vec![(note(10), lines(2)), (note(20), lines(2)), (note(30), lines(1)), (foreign.clone(), lines(9))];
    // Up to which entry, and the size of what is shown for it.
    for (index, size) in [(0, Some(20)), (19, Some(20)), (20, Some(30)), (29, Some(30)), (30, None)] {
        assert_eq!(Cosigned::best(all(), &log, index).map(|best| best.size), size, "entry {index}");
    }
    assert_eq!(Cosigned::best(Vec::new(), &log, 0), None);
}
