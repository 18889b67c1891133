//! A new password, and getting back in after something was lost: two proofs, a waiting time, notices, and an
//! owner who can end it.

use serde_json::{Value, json};
use strongroom_api::SignInStep;
use strongroom_client::{Answer, Client, Content, Method};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code, code_at, now_s, problem};
use crate::letters::Letters;

async fn call(client: &Client, path: &str, body: Value) -> Answer {
    let content = Content::json(&body).expect("it is JSON");
    client.send(Method::POST, path, Some(content)).await.expect("the bank answers")
}

async fn refused(client: &Client, path: &str, body: Value) -> (u16, String) {
    let answer = call(client, path, body).await;
    (answer.status, problem(&answer))
}

/// A customer whose address is verified, and the letters that come from then on.
async fn verified(bank: &TestBank, username: &str) -> (Customer, Letters) {
    let customer = Customer::sign_up(bank, username).await;
    let mut letters = Letters::of(bank);
    assert_eq!(call(&customer.client, "/v1/me/email/send", json!({})).await.status, 202);
    let code = letters.code();
    assert_eq!(call(&customer.client, "/v1/me/email/confirm", json!({"code": code})).await.status, 204);
    (customer, letters)
}

async fn begun(bank: &TestBank, username: &str) -> String {
    let answer = call(&bank.client(), "/v1/recoveries", json!({"username": username})).await;
    assert_eq!(answer.status, 201);
    answer.json::<Value>().expect("JSON")["recovery"].as_str().expect("a token").to_owned()
}

#[test]
fn a_password_is_changed_with_the_present_one_and_signs_everyone_else_out() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let mut letters = Letters::of(&bank);
        let step = bank.client().sign_in("ana", &ana.password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        let codes = ana.client.make_recovery_codes().await.expect("she has just given a factor");
        let other = bank.client();
        let tokens = other.verify(&challenge, "recovery", &codes.codes[0]).await.expect("the code is right");
        let new = "six brisk otters downstream";
        let change = async |present: &str, new: &str| {
            let body = json!({"current_password": present, "new_password": new});
            refused(&ana.client, "/v1/me/password", body).await
        };
        assert_eq!(change("not hers at all", new).await, (422, "invalid".into()));
        assert_eq!(change(&ana.password, "password1").await, (422, "invalid".into()), "the rules are those of sign-up");
        let body = json!({"current_password": ana.password, "new_password": new});
        assert_eq!(call(&ana.client, "/v1/me/password", body).await.status, 204);
        assert_eq!(ana.client.me().await.expect("she stays signed in").username, "ana");
        let refresh =
            call(&bank.client(), "/v1/sessions/refresh", json!({"refresh_token": tokens.refresh_token})).await;
        assert_eq!(refresh.status, 401, "everyone else is signed out");
        assert!(bank.client().sign_in("ana", &ana.password).await.is_err());
        bank.client().sign_in("ana", new).await.expect("the new one is right");
        let told = (0..4).map(|_| letters.next()).any(|letter| letter.contains("password was changed"));
        assert!(told, "its owner is told");
    });
}

