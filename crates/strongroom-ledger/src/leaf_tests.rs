//! Leaves as bytes: the vectors of the format document, there and back, and nothing else accepted.

use super::*;
use proptest::prelude::*;

fn id(n: u8) -> [u8; 16] {
    [1, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const TIME_US: i64 = 1_763_676_000_123_456;
const ORDER: &[u8] = br#"{"order_id":"o-1","from":"acct_0190000000007000800000000000000a","to":"acct_0190000000007000800000000000000b","amount":{"amount":"12.50","currency":"USD"},"description":"Rent"}"#;

fn posting() -> PostingCore {
    PostingCore {
        transfer: TransferId(id(0x20)),
        sequence: 2,
        kind: PostingKind::Transfer,
        from: AccountId(id(0x0a)),
        to: AccountId(id(0x0b)),
        amount: 1250,
        currency: Currency::USD,
        time_us: TIME_US,
        authority: Authority::CustomerDevice(DeviceId(id(0x0d))),
        order_sha256: sha256(ORDER),
        refers: None,
    }
}

#[test]
fn a_posting_is_142_bytes() {
    let bytes = posting().encode();
    assert_eq!(
        hex(&bytes),
        "01019000000000700080000000000000200000000000000002010190000000007000800000000000000a0190000000007000800000\
         000000000b00000000000004e25553440006440dd17c7a40010190000000007000800000000000000db4512b4c4171471f10292837\
         8a8e69044b9dca326a0855349725f1d7b741150e00000000000000000000000000000000"
    );
    assert_eq!(
        hex(&part_hash(CORE, &[0x12; 16], &bytes)),
        "9e6cd810be55910698cc19244496e66a8b57a5b30facb855a42f3ef06f15ab17"
    );
    assert_eq!(PostingCore::decode(&bytes), Ok(posting()));
}

#[test]
fn the_commitment_of_a_posting() {
    let core = part_hash(CORE, &[0x12; 16], &posting().encode());
    let payee = part_hash(PAYEE, &[0x14; 16], &PayeePart { description: "Rent".into() }.encode());
    assert_eq!(hex(&payee), "aaf1286d52df79b576b53b53cf8070cb8d2ba0674bbcf55ab1e4b9501671c76f");
    let payer = *b"\x14\xe3\x81\xd9\x49\x6d\xcf\x59\x7b\xdf\x17\x54\xbe\x35\x79\x70\x92\x59\x47\xb7\xa7\x6d\x86\xb4\x3a\xdd\x87\x08\xc6\x9f\x61\x8c";
    assert_eq!(
        hex(&commitment(Kind::Posting, &core, &payer, &payee)),
        "f6925d26bbe5ef985b3a09dec2cb247bc4cf79bed119eadf7a26291fa266d984"
    );
}

#[test]
fn the_commitments_of_the_other_kinds() {
    let public = |text: &str| (0..33).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let key = KeyChangeCore {
        key: KeyId(id(0x30)),
        public_key: public("018139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
        time_us: TIME_US - 2_000_000,
    };
    let device = DeviceCore {
        device: DeviceId(id(0x0d)),
        person: PersonId(id(1)),
        change: DeviceChange::Registered,
        public_key: public("018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
        time_us: TIME_US - 1_000_000,
        by: PersonId(id(1)),
    };
    let erasure = ErasureCore { person: PersonId(id(1)), time_us: TIME_US, by: PersonId(id(2)) };
    let of = |kind, salt, core: &[u8]| hex(&commitment(kind, &part_hash(CORE, &[salt; 16], core), &ABSENT, &ABSENT));
    assert_eq!(
        of(Kind::KeyChange, 0x10, &key.encode()),
        "cd4984e5cf98f8d148da70b5f2a87b9172e825561db8d838c207c5d1118d1047"
    );
    assert_eq!(
        of(Kind::Device, 0x11, &device.encode()),
        "78b8e85ccc0dcb54f484e6b0a62e00ec9c0dab3f9e4352a99ce2662255d1957a"
    );
    assert_eq!(
        of(Kind::Erasure, 0x15, &erasure.encode()),
        "f6105f6370657873c075c7455975b50b0026ef805debea1afded6871ce596f9d"
    );
    let note = include_str!("receipt/vectors/payer.txt").split_once("checkpoint\n").unwrap().1;
    let origin = OriginCore { old_checkpoint: note.into(), time_us: TIME_US };
    assert_eq!(
        of(Kind::Origin, 0x16, &origin.encode()),
        "a8d947270c1df990eb52bea7d2537a3fcc28d00f9371e84b316656691212e364"
    );
    assert_eq!(KeyChangeCore::decode(&key.encode()), Ok(key));
    assert_eq!(DeviceCore::decode(&device.encode()), Ok(device));
    assert_eq!(ErasureCore::decode(&erasure.encode()), Ok(erasure));
    assert_eq!(OriginCore::decode(&origin.encode()), Ok(origin));
}

#[test]
fn tags_kinds_and_salts_separate() {
    let hashes = [
        part_hash(CORE, &[0; 16], b"x"),
        part_hash(PAYER, &[0; 16], b"x"),
        part_hash(PAYEE, &[0; 16], b"x"),
        part_hash(CORE, &[1; 16], b"x"),
        part_hash(CORE, &[0; 16], b"y"),
        commitment(Kind::Posting, &[0; 32], &[1; 32], &[2; 32]),
        commitment(Kind::Device, &[0; 32], &[1; 32], &[2; 32]),
        commitment(Kind::Posting, &[0; 32], &[2; 32], &[1; 32]),
    ];
    for (place, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..place].contains(hash));
    }
}

#[test]
fn unknown_numbers_are_refused() {
    let good = posting().encode();
    for (place, value) in [(0, 2), (25, 0), (25, 7), (66, b'x'), (77, 0), (77, 4)] {
        let mut bad = good;
        bad[place] = value;
        assert_eq!(PostingCore::decode(&bad), Err(NotALeaf), "byte {place} = {value}");
    }
    let zero_amount = PostingCore { amount: 0, ..posting() };
    assert_eq!(PostingCore::decode(&zero_amount.encode()), Err(NotALeaf));
    let rule = PostingCore { authority: Authority::Rule(513), ..posting() };
    assert_eq!(PostingCore::decode(&rule.encode()), Ok(rule.clone()));
    let mut bad = rule.encode();
    bad[78] = 1;
    assert_eq!(PostingCore::decode(&bad), Err(NotALeaf), "a rule has two bytes");
    for number in 1..=6 {
        let kind = PostingKind::from_number(number).unwrap();
        assert_eq!((kind as i64, PostingKind::from_name(kind.name())), (number, Some(kind)));
    }
    for first in 0..=255 {
        assert_eq!(Kind::of_core(first).map(|kind| kind as u8), Some(first).filter(|n| (1..=8).contains(n)));
    }
}

proptest! {
    #[test]
    fn parts_there_and_back_and_nothing_longer_or_shorter(order in any::<Vec<u8>>(), jws in ".*", cut in any::<prop::sample::Index>()) {
        let signed = if jws.is_empty() { Signed::InBulk { jws_sha256: [7; 32], index: 9 } } else { Signed::Alone(jws) };
        let part = PayerPart { order, signed };
        let bytes = part.encode();
        prop_assert_eq!(PayerPart::decode(&bytes[..cut.index(bytes.len())]), Err(NotALeaf));
        prop_assert_eq!(PayerPart::decode(&[&bytes[..], &[0]].concat()), Err(NotALeaf));
        prop_assert_eq!(PayerPart::decode(&bytes), Ok(part));
    }

    #[test]
    fn what_decodes_has_one_encoding(bytes in proptest::collection::vec(0..6u8, 0..150), length in 0..3usize) {
        let bytes = &bytes[..bytes.len().saturating_sub(length)];
        if let Ok(core) = DeviceCore::decode(bytes) { prop_assert_eq!(core.encode(), bytes); }
        if let Ok(core) = KeyChangeCore::decode(bytes) { prop_assert_eq!(core.encode(), bytes); }
        if let Ok(part) = PayeePart::decode(bytes) { prop_assert_eq!(part.encode(), bytes); }
    }

    #[test]
    fn every_changed_byte_of_a_posting_is_another_posting_or_none(place in 0..142usize, change in 1..=255u8) {
        let mut bytes = posting().encode();
        bytes[place] ^= change;
        if let Ok(core) = PostingCore::decode(&bytes) {
            prop_assert_eq!(core.encode(), bytes);
            prop_assert_ne!(core, posting());
        }
    }
}
