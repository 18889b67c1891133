//! The log's leaves: what each kind of fact is as bytes, and the 32-byte commitment that the log
//! publishes instead of it.
//!
//! A fact has up to three parts: its **core** (ids, amounts, times; kept for ever), the **payer's**
//! and the **payee's**. Each is hashed with a salt of its own, so that showing or erasing one says
//! nothing about the others. The first byte of a core is its leaf's [`Kind`].

pub mod bulk;
mod bytes;
mod hold;
mod log_key;
mod refusal;

use strongroom_crypto::digest::{sha256, sha256_parts};

pub use hold::{HoldCore, HoldState};
pub use log_key::LogKeyCore;
pub use refusal::RefusalCore;

use crate::id::{AccountId, DeviceId, KeyId, PersonId, TransferId};
use crate::merkle::Hash;
use crate::money::Currency;
use bytes::{Reader, Writer, whole, with_lengths};

/// The tag of a core part's hash.
pub const CORE: u8 = 1;
/// The tag of a payer's part's hash.
pub const PAYER: u8 = 2;
/// The tag of a payee's part's hash.
pub const PAYEE: u8 = 3;
/// What stands for a part that a fact does not have.
pub const ABSENT: Hash = [0; 32];

const PART_DOMAIN: &[u8] = b"strongroom part v1\0";
const LEAF_DOMAIN: &[u8] = b"strongroom leaf v1\0";

/// The hash of one part: SHA-256 over a fixed prefix, the tag, the salt and the content.
pub fn part_hash(tag: u8, salt: &[u8; 16], content: &[u8]) -> Hash {
    sha256_parts(&[PART_DOMAIN, &[tag], salt, content])
}

/// What the log's entry is: SHA-256 over a fixed prefix, the kind and the hashes of the three
/// parts, [`ABSENT`] for one that the fact does not have.
pub fn commitment(kind: Kind, core: &Hash, payer: &Hash, payee: &Hash) -> Hash {
    let mut leaf = [0; LEAF_DOMAIN.len() + 1 + 3 * 32];
    let mut at = Writer { bytes: &mut leaf, at: 0 };
    at.put(LEAF_DOMAIN);
    at.put(&[kind as u8]);
    at.put(core);
    at.put(payer);
    at.put(payee);
    sha256(&leaf)
}

/// What a leaf is about. The number is the first byte of the leaf's core; a new layout of a core
/// gets a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Money moved.
    Posting = 1,
    /// A device that signs was registered or revoked.
    Device = 2,
    /// A key of the bank went into service.
    KeyChange = 3,
    /// A person's parts were erased.
    Erasure = 4,
    /// The log continues another one.
    Origin = 5,
    /// The log's own key was followed by another one.
    LogKey = 6,
    /// Money was reserved, or the reservation ended.
    Hold = 7,
    /// An order was refused.
    Refusal = 8,
}

impl Kind {
    /// The kind with this number, which a core begins with.
    pub fn of_core(first: u8) -> Option<Self> {
        use Kind::*;
        [Posting, Device, KeyChange, Erasure, Origin, LogKey, Hold, Refusal]
            .into_iter()
            .find(|kind| *kind as u8 == first)
    }
}

/// What kind of posting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostingKind {
    /// From one customer's account to another's.
    Transfer = 1,
    /// Cash paid in.
    Deposit = 2,
    /// Cash paid out.
    Withdrawal = 3,
    /// The bank's fee.
    Fee = 4,
    /// Interest.
    Interest = 5,
    /// An earlier posting taken back.
    Reversal = 6,
}

impl PostingKind {
    const ALL: [PostingKind; 6] = {
        use PostingKind::*;
        [Transfer, Deposit, Withdrawal, Fee, Interest, Reversal]
    };

