//! Public keys of devices, as JWK and as bytes: what is read is written and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::sign::PublicKey;

fuzz_target!(|bytes: &[u8]| {
    let from_jwk = serde_json::from_slice(bytes).ok().and_then(|jwk| PublicKey::from_jwk(&jwk).ok());
    for key in [from_jwk, PublicKey::from_bytes(bytes).ok()].into_iter().flatten() {
        assert_eq!(PublicKey::from_bytes(&key.to_bytes()).as_ref(), Ok(&key));
        assert_eq!(PublicKey::from_jwk(&key.to_jwk()).as_ref(), Ok(&key));
        assert!(!key.verify(b"message", &[7; 64]));
    }
});
