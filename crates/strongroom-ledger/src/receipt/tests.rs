//! Receipts built by a small bank of its own: what holds, and what every change and every lie does.

use std::collections::HashMap;
use std::convert::Infallible;

use strongroom_crypto::digest::sha256;
use strongroom_crypto::jws;
use strongroom_crypto::sign::SigningKey;

use super::*;
use crate::id::{AccountId, DeviceId, KeyId, PersonId, TransferId};
use crate::leaf::{
    ABSENT, Authority, CORE, DeviceChange, KeyChangeCore, Kind, PAYEE, PAYER, PayeePart, PayerPart, PostingKind,
    Signed,
    bulk::{self, BulkProof, SignedBulk},
};
use crate::merkle::{self, Frontier, Hashes};
use crate::money::Currency;
use crate::note::{Checkpoint, LogKey, NoteError};

const ORIGIN: &str = "bank.example/log";
const TIME_US: i64 = 1_763_676_000_123_456;
const VECTOR_PAYER: &str = include_str!("vectors/payer.txt");
const VECTOR_PAYEE: &str = include_str!("vectors/payee.txt");
const VECTOR_KEY: &str = include_str!("vectors/log-key.txt");

fn id(n: u8) -> [u8; 16] {
    [1, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n]
}

/// Everything that goes into a receipt; a test changes what it is about.
struct Story {
    device_key: SigningKey,
    log_key: SigningKey,
    fillers: u8,
    device_core: DeviceCore,
    device_after: bool,
    kind: PostingKind,
    authority: Authority,
    order: String,
    amount: i64,
    signed: (String, String, String, i64),
    order_sha256: Option<Hash>,
    description: String,
    trailing: u8,
    in_bulk: bool,
}

fn story() -> Story {
    let device_key = SigningKey::from_seed(&[1; 32]);
    let (device, person) = (DeviceId(id(0x0d)), PersonId(id(1)));
    let public_key = device_key.public().to_bytes();
    let device_core = DeviceCore {
        device,
        person,
        change: DeviceChange::Registered,
        public_key,
        time_us: TIME_US - 1_000_000,
        by: person,
    };
    let (from, to) = (AccountId(id(0x0a)), AccountId(id(0x0b)));
    Story {
        device_key,
        log_key: SigningKey::from_seed(&[2; 32]),
        fillers: 0,
        device_core,
        device_after: false,
        kind: PostingKind::Transfer,
        authority: Authority::CustomerDevice(device),
        order: format!(
            r#"{{"order_id":"o-1","from":"{from}","to":"{to}","amount":{{"amount":"12.50","currency":"USD"}},"description":"Rent"}}"#
        ),
        amount: 1250,
        signed: (device.to_string(), "order".into(), ORIGIN.into(), TIME_US / 1_000_000 + 300),
        order_sha256: None,
        description: "Rent".into(),
        trailing: 0,
        in_bulk: false,
    }
}

fn cash_story() -> Story {
    let account = AccountId(id(0x0b));
    let order = format!(
        r#"{{"order_id":"c-1","account":"{account}","amount":{{"amount":"12.50","currency":"USD"}},"reference":"slip 7"}}"#
    );
    let mut cash =
        Story { kind: PostingKind::Deposit, authority: Authority::StaffDevice(DeviceId(id(0x0d))), order, ..story() };
    cash.signed.1 = "cash".into();
    cash
}

fn p256_story() -> Story {
    let device_key = SigningKey::generate_p256();
    let mut p256 = story();
    p256.device_core.public_key = device_key.public().to_bytes();
    Story { device_key, ..p256 }
}

#[derive(Default)]
struct Log {
    frontier: Frontier,
    rows: HashMap<(u8, u64), Hash>,
}

impl Log {
    fn append(&mut self, commitment: Hash) -> u64 {
        let index = self.frontier.size();
        let leaf = merkle::leaf_hash(&commitment);
        self.rows.insert((0, index), leaf);
        self.rows.extend(self.frontier.append(leaf).into_iter().map(|(level, index, hash)| ((level, index), hash)));
        index
    }

    fn path(&mut self, index: u64) -> Vec<Hash> {
        merkle::inclusion_proof(index, self.frontier.size(), self).unwrap()
    }
}

impl Hashes for Log {
    type Error = Infallible;
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.rows[&(level, index)])
    }
}

fn fact(kind: Kind, salt: u8, core: &[u8]) -> Hash {
    leaf::commitment(kind, &leaf::part_hash(CORE, &[salt; 16], core), &ABSENT, &ABSENT)
}

