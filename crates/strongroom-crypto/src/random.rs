//! Random bytes, drawn from the system's generator in blocks: a call to the kernel for each nonce
//! costs more than the encryption it serves.
//!
//! A block is dropped when the process has forked and when it is a second old, and each byte is
//! wiped as it is handed out.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use zeroize::Zeroize;

const BLOCK: usize = 4096;
const AGE_MAX: Duration = Duration::from_secs(1);
/// How many draws may pass between two looks at the clock and the process id.
const DRAWS_BETWEEN_LOOKS: u32 = 64;

struct Block {
    bytes: [u8; BLOCK],
    used: usize,
    process: u32,
    drawn: Instant,
    draws: u32,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

thread_local! {
    static BLOCKS: RefCell<Option<Box<Block>>> = const { RefCell::new(None) };
}

/// Fills a buffer.
pub fn fill(buffer: &mut [u8]) {
    if buffer.len() > BLOCK / 4 {
        return from_system(buffer);
    }
    BLOCKS.with_borrow_mut(|slot| {
        let block = slot.get_or_insert_with(Block::new);
        block.draws += 1;
        let is_stale = block.draws % DRAWS_BETWEEN_LOOKS == 0
            && (block.process != std::process::id() || block.drawn.elapsed() > AGE_MAX);
        if is_stale || block.used + buffer.len() > BLOCK {
            block.refill();
        }
        let from = block.used;
        block.used += buffer.len();
        let drawn = &mut block.bytes[from..from + buffer.len()];
        buffer.copy_from_slice(drawn);
        drawn.zeroize();
    });
}

/// Random bytes of a fixed number.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[allow(clippy::disallowed_methods)] // the age of randomness is nobody else's time
impl Block {
    fn new() -> Box<Self> {
        let now = Instant::now();
        let mut block = Box::new(Block { bytes: [0; BLOCK], used: 0, process: 0, drawn: now, draws: 0 });
        block.refill();
        block
    }

    /// Where it stands: sealing allocates nothing for it.
    fn refill(&mut self) {
        from_system(&mut self.bytes);
        (self.used, self.draws) = (0, 0);
        (self.process, self.drawn) = (std::process::id(), Instant::now());
    }
}

/// A system without randomness cannot keep anything safe, so nothing may go on.
#[allow(clippy::expect_used)]
fn from_system(buffer: &mut [u8]) {
    rand::fill(buffer).expect("the system's random generator failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_do_not_repeat() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            assert!(seen.insert(bytes::<16>()));
        }
        let mut large = vec![0; 3 * BLOCK];
        fill(&mut large);
        assert!(large.iter().any(|b| *b != 0));
    }
}
