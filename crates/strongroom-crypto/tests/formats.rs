//! The vectors of docs/vectors.json, which another implementation made: what they sealed opens here,
//! and what is computed here is the same.

use serde_json::Value;
use strongroom_crypto::blind::IndexKey;
use strongroom_crypto::mac::MacKey;
use strongroom_crypto::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use strongroom_crypto::secret::Secret;
use strongroom_crypto::wrap;

fn vectors(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../docs/vectors.json");
    let all: Value = serde_json::from_str(text).expect("the vectors are JSON");
    let some = all[kind].as_array().expect("a list").clone();
    assert!(some.len() > 1, "{kind} has vectors");
    some
}

fn bytes(value: &Value) -> Vec<u8> {
    let hex = value.as_str().expect("hexadecimal text");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("of this length")
}

#[test]
fn sealed_fields() {
    for vector in vectors("sealed") {
        let suite = if vector["suite"] == 1 { Suite::Xaes256Gcm } else { Suite::Aes256Gcm };
        let version = vector["version"].as_u64().expect("a number") as u32;
        let key = FieldKey::new(&Secret::from_bytes(array(&vector["key"])), suite, version);
        let kinds = [LogicalType::Text, LogicalType::Bytes, LogicalType::Integer];
        let kind = kinds[vector["kind"].as_u64().expect("a number") as usize - 1];
        let row = bytes(&vector["row"]);
        let context =
            Context { store: array(&vector["store"]), column: ColumnId(array(&vector["column"])), row: &row, kind };
        let field = bytes(&vector["sealed"]);
        assert_eq!(sealed::open(&key, &context, &field).expect("it opens"), bytes(&vector["plaintext"]));
        assert_eq!(sealed::header(&field).map(|header| (header.suite, header.version)), Some((suite, version)));
        assert_eq!(sealed::to_text(&field), vector["text"]);
    }
}

#[test]
fn wrapped_keys() {
    for vector in vectors("wrapped") {
        let kek = Secret::from_bytes(array(&vector["kek"]));
        let info = vector["info"].as_str().expect("text");
        let key = wrap::unwrap(&kek, info, &bytes(&vector["wrapped"])).expect("it opens");
        assert_eq!(key.expose().as_slice(), bytes(&vector["key"]));
    }
}

#[test]
fn blind_indexes_and_macs() {
    for vector in vectors("blind_index") {
        let key = IndexKey::new(&Secret::from_bytes(array(&vector["secret"])), array(&vector["column"]));
        assert_eq!(key.index(vector["normal"].as_str().expect("text")).as_slice(), bytes(&vector["index"]));
    }
    for vector in vectors("mac") {
        let key = MacKey::new(&Secret::from_bytes(array(&vector["key"])));
        let parts: Vec<Vec<u8>> = vector["parts"].as_array().expect("a list").iter().map(bytes).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let tag = key.tag(vector["domain"].as_str().expect("text"), &parts);
        assert_eq!(tag.as_slice(), bytes(&vector["tag"]), "{}", vector["domain"]);
    }
}

#[test]
fn the_page_shows_the_vectors_of_wrapped_keys() {
    let page = include_str!("../../../docs/formats.md");
    let without_breaks = page.replace('\n', "");
    for vector in vectors("wrapped") {
        for shown in [&vector["info"], &vector["wrapped"]] {
            assert!(without_breaks.contains(shown.as_str().expect("text")), "{shown}");
        }
    }
}
