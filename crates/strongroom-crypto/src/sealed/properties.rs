//! What holds for every sealed field, tried on values, places and changes drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const KINDS: [LogicalType; 5] =
    [LogicalType::Text, LogicalType::Bytes, LogicalType::Integer, LogicalType::Date, LogicalType::Decimal];

/// A place that owns its row's key.
#[derive(Clone, Debug)]
struct Place {
    store: [u8; 16],
    column: [u8; 16],
    row: Vec<u8>,
    kind: LogicalType,
}

impl Place {
    fn context(&self) -> Context<'_> {
        Context { store: self.store, column: ColumnId(self.column), row: &self.row, kind: self.kind }
    }
}

/// Rows on both sides of the length up to which they cost no allocation.
fn places() -> impl Strategy<Value = Place> {
    let rows = prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 190..210), vec(any::<u8>(), 0..2000)];
    (any::<[u8; 16]>(), any::<[u8; 16]>(), rows, proptest::sample::select(&KINDS[..]))
        .prop_map(|(store, column, row, kind)| Place { store, column, row, kind })
}

/// What a key is made from.
#[derive(Clone, Copy, Debug)]
struct Key {
    secret: [u8; 32],
    suite: Suite,
    version: u32,
}

impl Key {
    fn expand(self) -> FieldKey {
        FieldKey::new(&Secret::from_bytes(self.secret), self.suite, self.version)
    }
}

fn keys() -> impl Strategy<Value = Key> {
    let suites = proptest::sample::select(&[Suite::Xaes256Gcm, Suite::Aes256Gcm][..]);
    (any::<[u8; 32]>(), suites, any::<u32>()).prop_map(|(secret, suite, version)| Key { secret, suite, version })
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..5000)]
}

proptest! {
    #[test]
    fn every_value_opens_at_its_place(key in keys(), place in places(), value in values()) {
        let key = key.expand();
        let sealed = seal(&key, &place.context(), &value);
        prop_assert_eq!(header(&sealed), Some(Header { suite: key.suite(), version: key.version() }));
        prop_assert_eq!(sealed.len(), HEADER + key.suite().nonce_len() + value.len() + TAG);
        prop_assert_ne!(&sealed, &seal(&key, &place.context(), &value));
        prop_assert_eq!(open(&key, &place.context(), &sealed), Ok(value));
    }

    #[test]
    fn no_bit_of_the_sealed_bytes_may_change(key in keys(), place in places(), value in vec(any::<u8>(), 0..100)) {
        let key = key.expand();
        let mut sealed = seal(&key, &place.context(), &value);
        for bit in 0..sealed.len() * 8 {
            sealed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&key, &place.context(), &sealed).is_err(), "bit {}", bit);
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn no_bit_of_the_place_may_change(key in keys(), place in places(), value in values(), row_bit in any::<usize>()) {
        let key = key.expand();
        let sealed = seal(&key, &place.context(), &value);
        let refused = |other: Place| open(&key, &other.context(), &sealed) == Err(OpenError::NotAuthentic);
        for bit in 0..128 {
            let mut other = place.clone();
            other.store[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(refused(other), "store, bit {}", bit);
            let mut other = place.clone();
            other.column[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(refused(other), "column, bit {}", bit);
        }
        for kind in KINDS.into_iter().filter(|kind| *kind != place.kind) {
            prop_assert!(refused(Place { kind, ..place.clone() }), "{:?}", kind);
        }
        if !place.row.is_empty() {
            let mut other = place.clone();
            let bit = row_bit % (other.row.len() * 8);
            other.row[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(refused(other));
        }
    }

    #[test]
    fn no_row_stands_for_a_longer_or_shorter_one(key in keys(), place in places(), more in vec(any::<u8>(), 1..20)) {
        let key = key.expand();
        let sealed = seal(&key, &place.context(), b"value");
        let refused = |row: Vec<u8>| {
            open(&key, &Place { row, ..place.clone() }.context(), &sealed) == Err(OpenError::NotAuthentic)
        };
        prop_assert!(refused([&place.row[..], &more].concat()));
        prop_assert!(refused([&more[..], &place.row].concat()));
        if let Some((_, rest)) = place.row.split_first() {
            prop_assert!(refused(rest.to_vec()));
            prop_assert!(refused(place.row[..place.row.len() - 1].to_vec()));
        }
    }

    #[test]
    fn nothing_shorter_or_longer_opens(key in keys(), place in places(), value in vec(any::<u8>(), 0..100), more in vec(any::<u8>(), 1..50)) {
        let key = key.expand();
        let sealed = seal(&key, &place.context(), &value);
        for length in 0..sealed.len() {
            prop_assert!(open(&key, &place.context(), &sealed[..length]).is_err(), "the first {}", length);
            prop_assert!(open(&key, &place.context(), &sealed[sealed.len() - length..]).is_err(), "the last {}", length);
        }
        prop_assert!(open(&key, &place.context(), &[&sealed[..], &more].concat()).is_err());
        prop_assert!(open(&key, &place.context(), &[&more[..], &sealed].concat()).is_err());
    }

    #[test]
    fn no_other_key_opens(key in keys(), other in keys(), place in places(), value in values()) {
        prop_assume!(key.secret != other.secret);
        let sealed = seal(&key.expand(), &place.context(), &value);
        prop_assert!(open(&other.expand(), &place.context(), &sealed).is_err());
    }

    #[test]
    fn a_text_has_one_spelling(sealed in vec(any::<u8>(), 0..200), at in any::<usize>(), other in any::<char>()) {
        let text = to_text(&sealed);
        prop_assert_eq!(from_text(&text), Some(sealed.clone()));
        let mut changed: Vec<char> = text.chars().collect();
        let at = at % changed.len();
        changed[at] = other;
        let changed: String = changed.into_iter().collect();
        if changed != text {
            prop_assert_ne!(from_text(&changed), Some(sealed));
        }
        for around in [format!("{text}="), format!("{text}=="), format!("{text} "), format!(" {text}"), format!("{text}\n")] {
            prop_assert_eq!(from_text(&around), None);
        }
    }

    #[test]
    fn what_is_read_from_any_text_is_written_the_same(text in "(sr1\\.)?[A-Za-z0-9_=+/ -]{0,40}") {
        if let Some(sealed) = from_text(&text) {
            prop_assert_eq!(to_text(&sealed), text);
        }
    }
}

/// Each last character, so that none smuggles bits past the last byte.
#[test]
fn no_last_character_has_a_second_spelling() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for length in 1..4 {
        let sealed = vec![0xA5; length];
        let text = to_text(&sealed);
        let spelled = ALPHABET.iter().filter(|last| {
            let other = format!("{}{}", &text[..text.len() - 1], char::from(**last));
            from_text(&other).as_ref() == Some(&sealed)
        });
        assert_eq!(spelled.count(), 1, "{length} bytes");
    }
}
