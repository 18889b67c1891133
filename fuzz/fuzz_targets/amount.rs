//! Amounts of every currency: what is read is positive, and written and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::money::Currency;

fuzz_target!(|input: (&str, [u8; 3])| {
    let (text, code) = input;
    let drawn = Currency::from_code(code);
    let some = ["USD", "JPY", "BHD", "CLF"].map(|code| code.parse().ok());
    for currency in some.into_iter().chain([drawn]).flatten() {
        let Ok(minor) = Currency::parse_amount(currency, text) else { continue };
        let written = currency.format_amount(minor);
        assert!(minor > 0 && written.len() >= text.len());
        assert_eq!(currency.parse_amount(&written), Ok(minor));
    }
});
