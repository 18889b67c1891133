//! Leaves and parts of the log, from a database or a receipt: one spelling of each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_ledger::leaf::bulk::SignedBulk;
use strongroom_ledger::leaf::{
    DeviceCore, ErasureCore, KeyChangeCore, Kind, LogKeyCore, OriginCore, PayeePart, PayerPart, PostingCore,
};

fuzz_target!(|bytes: &[u8]| {
    let spelled = [
        PostingCore::decode(bytes).map(|core| (core.encode().to_vec(), true)),
        DeviceCore::decode(bytes).map(|core| (core.encode(), true)),
        KeyChangeCore::decode(bytes).map(|core| (core.encode(), true)),
        ErasureCore::decode(bytes).map(|core| (core.encode(), true)),
        LogKeyCore::decode(bytes).map(|core| (core.encode(), true)),
        OriginCore::decode(bytes).map(|core| (core.encode(), true)),
        PayerPart::decode(bytes).map(|part| (part.encode(), false)),
        PayeePart::decode(bytes).map(|part| (part.encode(), false)),
        SignedBulk::decode(bytes).map(|bulk| (bulk.encode(), false)),
    ];
    for (written, is_core) in spelled.into_iter().flatten() {
        assert_eq!(written, bytes);
        assert!(!is_core || Kind::of_core(bytes[0]).is_some());
    }
});
