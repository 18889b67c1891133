//! Sealed fields: what a database holds instead of a value.
//!
//! ```text
//! F5 53 | suite 1 | flags 1 | key version 4 (big-endian) | nonce | ciphertext | tag 16
//! ```
//! The header and the context (store, column, row, logical type; each with its length) are
//! authenticated, so a cell moved to another row, column or store does not open. Suite 1 is
//! XAES-256-GCM (C2SP, 24-byte nonce) for keys that seal much; suite 2 is AES-256-GCM (SP 800-38D,
//! random 12-byte nonce) for keys that seal few messages. docs/formats.md has vectors.

mod place;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

use self::place::with_aad;
pub use self::place::{ColumnId, Context, LogicalType};
use crate::base64url;
use crate::random;
use crate::secret::Secret;
use crate::xaes::{Xaes, gcm};

/// The first two bytes of every sealed field.
pub const MAGIC: [u8; 2] = [0xF5, 0x53];
const HEADER: usize = 8;
const TAG: usize = 16;
/// What a sealed field in a text column begins with.
pub const TEXT_PREFIX: &str = "sr1.";

/// How a field is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// XAES-256-GCM: for keys shared by many cells.
    Xaes256Gcm = 1,
    /// AES-256-GCM with a random nonce: for keys that seal few messages.
    Aes256Gcm = 2,
}

impl Suite {
    fn nonce_len(self) -> usize {
        match self {
            Suite::Xaes256Gcm => 24,
            Suite::Aes256Gcm => 12,
        }
    }
}

/// A key that seals fields, with its expanded state.
pub struct FieldKey {
    version: u32,
    cipher: Cipher,
}

enum Cipher {
    Gcm(Box<LessSafeKey>),
    Xaes(Box<Xaes>),
}

/// What the header of a sealed field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is sealed.
    pub suite: Suite,
    /// By which version of its key.
    pub version: u32,
}

/// Why a field does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It has no header of ours, or is too short.
    #[error("this is not a sealed field")]
    NotSealed,
    /// It was sealed by another suite or key version.
    #[error("it was sealed under another key version or suite")]
    OtherKey,
    /// It was changed, moved, or sealed under another key.
    #[error("it was changed, moved to another place, or sealed under another key")]
    NotAuthentic,
}

impl FieldKey {
    /// Expands a secret.
    pub fn new(secret: &Secret, suite: Suite, version: u32) -> Self {
        let cipher = match suite {
            Suite::Xaes256Gcm => Cipher::Xaes(Box::new(Xaes::new(secret.expose()))),
            Suite::Aes256Gcm => Cipher::Gcm(Box::new(gcm(secret.expose()))),
        };
        FieldKey { version, cipher }
    }

    /// The version that fields sealed by it name.
    pub fn version(&self) -> u32 {
        self.version
    }

    fn suite(&self) -> Suite {
        match self.cipher {
            Cipher::Gcm(_) => Suite::Aes256Gcm,
            Cipher::Xaes(_) => Suite::Xaes256Gcm,
        }
    }

    /// Runs with the AES-256-GCM key and nonce that a field's nonce stands for.
    fn with<R>(&self, nonce: &[u8], run: impl FnOnce(&LessSafeKey, Nonce) -> R) -> R {
        let (first, last) = nonce.split_at(nonce.len() - 12);
        let last = Nonce::assume_unique_for_key(twelve(last));
        match &self.cipher {
            Cipher::Gcm(key) => run(key, last),
            Cipher::Xaes(xaes) => run(&xaes.derive(&twelve(first)), last),
        }
    }
}

/// Half of suite 1's nonce, or all of suite 2's.
fn twelve(bytes: &[u8]) -> [u8; 12] {
    let mut twelve = [0; 12];
    twelve.copy_from_slice(bytes);
    twelve
}

/// Seals a value.
pub fn seal(key: &FieldKey, context: &Context<'_>, plaintext: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 24];
    let nonce = &mut nonce[..key.suite().nonce_len()];
    random::fill(nonce);
    seal_with_nonce(key, context, plaintext, nonce)
}

#[allow(clippy::expect_used)] // fails only past 64 GiB
pub(crate) fn seal_with_nonce(key: &FieldKey, context: &Context<'_>, plaintext: &[u8], nonce: &[u8]) -> Vec<u8> {
    let header = header_bytes(key);
    let start = HEADER + nonce.len();
    let mut sealed = Vec::with_capacity(start + plaintext.len() + TAG);
    sealed.extend_from_slice(&header);
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(plaintext);
    let tag = with_aad(&header, context, |aad| {
        key.with(nonce, |gcm, nonce| gcm.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed[start..]))
            .expect("a field is shorter than 64 GiB")
    });
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

/// Opens a sealed field at its place.
pub fn open(key: &FieldKey, context: &Context<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let Header { suite, version } = header(sealed).ok_or(OpenError::NotSealed)?;
    if suite != key.suite() || version != key.version {
        return Err(OpenError::OtherKey);
    }
    let (nonce, rest) = sealed[HEADER..].split_at(suite.nonce_len());
    let mut opened = rest.to_vec();
    // A header that was read is written the same: there is one spelling of each.
    let length = with_aad(&header_bytes(key), context, |aad| {
        key.with(nonce, |gcm, nonce| gcm.open_in_place(nonce, Aad::from(aad), &mut opened).map(|plain| plain.len()))
            .map_err(|_| OpenError::NotAuthentic)
    })?;
    opened.truncate(length);
    Ok(opened)
}

/// The header of what looks like a sealed field. Looking like one proves nothing.
pub fn header(sealed: &[u8]) -> Option<Header> {
    let (header, rest) = sealed.split_first_chunk::<HEADER>()?;
    let suite = match header[2] {
        1 => Suite::Xaes256Gcm,
        2 => Suite::Aes256Gcm,
        _ => return None,
    };
    if header[..2] != MAGIC || header[3] != 0 || rest.len() < suite.nonce_len() + TAG {
        return None;
    }
    let version = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    Some(Header { suite, version })
}

/// A sealed field as a text column holds it.
pub fn to_text(sealed: &[u8]) -> String {
    format!("{TEXT_PREFIX}{}", base64url::encode(sealed))
}

/// Back from the text.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    base64url::decode(text.strip_prefix(TEXT_PREFIX)?)
}

fn header_bytes(key: &FieldKey) -> [u8; HEADER] {
    let v = key.version.to_be_bytes();
    [MAGIC[0], MAGIC[1], key.suite() as u8, 0, v[0], v[1], v[2], v[3]]
}