impl Story {
    fn key(&self) -> LogKey {
        LogKey::new(ORIGIN, &self.log_key.public())
    }

    fn sign(&self, text: &[u8]) -> String {
        let (kid, typ, aud, exp) = &self.signed;
        jws::sign_detached(&self.device_key, kid, typ, aud, *exp, text)
    }

    /// Five orders, of which this story's is the third.
    fn bulk(&self) -> SignedBulk {
        let mut leaves: Vec<Hash> = (0..5).map(|n| merkle::leaf_hash(&[n])).collect();
        leaves[2] = merkle::leaf_hash(self.order.as_bytes());
        let jws = self.sign(bulk::text(&merkle::root_of(&leaves), 5, true).as_bytes());
        SignedBulk { jws, linked: true, leaves }
    }

    fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let order = self.order.clone().into_bytes();
        let signed = match self.in_bulk {
            true => Signed::InBulk { jws_sha256: self.bulk().digest(), index: 2 },
            false => Signed::Alone(self.sign(&order)),
        };
        (PayerPart { order, signed }.encode(), PayeePart { description: self.description.clone() }.encode())
    }

    fn core(&self, sequence: u64) -> PostingCore {
        PostingCore {
            transfer: TransferId(id(0x20)),
            sequence,
            kind: self.kind,
            from: AccountId(id(0x0a)),
            to: AccountId(id(0x0b)),
            amount: self.amount,
            currency: Currency::USD,
            time_us: TIME_US,
            authority: self.authority,
            order_sha256: self.order_sha256.unwrap_or(sha256(self.order.as_bytes())),
            refers: None,
        }
    }

    /// The payer's receipt with everything in it.
    fn receipt(&self) -> Receipt {
        let mut log = Log::default();
        let key = KeyChangeCore {
            key: KeyId(id(0x30)),
            public_key: self.log_key.public().to_bytes(),
            time_us: TIME_US - 2_000_000,
        };
        log.append(fact(Kind::KeyChange, 0x10, &key.encode()));
        for n in 0..self.fillers {
            log.append([n; 32]);
        }
        let device = fact(Kind::Device, 0x11, &self.device_core.encode());
        let before = if self.device_after { 0 } else { log.append(device) };
        let (payer, payee) = self.parts();
        let sequence = log.frontier.size();
        let core = self.core(sequence);
        let [core_hash, payer_hash, payee_hash] = [
            leaf::part_hash(CORE, &[0x12; 16], &core.encode()),
            leaf::part_hash(PAYER, &[0x13; 16], &payer),
            leaf::part_hash(PAYEE, &[0x14; 16], &payee),
        ];
        log.append(leaf::commitment(Kind::Posting, &core_hash, &payer_hash, &payee_hash));
        let device_index = if self.device_after { log.append(device) } else { before };
        for n in 0..self.trailing {
            log.append([n ^ 0x80; 32]);
        }
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size: log.frontier.size(), root: log.frontier.root() };
        Receipt {
            view: View::Payer,
            core,
            core_salt: [0x12; 16],
            payer: Part::Shown { salt: [0x13; 16], content: payer },
            payee: Part::Hash(payee_hash),
            index: sequence,
            path: log.path(sequence),
            bulk: if self.in_bulk { self.bulk().proof(2) } else { None },
            device: Some(DeviceProof {
                core: self.device_core.clone(),
                salt: [0x11; 16],
                index: device_index,
                path: log.path(device_index),
            }),
            checkpoint: checkpoint.sign(&self.log_key),
        }
    }

    fn payee_receipt(&self) -> Receipt {
        let receipt = self.receipt();
        let payee = Part::Shown { salt: [0x14; 16], content: self.parts().1 };
        let payer = Part::Hash(receipt.payer.hash(PAYER));
        Receipt { view: View::Payee, payer, payee, bulk: None, device: None, ..receipt }
    }

    fn verify(&self) -> Result<Verified, ReceiptError> {
        verify(self.receipt().to_text(), &self.key())
    }
}

#[test]
fn the_vectors_of_the_format_document() {
    assert_eq!(story().key().to_string() + "\n", VECTOR_KEY);
    assert_eq!(story().receipt().to_text(), VECTOR_PAYER);
    assert_eq!(story().payee_receipt().to_text(), VECTOR_PAYEE);
}

