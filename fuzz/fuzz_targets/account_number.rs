//! Account numbers as people type them: a normal form is its own normal form, and ids have one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::id::AccountId;
use strongroom_ledger::number;

fuzz_target!(|text: &str| {
    if let Ok((scheme, normal)) = number::check(text) {
        assert_eq!(number::check(&normal), Ok((scheme, normal.clone())));
    }
    if let Ok(id) = text.parse::<AccountId>() {
        assert_eq!(id.to_string(), text);
    }
});
