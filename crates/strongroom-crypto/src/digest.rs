//! SHA-256 (FIPS 180-4).

use aws_lc_rs::digest::{Context, SHA256, digest};

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    array(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of the parts, one after the other.
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    // Short ones are gathered: a context of the library's lives on the heap.
    let mut gathered = [0; 512];
    let mut used = 0;
    for part in parts {
        let Some(room) = gathered.get_mut(used..used + part.len()) else { return sha256_long(parts) };
        room.copy_from_slice(part);
        used += part.len();
    }
    sha256(&gathered[..used])
}

/// An id made of the parts: the first 16 bytes of their SHA-256.
pub fn id(parts: &[&[u8]]) -> [u8; 16] {
    let digest = sha256_parts(parts);
    std::array::from_fn(|at| digest[at])
}

fn sha256_long(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    array(context.finish().as_ref())
}

/// A SHA-256 has 32 bytes.
pub(crate) fn array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_as_one() {
        for length in [0, 1, 63, 64, 255, 256, 511, 512, 513, 2_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            for cut in [0, length / 3, length] {
                let (one, other) = bytes.split_at(cut);
                assert_eq!(sha256_parts(&[one, &[], other]), sha256(&bytes), "{length} cut at {cut}");
            }
        }
    }
}
