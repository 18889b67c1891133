//! HMAC-SHA256 (RFC 2104) over a domain and length-prefixed parts, so that no two different lists
//! of parts give the same input.

use aws_lc_rs::hmac;

use crate::digest::array;
use crate::secret::Secret;

/// A key that authenticates.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// From a secret.
    pub fn new(secret: &Secret) -> Self {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
    }

    /// The tag of some parts within a domain.
    pub fn tag(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        // Gathered first: one update of a small buffer is cheaper than two for each part.
        let mut gathered = [0; 512];
        let mut used = 0;
        for part in std::iter::once(&domain.as_bytes()).chain(parts) {
            for piece in [&(part.len() as u32).to_be_bytes()[..], part] {
                if used + piece.len() > gathered.len() {
                    context.update(&gathered[..used]);
                    used = 0;
                }
                if piece.len() > gathered.len() {
                    context.update(piece);
                } else {
                    gathered[used..used + piece.len()].copy_from_slice(piece);
                    used += piece.len();
                }
            }
        }
        context.update(&gathered[..used]);
        array(context.sign().as_ref())
    }

    /// Whether a tag is right, in constant time.
    pub fn verify(&self, domain: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
        equal(&self.tag(domain, parts), tag)
    }
}

/// Compares two byte strings in a time that depends on their lengths alone.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_domain_and_parts_each_with_its_length() {
        let secret = Secret::from_bytes([7; 32]);
        let key = MacKey::new(&secret);
        for parts in [vec![], vec![vec![]], vec![vec![1; 3], vec![2; 600], vec![3; 511]], vec![vec![9; 100]; 12]] {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let mut plain = Vec::new();
            for part in std::iter::once(&b"people"[..]).chain(slices.iter().copied()) {
                plain.extend_from_slice(&(part.len() as u32).to_be_bytes());
                plain.extend_from_slice(part);
            }
            let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &plain);
            assert_eq!(key.tag("people", &slices), expected.as_ref());
            assert!(key.verify("people", &slices, expected.as_ref()));
            assert!(!key.verify("people", &slices, &expected.as_ref()[1..]));
        }
        assert_ne!(key.tag("a", &[b"bc"]), key.tag("ab", &[b"c"]));
        assert_ne!(key.tag("a", &[b"b", b"c"]), key.tag("a", &[b"bc", b""]));
    }
}
