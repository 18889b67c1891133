//! What a sealed field promises.

use super::*;

fn context(row: &[u8]) -> Context<'_> {
    Context { store: [1; 16], column: ColumnId([2; 16]), row, kind: LogicalType::Text }
}

#[test]
fn opens_at_its_place_and_nowhere_else() {
    for suite in [Suite::Xaes256Gcm, Suite::Aes256Gcm] {
        let key = FieldKey::new(&Secret::from_bytes([9; 32]), suite, 3);
        let sealed = seal(&key, &context(b"row"), b"4012 8888 8888 1881");
        assert_eq!(open(&key, &context(b"row"), &sealed).unwrap(), b"4012 8888 8888 1881");
        assert_eq!(header(&sealed), Some(Header { suite, version: 3 }));
        assert_eq!(from_text(&to_text(&sealed)).unwrap(), sealed);
        let moved = [
            context(b"other"),
            Context { store: [8; 16], ..context(b"row") },
            Context { column: ColumnId([8; 16]), ..context(b"row") },
            Context { kind: LogicalType::Bytes, ..context(b"row") },
        ];
        for place in moved {
            assert_eq!(open(&key, &place, &sealed), Err(OpenError::NotAuthentic));
        }
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &context(b"row"), &flipped).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(&key, &context(b"row"), &sealed[..length]).is_err(), "length {length}");
        }
        let long_row = vec![7; 1000];
        let sealed = seal(&key, &context(&long_row), b"");
        assert_eq!(open(&key, &context(&long_row), &sealed).unwrap(), b"");
    }
}

#[test]
fn lengths_are_as_promised() {
    let secret = Secret::random();
    assert_eq!(seal(&FieldKey::new(&secret, Suite::Xaes256Gcm, 1), &context(b"r"), &[0; 16]).len(), 16 + 48);
    assert_eq!(seal(&FieldKey::new(&secret, Suite::Aes256Gcm, 1), &context(b"r"), &[0; 16]).len(), 16 + 36);
}
