//! Tiles of the log by path, and the bundles of entries in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::tile::{self, TilePath};

fuzz_target!(|bytes: &[u8]| {
    if let Some(entries) = tile::decode_entries(bytes) {
        assert_eq!(tile::encode_entries(&entries), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(path) = text.parse::<TilePath>() else { return };
    assert_eq!(path.to_string(), text);
    let range = path.range();
    assert_eq!(range.end - range.start, u64::from(path.width()));
    assert!((1..=256).contains(&path.width()) && !path.is_within(0));
});
