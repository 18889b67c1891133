//! Signed checkpoints and log keys: one spelling of each, and no signature that the log did not make.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::sign::SigningKey;
use strongroom_ledger::note::{Checkpoint, LogKey};

static KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate_ed25519);

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<LogKey>() {
        assert_eq!(key.to_string(), text);
        assert!(key.verify(text).is_err());
    }
    let Ok(checkpoint) = Checkpoint::parse(text) else { return };
    assert!(text.starts_with(&checkpoint.body()));
    let log_key = LogKey::new(&checkpoint.origin, &KEY.public());
    assert!(log_key.verify(text).is_err());
    assert_eq!(log_key.verify(&checkpoint.sign(&KEY)), Ok(checkpoint));
});
