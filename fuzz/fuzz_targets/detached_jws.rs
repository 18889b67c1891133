//! Detached signatures (the header of a signed order): strictly read, and none that nobody made holds.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::base64url;
use strongroom_crypto::jws;
use strongroom_crypto::sign::SigningKey;

static KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| [SigningKey::generate_ed25519(), SigningKey::generate_p256()]);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        read(text);
    }
    // The same bytes as the protected header, in an envelope that passes.
    read(&format!("{}..{}", base64url::encode(bytes), base64url::encode(&[7; 64])));
});

fn read(text: &str) {
    let Ok(detached) = jws::parse_detached(text) else { return };
    assert!(matches!(detached.protected().alg.as_str(), "EdDSA" | "ES256"));
    for key in KEYS.iter() {
        assert!(!detached.verify(&key.public(), b"body"));
    }
}
