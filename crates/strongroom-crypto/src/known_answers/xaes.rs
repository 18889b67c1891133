//! XAES-256-GCM against the vectors of its specification, <https://c2sp.org/XAES-256-GCM>.
//!
//! The accumulated ones draw keys, nonces, plaintexts and additional data from one SHAKE128 and put
//! every ciphertext into another: each bit of ten thousand, or a million, messages counts. The
//! constants were computed once more by a program that uses nothing of this crate.

use aws_lc_rs::aead::{Aad, Nonce};
use shake::digest::{ExtendableOutput, Update, XofReader};
use shake::{Shake128, Shake128Reader};

use crate::xaes::Xaes;

const NONCE: &[u8; 24] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

/// The first has L's highest bit clear, the second set: both branches of CMAC's subkey.
#[test]
fn xaes_256_gcm_of_c2sp() {
    let sealed = |key: u8, aad: &[u8]| hex(&seal(&[key; 32], NONCE, b"XAES-256-GCM", aad));
    assert_eq!(sealed(1, b""), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    assert_eq!(sealed(3, b"c2sp.org/XAES-256-GCM"), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

#[test]
fn xaes_256_gcm_of_c2sp_ten_thousand_times() {
    assert_eq!(accumulated(10_000), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

#[test]
fn xaes_256_gcm_of_c2sp_a_million_times() {
    assert_eq!(accumulated(1_000_000), "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15");
}

fn accumulated(rounds: usize) -> String {
    let mut source = Shake128::default().finalize_xof();
    let mut sink = Shake128::default();
    for _ in 0..rounds {
        let (key, nonce) = (draw(&mut source), draw(&mut source));
        let plaintext = draw_some(&mut source);
        let aad = draw_some(&mut source);
        let sealed = seal(&key, &nonce, &plaintext, &aad);
        assert_eq!(open(&key, &nonce, &sealed, &aad), plaintext);
        sink.update(&sealed);
    }
    let mut sum = [0; 32];
    sink.finalize_xof().read(&mut sum);
    hex(&sum)
}

fn seal(key: &[u8; 32], nonce: &[u8; 24], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    let (first, last) = halves(nonce);
    let mut sealed = plaintext.to_vec();
    Xaes::new(key).derive(&first).seal_in_place_append_tag(last, Aad::from(aad), &mut sealed).unwrap();
    sealed
}

fn open(key: &[u8; 32], nonce: &[u8; 24], sealed: &[u8], aad: &[u8]) -> Vec<u8> {
    let (first, last) = halves(nonce);
    let mut opened = sealed.to_vec();
    Xaes::new(key).derive(&first).open_in_place(last, Aad::from(aad), &mut opened).unwrap().to_vec()
}

fn halves(nonce: &[u8; 24]) -> ([u8; 12], Nonce) {
    let (first, last) = nonce.split_at(12);
    (first.try_into().unwrap(), Nonce::try_assume_unique_for_key(last).unwrap())
}

fn draw<const N: usize>(source: &mut Shake128Reader) -> [u8; N] {
    let mut bytes = [0; N];
    source.read(&mut bytes);
    bytes
}

/// Up to 255 bytes, their number drawn first.
fn draw_some(source: &mut Shake128Reader) -> Vec<u8> {
    let [length] = draw(source);
    let mut bytes = vec![0; length.into()];
    source.read(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
