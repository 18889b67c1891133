//! Keys are followed by their next versions while the bank works, killed or not; what they sealed is
//! sealed anew, and nothing is left behind. A person who is erased is unreadable at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use strongroom_client::{Method, Purpose};
use strongroom_crypto::sealed;
use strongroom_sql::{Role, Url};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, now_s, post, problem, transfer};

crate::on_both_databases!(
    keys_are_followed_under_traffic_and_kills,
    an_erased_person_is_unreadable_and_the_ledger_holds,
    everyone_is_found_while_the_index_key_is_followed_and_after,
    the_logs_key_is_followed_and_old_proofs_hold,
);

const POSTINGS: usize = 1_500;

/// How often the bank is killed while it seals anew; `STRONGROOM_TEST_KILLS` asks for more.
fn kills() -> usize {
    std::env::var("STRONGROOM_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

/// Two customers and their accounts, one with many postings that have descriptions.
async fn found(bank: &TestBank) -> ([Customer; 2], [String; 2]) {
    let people = [Customer::sign_up(bank, "ana").await, Customer::sign_up(bank, "ben").await];
    let teller = Customer::sign_in(bank, "teller").await;
    let accounts = [people[0].open_account().await.id, people[1].open_account().await.id];
    teller.deposit(&accounts[0], "100000.00").await;
    (people, accounts)
}

fn described(order_id: &str, accounts: &[String; 2]) -> String {
    let mut body: Value = serde_json::from_str(&transfer(order_id, &accounts[0], &accounts[1], "0.01")).expect("JSON");
    body["description"] = json!(format!("For {order_id}"));
    body.to_string()
}

/// Places orders on a few connections until the bank is gone or the number is reached. Answers how many.
async fn pay(people: &[Customer; 2], accounts: &[String; 2], name: &str, count: usize) -> u64 {
    let posted = Arc::new(AtomicU64::new(0));
    let lanes: Vec<_> = (0..8)
        .map(|lane| {
            let (client, signer, posted) = (people[0].client.apart(), people[0].signer(), posted.clone());
            let (name, accounts) = (name.to_owned(), accounts.clone());
            tokio::spawn(async move {
                for n in (lane..count).step_by(8) {
                    let body = described(&format!("{name}-{n}"), &accounts);
                    let signature = signer.sign(Purpose::Order, body.as_bytes(), now_s());
                    match post(&client, &body, &signature).await {
                        Ok(answer) => assert_eq!(answer.status, 201, "{answer:?}"),
                        Err(_) => return,
                    }
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.expect("every order is posted or the bank is gone");
    }
    posted.load(Ordering::Relaxed)
}

fn resealed(bank: &TestBank) -> usize {
    let batches = ["a batch of fields was sealed anew", "a batch of rows was authenticated anew"];
    bank.log().lines().filter(|line| batches.iter().any(|batch| line.contains(batch))).count()
}

fn status(bank: &TestBank) -> Value {
    let output = bank.run(&["keys", "status", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn keys(bank: &TestBank, args: &[&str]) -> Value {
    let output = bank.run(&[&["keys"], args, &["--json", "--no-input"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn keys_are_followed_under_traffic_and_kills(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let (mut people, accounts) = block_on(found(&bank));
    assert_eq!(block_on(pay(&people, &accounts, "first", POSTINGS)), POSTINGS as u64);
    bank.stop();

    for kill in 0..kills() {
        // Each start goes on where the kill before broke off, and follows all keys once more.
        let before = resealed(&bank);
        bank.start(&[("STRONGROOM_FAULT", &format!("reseal:{}", 1 + kill * 5 % 13))]);
        people.iter_mut().for_each(|person| person.signed_in_again(&bank));
        let posted = block_on(async {
            let mut rotation = bank.command(&["keys", "rotate", "--no-wait", "--json"]);
            let rotation = tokio::task::spawn_blocking(move || rotation.output());
            let posted = pay(&people, &accounts, &format!("kill{kill}"), usize::MAX).await;
            let _ = rotation.await;
            posted
        });
        bank.await_kill();
        assert!(posted > 0, "orders were carried out meanwhile");
        assert!(resealed(&bank) > before, "kill {kill}: fields were sealed anew before it");
    }
    let before = resealed(&bank);
    bank.start(&[]);
    people.iter_mut().for_each(|person| person.signed_in_again(&bank));
    keys(&bank, &["rotate"]);
    assert!(resealed(&bank) > before, "and after the last one");
    assert_eq!(status(&bank)["pending"], 0, "nothing waits");
    assert!(!bank.log().contains("could not be sealed anew"), "every field was readable");
    none_is_left_behind(&bank);
    block_on(every_description_is_readable(&people, &accounts));

    // The old versions protect nothing: they can end, and the bank goes on without them.
    let of_purpose = |purpose| {
        let all = status(&bank)["keys"].as_array().expect("a list").clone();
        let counts =
            all.iter().filter(|row| row["purpose"] == purpose).map(|row| row["keys"].as_i64().expect("a count"));
        counts.sum::<i64>()
    };
    // A session's secret is tagged by the version that was active: one refreshed since goes on.
    people.iter_mut().for_each(|person| person.signed_in_again(&bank));
    let versions = of_purpose("credential");
    for purpose in ["credential", "mac"] {
        for version in 1..of_purpose(purpose) {
            keys(&bank, &["destroy", purpose, &version.to_string(), "--yes"]);
        }
    }
    let active = bank.run(&["keys", "destroy", "credential", &versions.to_string(), "--yes"]);
    assert_eq!(active.status.code(), Some(1), "the active version is not destroyed");
    keys(&bank, &["rewrap"]);
    bank.stop();
    bank.start(&[]);
    people.iter_mut().for_each(|person| person.signed_in_again(&bank));
    block_on(async {
        people[0].client.me().await.expect("personal data opens after all that");
        let client = bank.client();
        client.sign_in("ana", &people[0].password).await.expect("so do password hashes");
        let last = transfer("last", &accounts[0], &accounts[1], "0.01");
        assert_eq!(people[0].order(&last).await.status, 201, "and rows carry MACs that check");
    });
    let verified = bank.run(&["ledger", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// A compromised key that is called active again by SQL would go on sealing.
#[test]
fn a_state_or_date_that_was_written_by_sql_is_refused() {
    let mut bank = TestBank::open(Engine::Sqlite);
    keys(&bank, &["rotate", "credential"]);
    bank.stop();
    let url = Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, Role::Writer).expect("the keyring opens");
    let swap = "UPDATE wrapped_keys SET state = 3 - state WHERE purpose = 'credential'";
    let younger = "UPDATE wrapped_keys SET created_us = created_us + 1 WHERE purpose = 'bank'";
    let back = "UPDATE wrapped_keys SET created_us = created_us - 1 WHERE purpose = 'bank'";
    for (change, undo) in [(swap, swap), (younger, back)] {
        keyring.execute(change, &[]).expect("rows change");
        let status = bank.run(&["status"]);
        assert_eq!(status.status.code(), Some(5), "{status:?}");
        let words = String::from_utf8_lossy(&status.stderr).into_owned();
        assert!(words.contains("keys.db was changed") && words.contains("restore keys.db"), "{words}");
        keyring.execute(undo, &[]).expect("rows change back");
    }
    assert!(bank.run(&["status"]).status.success(), "as it was, it opens");
}

/// By SQL: every sealed field names the newest version of its key.
fn none_is_left_behind(bank: &TestBank) {
    let url = Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, Role::Reader).expect("the keyring opens");
    let sql = "SELECT series, purpose, MAX(version) FROM wrapped_keys GROUP BY series, purpose";
    let mut newest: HashMap<(String, Vec<u8>), u32> = HashMap::new();
    for row in keyring.query(sql, &[]).expect("versions can be read") {
        let key = (row.text(1).expect("text").to_owned(), row.bytes(0).expect("an id").to_vec());
        newest.insert(key, row.int(2).expect("a number") as u32);
    }
    let owned = "SELECT id, username FROM people UNION ALL SELECT id, email FROM people \
                 UNION ALL SELECT person, name FROM devices UNION ALL SELECT owner, number FROM accounts WHERE owner IS NOT NULL \
                 UNION ALL SELECT a.owner, t.payer FROM transfers t JOIN accounts a ON a.id = t.from_account WHERE a.owner IS NOT NULL \
                 UNION ALL SELECT a.owner, t.payee FROM transfers t JOIN accounts a ON a.id = t.to_account WHERE a.owner IS NOT NULL";
    let mut sql = bank.sql();
    let mut fields = 0;
    for row in sql.query(owned, &[]).expect("fields can be read") {
        let Some(field) = row.opt_bytes(1).expect("bytes") else { continue };
        let owner = row.bytes(0).expect("an id").to_vec();
        let version = sealed::header(field).expect("a sealed field").version;
        assert_eq!(version, newest[&("person".to_owned(), owner)], "a field was left behind");
        fields += 1;
    }
    assert!(fields > 2 * POSTINGS, "{fields} fields were looked at");
    for row in sql.query("SELECT password FROM people UNION ALL SELECT secret FROM factors", &[]).expect("credentials")
    {
        let version = sealed::header(row.bytes(0).expect("bytes")).expect("a sealed field").version;
        assert_eq!(version, newest[&("credential".to_owned(), vec![0; 16])], "a credential was left behind");
    }
    let version = newest[&("mac".to_owned(), vec![0; 16])].to_be_bytes();
    for table in ["people", "enrolments", "challenges", "sessions", "devices", "accounts", "balances", "transfers"] {
        for row in sql.query(&format!("SELECT mac FROM {table}"), &[]).expect("MACs can be read") {
            assert!(row.bytes(0).expect("bytes").starts_with(&version), "a row of {table} was left behind");
        }
    }
}

async fn every_description_is_readable(people: &[Customer; 2], accounts: &[String; 2]) {
    for (person, account) in people.iter().zip(accounts) {
        let (mut cursor, mut count): (Option<String>, usize) = (None, 0);
        loop {
            let page = person.client.entries(account, cursor.as_deref(), 200).await.expect("one's own entries");
            for entry in page.items {
                let description = entry.description.unwrap_or_default();
                assert!(entry.order_id.is_none_or(|id| description == format!("For {id}")), "{description}");
                count += usize::from(description.starts_with("For "));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(count >= POSTINGS, "{count} descriptions were read");
    }
}

fn an_erased_person_is_unreadable_and_the_ledger_holds(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let ([ana, ben], accounts) = found(&bank).await;
        let number = ana.client.account(&accounts[0]).await.expect("one's own account").number;
        let body = described("o-1", &accounts);
        let posted: Value = ana.order(&body).await.json().expect("JSON");
        let id = posted["id"].as_str().expect("an id").to_owned();
        let receipt = ana.client.receipt(&id).await.expect("the payer's receipt");

        keys(&bank, &["hold", &ana.id, "--until", "2099-12-31"]);
        let held = bank.run(&["keys", "erase", &ana.id, "--yes"]);
        assert_eq!(held.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&held.stderr).contains("legal hold"), "{held:?}");
        assert_eq!(ana.client.me().await.expect("nothing changed").username, "ana");
        keys(&bank, &["hold", &ana.id]);
        assert_eq!(bank.run(&["keys", "erase", &ana.id]).status.code(), Some(2), "it does not happen by accident");
        assert_eq!(
            bank.run(&["keys", "erase", "usr_01900000000070008000000000000001", "--yes"]).status.code(),
            Some(4)
        );
        let erased = keys(&bank, &["erase", &ana.id, "--yes"]);
        assert_eq!((&erased["accounts"], &erased["funded"], &erased["devices"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(keys(&bank, &["erase", &ana.id, "--yes"])["accounts"], 0, "again, it changes nothing");

        // She is gone at once, for herself too.
        assert_eq!(ana.client.me().await.expect_err("she is nobody").status(), Some(401));
        assert_eq!(bank.client().sign_in("ana", &ana.password).await.expect_err("nobody").status(), Some(401));
        let again = Customer::sign_up(&bank, "ana").await;
        assert_ne!(again.id, ana.id, "the name is free for someone else");
        for to in [&number, &accounts[0]] {
            let order = transfer(&format!("to-{}", to.len()), &accounts[1], to, "0.01");
            let refused = ben.order(&order).await;
            assert!(matches!(problem(&refused).as_str(), "not_found" | "account_closed"), "{refused:?}");
        }

        // What others have of her stays true.
        let entries = ben.client.entries(&accounts[1], None, 10).await.expect("his own entries").items;
        assert_eq!(entries[0].description.as_deref(), Some("For o-1"));
        assert!(ben.client.verification(&id).await.expect("it is checked").is_valid);
        let file = bank.folder.path().join("receipt.txt");
        std::fs::write(&file, receipt).expect("it can be written");
        let path = file.to_str().expect("a path is text");
        let verified = bank.run(&["ledger", "verify-receipt", path, "--log-key", bank.log_key()]);
        assert!(verified.status.success(), "the old receipt holds: {verified:?}");
    });
    let tombstones = status(&bank)["keys"]
        .as_array()
        .expect("a list")
        .iter()
        .any(|row| row["purpose"] == "person" && row["state"] == "destroyed");
    assert!(tombstones, "the keys' numbers stay taken");
}

#[test]
fn a_keyring_put_back_opens_what_it_knew_and_nobody_who_was_erased() {
    let (mut bank, other) = (TestBank::open(Engine::Sqlite), TestBank::open(Engine::Sqlite));
    let copy = bank.folder.path().join("keys.backup");
    let copy = copy.to_str().expect("a path is text").to_owned();
    let (mut ana, mut ben) =
        block_on(async { (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await) });
    keys(&bank, &["backup", "--output", &copy]);
    let again = bank.run(&["keys", "backup", "--output", &copy]);
    assert_eq!(again.status.code(), Some(1), "no file is written over");
    keys(&bank, &["erase", &ben.id, "--yes"]);
    let late = block_on(Customer::sign_up(&bank, "late"));
    assert_eq!(bank.run(&["keys", "restore", &copy, "--yes"]).status.code(), Some(75), "the server runs");

    bank.stop();
    let foreign = other.folder.path().join("keys.backup");
    let foreign = foreign.to_str().expect("a path is text").to_owned();
    keys(&other, &["backup", "--output", &foreign]);
    assert_eq!(bank.run(&["keys", "restore", &foreign, "--yes"]).status.code(), Some(5), "another bank's");
    let refused = bank.run(&["keys", "restore", &copy, "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "the keyring in place opens and has more");
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("1 of its keys are not in this backup"), "{words}");
    for suffix in ["", "-wal", "-shm"] {
        let name = bank.home().join(format!("keys.db{suffix}"));
        if name.exists() {
            std::fs::rename(&name, bank.folder.path().join(format!("lost{suffix}"))).expect("the keyring is lost");
        }
    }
    assert_eq!(keys(&bank, &["restore", &copy, "--yes"])["without_key"], 1, "who signed up since is told");
    bank.start(&[]);
    ana.signed_in_again(&bank);
    ben.moved_to(&bank);
    block_on(async {
        assert_eq!(ana.client.me().await.expect("her key is back").username, "ana");
        assert_eq!(ben.client.me().await.expect_err("he stays erased").status(), Some(401));
        let lost = bank.client().sign_in("late", &late.password).await;
        assert!(lost.is_ok(), "credentials are under a key of the bank's");
    });
    let url = Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, Role::Reader).expect("the keyring opens");
    let sql = "SELECT COUNT(*) FROM wrapped_keys WHERE purpose = 'person' AND state = 4 AND length(wrapped) = 0";
    let rows = keyring.query(sql, &[]).expect("keys can be counted");
    assert_eq!(rows[0].int(0).expect("a count"), 1, "the erased person's key is destroyed again");
}

#[test]
fn keys_that_were_used_enough_follow_by_themselves() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let file = bank.home().join("strongroom.toml");
    let configuration = std::fs::read_to_string(&file).expect("the configuration is there");
    std::fs::write(&file, configuration.replace("[key]", "[key]\nrotate_after_uses = 8")).expect("it can be written");
    bank.start(&[]);
    let ana = block_on(Customer::sign_up(&bank, "ana"));
    block_on(async {
        for n in 0..8 {
            ana.client.open_account("USD", &format!("Account {n}")).await.expect("an account opens");
        }
    });
    bank.stop();
    bank.start(&[]);
    let followed = |row: &Value| row["purpose"] == "person" && row["state"] == "deactivated" && row["pending"] == 0;
    for _ in 0..200 {
        if status(&bank)["keys"].as_array().expect("a list").iter().any(followed) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{}", status(&bank));
}

fn everyone_is_found_while_the_index_key_is_followed_and_after(engine: Engine) {
    let bank = TestBank::open(engine);
    let ([ana, ben], accounts) = block_on(found(&bank));
    let number = block_on(ben.client.account(&accounts[1])).expect("one's own account").number;
    let before = indexes(&bank);
    keys(&bank, &["rotate", "index", "--no-wait"]);
    let everyone_is_found = async |round: &str| {
        let client = bank.client();
        client.sign_in("ana", &ana.password).await.expect("a user name is found");
        let taken = client.sign_up(&named("BEN", round)).await.expect_err("the name is taken");
        assert_eq!(taken.code(), Some("username_taken"));
        let order = transfer(&format!("by-number-{round}"), &accounts[0], &number, "0.01");
        assert_eq!(ana.order(&order).await.status, 201, "an account number is found");
        client.sign_up(&named(&format!("new-{round}"), round)).await.expect("a new name signs up");
    };
    block_on(everyone_is_found("meanwhile"));
    keys(&bank, &["rotate", "credential"]); // waits for everything
    assert_eq!(status(&bank)["pending"], 0);
    let after = indexes(&bank);
    assert!(before.iter().all(|index| !after.contains(index)), "every index is a new one");
    keys(&bank, &["destroy", "index", "1", "--yes"]);
    block_on(everyone_is_found("after"));
}

fn named(username: &str, round: &str) -> strongroom_api::NewUser {
    let user =
        json!({"username": username, "password": "a long password of theirs", "email": format!("{round}@example.com")});
    serde_json::from_value(user).expect("it is a user")
}

/// Every blind index in the database.
fn indexes(bank: &TestBank) -> Vec<Vec<u8>> {
    let sql = "SELECT username_index FROM people UNION ALL SELECT email_index FROM people WHERE email_index IS NOT NULL \
               UNION ALL SELECT number_index FROM accounts";
    let rows = bank.sql().query(sql, &[]).expect("indexes can be read");
    rows.iter().map(|row| row.bytes(0).expect("bytes").to_vec()).collect()
}

fn the_logs_key_is_followed_and_old_proofs_hold(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let ([mut ana, _ben], accounts) = block_on(found(&bank));
    let old = bank.log_key().to_owned();
    let post = async |ana: &Customer, id: &str| -> String {
        let posted: Value = ana.order(&described(id, &accounts)).await.json().expect("JSON");
        posted["id"].as_str().expect("an id").to_owned()
    };
    let early = block_on(post(&ana, "early"));
    let rotated = keys(&bank, &["rotate", "log"]);
    let new = rotated["log_key"].as_str().expect("the new key").to_owned();
    assert_ne!(new, old);
    assert_eq!(new.split('+').next(), old.split('+').next(), "the name stays, so orders are signed as before");
    // Once with nothing posted under the new key yet, and once afterwards.
    for round in ["first", "second"] {
        bank.stop();
        bank.verify();
        bank.start(&[]);
        assert_eq!(bank.log_key(), new);
        ana.signed_in_again(&bank);
        let late = block_on(post(&ana, round));
        for (id, key, other) in [(&early, &old, &new), (&late, &new, &old)] {
            let (receipt, report) = block_on(async {
                let receipt = ana.client.receipt(id).await.expect("a receipt");
                (receipt, ana.client.verification(id).await.expect("it is checked"))
            });
            assert!(report.is_valid, "{report:?}");
            let file = bank.folder.path().join("receipt.txt");
            std::fs::write(&file, receipt).expect("it can be written");
            let verify = |key: &str| {
                let path = file.to_str().expect("a path is text");
                bank.run(&["ledger", "verify-receipt", path, "--log-key", key]).status.code()
            };
            assert_eq!((verify(key), verify(other)), (Some(0), Some(5)), "{round}");
        }
    }
    // Two orders at once follow it twice, one after the other; a version that signed is never destroyed.
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| keys(&bank, &["rotate", "log"])));
        for one in both {
            one.join().expect("it is followed");
        }
    });
    block_on(post(&ana, "third"));
    for version in ["1", "3", "4"] {
        assert_eq!(bank.run(&["keys", "destroy", "log", version, "--yes"]).status.code(), Some(1), "{version}");
    }
    bank.stop();
    bank.verify();
    bank.start(&[]);
    ana.signed_in_again(&bank);
    block_on(post(&ana, "fourth"));
}

/// An old token key verifies for as long as its tokens may be out, and no longer.
#[test]
fn a_token_key_that_was_followed_ends_with_its_tokens() {
    let (mut bank, clock) = TestBank::open_with_clock();
    let mut ana = block_on(Customer::sign_up(&bank, "ana"));
    let known = |bank: &TestBank| {
        let answer = block_on(bank.client().send(Method::GET, "/.well-known/jwks.json", None)).expect("it answers");
        answer.json::<Value>().expect("JSON")["keys"].as_array().map_or(0, Vec::len)
    };
    keys(&bank, &["rotate", "token"]);
    assert_eq!(known(&bank), 2);
    block_on(ana.client.me()).expect("her token is of the old key");
    clock.set(301);
    assert_eq!(known(&bank), 1);
    bank.stop();
    bank.start_with_clock(&clock);
    assert_eq!(known(&bank), 1);
    ana.signed_in_again(&bank);
    block_on(ana.client.me()).expect("she is there again");
}
