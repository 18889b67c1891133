//! After the demo and the path, nothing of anyone's can be read in the bytes at rest, nor in a log.

use std::path::PathBuf;

use memchr::memmem;
use serde_json::Value;
use strongroom_sql::Url;
use strongroom_testkit::MariaDb;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::Customer;
use crate::path::python;

#[test]
fn checklist_21_nothing_personal_is_in_the_clear_on_sqlite() {
    let bank = TestBank::open(Engine::Sqlite);
    sweep(&bank, &[bank.home()]);
}

#[test]
fn checklist_21_nothing_personal_is_in_the_clear_on_mariadb() {
    let server = MariaDb::start();
    let bank = TestBank::open_over_tls(&server);
    sweep(&bank, &[bank.home(), server.data_dir()]);
}

fn sweep(bank: &TestBank, folders: &[PathBuf]) {
    let ready = bank.folder.path().join("ready.json");
    std::fs::write(&ready, bank.ready.to_string()).expect("it can be written");
    let mut secrets = block_on(told(bank));
    python("path.py", &[ready.as_path(), &bank.folder.path().join("receipt.txt")]);
    for text in [
        "clara.path",
        "three green lamps",
        "Clara Pathfinder",
        "Pathfinder",
        "clara.path@example.org",
        "+525511112222",
        "525511112222",
        "5511112222",
        "PACL910101XX5",
        "1991-01-01",
        "19910101",
        "Calle Larga",
        "First deposit of Clara",
        "Rent of the blue room",
    ] {
        secrets.push(text.to_owned());
    }
    assert!(secrets.len() > 60, "the demo's people have told their facts: {secrets:?}");
    if let Url::MariaDb(_) = bank.database {
        flush(bank);
    }

    let mut files = files(folders);
    files.push(bank.folder.path().join("log.txt"));
    let (mut leaks, mut order_ids) = (Vec::new(), 0);
    for file in &files {
        let bytes = std::fs::read(file).expect("it can be read");
        order_ids += found(&bytes, "pay-1").len();
        for secret in &secrets {
            let forms = found(&bytes, secret);
            leaks.extend(forms.into_iter().map(|form| format!("{secret} as {form} in {}", file.display())));
        }
    }
    assert!(order_ids > 0, "an order id is kept in the clear, and the search finds it");
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(bank.log().contains("DEBUG"), "the log was written with everything it can say");
}

/// Every fact of the demo's people, as the bank tells it to themselves.
async fn told(bank: &TestBank) -> Vec<String> {
    let mut facts = Vec::new();
    for person in bank.ready["people"].as_array().expect("a demo has people") {
        // The path signs in as these two, and a code is good once.
        if person["role"] == "teller" || person["username"] == bank.person("customer")["username"] {
            continue;
        }
        let signed_in = Customer::sign_in_as(bank, person).await;
        let me = serde_json::to_value(signed_in.client.me().await.expect("one may read oneself")).expect("JSON");
        for name in ["username", "full_name", "email", "phone", "national_id", "date_of_birth", "address"] {
            let fact = me[name].as_str().unwrap_or_else(|| panic!("the demo fills every field: {name}"));
            facts.push(fact.to_owned());
            facts.extend(variants(name, fact));
        }
        facts.push(person["password"].as_str().expect("a password").to_owned());
        facts.push(person["totp_secret"].as_str().expect("a secret").to_owned());
        for account in signed_in.client.accounts(None, 10).await.expect("one's own accounts").items {
            facts.push(account.number.clone());
            let entries = signed_in.client.entries(&account.id, None, 10).await.expect("one's own entries").items;
            facts.extend(entries.into_iter().filter_map(|entry| entry.description));
        }
    }
    facts.extend(
        bank.ready["people"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p: &Value| Some(p["username"].as_str()?.to_owned())),
    );
    facts
}

/// Other ways to write the same.
fn variants(name: &str, fact: &str) -> Vec<String> {
    match name {
        "full_name" | "address" => fact.split([' ', ',']).filter(|word| word.len() > 5).map(str::to_owned).collect(),
        "phone" => vec![fact.trim_start_matches('+').to_owned()],
        "date_of_birth" => vec![fact.replace('-', "")],
        _ => vec![fact.to_lowercase(), fact.to_uppercase()],
    }
}

/// The forms in which a text is in these bytes: UTF-8 and UTF-16 of both byte orders, raw.
fn found(bytes: &[u8], text: &str) -> Vec<&'static str> {
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let forms = [("UTF-8", text.as_bytes()), ("UTF-16LE", &little), ("UTF-16BE", &big)];
    forms.into_iter().filter(|(_, form)| memmem::find(bytes, form).is_some()).map(|(name, _)| name).collect()
}

/// All files below, but the demo's own list of people, which is for its user to read, and its outbox, which
/// stands for the mail server: what is there has left the bank.
fn files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = folders.to_vec();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            match path.is_dir() {
                true if path.ends_with("home/outbox") => {}
                true => open.push(path),
                // Sockets hold nothing.
                false if path.ends_with("demo.json") || !path.is_file() => {}
                false => files.push(path),
            }
        }
    }
    files
}

/// Has MariaDB write its pages to its files.
fn flush(bank: &TestBank) {
    let mut connection = bank.sql();
    let rows = connection.query("SHOW TABLES", &[]).expect("tables can be listed");
    let tables: Vec<&str> = rows.iter().filter_map(|row| row.text(0).ok()).collect();
    connection.execute(&format!("FLUSH TABLES {} FOR EXPORT", tables.join(", ")), &[]).expect("pages can be flushed");
    connection.execute("UNLOCK TABLES", &[]).expect("locks can be given back");
}
