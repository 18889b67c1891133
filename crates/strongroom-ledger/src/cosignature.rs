//! What others say of the log: cosignatures of its checkpoints by witnesses (C2SP tlog-cosignature, Ed25519), who sign
//! only what extends everything they have signed before; and proofs that carry them (C2SP tlog-proof, tlog-witness).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use strongroom_crypto::sign::PublicKey;

use crate::merkle::{self, Hash};
use crate::note::{Checkpoint, LogKey, NoteError, SIGNATURE_MARK, key_id, key_text, read_key};

/// The algorithm byte of Ed25519 cosignatures.
const COSIGNATURE: u8 = 4;
const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// A witness's public key with its name: `name+hash+key`, as signed-note writes keys.
#[derive(Clone)]
pub struct WitnessKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

impl WitnessKey {
    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks one signature line under a signed checkpoint. Answers when it was cosigned, in seconds UTC; none when the
    /// line is another's or does not hold.
    pub fn verify(&self, checkpoint: &Checkpoint, line: &str) -> Option<u64> {
        let (name, signature) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let signature = BASE64.decode(signature).ok().filter(|_| name == self.name)?;
        let (id, rest) = signature.split_first_chunk::<4>()?;
        let (time, signature) = rest.split_first_chunk::<8>()?;
        let time_s = u64::from_be_bytes(*time);
        let signed = format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.body());
        (*id == self.id && self.key.verify(signed.as_bytes(), signature)).then_some(time_s)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, &of_witness(&self.key)))
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for WitnessKey {
    type Err = NotAWitnessKey;

    fn from_str(text: &str) -> Result<Self, NotAWitnessKey> {
        let (name, key) = read_key(text, COSIGNATURE).ok_or(NotAWitnessKey)?;
        Ok(WitnessKey { name: name.to_owned(), id: key_id(name, &of_witness(&key)), key })
    }
}

/// The key's bytes behind the algorithm byte of cosignatures.
fn of_witness(key: &PublicKey) -> Vec<u8> {
    let mut bytes = key.to_bytes();
    bytes[0] = COSIGNATURE;
    bytes
}

/// The text is not a witness's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a witness's key: expected name+hash+key on one line, as the witness publishes it (Ed25519 cosignatures)")]
pub struct NotAWitnessKey;

/// That an entry stands in the log, with what witnesses have signed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The entry's place.
    pub index: u64,
    /// From its leaf to the checkpoint's root.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// Signature lines of witnesses, without line breaks.
    pub cosignatures: Vec<String>,
}

impl Proof {
    /// The text of a `.tlog-proof` file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{PROOF}\nindex {}\n", self.index);
        self.path.iter().for_each(|hash| text.push_str(&format!("{}\n", BASE64.encode(hash))));
        text + "\n" + &cosigned(&self.checkpoint, &self.cosignatures)
    }

    /// Reads the text of one; extra data is not looked at. **Nothing in it is proven by that**: see [`Proof::verify`].
    pub fn parse(text: &str) -> Option<Self> {
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.lines().peekable();
        lines.next().filter(|line| *line == PROOF)?;
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let path: Option<Vec<Hash>> = lines.map(|line| BASE64.decode(line).ok()?.try_into().ok()).collect();
        let (body, signatures) = note.split_once("\n\n")?;
        // The log's own line, wherever it stands, and those of others.
        let own = format!("{SIGNATURE_MARK}{} ", body.lines().next()?);
        let (logs, others): (Vec<&str>, Vec<&str>) = signatures.lines().partition(|line| line.starts_with(&own));
        let checkpoint = format!("{body}\n\n{}\n", logs.first()?);
        Some(Proof { index, path: path?, checkpoint, cosignatures: others.into_iter().map(str::to_owned).collect() })
    }

    /// Checks that the log's checkpoint holds this entry at the proof's place, and who of these witnesses has cosigned
    /// it: their times, in the order of the keys.
    pub fn verify(
        &self,
        entry: &Hash,
        log: &LogKey,
        witnesses: &[WitnessKey],
    ) -> Result<(Checkpoint, Vec<Option<u64>>), ProofError> {
        let checkpoint = log.verify(&self.checkpoint)?;
        let leaf = merkle::leaf_hash(entry);
        if !merkle::verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root) {
            return Err(ProofError::NotInLog);
        }
        let by = |witness: &WitnessKey| self.cosignatures.iter().find_map(|line| witness.verify(&checkpoint, line));
        let times = witnesses.iter().map(by).collect();
        Ok((checkpoint, times))
    }
}

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Its checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// The entry does not stand at this place.
    #[error("the entry is not at the proof's place in the log")]
    NotInLog,
}

/// A signed checkpoint that witnesses have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// How many entries it has.
    pub size: u64,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The lines of witnesses, without line breaks.
    pub lines: Vec<String>,
}

impl Cosigned {
    /// The note with all its lines.
    pub fn to_text(&self) -> String {
        cosigned(&self.checkpoint, &self.lines)
    }

    /// Of these checkpoints, those of this log that hold an entry, the one with the most cosignatures; the newest of
    /// several.
    pub fn best(all: Vec<(String, Vec<String>)>, log: &LogKey, index: u64) -> Option<Self> {
        let of_log = all.into_iter().filter_map(|(checkpoint, lines)| {
            let size = log.verify(&checkpoint).ok()?.size;
            Some(Cosigned { size, checkpoint, lines })
        });
        of_log.filter(|one| index < one.size).max_by_key(|one| (one.lines.len(), one.size))
    }
}

fn cosigned(checkpoint: &str, lines: &[String]) -> String {
    lines.iter().fold(checkpoint.to_owned(), |note, line| note + line + "\n")
}

/// What a witness is asked to cosign: the checkpoint, and that it extends the size that the witness signed last.
pub fn add_checkpoint(old: u64, path: &[Hash], checkpoint: &str) -> String {
    let hashes: String = path.iter().map(|hash| BASE64.encode(hash) + "\n").collect();
    format!("old {old}\n{hashes}\n{checkpoint}")
}

#[cfg(test)]
#[path = "cosignature_tests.rs"]
mod tests;
