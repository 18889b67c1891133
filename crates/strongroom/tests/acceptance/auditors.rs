//! The ledger as others check it: hledger comes to the same balances, an export holds with nothing but the log's key,
//! and debits are credits.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, transfer};
use crate::tamper::full_ledger;

crate::on_both_databases!(others_come_to_the_same_books);

fn others_come_to_the_same_books(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(full_ledger(&bank));
    let (journal, audit) = (bank.folder.path().join("books.journal"), bank.folder.path().join("audit.jsonl"));
    let export = |format: &str, file: &std::path::Path| {
        let file = file.to_str().expect("a path is text");
        let output = bank.run(&["ledger", "export", "--format", format, "--output", file]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    export("hledger", &journal);
    export("audit", &audit);

    // An auditor has the file, the program and the key; no home, no server.
    let verify = |file: &std::path::Path, key: &str| {
        let file = file.to_str().expect("a path is text");
        bank.run_elsewhere(&["ledger", "verify-export", file, "--log-key", key, "--json"])
    };
    let output = verify(&audit, bank.log_key());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let audited: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let mut books: BTreeMap<String, String> = BTreeMap::new();
    for item in audited["balances"].as_array().expect("a list") {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        books.insert(text(&item["account"]), text(&item["balance"]["amount"]));
    }
    assert_eq!(audited["leaves"], bank.verify()["leaves"]);
    assert!(books.len() >= 5, "{audited}");

    // hledger reads the journal and comes to the same.
    let output =
        Command::new("hledger").arg("-f").arg(&journal).args(["balance", "--empty", "--flat", "-O", "csv"]).output();
    let output = output.expect("hledger can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it is text");
    let mut theirs = BTreeMap::new();
    for line in text.lines().skip(1) {
        let (name, amount) = line.trim_matches('"').split_once("\",\"").expect("two cells");
        if let Some((_, account)) = name.split_once(':') {
            let amount = amount.trim_start_matches("USD").trim().replace(',', "");
            theirs.insert(account.to_owned(), if amount == "0" { "0.00".into() } else { amount });
        }
    }
    assert_eq!(theirs, books, "{text}");

    // The bank's own accounts say so, too, and debits are credits.
    let output = bank.run(&["ledger", "trial-balance", "--json"]);
    let totals: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let sum = |side: &str| -> f64 {
        let amount = |item: &Value| item[side]["amount"].as_str().expect("text").parse::<f64>().expect("a number");
        totals["items"].as_array().expect("a list").iter().map(amount).sum()
    };
    assert!(sum("debit") > 400.0 && (sum("debit") - sum("credit")).abs() < 0.001, "{totals}");

    // A changed, cut or foreign export does not hold.
    let text = std::fs::read_to_string(&audit).expect("it can be read");
    let lines: Vec<&str> = text.lines().collect();
    let changed = bank.folder.path().join("changed.jsonl");
    let refused = |lines: &[&str]| {
        std::fs::write(&changed, lines.join("\n")).expect("it can be written");
        assert_eq!(verify(&changed, bank.log_key()).status.code(), Some(5));
    };
    refused(&lines[1..]);
    refused(&lines[..lines.len() - 1]);
    refused(&lines[..lines.len() - 2]);
    for at in 0..lines.len() - 1 {
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        if at % 5 == 0 {
            refused(&swapped);
        }
    }
    let flipped = lines[3].replacen("\"core\":\"01", "\"core\":\"02", 1).replacen("\"salt\":\"", "\"salt\":\"00", 1);
    let mut one = lines.clone();
    one[3] = &flipped;
    refused(&one);
    let other = TestBank::open(Engine::Sqlite);
    assert_eq!(verify(&audit, other.log_key()).status.code(), Some(5), "another bank's key");
}

/// Lines by time, amount and counterparty; a balance at a moment; a statement between two balances.
#[test]
fn entries_are_found_and_statements_add_up() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "500.00").await;
        let mut times = Vec::new();
        for (at, amount) in ["10.00", "20.00", "30.00"].iter().enumerate() {
            let body = transfer(&format!("t-{at}"), &from, &to, amount);
            let body = body.replacen('{', r#"{"description":"=HYPERLINK(1), \"rent\"","#, 1);
            let posted: Value = ana.order(&body).await.json().expect("JSON");
            times.push(posted["time"].as_str().expect("a time").to_owned());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let found = async |query: &str| -> Vec<String> {
            let path = format!("/v1/accounts/{from}/entries?{query}");
            let answer = ana.client.send(strongroom_client::Method::GET, &path, None).await.expect("the bank answers");
            assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
            let list: Value = answer.json().expect("JSON");
            let amount = |item: &Value| item["amount"]["amount"].as_str().expect("text").to_owned();
            list["items"].as_array().expect("a list").iter().map(amount).collect()
        };
        assert_eq!(found("").await, ["-30.00", "-20.00", "-10.00", "500.00"]);
        assert_eq!(found("least=20.00").await, ["-30.00", "-20.00", "500.00"]);
        assert_eq!(found("least=20.00&most=30.00").await, ["-30.00", "-20.00"]);
        assert_eq!(found(&format!("counterparty={to}")).await, ["-30.00", "-20.00", "-10.00"]);
        assert_eq!(found(&format!("from={}", times[1])).await, ["-30.00", "-20.00"]);
        assert_eq!(found(&format!("from={}&to={}", times[1], times[2])).await, ["-20.00"]);
        assert_eq!(found(&format!("counterparty={to}&limit=1")).await, ["-30.00"]);
        for (at, balance) in [("1990-01-01", "0.00"), (times[0].as_str(), "490.00"), (times[1].as_str(), "470.00")] {
            let path = format!("/v1/accounts/{from}/balance?at={at}");
            let answer = ana.client.send(strongroom_client::Method::GET, &path, None).await.expect("the bank answers");
            assert_eq!(answer.json::<Value>().expect("JSON")["balance"]["amount"], balance, "{at}");
        }
        let csv = ana.client.statement(&from, &times[1], "").await.expect("a statement");
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[1].starts_with("opening,") && lines[1].contains(",490.00,USD"), "{csv}");
        assert!(lines[2].contains("'=HYPERLINK(1), ") && lines[2].contains(",-20.00,470.00,USD"), "{csv}");
        assert!(lines[4].starts_with("closing,") && lines[4].contains(",440.00,USD"), "{csv}");
        assert!(lines[5].starts_with("proof,"), "{csv}");
        assert!(ben.client.statement(&from, "", "").await.is_err(), "someone else's");
    });
}
