//! Database URLs: what is read can be shown and read again, and never held a password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_sql::Url;

fuzz_target!(|text: &str| {
    let Ok(url) = Url::parse(text) else { return };
    let shown = url.to_string();
    assert_eq!(Url::parse(&shown).ok(), Some(url), "{shown}");
});
