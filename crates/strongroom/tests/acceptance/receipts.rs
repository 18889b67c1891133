//! A receipt convinces without the bank, and only the true one does.

use std::path::Path;
use std::process::Output;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, transfer};
use crate::path::python;

/// A payer's and a payee's receipt of one transfer.
async fn both_views(bank: &TestBank) -> [String; 2] {
    let (ana, ben) = (Customer::sign_up(bank, "ana").await, Customer::sign_up(bank, "ben").await);
    let teller = Customer::sign_in(bank, "teller").await;
    let (from, to) = (ana.open_account().await, ben.open_account().await);
    teller.deposit(&from.id, "100.00").await;
    let posted = ana.order(&transfer("o-1", &from.id, &to.id, "12.50")).await;
    let id = posted.json::<serde_json::Value>().expect("JSON")["id"].as_str().expect("an id").to_owned();
    [ana.client.receipt(&id).await.expect("the payer's"), ben.client.receipt(&id).await.expect("the payee's")]
}

fn verify(bank: &TestBank, file: &Path, log_key: Option<&str>) -> Output {
    let mut command = bank.command(&["ledger", "verify-receipt"]);
    command.arg(file).args(log_key.map(|key| ["--log-key", key]).into_iter().flatten());
    // Neither a home nor a server is needed.
    command.env("STRONGROOM_HOME", "/nowhere").env("RUST_LOG", "off").output().expect("the program can be run")
}

#[test]
fn every_flipped_byte_and_every_other_key_is_refused() {
    let (bank, impostor) = (TestBank::open(Engine::Sqlite), TestBank::open(Engine::Sqlite));
    let (receipts, forged) = block_on(async { (both_views(&bank).await, both_views(&impostor).await) });
    let file = bank.folder.path().join("receipt.txt");
    let code = |text: &[u8], key: Option<&str>| {
        std::fs::write(&file, text).expect("it can be written");
        verify(&bank, &file, key).status.code()
    };
    let key = bank.log_key();
    for receipt in &receipts {
        let mut bytes = receipt.clone().into_bytes();
        assert_eq!(code(&bytes, Some(key)), Some(0), "the true one holds");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(code(&bytes, Some(key)), Some(5), "byte {at} of {receipt}");
            bytes[at] ^= 1;
        }
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(code(&bytes[..length], Some(key)), Some(5), "cut to {length} bytes");
        }
        assert_eq!(code(&[&bytes[..], b"\n"].concat(), Some(key)), Some(5), "one line more");
        assert_eq!(code(&bytes, None), Some(2), "no key is a question, not an answer");
        assert_eq!(code(&bytes, Some("nonsense")), Some(2), "a key that is none");
    }
    for receipt in &forged {
        assert_eq!(code(receipt.as_bytes(), Some(impostor.log_key())), Some(0), "it holds by its own key");
        assert_eq!(code(receipt.as_bytes(), Some(key)), Some(5), "one's own keys convince nobody");
        let relabelled = receipt.replace(&origin(&impostor), &origin(&bank));
        assert_eq!(code(relabelled.as_bytes(), Some(key)), Some(5), "nor under the bank's name");
    }
    let key_file = bank.folder.path().join("log.key");
    std::fs::write(&key_file, format!("{key}\n")).expect("it can be written");
    assert_eq!(code(receipts[0].as_bytes(), key_file.to_str()), Some(0), "the key may be a file");
    for receipt in &receipts {
        std::fs::write(&file, receipt).expect("it can be written");
        python("verify_receipt.py", &[&file, Path::new(key)]);
    }
}

/// The name in a log key.
fn origin(bank: &TestBank) -> String {
    bank.log_key().split('+').next().expect("a key has a name").to_owned()
}
