//! XAES-256-GCM (C2SP): AES-256-GCM with a nonce of 24 bytes, so that it may be drawn at random.
//!
//! The nonce's first half and the key give a fresh AES-256-GCM key (SP 800-108 in counter mode over
//! AES-CMAC); its second half is that key's nonce.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use zeroize::{Zeroize, Zeroizing};

/// A key with its schedule and its CMAC subkey.
pub(crate) struct Xaes {
    block_cipher: EncryptingKey,
    k1: u128,
}

impl Xaes {
    #[allow(clippy::expect_used)] // the length is right by its type
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundCipherKey::new(&AES_256, key).expect("an AES-256 key has 32 bytes");
        let block_cipher = EncryptingKey::ecb(key).expect("AES-256 has this mode");
        let mut l = [0; 16];
        encrypt_blocks(&block_cipher, &mut l);
        let l = u128::from_be_bytes(l);
        let k1 = (l << 1) ^ if l >> 127 == 1 { 0x87 } else { 0 };
        Xaes { block_cipher, k1 }
    }

    /// The key of all messages whose nonces begin with these 12 bytes. A CMAC over one whole block
    /// is that block, masked and encrypted.
    pub(crate) fn derive(&self, half_nonce: &[u8; 12]) -> LessSafeKey {
        let mut padded = [0; 16];
        padded[4..].copy_from_slice(half_nonce);
        // Two bytes of counter, a label, and a zero before the nonce.
        let block = |counter: u128| (u128::from_be_bytes(padded) | counter << 112 | u128::from(b'X') << 104) ^ self.k1;
        let mut key = Zeroizing::new([0; 32]);
        key[..16].copy_from_slice(&block(1).to_be_bytes());
        key[16..].copy_from_slice(&block(2).to_be_bytes());
        encrypt_blocks(&self.block_cipher, key.as_mut_slice());
        gcm(&key)
    }
}

impl Drop for Xaes {
    fn drop(&mut self) {
        self.k1.zeroize();
    }
}

#[allow(clippy::expect_used)] // the length is right by its type
pub(crate) fn gcm(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes"))
}

#[allow(clippy::expect_used)] // fails only for a part of a block
fn encrypt_blocks(cipher: &EncryptingKey, blocks: &mut [u8]) {
    cipher.encrypt(blocks).expect("they are whole blocks");
}
