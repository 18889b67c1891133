//! A database put back to an older copy must not write: it would sign a second history.

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem, transfer};

crate::on_both_databases!(
    an_older_copy_only_reads_and_says_how_to_recover,
    a_reopened_log_has_another_name_and_keeps_old_proofs,
);

fn an_older_copy_only_reads_and_says_how_to_recover(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let (mut ana, from, to) = block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "100.00").await;
        (ana, from, to)
    });
    bank.stop();
    let tables = tables(&bank);
    copy(&bank, &tables, "", "older_");

    bank.start(&[]);
    ana.moved_to(&bank);
    block_on(async { assert_eq!(ana.order(&transfer("one", &from, &to, "1.00")).await.status, 201) });
    bank.stop();
    copy(&bank, &tables, "", "newer_");
    copy(&bank, &tables, "older_", "");

    bank.start(&[]);
    ana.moved_to(&bank);
    block_on(async {
        let refused = ana.order(&transfer("two", &from, &to, "2.00")).await;
        assert_eq!((refused.status, problem(&refused).as_str()), (503, "read_only"));
        let words = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(words.contains("older"), "{words}");
        assert_eq!(ana.balance(&from).await, "100.00", "reading goes on");
    });
    let log = bank.log();
    assert!(
        log.contains("older") && log.contains("put the newer database back"),
        "the operator reads what to do: {log}"
    );
    bank.stop();
    assert_eq!(bank.run(&["ledger", "verify"]).status.code(), Some(5), "the check outside the database finds it too");
    assert_eq!(bank.run(&["doctor"]).status.code(), Some(1), "and so does doctor");

    copy(&bank, &tables, "newer_", "");
    bank.start(&[]);
    ana.moved_to(&bank);
    block_on(async {
        assert_eq!(ana.order(&transfer("two", &from, &to, "2.00")).await.status, 201, "the newest copy writes again");
        assert_eq!(ana.balance(&from).await, "97.00");
    });
}

fn a_reopened_log_has_another_name_and_keeps_old_proofs(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let (mut ana, from, to, early) = block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "100.00").await;
        let early = posted(&ana, &transfer("early", &from, &to, "1.00")).await;
        (ana, from, to, early)
    });
    let old_key = bank.log_key().to_owned();
    let lost = transfer("lost", &from, &to, "5.00");
    let lost_signature = ana.sign(&lost);
    bank.stop();
    let nothing = bank.run(&["ledger", "reopen", "--yes"]);
    assert_eq!(nothing.status.code(), Some(1), "a log that is not behind keeps its name");
    let tables = tables(&bank);
    copy(&bank, &tables, "", "older_");
    bank.start(&[]);
    ana.moved_to(&bank);
    block_on(async { assert_eq!(ana.send(&lost, &lost_signature).await.status, 201) });
    bank.stop();
    copy(&bank, &tables, "older_", "");

    assert_eq!(bank.run(&["ledger", "reopen", "--no-input"]).status.code(), Some(2), "it does not happen by accident");
    let reopened = bank.run(&["ledger", "reopen", "--yes", "--json"]);
    assert!(reopened.status.success(), "{}", String::from_utf8_lossy(&reopened.stderr));
    let report: serde_json::Value = serde_json::from_slice(&reopened.stdout).expect("it prints JSON");
    assert_eq!(report["lost"], 1);

    bank.start(&[]);
    assert_eq!(report["log_key"], bank.log_key());
    assert_ne!(bank.log_key(), old_key);
    ana.origin = bank.log_key().split('+').next().expect("a key has a name").to_owned();
    block_on(async {
        // Tokens name the log too, so everyone signs in again.
        let anonymous = bank.client();
        let session = anonymous.refresh(&ana.session.refresh_token).await.expect("the session is still there");
        ana.session = session;
        ana.moved_to(&bank);
        let replayed = ana.send(&lost, &lost_signature).await;
        assert_eq!(
            (replayed.status, problem(&replayed).as_str()),
            (403, "bad_signature"),
            "it was signed for the old name"
        );
        let late = posted(&ana, &transfer("late", &from, &to, "2.00")).await;
        for (id, key, other) in [(&early, old_key.as_str(), bank.log_key()), (&late, bank.log_key(), old_key.as_str())]
        {
            assert!(ana.client.verification(id).await.expect("it is checked").is_valid);
            let file = bank.folder.path().join("receipt.txt");
            std::fs::write(&file, ana.client.receipt(id).await.expect("a receipt")).expect("it can be written");
            let verify = |key: &str| {
                let path = file.to_str().expect("a path is text");
                bank.run(&["ledger", "verify-receipt", path, "--log-key", key]).status.code()
            };
            assert_eq!((verify(key), verify(other)), (Some(0), Some(5)));
        }
        assert_eq!(ana.balance(&from).await, "97.00");
    });
}

/// Places an order that is posted, and answers the posting's id.
async fn posted(person: &Customer, body: &str) -> String {
    let answer = person.order(body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer: serde_json::Value = answer.json().expect("an answer is JSON");
    answer["id"].as_str().expect("it has an id").to_owned()
}

/// The bank's tables.
fn tables(bank: &TestBank) -> Vec<String> {
    let sql = match bank.database {
        strongroom_sql::Url::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
        _ => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    };
    let rows = bank.sql().query(sql, &[]).expect("the catalogue can be read");
    rows.iter().map(|row| row.text(0).expect("a name is text").to_owned()).collect()
}

/// Copies all rows of the tables with one prefix into those with another.
fn copy(bank: &TestBank, tables: &[String], from: &str, to: &str) {
    let mut connection = bank.sql();
    for table in tables {
        let (from, to) = (format!("{from}{table}"), format!("{to}{table}"));
        let mut run = |sql: String| connection.execute(&sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e}"));
        run(format!("CREATE TABLE IF NOT EXISTS {to} AS SELECT * FROM {from} WHERE 1 = 0"));
        run(format!("DELETE FROM {to}"));
        run(format!("INSERT INTO {to} SELECT * FROM {from}"));
    }
}
