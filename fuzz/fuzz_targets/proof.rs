//! Proofs with cosignatures, and witnesses' keys: what is read is written and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::cosignature::{Proof, WitnessKey};

fuzz_target!(|text: &str| {
    if let Some(proof) = Proof::parse(text) {
        assert_eq!(Proof::parse(&proof.to_text()), Some(proof));
    }
    if let Ok(key) = text.parse::<WitnessKey>() {
        assert_eq!(key.to_string(), text);
    }
});