    /// The kind with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == number)
    }

    /// Its name in answers and receipts.
    pub fn name(self) -> &'static str {
        match self {
            PostingKind::Transfer => "transfer",
            PostingKind::Deposit => "deposit",
            PostingKind::Withdrawal => "withdrawal",
            PostingKind::Fee => "fee",
            PostingKind::Interest => "interest",
            PostingKind::Reversal => "reversal",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Who willed a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authority {
    /// A customer, by a device's signature.
    CustomerDevice(DeviceId),
    /// A member of staff, by a device's signature.
    StaffDevice(DeviceId),
    /// A named rule of the bank.
    Rule(u16),
}

impl Authority {
    /// Its number and the device's id; a rule is the last two bytes, big-endian.
    pub fn parts(self) -> (u8, [u8; 16]) {
        match self {
            Authority::CustomerDevice(device) => (1, device.0),
            Authority::StaffDevice(device) => (2, device.0),
            Authority::Rule(rule) => (3, u128::from(rule).to_be_bytes()),
        }
    }

    /// The authority with these parts.
    pub fn from_parts(number: i64, id: [u8; 16]) -> Option<Self> {
        match number {
            1 => Some(Authority::CustomerDevice(DeviceId(id))),
            2 => Some(Authority::StaffDevice(DeviceId(id))),
            3 => u16::try_from(u128::from_be_bytes(id)).ok().map(Authority::Rule),
            _ => None,
        }
    }

    /// The device that signed, if one did.
    pub fn device(self) -> Option<DeviceId> {
        match self {
            Authority::CustomerDevice(device) | Authority::StaffDevice(device) => Some(device),
            Authority::Rule(_) => None,
        }
    }
}

/// The core of a posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingCore {
    /// Its id.
    pub transfer: TransferId,
    /// Its place in the log, which is its leaf's index.
    pub sequence: u64,
    /// What kind of posting it is.
    pub kind: PostingKind,
    /// The account debited.
    pub from: AccountId,
    /// The account credited.
    pub to: AccountId,
    /// Minor units, above zero.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
    /// When it was decided.
    pub time_us: i64,
    /// Who willed it.
    pub authority: Authority,
    /// SHA-256 of the exact order; zeros when a rule willed it.
    pub order_sha256: Hash,
    /// The posting that it takes back or completes; never the id of zeros.
    pub refers: Option<TransferId>,
}

impl PostingCore {
    /// How long its encoding is, always.
    pub const LENGTH: usize = 142;

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (authority, authority_id) = self.authority.parts();
        let mut at = Writer { bytes: &mut bytes, at: 0 };
        at.put(&[Kind::Posting as u8]);
        at.put(&self.transfer.0);
        at.put(&self.sequence.to_be_bytes());
        at.put(&[self.kind as u8]);
        at.put(&self.from.0);
        at.put(&self.to.0);
        at.put(&self.amount.to_be_bytes());
        at.put(&self.currency.code());
        at.put(&self.time_us.to_be_bytes());
        at.put(&[authority]);
        at.put(&authority_id);
        at.put(&self.order_sha256);
        at.put(&self.refers.map_or([0; 16], |transfer| transfer.0));
        bytes
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Posting, |at| {
            Some(PostingCore {
                transfer: TransferId(at.array()?),
                sequence: u64::from_be_bytes(at.array()?),
                kind: PostingKind::from_number(i64::from(at.byte()?))?,
                from: AccountId(at.array()?),
                to: AccountId(at.array()?),
                amount: Some(i64::from_be_bytes(at.array()?)).filter(|amount| *amount > 0)?,
                currency: Currency::from_code(at.array()?)?,
                time_us: i64::from_be_bytes(at.array()?),
                authority: Authority::from_parts(i64::from(at.byte()?), at.array()?)?,
                order_sha256: at.array()?,
                refers: Some(at.array()?).filter(|id| *id != [0; 16]).map(TransferId),
            })
        })
    }
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceChange {
    /// It may sign from now on.
    Registered = 1,
    /// It may not any more.
    Revoked = 2,
}

impl DeviceChange {
    /// Its name in receipts.
    pub fn name(self) -> &'static str {
        match self {
            DeviceChange::Registered => "registered",
            DeviceChange::Revoked => "revoked",
        }
    }

    /// The change with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [DeviceChange::Registered, DeviceChange::Revoked].into_iter().find(|change| change.name() == name)
    }
}

/// The core of a device's registration or revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCore {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// What happened to it.
    pub change: DeviceChange,
    /// Its public key, as `PublicKey::to_bytes` gives it.
    pub public_key: Vec<u8>,
    /// When.
    pub time_us: i64,
    /// Who did it.
    pub by: PersonId,
}

