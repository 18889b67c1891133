//! Argon2id (RFC 9106) in memory that is kept from one hash to the next: taking 32 MiB anew from the system each
//! time costs a fifth of the hash, and leaves the process with far more than it uses. What stays there is no more
//! than the next hash overwrites.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::mac;
use crate::random;
use crate::secret::Secret;

const MEMORY_KIB: u32 = 32_768;
const PASSES: u32 = 3;
const LANES: u32 = 1;
const LENGTH: usize = 32;
/// No stored hash of ours makes us take more than this.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;

/// Memory for hashes: as much as were made at the same time.
#[derive(Default)]
pub struct Memory(Mutex<Vec<Vec<Block>>>);

/// What a stored hash says of itself, as a PHC string without its version of the pepper.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    hash: [u8; LENGTH],
    is_current: bool,
}

#[allow(clippy::expect_used)] // the parameters are within Argon2's bounds
impl Memory {
    /// A new hash of a password, as a PHC string.
    pub fn hash(&self, pepper: &Secret, password: &[u8]) -> String {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within bounds");
        let salt = random::bytes::<16>();
        let hash = self.derive(params, pepper, &salt, password);
        let encode = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}", encode(&salt), encode(&hash))
    }

    /// Whether a password has this hash, and whether it was made as hashes are made today.
    pub fn check(&self, pepper: &Secret, password: &[u8], stored: &str) -> (bool, bool) {
        let Some(stored) = read(stored) else { return (false, false) };
        let hash = self.derive(stored.params, pepper, &stored.salt, password);
        (mac::equal(&hash, &stored.hash), stored.is_current)
    }

    fn derive(&self, params: Params, pepper: &Secret, salt: &[u8], password: &[u8]) -> [u8; LENGTH] {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        blocks.resize(params.block_count().max(blocks.len()), Block::default());
        let argon2 = Argon2::new_with_secret(pepper.expose(), Algorithm::Argon2id, Version::V0x13, params)
            .expect("the pepper is short enough");
        let mut hash = [0; LENGTH];
        argon2
            .hash_password_into_with_memory(password, salt, &mut hash, &mut blocks)
            .expect("the lengths are in bounds");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        hash
    }
}

fn read(text: &str) -> Option<Stored> {
    let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
    let (params, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut numbers = params.split(',');
    let mut number = |name: &str| numbers.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let (memory, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    if parts.next().is_some() || numbers.next().is_some() || memory > MEMORY_KIB_MAX || passes > PASSES_MAX {
        return None;
    }
    let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
    Some(Stored {
        params: Params::new(memory, passes, lanes, None).ok()?,
        salt: decode(salt).filter(|salt| (8..=64).contains(&salt.len()))?,
        hash: decode(hash)?.try_into().ok()?,
        is_current: (memory, passes, lanes) == (MEMORY_KIB, PASSES, LANES),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9106 has its vectors for other parameters; the crate runs them. This holds our strings against the
    /// crate's own reader, and old parameters against the present ones.
    #[test]
    fn hashes_are_phc_strings_that_others_read() {
        use argon2::PasswordVerifier;
        let (memory, pepper) = (Memory::default(), Secret::from_bytes([7; 32]));
        let stored = memory.hash(&pepper, b"a password");
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("within bounds");
        let other = Argon2::new_with_secret(pepper.expose(), Algorithm::Argon2id, Version::V0x13, params);
        let parsed = argon2::PasswordHash::new(&stored).expect("it is a PHC string");
        other.expect("the pepper is short").verify_password(b"a password", &parsed).expect("it is the password");
        assert_eq!(memory.check(&pepper, b"a password", &stored), (true, true));
        assert_eq!(memory.check(&pepper, b"a passwore", &stored), (false, true));
        assert_eq!(memory.check(&Secret::from_bytes([8; 32]), b"a password", &stored), (false, true));
    }

    #[test]
    fn older_parameters_are_checked_and_nonsense_is_not() {
        use argon2::PasswordHasher;
        let (memory, pepper) = (Memory::default(), Secret::from_bytes([7; 32]));
        let params = Params::new(19_456, 2, 1, None).expect("within bounds");
        let old = Argon2::new_with_secret(pepper.expose(), Algorithm::Argon2id, Version::V0x13, params);
        let old = old.expect("the pepper is short").hash_password_with_salt(b"a password", &[1; 16]);
        let old = old.expect("it can be hashed").to_string();
        assert_eq!(memory.check(&pepper, b"a password", &old), (true, false));
        let present = memory.hash(&pepper, b"a password");
        assert_eq!(memory.check(&pepper, b"a password", &present), (true, true), "the memory of another size serves");
        for nonsense in [
            "",
            "$argon2id$",
            "$argon2i$v=19$m=8192,t=1,p=1$AQEBAQEBAQE$AAAA",
            &present.replace("32768", "4294967295"),
            &format!("{present}$"),
        ] {
            assert_eq!(memory.check(&pepper, b"a password", nonsense), (false, false), "{nonsense}");
        }
    }
}
