//! Money that is reserved before it moves: a leaf when it is reserved, and one when that ends. Both have the same
//! layout; the posting of a captured reservation stands in a leaf of its own, with the same id.

use super::bytes::Writer;
use super::{Authority, Kind, NotALeaf, read};
use crate::id::{AccountId, PersonId, TransferId};
use crate::merkle::Hash;
use crate::money::Currency;

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldState {
    /// The payer's order reserves it for a capture.
    Held = 1,
    /// The payer's order waits for the bank's approval.
    Pending = 2,
    /// It was posted, in whole or in part; what was left is free.
    Captured = 3,
    /// Who might have captured it did not want it.
    Released = 4,
    /// Its time was over.
    Expired = 5,
    /// The bank did not approve it, or its payer withdrew it.
    Refused = 6,
}

impl HoldState {
    /// The state with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        use HoldState::*;
        [Held, Pending, Captured, Released, Expired, Refused].into_iter().find(|state| *state as i64 == number)
    }

    /// Whether the money is reserved.
    pub fn is_open(self) -> bool {
        matches!(self, HoldState::Held | HoldState::Pending)
    }
}

/// The core of a reservation, or of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldCore {
    /// The transfer that it is, and will be.
    pub transfer: TransferId,
    /// Its place in the log, which is its leaf's index.
    pub sequence: u64,
    /// Where it stands from here on.
    pub state: HoldState,
    /// The account that pays.
    pub from: AccountId,
    /// The account that is paid.
    pub to: AccountId,
    /// Minor units: reserved, or captured; zero when nothing is.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
    /// Who may capture it; zeros while it waits for approval.
    pub capturer: PersonId,
    /// Until when.
    pub until_us: i64,
    /// When it was decided.
    pub time_us: i64,
    /// Who willed it.
    pub authority: Authority,
    /// SHA-256 of the exact order; zeros when a rule willed it.
    pub order_sha256: Hash,
}

impl HoldCore {
    /// How long its encoding is, always.
    pub const LENGTH: usize = 150;

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (authority, authority_id) = self.authority.parts();
        let mut at = Writer { bytes: &mut bytes, at: 0 };
        at.put(&[Kind::Hold as u8]);
        at.put(&self.transfer.0);
        at.put(&self.sequence.to_be_bytes());
        at.put(&[self.state as u8]);
        at.put(&self.from.0);
        at.put(&self.to.0);
        at.put(&self.amount.to_be_bytes());
        at.put(&self.currency.code());
        at.put(&self.capturer.0);
        at.put(&self.until_us.to_be_bytes());
        at.put(&self.time_us.to_be_bytes());
        at.put(&[authority]);
        at.put(&authority_id);
        at.put(&self.order_sha256);
        bytes
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Hold, |at| {
            Some(HoldCore {
                transfer: TransferId(at.array()?),
                sequence: u64::from_be_bytes(at.array()?),
                state: HoldState::from_number(i64::from(at.byte()?))?,
                from: AccountId(at.array()?),
                to: AccountId(at.array()?),
                amount: Some(i64::from_be_bytes(at.array()?)).filter(|amount| *amount >= 0)?,
                currency: Currency::from_code(at.array()?)?,
                capturer: PersonId(at.array()?),
                until_us: i64::from_be_bytes(at.array()?),
                time_us: i64::from_be_bytes(at.array()?),
                authority: Authority::from_parts(i64::from(at.byte()?), at.array()?)?,
                order_sha256: at.array()?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeviceId;

    #[test]
    fn its_bytes_lead_back_and_nothing_shorter_does() {
        for number in 1..=6 {
            let core = HoldCore {
                transfer: TransferId([1; 16]),
                sequence: 7,
                state: HoldState::from_number(number).unwrap(),
                from: AccountId([2; 16]),
                to: AccountId([3; 16]),
                amount: 5,
                currency: Currency::USD,
                capturer: PersonId([4; 16]),
                until_us: 9,
                time_us: 8,
                authority: Authority::CustomerDevice(DeviceId([5; 16])),
                order_sha256: [6; 32],
            };
            let bytes = core.encode();
            assert_eq!(HoldCore::decode(&bytes).as_ref(), Ok(&core));
            assert!((0..bytes.len()).all(|length| HoldCore::decode(&bytes[..length]).is_err()));
            assert_eq!(core.state.is_open(), number < 3);
        }
        assert_eq!(HoldState::from_number(7), None);
    }
}
