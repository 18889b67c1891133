//! What someone who can write the database may not gain: rows copied or changed by SQL are
//! refused, and the log says so.

use strongroom_client::Error;
use strongroom_sql::{Checkpoint, Value};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem, transfer};

crate::on_both_databases!(
    checklist_26_copied_rows_give_no_power,
    changed_money_is_not_moved,
    a_changed_role_or_session_is_found_by_the_ledgers_check,
);

/// The bytes of an id in text.
fn id(text: &str) -> Vec<u8> {
    let hex = text.split_once('_').expect("an id has a prefix").1;
    (0..32).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("an id is hexadecimal")).collect()
}

/// One statement, as an attacker sends it; each `?` is an id.
fn attack(bank: &TestBank, sql: &str, ids: &[&str]) {
    let ids: Vec<Vec<u8>> = ids.iter().map(|text| id(text)).collect();
    let params: Vec<Value<'_>> = ids.iter().map(|id| Value::Bytes(id)).collect();
    let changed = bank.sql().execute(sql, &params).expect("the attacker may write");
    assert_eq!(changed, 1, "{sql}");
}

/// The error says that nobody is signed in, or that the caller may not.
fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.expect_err("power was gained");
    assert!(matches!(error.status(), Some(401 | 403 | 409)), "{error:?}");
}

/// What the bank's log says of rows that were copied or changed, by table.
fn reported(bank: &TestBank, table: &str) -> usize {
    let of_table = |line: &&str| line.contains("ERROR") && line.contains("integrity") && line.contains(table);
    bank.log().lines().filter(of_table).count()
}