#[test]
fn a_lost_factor_is_replaced_after_two_proofs_and_a_day() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let (ana, mut letters) = verified(&bank, "ana").await;
        let anyone = bank.client();
        let recovery = begun(&bank, "ana").await;
        let prove = async |proof: &str, value: &str| {
            call(&anyone, "/v1/recoveries/prove", json!({"recovery": recovery, "proof": proof, "value": value})).await
        };
        let finish = async || refused(&anyone, "/v1/recoveries/finish", json!({"recovery": recovery})).await;
        let code = letters.code();
        assert_eq!(finish().await, (409, "recovery_unproven".into()));
        assert_eq!(prove("password", "not hers at all").await.status, 401);
        assert_eq!(prove("email", "00000000").await.status, 401);
        assert_eq!(prove("email", &code).await.status, 200);
        let again: Value = prove("email", "00000000").await.json().expect("JSON");
        assert_eq!(again["proven"], json!(["email"]), "what is proven is not looked at again");
        assert_eq!(finish().await, (409, "recovery_unproven".into()), "one proof is not enough");
        let waiting: Value = prove("password", &ana.password).await.json().expect("JSON");
        assert_eq!(waiting["proven"], json!(["email", "password"]));
        assert!(waiting["ready_at"].is_string());
        assert!(letters.next().contains("is being recovered"), "the owner is told");
        assert_eq!(finish().await, (409, "recovery_waiting".into()));
        assert_eq!(ana.client.me().await.expect("until then nothing changes").username, "ana");
        clock.set(24 * 3600 + 60);
        assert_eq!(finish().await, (422, "invalid".into()), "with the factors the password is renewed, too");
        let body = json!({"recovery": recovery, "new_password": "six brisk otters downstream"});
        let done: Value = call(&anyone, "/v1/recoveries/finish", body).await.json().expect("JSON");
        assert_eq!(done["status"], "enrolment_required");
        assert!((0..2).any(|_| letters.next().contains("was recovered")), "beside the notice of the new password");
        assert_eq!(finish().await.0, 401, "it is over");
        // The old factor and the old device are worth nothing now; a new factor is enrolled.
        assert!(bank.client().sign_in("ana", &ana.password).await.is_err());
        let step = bank.client().sign_in("ana", "six brisk otters downstream").await.expect("the new password");
        assert!(matches!(step, SignInStep::EnrolmentRequired { .. }), "{step:?}");
        let token = done["enrolment_token"].as_str().expect("a token");
        let enrolling = bank.client().with_token(token).expect("a token is text");
        let begun = enrolling.begin_totp().await.expect("a first factor can be enrolled");
        assert_ne!(begun.secret, ana.totp_secret);
    });
    bank.verify();
}

#[test]
fn a_lost_password_is_replaced_and_a_sign_in_ends_a_strangers_recovery() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let (ana, mut letters) = verified(&bank, "ana").await;
        let anyone = bank.client();
        let prove = async |recovery: &str, proof: &str, value: &str| {
            call(&anyone, "/v1/recoveries/prove", json!({"recovery": recovery, "proof": proof, "value": value})).await
        };
        // A stranger who reads her mail and knows her password begins; she signs in, and it is over.
        let strangers = begun(&bank, "ana").await;
        assert_eq!(prove(&strangers, "email", &letters.code()).await.status, 200);
        assert_eq!(prove(&strangers, "password", &ana.password).await.status, 200);
        assert!(letters.next().contains("is being recovered"));
        let step = bank.client().sign_in("ana", &ana.password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        clock.set(40);
        let factor = code_at(&ana.totp_secret, now_s() + 40);
        bank.client().verify(&challenge, "totp", &factor).await.expect("she signs in");
        clock.set(25 * 3600);
        let ended = call(&anyone, "/v1/recoveries/finish", json!({"recovery": strangers})).await;
        assert_eq!(ended.status, 401);

        let recovery = begun(&bank, "ana").await;
        assert_eq!(prove(&recovery, "email", &letters.code()).await.status, 200);
        clock.set(25 * 3600 + 40);
        let factor = code_at(&ana.totp_secret, now_s() + 25 * 3600 + 40);
        assert_eq!(prove(&recovery, "factor", &factor).await.status, 200);
        clock.set(50 * 3600);
        let finish = |password: Option<&str>| {
            let mut body = json!({"recovery": recovery});
            if let Some(password) = password {
                body["new_password"] = password.into();
            }
            body
        };
        assert_eq!(refused(&anyone, "/v1/recoveries/finish", finish(None)).await, (422, "invalid".into()));
        assert_eq!(refused(&anyone, "/v1/recoveries/finish", finish(Some("password1"))).await.0, 422);
        let done = call(&anyone, "/v1/recoveries/finish", finish(Some("six brisk otters downstream"))).await;
        assert_eq!(done.json::<Value>().expect("JSON")["status"], "recovered");
        assert!(bank.client().sign_in("ana", &ana.password).await.is_err());
        let step = bank.client().sign_in("ana", "six brisk otters downstream").await.expect("the new one");
        assert!(matches!(step, SignInStep::FactorRequired { .. }), "her factor is still hers");
        // A name that nobody has answers alike, and leads nowhere.
        let nobodys = begun(&bank, "nobody-at-all").await;
        assert_eq!(prove(&nobodys, "password", "anything at all").await.status, 401);
        assert_eq!(prove(&nobodys, "factor", &code(&ana.totp_secret)).await.status, 401);
    });
}

