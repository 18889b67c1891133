//! Password hashes. The bank's own: Argon2id (RFC 9106) with 32 MiB, three passes, one lane (OWASP's least is 19 MiB and two) and a pepper from
//! the keyring as its secret input; or, where the operator chooses so, bcrypt (cost 12) of an HMAC of the
//! password under the pepper, so that its limit of 72 bytes never bites. Passwords are put in NFC first, so
//! that the same keys pressed on another device give the same hash.
//!
//! Hashes that other systems made are checked too, and followed by one of ours at the first sign-in.

mod argon2id;
mod imported;

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::base64url;
use crate::mac::MacKey;
use crate::random;
use crate::secret::Secret;

pub use imported::{Imported, Unreadable};

const BCRYPT_COST: u32 = 12;
/// What a stored hash of another system begins with.
const IMPORTED: &str = "import:";

/// How new passwords are hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Argon2id.
    #[default]
    Argon2id,
    /// bcrypt.
    Bcrypt,
}

/// What a password is to a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Another password.
    Wrong,
    /// The password.
    Right,
    /// The password; its hash is to be made anew: another scheme, other parameters, an older pepper.
    Outdated,
}

/// Hashes and checks passwords.
pub struct Hasher {
    /// By version, the active one first.
    peppers: Vec<(u32, Secret)>,
    dummies: [OnceLock<String>; 2],
    memory: argon2id::Memory,
}

#[allow(clippy::expect_used)] // the parameters are constants within the algorithms' bounds
impl Hasher {
    /// With the versions of the bank's pepper, the active one first.
    pub fn new(peppers: Vec<(u32, Secret)>) -> Self {
        Hasher { peppers, dummies: [OnceLock::new(), OnceLock::new()], memory: argon2id::Memory::default() }
    }

    /// The hash of a password, as it is stored: the pepper's version and a PHC or bcrypt string.
    pub fn hash(&self, scheme: Scheme, password: &str) -> String {
        let (version, pepper) = &self.peppers[0];
        let normal = Zeroizing::new(password.nfc().collect::<String>());
        let hash = match scheme {
            Scheme::Argon2id => self.memory.hash(pepper, normal.as_bytes()),
            Scheme::Bcrypt => bcrypt::hash_with_salt(&*peppered(pepper, &normal), BCRYPT_COST, random::bytes())
                .expect("the input is short and the cost within bounds")
                .to_string(),
        };
        format!("{version}{hash}")
    }

    /// Whether a password has this stored hash, and whether a new one is due.
    pub fn check(&self, scheme: Scheme, password: &str, stored: &str) -> Checked {
        if let Some(imported) = stored.strip_prefix(IMPORTED) {
            let matches = Imported::parse(imported).is_ok_and(|hash| hash.matches(password));
            return if matches { Checked::Outdated } else { Checked::Wrong };
        }
        let Some((version, hash)) = stored.find('$').map(|at| stored.split_at(at)) else { return Checked::Wrong };
        let Some((_, pepper)) = self.peppers.iter().find(|(known, _)| known.to_string() == version) else {
            return Checked::Wrong;
        };
        let normal = Zeroizing::new(password.nfc().collect::<String>());
        let (matches, is_current) = match hash.starts_with("$argon2id$") {
            true => {
                let (matches, is_current) = self.memory.check(pepper, normal.as_bytes(), hash);
                (matches, is_current && scheme == Scheme::Argon2id)
            }
            false => (
                bcrypt::verify(&*peppered(pepper, &normal), hash).unwrap_or(false),
                scheme == Scheme::Bcrypt && hash.starts_with(&format!("$2b${BCRYPT_COST}$")),
            ),
        };
        match (matches, is_current && *version == self.peppers[0].0.to_string()) {
            (false, _) => Checked::Wrong,
            (true, true) => Checked::Right,
            (true, false) => Checked::Outdated,
        }
    }

    /// A hash that nobody's password has: checked when there is no one to check, so that the
    /// answer takes as long.
    pub fn dummy(&self, scheme: Scheme) -> &str {
        let nobodys = || random::bytes::<32>().iter().map(|b| format!("{b:02x}")).collect::<String>();
        self.dummies[scheme as usize].get_or_init(|| self.hash(scheme, &nobodys()))
    }
}

/// What is stored for a hash that another system made.
pub fn stored_import(hash: &Imported) -> String {
    format!("{IMPORTED}{}", hash.text())
}

/// 43 characters for bcrypt, whatever the password's length.
fn peppered(pepper: &Secret, normal: &str) -> Zeroizing<String> {
    let tag = Zeroizing::new(MacKey::new(pepper).tag("bcrypt", &[normal.as_bytes()]));
    Zeroizing::new(base64url::encode(&*tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(peppers: &[(u32, u8)]) -> Hasher {
        Hasher::new(peppers.iter().map(|(version, byte)| (*version, Secret::from_bytes([*byte; 32]))).collect())
    }

    #[test]
    fn hashes_are_salted_peppered_and_normalised() {
        let hasher = hasher(&[(1, 1)]);
        for (scheme, start) in [(Scheme::Argon2id, "1$argon2id$v=19$m=32768,t=3,p=1$"), (Scheme::Bcrypt, "1$2b$12$")] {
            let hash = hasher.hash(scheme, "Jose\u{301} y Ana");
            assert!(hash.starts_with(start), "{hash}");
            assert_ne!(hash, hasher.hash(scheme, "Jose\u{301} y Ana"));
            assert_eq!(hasher.check(scheme, "Jos\u{e9} y Ana", &hash), Checked::Right);
            assert_eq!(hasher.check(scheme, "Jos\u{e9} y Ane", &hash), Checked::Wrong);
            assert_eq!(self::hasher(&[(1, 2)]).check(scheme, "Jos\u{e9} y Ana", &hash), Checked::Wrong);
            assert_eq!(hasher.check(scheme, "", hasher.dummy(scheme)), Checked::Wrong);
            let long = "long ".repeat(40);
            let hash = hasher.hash(scheme, &long);
            assert_eq!(hasher.check(scheme, &format!("{long}x"), &hash), Checked::Wrong, "nothing is cut off");
        }
        assert_eq!(hasher.check(Scheme::Argon2id, "x", "not a hash"), Checked::Wrong);
    }

    #[test]
    fn another_scheme_and_an_older_pepper_are_outdated() {
        let (old, both) = (hasher(&[(1, 1)]), hasher(&[(2, 2), (1, 1)]));
        let hash = old.hash(Scheme::Argon2id, "a password");
        assert_eq!(both.check(Scheme::Argon2id, "a password", &hash), Checked::Outdated);
        assert_eq!(old.check(Scheme::Bcrypt, "a password", &hash), Checked::Outdated);
        let new = both.hash(Scheme::Argon2id, "a password");
        assert_eq!(both.check(Scheme::Argon2id, "a password", &new), Checked::Right);
        assert_eq!(old.check(Scheme::Argon2id, "a password", &new), Checked::Wrong, "the pepper is not known");
    }
}