fn checklist_26_copied_rows_give_no_power(engine: Engine) {
    let mut bank = TestBank::open(engine);
    bank.is_damaged = true;
    block_on(async {
        let (mallory, ben) = (Customer::sign_up(&bank, "mallory").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (own, bens) = (mallory.open_account().await, ben.open_account().await);
        teller.deposit(&bens.id, "500.00").await;

        // A password of one's own in another's row: it is sealed for the row it was in.
        attack(
            &bank,
            "UPDATE people SET password = (SELECT password FROM (SELECT * FROM people) p WHERE id = ?) WHERE id = ?",
            &[&mallory.id, &ben.id],
        );
        is_refused(bank.client().sign_in("ben", &mallory.password).await);
        is_refused(bank.client().sign_in("ben", &ben.password).await);
        assert!(reported(&bank, "people") > 0, "the password's row is reported:\n{}", bank.log());

        // A device of one's own in another's name, with its MAC.
        let stolen = "dev_01900000000070008000000000000001";
        attack(
            &bank,
            "INSERT INTO devices SELECT ?, ?, name, public_key, created_us, revoked_us, leaf, revoked_leaf, mac \
             FROM devices WHERE id = ?",
            &[stolen, &ben.id, &mallory.device],
        );
        let body = transfer("theft", &bens.id, &own.id, "500.00");
        let forged = ben.send(&body, &mallory.sign_as(stolen, "order", &ben.origin, 300, &body)).await;
        assert_eq!((forged.status, problem(&forged).as_str()), (403, "bad_signature"));
        // One that was known to the bank as the victim's, with another key put under it.
        attack(
            &bank,
            "UPDATE devices SET public_key = (SELECT public_key FROM (SELECT * FROM devices) d WHERE id = ?) WHERE id = ?",
            &[&mallory.device, &ben.device],
        );
        let forged = ben.send(&body, &mallory.sign_as(&ben.device, "order", &ben.origin, 300, &body)).await;
        assert_eq!((forged.status, problem(&forged).as_str()), (403, "bad_signature"));
        assert!(reported(&bank, "devices") > 0, "the device is reported:\n{}", bank.log());

        // One's own session, turned into the teller's.
        attack(&bank, "UPDATE sessions SET person = ? WHERE id = ?", &[&teller.id, &mallory.session.session_id]);
        is_refused(bank.client().refresh(&mallory.session.refresh_token).await);
        is_refused(mallory.try_deposit(&own.id, "1.00").await);
        assert!(reported(&bank, "sessions") > 0, "the session is reported:\n{}", bank.log());

        // The teller's role in one's own row, at first alone and then with the teller's MAC.
        let eve = Customer::sign_up(&bank, "eve").await;
        let eves = eve.open_account().await;
        let before = reported(&bank, "people");
        attack(&bank, "UPDATE people SET roles = 'teller' WHERE id = ?", &[&eve.id]);
        is_refused(eve.try_deposit(&eves.id, "1.00").await);
        is_refused(bank.client().sign_in("eve", &eve.password).await);
        attack(
            &bank,
            "UPDATE people SET mac = (SELECT mac FROM (SELECT * FROM people) p WHERE id = ?) WHERE id = ?",
            &[&teller.id, &eve.id],
        );
        is_refused(eve.try_deposit(&eves.id, "1.00").await);
        is_refused(bank.client().sign_in("eve", &eve.password).await);
        assert!(reported(&bank, "people") > before, "the role is reported:\n{}", bank.log());
        assert_eq!(ben.balance(&bens.id).await, "500.00");
    });
    bank.stop();
    let output = bank.run(&["ledger", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(5), "the ledger's check finds the forged device");
}

fn a_changed_role_or_session_is_found_by_the_ledgers_check(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let eve = block_on(Customer::sign_up(&bank, "eve"));
    bank.stop();
    let changes = [
        (
            "UPDATE people SET roles = 'teller' WHERE id = ?",
            "UPDATE people SET roles = 'customer' WHERE id = ?",
            &eve.id,
            "people",
        ),
        (
            "UPDATE sessions SET expires_us = expires_us + 1 WHERE id = ?",
            "UPDATE sessions SET expires_us = expires_us - 1 WHERE id = ?",
            &eve.session.session_id,
            "sessions",
        ),
    ];
    for (change, back, id, table) in changes {
        attack(&bank, change, &[id]);
        let output = bank.run(&["ledger", "verify"]);
        assert_eq!(output.status.code(), Some(5));
        assert!(String::from_utf8_lossy(&output.stderr).contains(table), "{output:?}");
        attack(&bank, back, &[id]);
    }
}

fn changed_money_is_not_moved(engine: Engine) {
    let mut bank = TestBank::open(engine);
    bank.is_damaged = true;
    block_on(async {
        let (mallory, ben) = (Customer::sign_up(&bank, "mallory").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (own, bens) = (mallory.open_account().await, ben.open_account().await);
        teller.deposit(&own.id, "10.00").await;
        let first = mallory.order(&transfer("small", &own.id, &bens.id, "1.00")).await;
        let first: serde_json::Value = first.json().expect("an answer is JSON");
        let transfer_id = first["id"].as_str().expect("it has an id");
        assert!(ben.client.verification(transfer_id).await.expect("it is checked").is_valid);

        attack(&bank, "UPDATE balances SET balance = balance + 100000 WHERE account = ?", &[&own.id]);
        let refused = mallory.order(&transfer("big", &own.id, &bens.id, "500.00")).await;
        assert_eq!((refused.status, problem(&refused).as_str()), (409, "account_under_review"));
        assert!(reported(&bank, "balances") > 0, "the balance is reported:\n{}", bank.log());

        attack(&bank, "UPDATE transfers SET amount = amount * 100 WHERE id = ?", &[transfer_id]);
        let verification = ben.client.verification(transfer_id).await.expect("it is checked");
        assert!(!verification.is_valid && !verification.checks.mac, "{verification:?}");
    });
    bank.stop();
    let output = bank.run(&["ledger", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    assert_eq!(report["ok"], false);
}

/// A ledger with everything in it: postings, a reservation that stands, one that was captured, one released, a
/// reversal, refused orders, a bulk, a revoked device.
pub async fn full_ledger(bank: &TestBank) {
    let (ana, ben) = (Customer::sign_up(bank, "ana").await, Customer::sign_up(bank, "ben").await);
    let teller = Customer::sign_in(bank, "teller").await;
    let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
    teller.deposit(&from, "500.00").await;
    let id = |answer: strongroom_client::Answer| {
        let body: serde_json::Value = answer.json().expect("JSON");
        body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    };
    let held = |order: &str| transfer(order, &from, &to, "20.00").replacen('{', r#"{"hold":true,"#, 1);
    for order in ["t-1", "t-2", "t-3"] {
        id(ana.order(&transfer(order, &from, &to, "10.00")).await);
    }
    id(ana.order(&held("h-1")).await);
    let (captured, released) = (id(ana.order(&held("h-2")).await), id(ana.order(&held("h-3")).await));
    ben.follow_up("c-1", "capture", &captured).await;
    ben.follow_up("c-2", "release", &released).await;
    let reversed = id(ana.order(&transfer("t-4", &from, &to, "5.00")).await);
    ben.follow_up("c-3", "reverse", &reversed).await;
    assert_eq!(ana.order(&transfer("t-5", &from, &to, "999999.00")).await.status, 422);
    assert_eq!(ana.order(&transfer("t-6", &from, &to, "0.00")).await.status, 422);
    let bulk = ["b-1", "b-2"].map(|order| transfer(order, &from, &to, "1.00")).to_vec();
    ana.client.bulk(&ana.signer(), bulk, true, crate::customer::now_s()).await.expect("a bulk is taken");
    ben.client.revoke_device(&ben.device).await.expect("a device is revoked");
}

/// The columns of a table, as the database tells them.
fn columns(bank: &TestBank, table: &str) -> Vec<String> {
    let mut sql = bank.sql();
    let rows = match sql.dialect() {
        strongroom_sql::Dialect::Sqlite => sql.query(&format!("SELECT name FROM pragma_table_info('{table}')"), &[]),
        strongroom_sql::Dialect::MariaDb => sql.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? \
             ORDER BY ordinal_position",
            &[Value::Text(table)],
        ),
    };
    rows.expect("columns").iter().map(|row| row.text(0).expect("a name").to_owned()).collect()
}

/// What `ledger verify` says is broken; none while all holds.
fn broken(bank: &TestBank) -> Option<String> {
    let output = bank.run(&["ledger", "verify", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    assert_eq!(report["ok"].as_bool().expect("yes or no"), output.status.success());
    report["broken"].as_str().map(str::to_owned)
}

const LEDGER: [&str; 12] = [
    "accounts",
    "balances",
    "orders",
    "bulks",
    "transfers",
    "entries",
    "holds",
    "reversals",
    "log_leaves",
    "log_facts",
    "log_tiles",
    "blocks",
];

/// One changed value in any column of any row of any ledger table, a row taken away, a row twice: each is found.
#[test]
fn every_column_of_the_ledger_is_watched() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.is_damaged = true;
    block_on(full_ledger(&bank));
    bank.stop();
    assert_eq!(broken(&bank), None, "all holds at first");
    let file = bank.home().join("bank.db");
    bank.sql().checkpoint(Checkpoint::Truncate).expect("one file holds it all");
    let whole = std::fs::read(&file).expect("the database can be read");
    let restore = || {
        for companion in ["bank.db-wal", "bank.db-shm"] {
            let _ = std::fs::remove_file(bank.home().join(companion));
        }
        std::fs::write(&file, &whole).expect("it is put back");
    };
    let (mut changes, mut missed) = (0, Vec::new());
    for table in LEDGER {
        let rows = bank.sql().query(&format!("SELECT COUNT(*) FROM {table}"), &[]).expect("a count");
        let count = rows[0].int(0).expect("a number");
        // A young log has no full tile yet.
        assert!(count > 0 || table == "log_tiles", "{table} has rows");
        let names = columns(&bank, table);
        // A table without rowids is known by its first two columns.
        let has_rowid = bank.sql().query(&format!("SELECT rowid FROM {table} LIMIT 1"), &[]).is_ok();
        let key = if has_rowid { "rowid".to_owned() } else { names[..2].join(", ") };
        for place in 0..count {
            let which = format!("({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {place})");
            let mut attacks: Vec<(String, String)> = names
                .iter()
                .map(|column| {
                    // A number grows by one, text and bytes end otherwise, nothing becomes something.
                    let new = format!(
                        "CASE typeof({column}) WHEN 'integer' THEN {column} + 1 WHEN 'null' THEN 1 \
                         WHEN 'text' THEN substr({column}, 1, length({column}) - 1) || 'Q' \
                         ELSE CAST(substr({column}, 1, length({column}) - 1) || \
                              CASE substr({column}, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) END"
                    );
                    (
                        format!("{table}.{column} of row {place}"),
                        format!("UPDATE {table} SET {column} = {new} WHERE {which}"),
                    )
                })
                .collect();
            attacks.push((format!("row {place} of {table} taken away"), format!("DELETE FROM {table} WHERE {which}")));
            for (what, sql) in attacks {
                if bank.sql().execute(&sql, &[]).is_ok() {
                    changes += 1;
                    if broken(&bank).is_none() {
                        missed.push(what);
                    }
                }
                restore();
            }
        }
    }
    assert!(missed.is_empty(), "{} of {changes} changes were not found: {missed:#?}", missed.len());
    assert!(changes > 500, "{changes}");
}
