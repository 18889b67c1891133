//! A root key file that a passphrase shuts:
//!
//! ```text
//! strongroom-root-key-v2 <base64url of 16 bytes of salt> <base64url of the wrapped root key>
//! ```
//! The root key is wrapped (see [`crate::wrap`]) for the purpose `root/passphrase`, under Argon2id (RFC
//! 9106) of the passphrase in NFC with that salt: 64 MiB, three passes, one lane, 32 bytes.

use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::{base64url, random, wrap};

/// What such a file begins with.
pub const PREFIX: &str = "strongroom-root-key-v2 ";
const MEMORY_KIB: u32 = 65_536;
const PASSES: u32 = 3;
const PURPOSE: &str = "root/passphrase";

/// A file's line for a root key.
pub fn shut(root: &Secret, passphrase: &str) -> String {
    let salt = random::bytes::<16>();
    let wrapped = wrap::wrap(&derived(passphrase, &salt), PURPOSE, root);
    format!("{PREFIX}{} {}", base64url::encode(&salt), base64url::encode(&wrapped))
}

/// What opening such a line came to.
#[derive(Debug)]
pub enum Opened {
    /// The root key.
    Root(Secret),
    /// The passphrase is another one, or the line was changed.
    Wrong,
    /// It is no such line.
    Malformed,
}

/// Opens a line.
pub fn open(line: &str, passphrase: &str) -> Opened {
    let parts = line.trim_end().strip_prefix(PREFIX).and_then(|rest| rest.split_once(' '));
    let decoded = parts.and_then(|(salt, wrapped)| {
        let salt: [u8; 16] = base64url::decode(salt)?.try_into().ok()?;
        Some((salt, base64url::decode(wrapped)?))
    });
    let Some((salt, wrapped)) = decoded else { return Opened::Malformed };
    wrap::unwrap(&derived(passphrase, &salt), PURPOSE, &wrapped).map_or(Opened::Wrong, Opened::Root)
}

#[allow(clippy::expect_used)] // the parameters are constants within Argon2's bounds
fn derived(passphrase: &str, salt: &[u8; 16]) -> Secret {
    let normal = Zeroizing::new(passphrase.nfc().collect::<String>());
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).expect("the parameters are within bounds");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(normal.as_bytes(), salt, key.as_mut_slice())
        .expect("the lengths are within bounds");
    Secret::from_bytes(*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_opens_its_own_line_only() {
        let root = Secret::random();
        let line = shut(&root, "Jose\u{301} keeps the vault");
        assert!(
            matches!(open(&line, "Jos\u{e9} keeps the vault"), Opened::Root(opened) if opened.expose() == root.expose())
        );
        assert!(matches!(open(&line, "another"), Opened::Wrong));
        assert!(matches!(open(PREFIX, "x"), Opened::Malformed));
    }
}
