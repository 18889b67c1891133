//! Receipts, which anyone may hand to the verifier: canonical, and none but the known ones verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::note::LogKey;
use strongroom_ledger::receipt::{self, Receipt};

const LOG_KEY: &str = include_str!("../../crates/strongroom-ledger/src/receipt/vectors/log-key.txt");
const KNOWN: [&str; 2] = [
    include_str!("../../crates/strongroom-ledger/src/receipt/vectors/payer.txt"),
    include_str!("../../crates/strongroom-ledger/src/receipt/vectors/payee.txt"),
];

static KEY: LazyLock<LogKey> = LazyLock::new(|| LOG_KEY.trim_end().parse().unwrap());

fuzz_target!(|text: &str| {
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_text(), text);
    }
    assert_eq!(receipt::verify(text, &KEY).is_ok(), KNOWN.contains(&text));
});
