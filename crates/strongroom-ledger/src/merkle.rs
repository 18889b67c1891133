//! The Merkle tree of RFC 6962: its right edge for appending, proofs from stored rows, and their
//! verification from nothing but hashes.
//!
//! Rows: level 0 holds leaf hashes; level `n` the roots of complete subtrees of 256^n leaves, so
//! that a store keeps one row per leaf and one per complete tile.

use strongroom_crypto::digest::{sha256, sha256_parts};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// How many hashes a full tile holds.
pub const TILE_WIDTH: u64 = 1 << LEVEL_BITS;
const LEVEL_BITS: u32 = 8;

/// The hash of a leaf that holds `data`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256_parts(&[&[0], data])
}

/// The hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    sha256(&node)
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Where stored hashes come from.
pub trait Hashes {
    /// Why a hash could not be read.
    type Error;

    /// The root of the complete subtree number `index` of 256^`level` leaves.
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;

    /// The hashes `from..until` of a level. A store answers them with one statement.
    fn hashes(&mut self, level: u8, from: u64, until: u64) -> Result<Vec<Hash>, Self::Error> {
        (from..until).map(|index| self.hash(level, index)).collect()
    }
}

/// The right edge of a tree: enough to append and to tell the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees that make up the tree, the largest first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of the tree without leaves.
    pub fn new() -> Self {
        Frontier::default()
    }

    /// The edge of a stored tree.
    pub fn load<H: Hashes>(size: u64, hashes: &mut H) -> Result<Self, H::Error> {
        Ok(Frontier { size, peaks: peaks(0, size, hashes)? })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash. Answers the rows above the leaves that this completed, as
    /// (level, index, hash): one in 256 leaves completes a tile.
    pub fn append(&mut self, leaf_hash: Hash) -> Vec<(u8, u64, Hash)> {
        let mut completed = Vec::new();
        let mut hash = leaf_hash;
        self.size += 1;
        for height in 1..=self.size.trailing_zeros() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            if height % LEVEL_BITS == 0 {
                completed.push(((height / LEVEL_BITS) as u8, (self.size >> height) - 1, hash));
            }
        }
        self.peaks.push(hash);
        completed
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }
}

/// The root that a log of `total` leaves had when it held `size` of them. A size that the log has
/// not reached is taken as the whole.
pub fn root_at<H: Hashes>(size: u64, total: u64, hashes: &mut H) -> Result<Hash, H::Error> {
    range_root(0, size.min(total), hashes)
}

/// The root of a tree that is held whole and one leaf's inclusion path, from the leaf upwards; none when there is no such
/// leaf.
pub fn path_of(leaf_hashes: &[Hash], index: usize) -> Option<(Hash, Vec<Hash>)> {
    fn root(hashes: &[Hash], index: usize, path: &mut Vec<Hash>) -> Hash {
        if let [one] = hashes {
            return *one;
        }
        let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
        let other = if index < left.len() { root_of(right) } else { root_of(left) };
        let own = if index < left.len() { root(left, index, path) } else { root(right, index - left.len(), path) };
        path.push(other);
        if index < left.len() { node_hash(&own, &other) } else { node_hash(&other, &own) }
    }
    let mut path = Vec::new();
    (index < leaf_hashes.len()).then(|| (root(leaf_hashes, index, &mut path), path))
}

/// The root of a tree whose leaf hashes are at hand, such as one tile's.
pub fn root_of(leaf_hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for hash in leaf_hashes {
        frontier.append(*hash);
    }
    frontier.root()
}

/// The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards. It is empty
/// when there is no such leaf.
pub fn inclusion_proof<H: Hashes>(index: u64, size: u64, hashes: &mut H) -> Result<Vec<Hash>, H::Error> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    let (mut from, mut until) = (0, size);
    while until - from > 1 {
        let middle = from + split(until - from);
        if index < middle {
            path.push(range_root(middle, until, hashes)?);
            until = middle;
        } else {
            path.push(range_root(from, middle, hashes)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves. It is empty when
/// there is nothing to prove (`old` is 0 or equal to `new`) or nothing that could be (`old > new`).
pub fn consistency_proof<H: Hashes>(old: u64, new: u64, hashes: &mut H) -> Result<Vec<Hash>, H::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut from, mut until) = (0, new);
    while until != old {
        let middle = from + split(until - from);
        if old <= middle {
            path.push(range_root(middle, until, hashes)?);
            until = middle;
        } else {
            path.push(range_root(from, middle, hashes)?);
            from = middle;
        }
    }
    if from > 0 {
        path.push(range_root(from, old, hashes)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` proves that the leaf stands at `index` in the tree of `size` leaves with `root`
/// (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf_hash: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the tree of `new` leaves begins with the tree of `old` leaves
/// (RFC 9162, 2.1.4.2). Every tree begins with the empty one.
pub fn verify_consistency(old: u64, new: u64, path: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return path.is_empty() && *old_root == empty_root();
    }
    let (mut place, mut last) = (old - 1, new - 1);
    let shift = place.trailing_ones();
    place >>= shift;
    last >>= shift;
    // A complete old tree is itself the first node of the path.
    let (first, rest) = match path.split_first() {
        _ if old.is_power_of_two() => (old_root, path),
        Some(parts) => parts,
        None => return false,
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root of the leaves `from..until`, where `from` is where a subtree of that range begins.
fn range_root<H: Hashes>(from: u64, until: u64, hashes: &mut H) -> Result<Hash, H::Error> {
    Ok(fold(&peaks(from, until, hashes)?))
}

/// Roots of the complete subtrees that make up the leaves `from..until`, the largest first.
fn peaks<H: Hashes>(mut from: u64, until: u64, hashes: &mut H) -> Result<Vec<Hash>, H::Error> {
    let mut peaks = Vec::with_capacity((until - from).count_ones() as usize);
    while from < until {
        let height = (until - from).ilog2();
        peaks.push(complete_root(from, height, hashes)?);
        from += 1 << height;
    }
    Ok(peaks)
}

/// The root of the complete subtree of 2^`height` leaves that begins at `from`.
fn complete_root<H: Hashes>(from: u64, height: u32, hashes: &mut H) -> Result<Hash, H::Error> {
    let level = height / LEVEL_BITS;
    let first = from >> (level * LEVEL_BITS);
    let width = 1 << (height % LEVEL_BITS);
    Ok(root_of(&hashes.hashes(level as u8, first, first + width)?))
}

/// The root above peaks: the smallest two join first.
fn fold(peaks: &[Hash]) -> Hash {
    let mut smallest_first = peaks.iter().rev();
    let Some(smallest) = smallest_first.next() else { return empty_root() };
    smallest_first.fold(*smallest, |right, left| node_hash(left, &right))
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
