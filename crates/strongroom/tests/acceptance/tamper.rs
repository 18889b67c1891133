//! What someone who can write the database may not gain: rows copied or changed by SQL are
//! refused, and the log says so.

use strongroom_client::Error;
use strongroom_sql::Value;

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
