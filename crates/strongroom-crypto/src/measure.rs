//! For measurements alone: bare AES-256-GCM, the ceiling of what a sealed field can cost.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

use crate::random;
use crate::secret::Secret;
use crate::xaes::gcm;

/// AES-256-GCM under one key, with neither header nor context, as aws-lc-rs gives it.
pub struct BareAead(LessSafeKey);

impl BareAead {
    /// With a key's schedule ready.
    pub fn new(secret: &Secret) -> Self {
        BareAead(gcm(secret.expose()))
    }

    /// Encrypts a value where it stands, under a fresh random nonce.
    #[allow(clippy::expect_used)] // fails only past 64 GiB
    pub fn seal_in_place(&self, value: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::assume_unique_for_key(random::bytes());
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), value);
        let mut sixteen = [0; 16];
        sixteen.copy_from_slice(tag.expect("a value is shorter than 64 GiB").as_ref());
        sixteen
    }
}
