//! An order that was refused: it spent its id and moved nothing, and the log says so, that nobody takes it out of the
//! books to place it again.

use super::bytes::with_lengths;
use super::{Kind, NotALeaf, read};
use crate::id::PersonId;
use crate::merkle::Hash;

/// The core of an order's refusal. Its person's id cannot be guessed, so that its salt is zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCore {
    /// Whose order it was.
    pub person: PersonId,
    /// When it was decided.
    pub time_us: i64,
    /// SHA-256 of the exact order.
    pub order_sha256: Hash,
    /// The id they chose.
    pub order_id: String,
    /// The code of the refusal.
    pub code: String,
}

impl RefusalCore {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fixed: [&[u8]; 4] =
            [&[Kind::Refusal as u8], &self.person.0, &self.time_us.to_be_bytes(), &self.order_sha256];
        with_lengths(fixed.concat(), &[self.order_id.as_bytes(), self.code.as_bytes()])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Refusal, |at| {
            Some(RefusalCore {
                person: PersonId(at.array()?),
                time_us: i64::from_be_bytes(at.array()?),
                order_sha256: at.array()?,
                order_id: at.text()?,
                code: at.text()?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_bytes_lead_back_and_nothing_shorter_does() {
        let core = RefusalCore {
            person: PersonId([1; 16]),
            time_us: 2,
            order_sha256: [3; 32],
            order_id: "o-1".into(),
            code: "not_found".into(),
        };
        let bytes = core.encode();
        assert_eq!(RefusalCore::decode(&bytes).as_ref(), Ok(&core));
        assert!((0..bytes.len()).all(|length| RefusalCore::decode(&bytes[..length]).is_err()));
    }
}
