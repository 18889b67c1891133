//! A database put back to an older copy must not write: it would sign a second history.

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem, transfer};

crate::on_both_databases!(an_older_copy_only_reads_and_says_how_to_recover);

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
