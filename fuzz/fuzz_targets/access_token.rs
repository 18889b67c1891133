//! Access tokens: no text that the bank did not sign passes, and signed claims are read strictly.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::base64url;
use strongroom_crypto::sign::SigningKey;
use strongroom_crypto::token::{self, TokenError};

static KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate_ed25519);
const HEADER: &[u8] = br#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        assert!(verify(text).is_err());
    }
    // The same bytes as claims that the bank did sign: read, or refused as malformed, foreign or expired.
    let signed = format!("{}.{}", base64url::encode(HEADER), base64url::encode(bytes));
    let signature = base64url::encode(&KEY.sign(signed.as_bytes()));
    assert_ne!(verify(&format!("{signed}.{signature}")), Err(TokenError::Signature));
    // And as its header: only the header above passes.
    let signed = format!("{}.{}", base64url::encode(bytes), base64url::encode(b"{}"));
    let signature = base64url::encode(&KEY.sign(signed.as_bytes()));
    assert!(verify(&format!("{signed}.{signature}")).is_err());
});

fn verify(text: &str) -> Result<token::Claims, TokenError> {
    token::verify(text, |_| Some(KEY.public()), "bank", "bank", 1000)
}
