//! Known answers: what others computed with the primitives that this crate uses, checked through
//! the very calls that it makes. Each test counts its vectors, so that none can quietly run none.
//!
//! X25519 is not among them: this crate does not use it.

mod aead;
mod keyed_hash;
mod signatures;
mod xaes;

/// How many vectors held, and how many were refused as they must be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    held: usize,
    refused: usize,
}

impl Tally {
    /// Counts a vector, whose outcome must be the one that its authors expect.
    fn count(&mut self, holds: bool, must_hold: bool, case: usize, comment: &str) {
        assert_eq!(holds, must_hold, "vector {case}: {comment}");
        if holds {
            self.held += 1;
        } else {
            self.refused += 1;
        }
    }
}
