//! Password hashes: Argon2id (RFC 9106) with 19 MiB, two passes, one lane, and a pepper from the
//! keyring as its secret input. Passwords are put in NFC first, so that the same keys pressed on
//! another device give the same hash.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::random;
use crate::secret::Secret;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and checks passwords.
pub struct Hasher {
    pepper: Secret,
    dummy: String,
}

#[allow(clippy::expect_used)] // the parameters are constants within Argon2's bounds
impl Hasher {
    /// With the bank's pepper.
    pub fn new(pepper: &Secret) -> Self {
        let mut hasher = Hasher { pepper: Secret::from_bytes(*pepper.expose()), dummy: String::new() };
        let nobodys: String = random::bytes::<32>().iter().map(|b| format!("{b:02x}")).collect();
        hasher.dummy = hasher.hash(&nobodys);
        hasher
    }

    fn argon2(&self) -> Argon2<'_> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within bounds");
        Argon2::new_with_secret(self.pepper.expose(), Algorithm::Argon2id, Version::V0x13, params)
            .expect("the pepper is short enough")
    }

    /// The hash of a password, as a PHC string.
    pub fn hash(&self, password: &str) -> String {
        let normal = Zeroizing::new(password.nfc().collect::<String>());
        let salt = random::bytes::<16>();
        self.argon2()
            .hash_password_with_salt(normal.as_bytes(), &salt)
            .expect("hashing has no other failure")
            .to_string()
    }

    /// Whether a password has this hash.
    pub fn verify(&self, password: &str, hash: &str) -> bool {
        let normal = Zeroizing::new(password.nfc().collect::<String>());
        match argon2::PasswordHash::new(hash) {
            Ok(hash) => self.argon2().verify_password(normal.as_bytes(), &hash).is_ok(),
            Err(_) => false,
        }
    }

    /// A hash that nobody's password has: checked when there is no one to check, so that the
    /// answer takes as long.
    pub fn dummy(&self) -> &str {
        &self.dummy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_salted_peppered_and_normalised() {
        let hasher = Hasher::new(&Secret::from_bytes([1; 32]));
        let hash = hasher.hash("Jose\u{301} y Ana");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash("Jose\u{301} y Ana"));
        assert!(hasher.verify("Jos\u{e9} y Ana", &hash));
        assert!(!hasher.verify("Jos\u{e9} y Ane", &hash));
        assert!(!Hasher::new(&Secret::from_bytes([2; 32])).verify("Jos\u{e9} y Ana", &hash));
        assert!(!hasher.verify("", hasher.dummy()) && !hasher.verify("x", "not a hash"));
    }
}
