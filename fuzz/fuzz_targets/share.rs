//! A share of a root key: what is read is written again as the same bytes, everything else is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::shares::{Share, combine};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(share) = Share::from_text(text) {
        assert_eq!(share.to_text().as_str(), text);
        _ = combine(&[share]);
    }
});
