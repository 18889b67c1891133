//! What people are told by mail, and codes by mail as proof of an address and as a second factor.

use serde_json::{Value, json};
use strongroom_api::SignInStep;
use strongroom_client::{Answer, Client, Content, Method};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem};
use crate::letters::Letters;

async fn call(client: &Client, method: Method, path: &str, body: Option<Value>) -> Answer {
    let content = body.map(|body| Content::json(&body).expect("it is JSON"));
    client.send(method, path, content).await.expect("the bank answers")
}

/// Eight digits by mail, five minutes, five tries, one use, bound to their sign-in; sending again gives no
/// more tries and is limited itself.
#[test]
fn checklist_03_codes_by_mail() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let mut letters = Letters::of(&bank);
        let early = call(&ana.client, Method::POST, "/v1/me/factors/email", None).await;
        assert_eq!((early.status, problem(&early).as_str()), (409, "email_not_verified"));
        assert_eq!(call(&ana.client, Method::POST, "/v1/me/email/send", None).await.status, 202);
        let code = letters.code();
        assert_eq!(code.len(), 8);
        let confirm = async |code: &str| {
            call(&ana.client, Method::POST, "/v1/me/email/confirm", Some(json!({"code": code}))).await.status
        };
        assert_eq!(confirm("00000000").await, 422);
        assert_eq!(confirm(&code).await, 204);
        assert_eq!(confirm(&code).await, 422, "one use");
        assert_eq!(call(&ana.client, Method::POST, "/v1/me/factors/email", None).await.status, 201);
        assert!(letters.next().contains("second factor was added"), "its owner is told");

        let client = bank.client();
        let begin = async || match client.sign_in("ana", &ana.password).await.expect("the password is right") {
            SignInStep::FactorRequired { challenge, factors } => {
                assert_eq!(factors, ["totp", "email"]);
                challenge
            }
            other => panic!("{other:?}"),
        };
        let send = async |challenge: &str| {
            let body = json!({"challenge": challenge, "factor": "email"});
            call(&client, Method::POST, "/v1/sessions/send", Some(body)).await.status
        };
        let (one, other) = (begin().await, begin().await);
        assert_eq!(send(&one).await, 202);
        let code = letters.code();
        assert!(client.verify(&other, "email", &code).await.is_err(), "it is bound to its sign-in");
        client.verify(&one, "email", &code).await.expect("the code is right");
        assert!(client.verify(&one, "email", &code).await.is_err(), "one use");

        let third = begin().await;
        assert_eq!(send(&third).await, 202);
        let old = letters.code();
        clock.set(301);
        assert!(client.verify(&third, "email", &old).await.is_err(), "five minutes");
        clock.set(3700);
        let fourth = begin().await;
        assert_eq!(send(&fourth).await, 202);
        letters.code();
        for _ in 0..4 {
            assert_eq!(client.verify(&fourth, "email", "00000000").await.expect_err("wrong").status(), Some(401));
        }
        assert_eq!(send(&fourth).await, 202);
        let newest = letters.code();
        assert_eq!(client.verify(&fourth, "email", "00000000").await.expect_err("wrong").status(), Some(401));
        assert!(client.verify(&fourth, "email", &newest).await.is_err(), "sending again gave no more tries");
        clock.set(8000);
        let fifth = begin().await;
        for expected in [202, 202, 202, 429] {
            assert_eq!(send(&fifth).await, expected);
        }
    });
}

/// A code by mail is given again: once, for the session that asked.
#[test]
fn checklist_18_a_code_by_mail_is_given_again() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let mut letters = Letters::of(&bank);
        let post = async |path: &str, body: Value| call(&ana.client, Method::POST, path, Some(body)).await.status;
        assert_eq!(post("/v1/me/email/send", json!({})).await, 202);
        assert_eq!(post("/v1/me/email/confirm", json!({"code": letters.code()})).await, 204);
        assert_eq!(post("/v1/me/factors/email", json!({})).await, 201);
        assert!(letters.next().contains("factor"), "she is told of the new factor");
        assert_eq!(post("/v1/sessions/step-up/send", json!({"factor": "email"})).await, 202);
        let first = letters.code();
        assert_eq!(post("/v1/sessions/step-up/send", json!({"factor": "email"})).await, 202);
        let second = letters.code();
        let give = async |code: &str| post("/v1/sessions/step-up", json!({"factor": "email", "code": code})).await;
        assert_eq!(give(&first).await, 401, "the newest one counts");
        assert_eq!(give(&second).await, 201);
        assert_eq!(give(&second).await, 401, "the session before has ended");
    });
}

/// A hardened bank takes no codes by mail.
#[test]
fn checklist_04_a_hardened_bank_takes_no_codes_by_mail() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let file = bank.home().join("strongroom.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration is there");
    let text = text.replace("[factors]\n", "");
    std::fs::write(&file, format!("{text}\n[factors]\nhardened = true\n")).expect("it can be written");
    bank.start(&[]);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let refused = call(&ana.client, Method::POST, "/v1/me/factors/email", None).await;
        assert_eq!((refused.status, problem(&refused).as_str()), (403, "factor_not_allowed"));
    });
}

/// New contact data need a fresh factor; the old address is told, and the new one is not verified.
#[test]
fn contact_data_are_changed_with_a_fresh_factor_and_a_notice() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let mut ana = Customer::sign_up(&bank, "ana").await;
        let mut letters = Letters::of(&bank);
        let change = json!({"email": "new@example.net", "full_name": "Ana Torres"});
        let changed = call(&ana.client, Method::PATCH, "/v1/me", Some(change.clone())).await;
        let me: Value = changed.json().expect("JSON");
        assert_eq!((&me["email"], &me["full_name"]), (&json!("new@example.net"), &json!("Ana Torres")));
        let notice = letters.next();
        assert!(notice.contains("ana@example.com") && notice.contains("contact data were changed"), "{notice}");
        let bad = call(&ana.client, Method::PATCH, "/v1/me", Some(json!({"email": "nowhere"}))).await;
        assert_eq!(bad.status, 422);
        let unknown = call(&ana.client, Method::PATCH, "/v1/me", Some(json!({"roles": "admin"}))).await;
        assert_eq!(unknown.status, 400, "nobody gives themselves a role");
        for ahead_s in [290, 580] {
            clock.set(ahead_s);
            ana.session = bank.client().refresh(&ana.session.refresh_token).await.expect("in time");
            ana.moved_to(&bank);
        }
        clock.set(620);
        let late = call(&ana.client, Method::PATCH, "/v1/me", Some(change)).await;
        assert_eq!((late.status, problem(&late).as_str()), (403, "step_up_required"));
        let late = call(&ana.client, Method::PATCH, "/v1/me", Some(json!({"address": "Calle 1"}))).await;
        assert_eq!(late.status, 403, "the postal address is contact data, too");
        let name = call(&ana.client, Method::PATCH, "/v1/me", Some(json!({"full_name": "Ana Torres Ruiz"}))).await;
        assert_eq!(name.status, 200, "a name needs none");
    });
}
