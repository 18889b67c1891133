//! Signed notes against the vectors of the first implementation, and every change refused.

use super::*;

/// From golang.org/x/mod/sumdb/note: key, private seed, text and its signature line.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SEED: &str = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn vector_key() -> SigningKey {
    SigningKey::from_seed(&BASE64.decode(SEED).unwrap().try_into().unwrap())
}

fn signed() -> (LogKey, Checkpoint, String) {
    let key = vector_key();
    let checkpoint = Checkpoint { origin: "bank.example/log".into(), size: 12345, root: [0xab; 32] };
    let note = checkpoint.sign(&key);
    (LogKey::new("bank.example/log", &key.public()), checkpoint, note)
}

#[test]
fn the_first_implementations_vector() {
    let key: LogKey = KEY.parse().unwrap();
    assert_eq!(key.to_string(), KEY);
    assert_eq!(sign_text(TEXT, "PeterNeumann", &vector_key()), format!("{TEXT}\n{LINE}"));
    assert_eq!(key.check(&Note::parse(&format!("{TEXT}\n{LINE}")).unwrap()), Ok(()));
    assert_eq!(key.verify(&format!("{TEXT}\n{LINE}")), Err(NoteError::NotACheckpoint));
}

#[test]
fn a_checkpoint_there_and_back() {
    let (key, checkpoint, note) = signed();
    assert!(note.starts_with(
        "bank.example/log\n12345\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n\u{2014} bank.example/log "
    ));
    assert_eq!(key.verify(&note), Ok(checkpoint.clone()));
    assert_eq!(Checkpoint::parse(&note), Ok(checkpoint));
}

#[test]
fn every_changed_byte_is_refused() {
    let (key, _, note) = signed();
    for place in 0..note.len() {
        for change in 1..=255u8 {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= change;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(key.verify(&changed).is_err(), "byte {place} xor {change}");
            }
        }
    }
    for end in 0..note.len() {
        assert!(note.get(..end).is_none_or(|cut| key.verify(cut).is_err()), "cut at {end}");
    }
}

#[test]
fn other_forms_are_refused() {
    let (key, checkpoint, note) = signed();
    let (body, line) = note.rsplit_once("\n\n").unwrap();
    let extended = sign_text(&format!("{body}\nextension\n"), "bank.example/log", &vector_key());
    let other_name = sign_text(&checkpoint.body(), "other.example", &vector_key());
    let other_origin = Checkpoint { origin: "other.example".into(), ..checkpoint.clone() }.sign(&vector_key());
    let other_key = checkpoint.sign(&SigningKey::from_seed(&[7; 32]));
    let zero_padded = sign_text(&checkpoint.body().replace("12345", "012345"), "bank.example/log", &vector_key());
    for (changed, error) in [
        (String::new(), NoteError::NotANote),
        (body.to_owned() + "\n", NoteError::NotANote),
        (format!("{note}{line}"), NoteError::NotANote),
        (format!("{note}\n"), NoteError::NotANote),
        (format!("\n{note}"), NoteError::NotACheckpoint),
        (note.replace('\n', "\r\n"), NoteError::NotANote),
        (note.replacen("12345\n", "12345\n\n", 1), NoteError::NotANote),
        (extended, NoteError::NotACheckpoint),
        (zero_padded, NoteError::NotACheckpoint),
        (other_name, NoteError::OtherKey),
        (other_origin, NoteError::OtherLog),
        (other_key, NoteError::OtherKey),
    ] {
        assert_eq!(key.verify(&changed), Err(error), "{changed}");
    }
}

#[test]
fn a_log_key_has_one_spelling() {
    for place in 0..KEY.len() {
        for change in [1u8, 2, 0x20, 0x80] {
            let mut bytes = KEY.as_bytes().to_vec();
            bytes[place] ^= change;
            assert!(
                !String::from_utf8(bytes).is_ok_and(|text| text.parse::<LogKey>().is_ok()),
                "byte {place} xor {change}"
            );
        }
    }
    for text in [
        "",
        "+",
        "++",
        "a+b+c",
        " PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        &KEY[..KEY.len() - 1],
        &format!("{KEY}\n"),
    ] {
        assert_eq!(text.parse::<LogKey>(), Err(NotALogKey), "{text:?}");
    }
}
