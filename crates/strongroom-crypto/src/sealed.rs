//! Sealed fields: what a database holds instead of a value.
//!
//! ```text
//! F5 53 | suite 1 | flags 1 | key version 4 (big-endian) | nonce | ciphertext | tag 16
//! ```
//! The header and the context (store, column, row, logical type; each with its length) are
//! authenticated, so a cell moved to another row, column or store does not open. Suite 1 is
//! XAES-256-GCM (C2SP, 24-byte nonce) for keys that seal much; suite 2 is AES-256-GCM (SP 800-38D,
//! random 12-byte nonce) for keys that seal few messages. docs/formats.md has vectors.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

use crate::base64url;
use crate::random;
use crate::secret::Secret;

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

/// A column's id: random, and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnId(pub [u8; 16]);

/// What a value is, so that a number is never opened as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LogicalType {
    /// UTF-8 text.
    Text = 1,
    /// Bytes.
    Bytes = 2,
    /// A whole number.
    Integer = 3,
    /// A date or time.
    Date = 4,
    /// A decimal number.
    Decimal = 5,
}

/// Where a field stands. All of it is authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store (a bank, a shielded database).
    pub store: [u8; 16],
    /// The column.
    pub column: ColumnId,
    /// The row's key: unique and unchanging.
    pub row: &'a [u8],
    /// The value's type.
    pub kind: LogicalType,
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
        let mut last = [0; 12];
        last.copy_from_slice(&nonce[nonce.len() - 12..]);
        let last = Nonce::assume_unique_for_key(last);
        match &self.cipher {
            Cipher::Gcm(key) => run(key, last),
            Cipher::Xaes(xaes) => run(&xaes.derive(&nonce[..12]), last),
        }
    }
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
    let start = HEADER + nonce.len();
    let mut sealed = Vec::with_capacity(start + plaintext.len() + TAG);
    sealed.extend_from_slice(&header_bytes(key));
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(plaintext);
    let header = header_bytes(key);
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
    let start = HEADER + suite.nonce_len();
    let nonce = &sealed[HEADER..start];
    let mut opened = sealed[start..].to_vec();
    let length = with_aad(&sealed[..HEADER], context, |aad| {
        key.with(nonce, |gcm, nonce| {
            gcm.open_in_place(nonce, Aad::from(aad), &mut opened).map(|p| p.len()).map_err(|_| OpenError::NotAuthentic)
        })
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

/// The authenticated data: header, then each part of the context with its length. Short rows, the
/// rule, stay on the stack.
fn with_aad<R>(header: &[u8], context: &Context<'_>, run: impl FnOnce(&[u8]) -> R) -> R {
    const FIXED: usize = HEADER + 4 + 16 + 4 + 16 + 4 + 4 + 1;
    let row = context.row;
    let mut stack = [0; 256];
    let mut heap = Vec::new();
    let aad: &mut [u8] = if FIXED + row.len() <= stack.len() {
        &mut stack[..FIXED + row.len()]
    } else {
        heap.resize(FIXED + row.len(), 0);
        &mut heap
    };
    let mut used = 0;
    let row_len = (row.len() as u32).to_be_bytes();
    let kind = [context.kind as u8];
    let parts: [&[u8]; 9] = [
        header,
        &16u32.to_be_bytes(),
        &context.store,
        &16u32.to_be_bytes(),
        &context.column.0,
        &row_len,
        row,
        &1u32.to_be_bytes(),
        &kind,
    ];
    for part in parts {
        aad[used..used + part.len()].copy_from_slice(part);
        used += part.len();
    }
    run(aad)
}

#[allow(clippy::expect_used)] // the length is right by its type
pub(crate) fn gcm(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes"))
}

/// XAES-256-GCM: a fresh AES-256-GCM key for each 12-byte half nonce, derived by CMAC (SP 800-108).
struct Xaes {
    cipher: Aes256,
    k1: [u8; 16],
}

impl Xaes {
    fn new(key: &[u8; 32]) -> Self {
        let cipher = Aes256::new(&Array::from(*key));
        let mut block = Array::from([0; 16]);
        cipher.encrypt_block(&mut block);
        let l = u128::from_be_bytes(block.into());
        let k1 = (l << 1) ^ if l >> 127 == 1 { 0x87 } else { 0 };
        Xaes { cipher, k1: k1.to_be_bytes() }
    }

    fn derive(&self, half_nonce: &[u8]) -> LessSafeKey {
        let block = |counter: u8| {
            let mut block = [0, counter, b'X', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            block[4..].copy_from_slice(half_nonce);
            for (byte, k) in block.iter_mut().zip(self.k1) {
                *byte ^= k;
            }
            Array::from(block)
        };
        let mut blocks = [block(1), block(2)];
        self.cipher.encrypt_blocks(&mut blocks);
        let mut key = Zeroizing::new([0; 32]);
        key[..16].copy_from_slice(&blocks[0]);
        key[16..].copy_from_slice(&blocks[1]);
        blocks.iter_mut().for_each(|b| b.as_mut_slice().zeroize());
        gcm(&key)
    }
}

impl Drop for Xaes {
    fn drop(&mut self) {
        self.k1.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(row: &[u8]) -> Context<'_> {
        Context { store: [1; 16], column: ColumnId([2; 16]), row, kind: LogicalType::Text }
    }

    fn xaes(key: [u8; 32], aad: &[u8]) -> String {
        let derived = Xaes::new(&key).derive(b"ABCDEFGHIJKL");
        let mut bytes = b"XAES-256-GCM".to_vec();
        derived
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*b"MNOPQRSTUVWX"), Aad::from(aad), &mut bytes)
            .unwrap();
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn c2sp_vectors() {
        assert_eq!(xaes([1; 32], b""), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
        assert_eq!(xaes([3; 32], b"c2sp.org/XAES-256-GCM"), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    }

    #[test]
    fn opens_at_its_place_and_nowhere_else() {
        for suite in [Suite::Xaes256Gcm, Suite::Aes256Gcm] {
            let key = FieldKey::new(&Secret::from_bytes([9; 32]), suite, 3);
            let sealed = seal(&key, &context(b"row"), b"4012 8888 8888 1881");
            assert_eq!(open(&key, &context(b"row"), &sealed).unwrap(), b"4012 8888 8888 1881");
            assert_eq!(header(&sealed), Some(Header { suite, version: 3 }));
            assert_eq!(from_text(&to_text(&sealed)).unwrap(), sealed);
            let moved = [
                context(b"other"),
                Context { store: [8; 16], ..context(b"row") },
                Context { column: ColumnId([8; 16]), ..context(b"row") },
                Context { kind: LogicalType::Bytes, ..context(b"row") },
            ];
            for place in moved {
                assert_eq!(open(&key, &place, &sealed), Err(OpenError::NotAuthentic));
            }
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&key, &context(b"row"), &flipped).is_err(), "bit {bit}");
            }
            for length in 0..sealed.len() {
                assert!(open(&key, &context(b"row"), &sealed[..length]).is_err(), "length {length}");
            }
            let long_row = vec![7; 1000];
            let sealed = seal(&key, &context(&long_row), b"");
            assert_eq!(open(&key, &context(&long_row), &sealed).unwrap(), b"");
        }
    }

    #[test]
    fn lengths_are_as_promised() {
        let secret = Secret::random();
        assert_eq!(seal(&FieldKey::new(&secret, Suite::Xaes256Gcm, 1), &context(b"r"), &[0; 16]).len(), 16 + 48);
        assert_eq!(seal(&FieldKey::new(&secret, Suite::Aes256Gcm, 1), &context(b"r"), &[0; 16]).len(), 16 + 36);
    }
}
