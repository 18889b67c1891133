//! A 32-byte key in memory: wiped when dropped, never printed.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::random;

/// A 32-byte secret key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Box<[u8; 32]>);

impl Secret {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = Box::new([0; 32]);
        random::fill(bytes.as_mut_slice());
        Secret(bytes)
    }

    /// From bytes that are wiped here too.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let secret = Secret(Box::new(bytes));
        bytes.zeroize();
        secret
    }

    /// The bytes; do not copy them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one purpose: HKDF-SHA256 (RFC 5869) with the label as info and no salt.
    #[allow(clippy::expect_used)] // 32 bytes is within HKDF's bound
    pub fn derive(&self, label: &str) -> Secret {
        let mut key = Secret(Box::new([0; 32]));
        hkdf_sha256(&[], self.expose(), label.as_bytes(), key.0.as_mut_slice()).expect("HKDF gives 32 bytes");
        key
    }
}

/// Fills `okm`, unless it is longer than HKDF can give.
pub(crate) fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8], okm: &mut [u8]) -> Result<(), Unspecified> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    prk.expand(&[info], Length(okm.len()))?.fill(okm)
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
