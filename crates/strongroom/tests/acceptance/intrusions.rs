//! Roads that someone with a little knowledge could try: each is closed.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_api::SignInStep;
use strongroom_client::Method;
use strongroom_crypto::sign::SigningKey;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code, transfer};
use crate::path::python;

#[test]
fn a_password_alone_enrols_no_second_first_factor() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let client = bank.client();
        let mut user = json!({"username": "ana", "password": "a long password of ana", "email": "ana@example.com"});
        let created: Value = client.call(Method::POST, "/v1/users", Some(&user)).await.expect("a free name signs up");
        assert!(created["id"].as_str().is_some_and(|id| id.starts_with("usr_")), "{created}");
        let begin = async || match client.sign_in("ana", "a long password of ana").await.expect("it is right") {
            SignInStep::EnrolmentRequired { enrolment_token } => enrolment_token,
            other => panic!("{other:?}"),
        };
        let (thief, owner) = (begin().await, begin().await);
        let owner = client.with_token(&owner).expect("a token is text");
        let thief = client.with_token(&thief).expect("a token is text");
        let stolen = thief.begin_totp().await.expect("nobody has a factor yet");
        let factor = owner.begin_totp().await.expect("nobody has a factor yet");
        assert!(owner.confirm_totp(&factor.id, &code(&factor.secret)).await.expect("the code is right").is_some());
        let late = thief.confirm_totp(&stolen.id, &code(&stolen.secret)).await.expect_err("the owner was first");
        assert_eq!(late.status(), Some(401));
        assert_eq!(thief.begin_totp().await.expect_err("the owner has a factor").status(), Some(401));

        // A taken name is refused before anything is made for it.
        let before = keys(&bank);
        user["email"] = "other@example.com".into();
        let taken = client.call::<Value>(Method::POST, "/v1/users", Some(&user)).await.expect_err("the name is taken");
        assert_eq!((taken.status(), taken.code()), (Some(409), Some("username_taken")));
        assert_eq!(keys(&bank), before, "no key was made in vain");
    });
}

/// How many keys the keyring holds.
fn keys(bank: &TestBank) -> i64 {
    let url = strongroom_sql::Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, strongroom_sql::Role::Reader).expect("the keyring opens");
    let rows = keyring.query("SELECT COUNT(*) FROM wrapped_keys", &[]).expect("keys can be counted");
    rows[0].int(0).expect("a count")
}

#[test]
fn wrong_codes_count_over_all_challenges() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let client = bank.client();
        let (mut refused, mut tried) = (None, 0);
        for _ in 0..30 {
            match client.sign_in("ana", &ana.password).await {
                Ok(SignInStep::FactorRequired { challenge, .. }) => {
                    let wrong = client.verify(&challenge, "totp", "000000").await.expect_err("the code is wrong");
                    if wrong.status() == Some(429) {
                        refused = Some(wrong);
                        break;
                    }
                    tried += 1;
                    assert_eq!(wrong.status(), Some(401));
                }
                other => panic!("{other:?}"),
            }
        }
        let refused = refused.expect("guessing comes to an end");
        assert_eq!((tried, refused.code()), (5, Some("too_many_attempts")));
        assert_eq!(ana.client.me().await.expect("who is signed in stays so").username, "ana");
    });
}

#[test]
fn checklist_10_an_old_refresh_token_ends_its_session() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let client = bank.client();
        let first = ana.session.refresh_token.clone();
        let second = client.refresh(&first).await.expect("it is the present one").refresh_token;
        let third = client.refresh(&second).await.expect("it is the present one").refresh_token;
        let forged = format!("{}{}", &third[..third.len() - 1], if third.ends_with('0') { '1' } else { '0' });
        assert_eq!(client.refresh(&forged).await.expect_err("the bank did not make it").status(), Some(401));
        let third = client.refresh(&third).await.expect("a forged one ends nothing").refresh_token;
        assert_eq!(client.refresh(&first).await.expect_err("it is old").status(), Some(401));
        assert_eq!(client.refresh(&third).await.expect_err("someone has a copy").status(), Some(401));
        assert_eq!(ana.client.me().await.expect_err("the session has ended").status(), Some(401));
    });
}

#[test]
fn keys_that_anyone_could_sign_for_are_refused() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        for x in ["AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let key = json!({"name": "Nobody's", "public_key": {"kty": "OKP", "crv": "Ed25519", "x": x}});
            let refused = ana.client.call::<Value>(Method::POST, "/v1/me/devices", Some(&key)).await;
            assert_eq!(refused.expect_err("a key of small order").status(), Some(422));
        }
        let named = ana.client.add_device("two\nlines", &SigningKey::generate_ed25519().public()).await;
        assert_eq!(named.expect_err("a name with a line break").status(), Some(422));
    });
}

#[test]
fn a_posting_verifies_while_its_accounts_are_busy() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "1000.00").await;
        let posted: Value = ana.order(&transfer("o", &from, &to, "1.00")).await.json().expect("JSON");
        let id = posted["id"].as_str().expect("an id").to_owned();
        let ana = Arc::new(ana);
        let payer = ana.clone();
        let traffic = tokio::spawn(async move {
            for n in 0..400 {
                assert_eq!(payer.order(&transfer(&format!("t{n}"), &from, &to, "0.01")).await.status, 201);
            }
        });
        while !traffic.is_finished() {
            let report = ana.client.verification(&id).await.expect("it is checked");
            assert!(report.is_valid, "{report:?}");
        }
        traffic.await.expect("all were posted");
    });
}

#[test]
fn connections_that_never_read_cost_little_and_odd_requests_are_answered() {
    let bank = TestBank::open(Engine::Sqlite);
    let process = bank.process_id().to_string();
    python("odd_connections.py", &[Path::new(bank.address()), bank.ca_file(), Path::new(&process)]);
}
