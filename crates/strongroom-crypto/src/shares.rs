//! Shares of a root key, by Shamir's scheme over GF(2⁸): any `threshold` of them give it back, fewer
//! tell nothing. The arithmetic is `vsss-rs`, which computes in constant time and is kept up.
//!
//! ```text
//! strongroom-share-v1
//! bank <32 hexadecimal digits>        the bank's store id
//! set <16 hexadecimal digits>         the same for the shares of one splitting
//! share <n> of <count>, <threshold> are needed
//! value <base64url of 33 bytes>       n, then the share of each byte of the root key
//! check <16 hexadecimal digits>       of SHA-256 of the lines above, with their line breaks
//! ```

use rand_core::{TryCryptoRng, TryRng};
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::secret::Secret;
use crate::{base64url, random};

const TITLE: &str = "strongroom-share-v1\n";

/// One share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The bank's store id.
    pub bank: [u8; 16],
    /// Which splitting it is of.
    pub set: [u8; 8],
    /// How many are needed.
    pub threshold: u8,
    /// How many were made.
    pub count: u8,
    value: Zeroizing<Vec<u8>>,
}

/// Why shares do not give a root key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Outside of what the scheme allows.
    #[error("a root key is split into 2 to 255 shares, of which 2 or more are needed, and no more than there are")]
    Bounds,
    /// It is not a share, or was changed.
    #[error("it is not a share, or it was changed: its check digits do not fit; read it again from the original")]
    Damaged,
    /// Two of them are the same.
    #[error("share {0} was given twice; give another one")]
    Twice(u8),
    /// They are of different splittings.
    #[error("share {0} is of another bank or splitting than the first one given; give shares of one splitting")]
    Mixed(u8),
    /// There are not enough.
    #[error("{given} of {needed} shares were given; find {} more", needed - given)]
    TooFew {
        /// How many were given.
        given: u8,
        /// How many are needed.
        needed: u8,
    },
}

/// Splits a root key.
pub fn split(root: &Secret, bank: [u8; 16], threshold: u8, count: u8) -> Result<Vec<Share>, ShareError> {
    if threshold < 2 || count < threshold {
        return Err(ShareError::Bounds);
    }
    let values =
        Gf256::split_array(threshold.into(), count.into(), root.expose(), System).map_err(|_| ShareError::Bounds)?;
    let set = random::bytes();
    Ok(values.into_iter().map(|value| Share { bank, set, threshold, count, value: Zeroizing::new(value) }).collect())
}

/// Puts shares together. Which of them is wrong is told by its number.
pub fn combine(shares: &[Share]) -> Result<Secret, ShareError> {
    let first = shares.first().ok_or(ShareError::TooFew { given: 0, needed: 2 })?;
    for (at, share) in shares.iter().enumerate() {
        if (share.bank, share.set, share.threshold) != (first.bank, first.set, first.threshold) {
            return Err(ShareError::Mixed(share.number()));
        }
        if shares[..at].iter().any(|other| other.number() == share.number()) {
            return Err(ShareError::Twice(share.number()));
        }
    }
    let (given, needed) = (u8::try_from(shares.len()).unwrap_or(u8::MAX), first.threshold);
    if given < needed {
        return Err(ShareError::TooFew { given, needed });
    }
    let values: Vec<Vec<u8>> = shares[..needed.into()].iter().map(|share| share.value.to_vec()).collect();
    let values = Zeroizing::new(values);
    let root = Zeroizing::new(Gf256::combine_array(values.as_slice()).map_err(|_| ShareError::Damaged)?);
    let bytes: [u8; 32] = root.as_slice().try_into().map_err(|_| ShareError::Damaged)?;
    Ok(Secret::from_bytes(bytes))
}

impl Share {
    /// Its number, from 1.
    pub fn number(&self) -> u8 {
        self.value.first().copied().unwrap_or_default()
    }

    /// Its file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let head = Zeroizing::new(format!(
            "{TITLE}bank {}\nset {}\nshare {} of {}, {} are needed\nvalue {}\n",
            hex(&self.bank),
            hex(&self.set),
            self.number(),
            self.count,
            self.threshold,
            *Zeroizing::new(base64url::encode(&self.value)),
        ));
        Zeroizing::new(format!("{}check {}\n", head.as_str(), hex(&sha256(head.as_bytes())[..8])))
    }

    /// Reads a file.
    pub fn from_text(text: &str) -> Result<Self, ShareError> {
        let share = read(text).ok_or(ShareError::Damaged)?;
        // Written again it must be the same, which checks the check too.
        if share.to_text().as_str() == text { Ok(share) } else { Err(ShareError::Damaged) }
    }
}

fn read(text: &str) -> Option<Share> {
    let mut lines = text.strip_prefix(TITLE)?.lines();
    let mut value_of = |name: &str| lines.next()?.strip_prefix(name);
    let bank = array(value_of("bank ")?)?;
    let set = array(value_of("set ")?)?;
    let (counts, value) = (value_of("share ")?, value_of("value ")?);
    let (_, counts) = counts.split_once(" of ")?;
    let (count, needed) = counts.split_once(", ")?;
    let threshold = needed.strip_suffix(" are needed")?.parse().ok()?;
    let value = Zeroizing::new(base64url::decode(value)?);
    let share = Share { bank, set, threshold, count: count.parse().ok()?, value };
    (share.value.len() == 33 && share.number() > 0).then_some(share)
}

fn array<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    bytes?.try_into().ok()
}

/// The system's randomness, as the scheme takes it.
struct System;

impl TryRng for System {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes(random::bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes(random::bytes()))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Self::Error> {
        random::fill(buffer);
        Ok(())
    }
}

impl TryCryptoRng for System {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_threshold_of_them_gives_it_back() {
        let root = Secret::random();
        let shares = split(&root, [7; 16], 3, 5).unwrap();
        for some in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
            let some: Vec<Share> = some.map(|at| shares[at].clone()).to_vec();
            assert_eq!(combine(&some).unwrap().expose(), root.expose());
        }
        assert_eq!(combine(&shares).unwrap().expose(), root.expose(), "all of them too");
        assert_eq!(combine(&shares[..2]).err(), Some(ShareError::TooFew { given: 2, needed: 3 }));
        let twice = [shares[0].clone(), shares[1].clone(), shares[0].clone()];
        assert_eq!(combine(&twice).err(), Some(ShareError::Twice(1)));
        let others = split(&root, [7; 16], 3, 5).unwrap();
        let mixed = [shares[0].clone(), shares[1].clone(), others[2].clone()];
        assert_eq!(combine(&mixed).err(), Some(ShareError::Mixed(3)));
        for (threshold, count) in [(1, 5), (3, 2), (0, 0)] {
            assert_eq!(split(&root, [7; 16], threshold, count).err(), Some(ShareError::Bounds));
        }
    }

    #[test]
    fn a_share_that_was_changed_is_refused() {
        let share = split(&Secret::random(), [7; 16], 2, 3).unwrap().pop().unwrap();
        let text = share.to_text();
        assert_eq!(Share::from_text(&text), Ok(share));
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] ^= 1;
            let changed = String::from_utf8_lossy(&changed).into_owned();
            assert_eq!(Share::from_text(&changed), Err(ShareError::Damaged), "byte {at}");
        }
    }
}