#[test]
fn a_payer_sees_the_whole_order_proven() {
    let verified = story().verify().unwrap();
    assert_eq!(
        (verified.amount_text(), verified.time_text()),
        ("12.50 USD".into(), "2025-11-20T22:00:00.123456Z".into())
    );
    assert_eq!((verified.order_id.as_deref(), verified.description.as_deref()), (Some("o-1"), Some("Rent")));
    assert_eq!((verified.signer, verified.sequence), (Some(PersonId(id(1))), 2));
    assert_eq!((verified.checkpoint.size, verified.checkpoint.origin.as_str()), (3, ORIGIN));
    assert!(p256_story().verify().is_ok(), "a device with a P-256 key");
}

#[test]
fn a_payee_sees_the_description_and_no_order() {
    let verified = verify(VECTOR_PAYEE, &VECTOR_KEY.trim_end().parse().unwrap()).unwrap();
    assert_eq!((&verified.order_id, verified.signer), (&None, None));
    assert_eq!((verified.description.as_deref(), verified.amount_text()), (Some("Rent"), "12.50 USD".into()));
    assert!(!VECTOR_PAYEE.contains(&story().device_core.person.to_string()));
    let silent = Story { description: String::new(), ..story() };
    assert_eq!(verify(silent.payee_receipt().to_text(), &silent.key()).unwrap().description, None);
}

#[test]
fn cash_is_signed_by_staff() {
    let verified = cash_story().verify().unwrap();
    assert_eq!((verified.kind, verified.description.as_deref()), (PostingKind::Deposit, Some("slip 7")));
    let paid_out = Story { kind: PostingKind::Withdrawal, ..cash_story() };
    assert_eq!(paid_out.verify(), Err(ReceiptError::OtherOrder("an account differs")));
    let from = Story { order: paid_out.order.replace("000b\"", "000a\""), ..paid_out };
    assert!(from.verify().is_ok());
}

#[test]
fn logs_of_many_sizes() {
    for (fillers, trailing) in [(0, 1), (1, 0), (5, 9), (120, 3), (250, 250), (253, 0), (254, 0), (255, 255)] {
        let long = Story { fillers, trailing, ..story() };
        assert!(long.verify().is_ok(), "{fillers} before, {trailing} after");
        assert!(verify(long.payee_receipt().to_text(), &long.key()).is_ok());
    }
}

#[test]
fn an_account_number_is_told_to_be_unproven() {
    let by_number =
        Story { order: story().order.replace(&AccountId(id(0x0b)).to_string(), "032180000118359719"), ..story() };
    let says = |verified: Verified| verified.not_proven.iter().any(|words| words.contains("account number"));
    assert!(says(by_number.verify().unwrap()));
    assert!(!says(story().verify().unwrap()));
}

#[test]
fn every_changed_byte_is_refused() {
    let key = story().key();
    for text in [VECTOR_PAYER, VECTOR_PAYEE, &cash_story().receipt().to_text()] {
        assert!(verify(text, &key).is_ok());
        for place in 0..text.len() {
            let every = place % 11 == 0;
            let changes = (1..=255u8).filter(|change| every || matches!(change, 1 | 0x20 | 0x80));
            for change in changes {
                let mut bytes = text.as_bytes().to_vec();
                bytes[place] ^= change;
                assert!(verify(&bytes, &key).is_err(), "byte {place} xor {change}");
            }
        }
    }
}

/// The first lines and the checkpoint decide what the rest means, so there all values are tried.
#[test]
fn every_value_of_every_byte_of_the_head_and_of_a_long_receipt_with_p256() {
    let key = story().key();
    for place in 0..VECTOR_PAYER.find("core-salt").unwrap() {
        for change in 1..=255 {
            let mut bytes = VECTOR_PAYER.as_bytes().to_vec();
            bytes[place] ^= change;
            assert!(verify(&bytes, &key).is_err(), "byte {place} xor {change}");
        }
    }
    let long = Story { fillers: 90, trailing: 30, ..p256_story() };
    let text = long.receipt().to_text();
    for place in 0..text.len() {
        for change in [1, 2, 0x10, 0x20, 0x80] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] ^= change;
            assert!(verify(&bytes, &key).is_err(), "byte {place} xor {change}");
        }
    }
}