impl DeviceCore {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, change) = ([Kind::Device as u8], [self.change as u8]);
        let time = self.time_us.to_be_bytes();
        let fixed: [&[u8]; 6] = [&kind, &self.device.0, &self.person.0, &change, &time, &self.by.0];
        with_lengths(fixed.concat(), &[&self.public_key])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Device, |at| {
            let (device, person) = (DeviceId(at.array()?), PersonId(at.array()?));
            let change = match at.byte()? {
                1 => DeviceChange::Registered,
                2 => DeviceChange::Revoked,
                _ => return None,
            };
            let (time_us, by) = (i64::from_be_bytes(at.array()?), PersonId(at.array()?));
            Some(DeviceCore { device, person, change, public_key: at.sized()?.to_vec(), time_us, by })
        })
    }
}

/// The core of a key's going into service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChangeCore {
    /// The key.
    pub key: KeyId,
    /// Its public half, as `PublicKey::to_bytes` gives it; empty for a secret key.
    pub public_key: Vec<u8>,
    /// When.
    pub time_us: i64,
}

impl KeyChangeCore {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fixed: [&[u8]; 3] = [&[Kind::KeyChange as u8], &self.key.0, &self.time_us.to_be_bytes()];
        with_lengths(fixed.concat(), &[&self.public_key])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::KeyChange, |at| {
            let (key, time_us) = (KeyId(at.array()?), i64::from_be_bytes(at.array()?));
            Some(KeyChangeCore { key, public_key: at.sized()?.to_vec(), time_us })
        })
    }
}

/// The core of a person's erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureCore {
    /// Whose parts are gone.
    pub person: PersonId,
    /// When.
    pub time_us: i64,
    /// Who did it.
    pub by: PersonId,
}

impl ErasureCore {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fixed: [&[u8]; 4] = [&[Kind::Erasure as u8], &self.person.0, &self.time_us.to_be_bytes(), &self.by.0];
        fixed.concat()
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Erasure, |at| {
            Some(ErasureCore {
                person: PersonId(at.array()?),
                time_us: i64::from_be_bytes(at.array()?),
                by: PersonId(at.array()?),
            })
        })
    }
}

/// The core of a log's first leaf when it continues another one, whose database was lost or put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginCore {
    /// The newest signed checkpoint of the old log.
    pub old_checkpoint: String,
    /// When.
    pub time_us: i64,
}

impl OriginCore {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fixed: [&[u8]; 2] = [&[Kind::Origin as u8], &self.time_us.to_be_bytes()];
        with_lengths(fixed.concat(), &[self.old_checkpoint.as_bytes()])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        read(bytes, Kind::Origin, |at| {
            let time_us = i64::from_be_bytes(at.array()?);
            Some(OriginCore { old_checkpoint: at.text()?, time_us })
        })
    }
}

/// The payer's part of a posting: the order as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayerPart {
    /// The exact body.
    pub order: Vec<u8>,
    /// What was signed of it.
    pub signed: Signed,
}

/// What a device has signed of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The order itself: the detached signature.
    Alone(String),
    /// The bulk that it came in; its signature is kept once for all of its orders.
    InBulk {
        /// SHA-256 of the detached signature over the bulk.
        jws_sha256: Hash,
        /// Which of its orders this is, from 0.
        index: u64,
    },
}

impl PayerPart {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        match &self.signed {
            Signed::Alone(jws) => with_lengths(Vec::new(), &[&self.order, jws.as_bytes()]),
            Signed::InBulk { jws_sha256, index } => {
                let mut bytes = with_lengths(Vec::new(), &[&self.order, &[]]);
                bytes.extend(jws_sha256);
                bytes.extend(index.to_be_bytes());
                bytes
            }
        }
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        whole(bytes, |at| {
            let (order, jws) = (at.sized()?.to_vec(), at.text()?);
            let signed = match jws.is_empty() {
                true => Signed::InBulk { jws_sha256: at.array()?, index: u64::from_be_bytes(at.array()?) },
                false => Signed::Alone(jws),
            };
            Some(PayerPart { order, signed })
        })
    }
}

/// The payee's part of a posting: their copy of the description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayeePart {
    /// The description.
    pub description: String,
}

impl PayeePart {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        with_lengths(Vec::new(), &[self.description.as_bytes()])
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotALeaf> {
        whole(bytes, |at| Some(PayeePart { description: at.text()? }))
    }
}

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a whole part of a leaf of the expected kind")]
pub struct NotALeaf;

fn read<T>(bytes: &[u8], kind: Kind, read: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, NotALeaf> {
    whole(bytes, |at| if at.byte()? == kind as u8 { read(at) } else { None })
}

#[cfg(test)]
#[path = "leaf_tests.rs"]
mod tests;