/// Proofs are counted against the name, known or not; they give nobody more tries at the factor, and hold up no
/// sign-in.
#[test]
fn proofs_are_counted_by_name_and_reset_nothing() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let anyone = bank.client();
        let prove = async |recovery: &str, proof: &str, value: &str| {
            let body = json!({"recovery": recovery, "proof": proof, "value": value});
            call(&anyone, "/v1/recoveries/prove", body).await.status
        };
        let statuses = async |name: &str| {
            let (first, second) = (begun(&bank, name).await, begun(&bank, name).await);
            let mut seen = Vec::new();
            for recovery in [&first, &first, &first, &first, &first, &second, &second] {
                seen.push(prove(recovery, "password", "not theirs at all").await);
            }
            seen
        };
        let known = statuses("ana").await;
        assert_eq!(known, statuses("nobody-at-all").await, "known and unknown names answer alike");
        assert_eq!(known[5], 429, "over all recoveries of a name");
        // The owner signs in as ever: their factors' tries are their own.
        let step = bank.client().sign_in("ana", &ana.password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        let factor = code_at(&ana.totp_secret, now_s() + 30);
        bank.client().verify(&challenge, "totp", &factor).await.expect("nobody was held up");
        // Wrong codes at sign-in stay counted, whatever is proven elsewhere.
        let bela = Customer::sign_up(&bank, "bela").await;
        let recovery = begun(&bank, "bela").await;
        let step = bank.client().sign_in("bela", &bela.password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        for _ in 0..4 {
            assert!(bank.client().verify(&challenge, "totp", "000000").await.is_err());
        }
        assert_eq!(prove(&recovery, "password", &bela.password).await, 200);
        let step = bank.client().sign_in("bela", &bela.password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        assert!(bank.client().verify(&challenge, "totp", "000000").await.is_err());
        let held = bank.client().verify(&challenge, "totp", "000000").await.expect_err("the fifth was the last");
        assert_eq!(held.status(), Some(429));
    });
}

/// A new password, or other contact data, ends what a stranger has under way.
#[test]
fn whoever_shows_that_they_are_there_ends_recoveries_and_proofs() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let (ana, mut letters) = verified(&bank, "ana").await;
        let recovery = begun(&bank, "ana").await;
        let prove = async |proof: &str, value: &str| {
            let body = json!({"recovery": recovery, "proof": proof, "value": value});
            call(&bank.client(), "/v1/recoveries/prove", body).await.status
        };
        assert_eq!(prove("email", &letters.code()).await, 200);
        assert_eq!(prove("password", &ana.password).await, 200);
        let body = json!({"current_password": ana.password, "new_password": "six brisk otters downstream"});
        assert_eq!(call(&ana.client, "/v1/me/password", body).await.status, 204);
        let ended = refused(&bank.client(), "/v1/recoveries/finish", json!({"recovery": recovery})).await;
        assert_eq!(ended.0, 401);
        // A code that was sent to one address proves nothing of the next one.
        assert_eq!(call(&ana.client, "/v1/me/email/send", json!({})).await.status, 202);
        let code = letters.code();
        let content = Content::json(&json!({"email": "victim@example.com"})).expect("it is JSON");
        let changed = ana.client.send(Method::PATCH, "/v1/me", Some(content)).await.expect("the bank answers");
        assert_eq!(changed.status, 200);
        assert_eq!(call(&ana.client, "/v1/me/email/confirm", json!({"code": code})).await.status, 422);
    });
}