#[test]
fn cuts_additions_and_repeated_or_missing_lines_are_refused() {
    let key = story().key();
    for text in [VECTOR_PAYER, VECTOR_PAYEE] {
        for end in 0..text.len() {
            assert!(verify(&text.as_bytes()[..end], &key).is_err(), "cut at {end}");
        }
        for byte in 0..=255 {
            assert!(verify([text.as_bytes(), &[byte]].concat(), &key).is_err(), "{byte} after the end");
            assert!(verify([&[byte], text.as_bytes()].concat(), &key).is_err(), "{byte} before the start");
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for place in 0..lines.len() {
            let [mut without, mut twice, mut swapped] = [lines.clone(), lines.clone(), lines.clone()];
            without.remove(place);
            twice.insert(place, lines[place]);
            swapped.swap(place, (place + 1) % lines.len());
            assert!(verify(without.concat(), &key).is_err(), "without line {place}");
            assert!(verify(twice.concat(), &key).is_err(), "line {place} twice");
            assert!(verify(swapped.concat(), &key).is_err(), "line {place} swapped with the next");
        }
        assert!(verify(text.replace('\n', "\r\n"), &key).is_err());
        assert!(verify(text.replacen(".123456Z", ".123456+00:00", 1), &key).is_err());
        assert!(verify(text.replacen("index 2", "index 02", 1), &key).is_err());
        assert!(verify(text.to_uppercase(), &key).is_err());
    }
}

#[test]
fn another_log_key_proves_nothing() {
    let other = LogKey::new(ORIGIN, &SigningKey::from_seed(&[9; 32]).public());
    assert_eq!(verify(VECTOR_PAYER, &other), Err(ReceiptError::Checkpoint(NoteError::OtherKey)));
    let other = LogKey::new("other.example/log", &story().log_key.public());
    assert_eq!(verify(VECTOR_PAYER, &other), Err(ReceiptError::Checkpoint(NoteError::OtherLog)));
    assert_eq!(verify([0xff], &other), Err(ReceiptError::NotText));
}

/// A bank that lies signs its own log rightly; what the device signed gives it away.
#[test]
fn a_lying_bank_is_found_out() {
    let signature = |why: &str| Err(ReceiptError::Signature(why.into()));
    let order = story().order;
    let with = |from: &str, to: &str| Story { order: order.replace(from, to), ..story() }.verify();
    assert_eq!(Story { amount: 1251, ..story() }.verify(), Err(ReceiptError::OtherOrder("the amount differs")));
    assert_eq!(with("USD", "EUR"), Err(ReceiptError::OtherOrder("the currency differs")));
    assert_eq!(with("000b\"", "000c\""), Err(ReceiptError::OtherOrder("an account differs")));
    assert_eq!(with("000a\"", "000c\""), Err(ReceiptError::OtherOrder("an account differs")));
    assert_eq!(with("Rent\"", "Rent\",\"x\":1"), Err(ReceiptError::OtherOrder("the order is unreadable")));
    assert_eq!(
        Story { order_sha256: Some([0; 32]), ..story() }.verify(),
        signature("the order is not the one that was posted")
    );
    let forged = Story { device_key: SigningKey::from_seed(&[3; 32]), ..story() };
    assert_eq!(forged.verify(), signature("it does not match the order and the device's key"));
    let signed = |change: fn(&mut (String, String, String, i64))| {
        let mut other = story();
        change(&mut other.signed);
        other.verify()
    };
    assert_eq!(signed(|s| s.0 = DeviceId(id(0x0e)).to_string()), signature("it was made by another device"));
    assert_eq!(signed(|s| s.1 = "cash".into()), signature("it was made for another purpose"));
    assert_eq!(signed(|s| s.2 = "other.example/log".into()), signature("it was made for another bank"));
    assert_eq!(signed(|s| s.3 = TIME_US / 1_000_000 - 601), signature("it had expired when the bank carried it out"));
}

#[test]
fn the_device_must_have_been_registered_before() {
    let differs = Err(ReceiptError::Device("the leaf does not register the device that the posting names"));
    let mut revoked = story();
    revoked.device_core.change = DeviceChange::Revoked;
    assert_eq!(revoked.verify(), differs);
    let mut other = story();
    other.device_core.device = DeviceId(id(0x0e));
    assert_eq!(other.verify(), differs);
    let late = Story { device_after: true, ..story() };
    assert_eq!(late.verify(), Err(ReceiptError::Device("it was registered after the posting")));
    let mut swapped = story().receipt();
    let device = swapped.device.as_mut().unwrap();
    device.core.public_key = SigningKey::from_seed(&[3; 32]).public().to_bytes();
    assert_eq!(
        verify(swapped.to_text(), &story().key()),
        Err(ReceiptError::Device("its content or its path was changed"))
    );
}

#[test]
fn a_view_shows_what_it_shows_and_no_more() {
    let wrong = |receipt: Receipt| matches!(verify(receipt.to_text(), &story().key()), Err(ReceiptError::WrongView(_)));
    let (payer, payee) = (story().receipt(), story().payee_receipt());
    assert!(wrong(Receipt { view: View::Payee, ..payer.clone() }));
    assert!(wrong(Receipt { view: View::Payer, ..payee.clone() }));
    assert!(wrong(Receipt { device: None, ..payer.clone() }));
    assert!(wrong(Receipt { device: payer.device.clone(), ..payee.clone() }));
    assert!(wrong(Receipt { payee: payee.payee.clone(), ..payer.clone() }));
    assert!(wrong(Receipt { payer: payer.payer.clone(), ..payee.clone() }));
    assert!(wrong(Receipt { payer: payee.payer.clone(), ..payer }));
}

fn bulk_story() -> Story {
    let mut bulk = Story { in_bulk: true, ..story() };
    bulk.signed.1 = "bulk".into();
    bulk
}

#[test]
fn an_order_of_a_bulk_is_proven_by_the_bulks_signature() {
    let story = bulk_story();
    let verified = story.verify().unwrap();
    assert_eq!((verified.order_id.as_deref(), verified.signer), (Some("o-1"), Some(PersonId(id(1)))));
    let text = story.receipt().to_text();
    assert_eq!(Receipt::parse(&text).unwrap(), story.receipt());
    let with = |bulk: Option<BulkProof>| verify(Receipt { bulk, ..story.receipt() }.to_text(), &story.key());
    let proof = story.bulk().proof(2).unwrap();
    let refused = |bulk| assert!(matches!(with(bulk), Err(ReceiptError::Signature(_))));
    refused(None);
    refused(Some(BulkProof { linked: false, ..proof.clone() }));
    refused(Some(BulkProof { count: 4, ..proof.clone() }));
    refused(Some(BulkProof { root: [9; 32], ..proof.clone() }));
    refused(Some(BulkProof { path: proof.path[1..].to_vec(), ..proof.clone() }));
    refused(Some(BulkProof { jws: story.sign(b"another"), ..proof.clone() }));
    refused(story.bulk().proof(3));
    let alone = Story { in_bulk: false, ..bulk_story() };
    let lent = Receipt { bulk: Some(proof), ..alone.receipt() };
    assert!(matches!(verify(lent.to_text(), &alone.key()), Err(ReceiptError::Signature(_))));
    let as_order = Story { in_bulk: true, ..self::story() };
    assert_eq!(as_order.verify(), Err(ReceiptError::Signature("it was made for another purpose".into())));
    let payee = Receipt { bulk: story.bulk().proof(2), ..story.payee_receipt() };
    assert!(matches!(verify(payee.to_text(), &story.key()), Err(ReceiptError::WrongView(_))));
}

#[test]
fn a_signed_bulk_is_read_as_it_was_written_and_in_no_other_way() {
    let bulk = bulk_story().bulk();
    let bytes = bulk.encode();
    assert_eq!(SignedBulk::decode(&bytes), Ok(bulk.clone()));
    (0..bytes.len()).for_each(|cut| assert!(SignedBulk::decode(&bytes[..cut]).is_err(), "{cut}"));
    assert!(SignedBulk::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!(SignedBulk::decode(&[&[2], &bytes[1..]].concat()).is_err());
    assert_eq!(bulk.proof(5), None);
    assert_eq!(SignedBulk { leaves: Vec::new(), ..bulk }.proof(0), None);
}

#[test]
fn a_rule_of_the_bank_has_no_signature() {
    let rule = Story { kind: PostingKind::Fee, authority: Authority::Rule(7), ..story() };
    let receipt = rule.receipt();
    assert!(matches!(verify(receipt.to_text(), &rule.key()), Err(ReceiptError::WrongView(_))));
    let payer = Part::Hash(receipt.payer.hash(PAYER));
    let text = Receipt { payer, device: None, ..receipt }.to_text();
    assert_eq!(verify(text, &rule.key()).unwrap().authority, Authority::Rule(7));
}

#[test]
fn what_is_wrong_is_told_by_line() {
    let wrong = Receipt::parse(&VECTOR_PAYER.replace("kind transfer", "kind magic")).unwrap_err();
    assert_eq!(wrong.to_string(), "not a receipt of this kind, line 5: expected kind and its name");
    assert_eq!(Receipt::parse("").unwrap_err().line, Some(1));
    let spelling = Receipt::parse(&VECTOR_PAYER.replace("amount 12.50 USD", "amount 12.5 USD")).unwrap_err();
    assert_eq!(spelling.to_string(), "not a receipt of this kind: expected its canonical spelling");
}
