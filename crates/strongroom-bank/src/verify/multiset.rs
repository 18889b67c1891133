//! Two heaps of rows hold the same when their sums are the same: each row is hashed under a key that is drawn anew
//! for each verification, so that nobody who writes rows can make two heaps meet. It takes no memory to speak of.

use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::random;

/// Rows, as a sum of their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Multiset {
    key: [u8; 32],
    sum: [u64; 4],
    /// How many there are.
    pub(super) count: u64,
}

impl Multiset {
    /// Two empty ones that can be compared.
    pub(super) fn pair() -> (Self, Self) {
        let one = Multiset { key: random::bytes(), sum: [0; 4], count: 0 };
        (one.clone(), one)
    }

    /// Adds a row: its fields, each of fixed length or the last one.
    pub(super) fn add(&mut self, fields: &[&[u8]]) {
        let mut parts: [&[u8]; 8] = [&[]; 8];
        parts[0] = &self.key;
        parts[1..=fields.len()].copy_from_slice(fields);
        let hash = sha256_parts(&parts);
        for (sum, bytes) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*bytes));
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let (mut a, mut b) = Multiset::pair();
        for (one, other) in [(b"x", b"y"), (b"z", b"x"), (b"y", b"z")] {
            a.add(&[one]);
            b.add(&[other]);
        }
        assert_eq!(a, b);
        a.add(&[b"x"]);
        assert_ne!(a, b, "one more");
        b.add(&[b"w"]);
        assert_ne!(a, b, "another one");
    }
}
