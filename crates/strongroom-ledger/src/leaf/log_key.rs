//! The change of the log's own key: a leaf that both keys have signed, the last one under the old key.
//! Who trusts the old key can so come to trust the new one.

use strongroom_crypto::sign::{PublicKey, SigningKey};

use super::bytes::with_lengths;
use super::{Kind, NotALeaf, read};

const DOMAIN: &[u8] = b"strongroom log key change v1\0";

/// The core of the log's key being followed by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeyCore {
    /// When.
    pub time_us: i64,
    /// The log's name.
    pub origin: String,
    /// The key until here, as `PublicKey::to_bytes` gives it.
    pub old_key: Vec<u8>,
    /// The key from the next block on.
    pub new_key: Vec<u8>,
    /// The old key's signature over the four above.
    pub old_signature: Vec<u8>,
    /// The new key's.
    pub new_signature: Vec<u8>,
}

impl LogKeyCore {
    /// Signed by both.
    pub fn sign(origin: &str, time_us: i64, old: &SigningKey, new: &SigningKey) -> Self {
        let (old_key, new_key) = (old.public().to_bytes(), new.public().to_bytes());
        let message = message(origin, time_us, &old_key, &new_key);
        let (old_signature, new_signature) = (old.sign(&message), new.sign(&message));
        LogKeyCore { time_us, origin: origin.to_owned(), old_key, new_key, old_signature, new_signature }
    }

    /// Whether both signatures hold.
    pub fn verify(&self) -> bool {
        let message = message(&self.origin, self.time_us, &self.old_key, &self.new_key);
        let holds =
            |key: &[u8], signature: &[u8]| PublicKey::from_bytes(key).is_ok_and(|key| key.verify(&message, signature));
        holds(&self.old_key, &self.old_signature) && holds(&self.new_key, &self.new_signature)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fixed: [&[u8]; 2] = [&[Kind::LogKey as u8], &self.time_us.to_be_bytes()];
        let sized: [&[u8]; 5] =
            [self.origin.as_bytes(), &self.old_key, &self.new_key, &self.old_signature, &self.new_signature];
        with_lengths(fixed.concat(), &sized)
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::LogKey, |at| {
            Some(LogKeyCore {
                time_us: i64::from_be_bytes(at.array()?),
                origin: at.text()?,
                old_key: at.sized()?.to_vec(),
                new_key: at.sized()?.to_vec(),
                old_signature: at.sized()?.to_vec(),
                new_signature: at.sized()?.to_vec(),
            })
        })
    }
}

fn message(origin: &str, time_us: i64, old: &[u8], new: &[u8]) -> Vec<u8> {
    with_lengths(DOMAIN.to_vec(), &[origin.as_bytes(), &time_us.to_be_bytes(), old, new])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_signatures_hold_for_this_change_only() {
        let (old, new) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let core = LogKeyCore::sign("bank.example/log", 7, &old, &new);
        assert!(core.verify());
        assert_eq!(LogKeyCore::decode(&core.encode()).as_ref(), Ok(&core));
        let changed = [
            LogKeyCore { time_us: 8, ..core.clone() },
            LogKeyCore { origin: "other.example/log".into(), ..core.clone() },
            LogKeyCore { new_key: old.public().to_bytes(), ..core.clone() },
            LogKeyCore { old_signature: core.new_signature.clone(), ..core.clone() },
            LogKeyCore { new_signature: core.old_signature.clone(), ..core.clone() },
        ];
        for core in changed {
            assert!(!core.verify(), "{core:?}");
        }
        for length in 0..core.encode().len() {
            assert!(LogKeyCore::decode(&core.encode()[..length]).is_err());
        }
    }
}
