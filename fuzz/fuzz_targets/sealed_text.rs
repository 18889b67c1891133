//! The text form of sealed fields: what is read is written the same, so there is one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::sealed;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Some(read) = sealed::from_text(text)
    {
        assert_eq!(sealed::to_text(&read), text);
    }
    assert_eq!(sealed::from_text(&sealed::to_text(bytes)).as_deref(), Some(bytes));
});
