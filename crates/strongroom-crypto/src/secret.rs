//! A 32-byte key in memory: wiped when dropped, never printed.

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
        struct Len32;
        impl KeyType for Len32 {
            fn len(&self) -> usize {
                32
            }
        }
        let mut key = Secret(Box::new([0; 32]));
        let prk = Salt::new(HKDF_SHA256, &[]).extract(self.expose());
        prk.expand(&[label.as_bytes()], Len32)
            .and_then(|okm| okm.fill(key.0.as_mut_slice()))
            .expect("HKDF gives 32 bytes");
        key
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
