//! Signed checkpoints: C2SP tlog-checkpoint in a C2SP signed-note with exactly one signature, the
//! log's own. Every byte counts: there is one spelling, and everything else is refused.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::sign::{PublicKey, SigningKey};

use crate::merkle::Hash;

/// The state of a log: so many leaves, with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// Their Merkle root.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The signed note. The key is the log's, Ed25519.
    pub fn sign(&self, key: &SigningKey) -> String {
        sign_text(&self.body(), &self.origin, key)
    }

    /// Reads a note's checkpoint **without checking its signature**: see [`LogKey::verify`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Checkpoint::parse_body(Note::parse(note)?.text)
    }

    fn parse_body(body: &str) -> Result<Self, NoteError> {
        let read = || {
            let mut lines = body.split_terminator('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let root = BASE64.decode(root).ok()?.try_into().ok()?;
            Some(Checkpoint { origin: origin.to_owned(), size: size.parse().ok()?, root })
        };
        // Written again it must be the same text: no extension lines, no second spelling.
        read()
            .filter(|checkpoint| checkpoint.body() == body && is_name(&checkpoint.origin))
            .ok_or(NoteError::NotACheckpoint)
    }
}

/// A log's public key with its name, as verifiers pin it: `name+hash+key` in the text form of
/// signed-note.
#[derive(Clone)]
pub struct LogKey {
    origin: String,
    id: [u8; 4],
    key: PublicKey,
}

impl LogKey {
    /// The key of the log with this name.
    pub fn new(origin: &str, key: &PublicKey) -> Self {
        LogKey { origin: origin.to_owned(), id: key_id(origin, &key.to_bytes()), key: key.clone() }
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Checks a signed checkpoint of this log.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse_body(note.text)?;
        if checkpoint.origin != self.origin {
            return Err(NoteError::OtherLog);
        }
        self.check(&note)?;
        Ok(checkpoint)
    }

    fn check(&self, note: &Note<'_>) -> Result<(), NoteError> {
        if note.name != self.origin || note.id != self.id {
            return Err(NoteError::OtherKey);
        }
        if self.key.verify(note.text.as_bytes(), &note.signature) { Ok(()) } else { Err(NoteError::BadSignature) }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.origin, &self.key.to_bytes()))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for LogKey {
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin && self.key.to_bytes() == other.key.to_bytes()
    }
}

impl Eq for LogKey {}

impl FromStr for LogKey {
    type Err = NotALogKey;

    fn from_str(text: &str) -> Result<Self, NotALogKey> {
        let (origin, key) = read_key(text, ED25519).ok_or(NotALogKey)?;
        Ok(LogKey::new(origin, &key))
    }
}

/// The text is not a log key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log key: expected name+hash+key on one line, as the bank shows it at /.well-known/strongroom")]
pub struct NotALogKey;

/// Why a signed checkpoint is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text has not the form of a note with one signature.
    #[error("the checkpoint is not a signed note with exactly one signature line")]
    NotANote,
    /// The signed text is no checkpoint.
    #[error("the signed text is not a checkpoint (name, size and root, one line each)")]
    NotACheckpoint,
    /// It is of another log.
    #[error("the checkpoint belongs to another log than the log key")]
    OtherLog,
    /// It names another key.
    #[error("the checkpoint is signed by another key than the log key")]
    OtherKey,
    /// The signature does not hold.
    #[error("the checkpoint's signature does not hold")]
    BadSignature,
}

/// Algorithm byte of Ed25519, the same in signed-note and in [`PublicKey::to_bytes`].
const ED25519: u8 = 1;
pub(crate) const SIGNATURE_MARK: &str = "\u{2014} ";

/// A signed note taken apart.
struct Note<'a> {
    text: &'a str,
    name: &'a str,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl<'a> Note<'a> {
    fn parse(note: &'a str) -> Result<Self, NoteError> {
        let read = || {
            let (before, line) = note.strip_suffix('\n')?.rsplit_once("\n\n")?;
            let text = &note[..before.len() + 1];
            let (name, signature) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
            let signature = BASE64.decode(signature).ok()?;
            let (id, signature) = signature.split_first_chunk::<4>()?;
            (is_name(name) && !text.contains("\n\n")).then(|| Note {
                text,
                name,
                id: *id,
                signature: signature.to_vec(),
            })
        };
        read().ok_or(NoteError::NotANote)
    }
}

fn sign_text(text: &str, name: &str, key: &SigningKey) -> String {
    let mut signature = key_id(name, &key.public().to_bytes()).to_vec();
    signature.extend(key.sign(text.as_bytes()));
    format!("{text}\n{SIGNATURE_MARK}{name} {}\n", BASE64.encode(signature))
}

/// The first four bytes of SHA-256(name, line break, algorithm byte and key).
pub(crate) fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let hash = sha256_parts(&[name.as_bytes(), b"\n", key]);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A key with its name, as signed-note writes it: `name+hash+key`, the key behind its algorithm byte.
pub(crate) fn key_text(name: &str, key: &[u8]) -> String {
    format!("{name}+{:08x}+{}", u32::from_be_bytes(key_id(name, key)), BASE64.encode(key))
}

/// Reads an Ed25519 key under this algorithm byte, in its one spelling.
pub(crate) fn read_key(text: &str, algorithm: u8) -> Option<(&str, PublicKey)> {
    let (name, rest) = text.split_once('+')?;
    let (_, key) = rest.split_once('+')?;
    let key = BASE64.decode(key).ok().filter(|key| key.len() == 33 && key[0] == algorithm)?;
    // Written again it must be the same text, which checks the hash too.
    if !is_name(name) || key_text(name, &key) != text {
        return None;
    }
    Some((name, PublicKey::from_bytes(&[&[ED25519], &key[1..]].concat()).ok()?))
}

/// What a key may be called: no white space, no plus sign, nothing invisible.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
