//! The security checklist's lines about who somebody is, each by its number, against the running server.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_api::{NewUser, SignInStep};
use strongroom_client::{Client, Content, Method};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code, code_at, now_s};

async fn challenge(client: &Client, username: &str, password: &str) -> String {
    match client.sign_in(username, password).await.expect("the password is right") {
        SignInStep::FactorRequired { challenge, .. } => challenge,
        other => panic!("{other:?}"),
    }
}

fn statuses(outcomes: &[Option<u16>]) -> Vec<u16> {
    outcomes.iter().map(|status| status.unwrap_or(201)).collect()
}

/// A code is good once, even when it comes twice at the same moment.
#[test]
fn checklist_05_a_totp_code_works_once() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let person = bank.person("customer");
        let (username, password) =
            (person["username"].as_str().expect("text"), person["password"].as_str().expect("text"));
        let client = bank.client();
        let code = code(person["totp_secret"].as_str().expect("text"));
        let mut tries = Vec::new();
        for _ in 0..3 {
            tries.push(challenge(&client, username, password).await);
        }
        let all = tries.iter().map(|challenge| client.verify(challenge, "totp", &code));
        let outcomes: Vec<Option<u16>> =
            futures(all).await.into_iter().map(|outcome| outcome.err().and_then(|e| e.status())).collect();
        let mut sorted = statuses(&outcomes);
        sorted.sort_unstable();
        assert_eq!(sorted, [201, 401, 401], "one session, whichever came first");
    });
}

/// Fifty codes at once, one of them right: at most one session, and no more than five were looked at.
#[test]
fn checklist_06_parallel_guesses_count() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let client = bank.client();
        let challenge = challenge(&client, "ana", &ana.password).await;
        let codes: Vec<String> = (0..50).map(|n| format!("{:06}", n * 7919 % 1_000_000)).collect();
        let all = codes.iter().map(|code| client.verify(&challenge, "totp", code));
        let outcomes: Vec<Option<u16>> =
            futures(all).await.into_iter().map(|outcome| outcome.err().and_then(|e| e.status())).collect();
        assert!(statuses(&outcomes).iter().all(|status| *status == 401 || *status == 429), "{outcomes:?}");
        let audit = bank.run(&["audit", "tail", "--count", "100", "--json"]);
        let audit: Value = serde_json::from_slice(&audit.stdout).expect("it prints JSON");
        let wrong = audit["items"].as_array().expect("a list").iter().filter(|e| e["event"] == "factor.wrong").count();
        assert_eq!(wrong, 5, "five were looked at, and written down");
        // The right one comes too late for this challenge; its owner waits out the delay.
        let late = client.verify(&challenge, "totp", &codes[0]).await.expect_err("the challenge is used up");
        assert_eq!(late.status(), Some(401));
    });
}

/// Fifty codes at once, the first of them right: exactly one session, and the others find nothing to try.
#[test]
fn checklist_06_one_right_code_among_fifty_is_one_session() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        // The first goes out on the connection that is open, the others have to make theirs; where five of them
        // come before it all the same, the next person tries.
        for role in ["customer", "teller", "manager", "auditor"] {
            let person = bank.person(role);
            let text = |name: &str| person[name].as_str().expect("text").to_owned();
            let client = bank.client();
            let challenge = challenge(&client, &text("username"), &text("password")).await;
            let wrong = (1..50).map(|n| format!("{:06}", n * 7919 % 1_000_000));
            let codes: Vec<String> = std::iter::once(code(&text("totp_secret"))).chain(wrong).collect();
            let outcomes = futures(codes.iter().map(|code| client.verify(&challenge, "totp", code))).await;
            let sessions: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
            assert!(sessions.len() <= 1, "{} sessions", sessions.len());
            let Some(signed_in) = sessions.first() else { continue };
            let client = bank.client().with_token(&signed_in.access_token).expect("a token is text");
            let open = client.sessions().await.expect("sessions").items.len();
            assert!(open <= 2, "this one, and the one of the seeding: {open}");
            return;
        }
        panic!("the right code never came in time");
    });
}

/// Fifty times the right code at once: one session.
#[test]
fn checklist_06_fifty_right_codes_are_one_session() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let person = bank.person("customer");
        let text = |name: &str| person[name].as_str().expect("text").to_owned();
        let client = bank.client();
        let challenge = challenge(&client, &text("username"), &text("password")).await;
        let right = code(&text("totp_secret"));
        let outcomes = futures((0..50).map(|_| client.verify(&challenge, "totp", &right))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    });
}

/// After five wrong passwords comes a delay, for known and unknown names alike; it outlives a restart,
/// grows, and lets the owner in when it is over.
#[test]
fn checklist_06_wrong_passwords_are_slowed_and_nobody_is_locked_out() {
    let (mut bank, clock) = TestBank::open_with_clock();
    let ana = block_on(Customer::sign_up(&bank, "ana"));
    let wrong = async |bank: &TestBank, name: &str| {
        let error = bank.client().sign_in(name, "not the password").await.expect_err("it is wrong");
        (error.status().expect("the bank answers"), error.retry_after_s())
    };
    for name in ["ana", "nobody.at.all"] {
        let seen: Vec<u16> = (0..7).map(|_| block_on(wrong(&bank, name)).0).collect();
        assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429], "{name}");
        let wait = block_on(wrong(&bank, name)).1.expect("it says when to come back");
        assert!((1..=30).contains(&wait), "{wait}");
    }
    bank.stop();
    bank.start_with_clock(&clock);
    assert_eq!(block_on(wrong(&bank, "ana")).0, 429, "a restart forgets nothing");
    clock.set(31);
    assert_eq!(block_on(wrong(&bank, "ana")).0, 401, "one more after the delay");
    assert_eq!(block_on(wrong(&bank, "ana")).0, 429);
    clock.set(31 + 31);
    assert_eq!(block_on(wrong(&bank, "ana")).0, 429, "the next delay is longer");
    clock.set(31 + 61);
    block_on(async { bank.client().sign_in("ana", &ana.password).await.expect("her own password is right") });
    let seen: Vec<u16> = (0..6).map(|_| block_on(wrong(&bank, "ana")).0).collect();
    assert_eq!(seen, [401, 401, 401, 401, 401, 429], "and all is forgotten");
}

/// Ten codes of 80 bits, each good once, whichever way it is typed.
#[test]
fn checklist_07_recovery_codes() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let made = ana.client.make_recovery_codes().await.expect("she has just given a factor");
        assert_eq!(made.codes.iter().collect::<BTreeSet<_>>().len(), 10);
        assert!(made.codes.iter().all(|code| code.len() == 19 && code.matches('-').count() == 3), "{:?}", made.codes);
        let client = bank.client();
        let spoken = made.codes[3].to_uppercase().replace('-', " ");
        let first = challenge(&client, "ana", &ana.password).await;
        client.verify(&first, "recovery", &spoken).await.expect("the code is right");
        let again = challenge(&client, "ana", &ana.password).await;
        let used = client.verify(&again, "recovery", &made.codes[3]).await.expect_err("it was used");
        assert_eq!(used.status(), Some(401));
        let left = |factors: Vec<strongroom_api::FactorItem>| factors.iter().find_map(|f| f.codes_left);
        assert_eq!(left(ana.client.factors().await.expect("one's factors").items), Some(9));
        let new = ana.client.make_recovery_codes().await.expect("new ones");
        let old = client.verify(&again, "recovery", &made.codes[0]).await.expect_err("those before are good no more");
        assert_eq!(old.status(), Some(401));
        client.verify(&again, "recovery", &new.codes[0]).await.expect("a new one is good");
        let only = ana.client.factors().await.expect("one's factors").items;
        let totp = only.iter().find(|f| f.kind == "totp").expect("she has an authenticator");
        let refused = ana.client.remove_factor(&totp.id).await.expect_err("paper does not stand alone");
        assert_eq!(refused.code(), Some("last_factor"));
    });
    assert!(bank.run(&["audit", "verify"]).status.success());
}

/// A new id at sign-in and step-up; idle and absolute ends; other sessions end when a factor changes.
#[test]
fn checklist_08_sessions() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let person = bank.person("customer");
        let text = |name: &str| person[name].as_str().expect("text").to_owned();
        let (username, password, secret) = (text("username"), text("password"), text("totp_secret"));
        let client = bank.client();
        let sign_in = async |ahead_s: i64| {
            let token = challenge(&client, &username, &password).await;
            let session = client.verify(&token, "totp", &code_at(&secret, now_s() + ahead_s)).await;
            session.expect("the code is right")
        };
        let as_of = |session: &strongroom_api::Session| client.with_token(&session.access_token).expect("text");
        let first = sign_in(0).await;
        clock.set(30);
        let second = sign_in(30).await;
        assert_ne!(first.session_id, second.session_id);
        clock.set(60);
        let stepped = as_of(&second).step_up("totp", &code_at(&secret, now_s() + 60)).await.expect("the code is right");
        assert_ne!(stepped.session_id, second.session_id, "a new id");
        assert_eq!(as_of(&second).me().await.expect_err("the old one has ended").status(), Some(401));
        assert!(client.refresh(&second.refresh_token).await.is_err(), "its refresh token too");
        as_of(&first).me().await.expect("the other one goes on");
        as_of(&stepped).make_recovery_codes().await.expect("she has just stepped up");
        let factor = as_of(&stepped).begin_totp().await.expect("another authenticator");
        let code = code_at(&factor.secret, now_s() + 60);
        assert_eq!(as_of(&stepped).confirm_totp(&factor.id, &code).await.expect("the code is right"), None);
        assert_eq!(as_of(&first).me().await.expect_err("a factor changed").status(), Some(401));
        // Ten minutes of an API client without a refresh, and twelve hours with.
        clock.set(60 + 599);
        let mut session = client.refresh(&stepped.refresh_token).await.expect("in time");
        clock.set(60 + 599 + 601);
        assert_eq!(client.refresh(&session.refresh_token).await.expect_err("idle").status(), Some(401));
        clock.set(1500);
        session = sign_in(1500).await;
        let mut ahead_s = 1500;
        let ended = loop {
            ahead_s += 590;
            clock.set(ahead_s);
            match client.refresh(&session.refresh_token).await {
                Ok(next) => session = next,
                Err(error) => break (error.status(), ahead_s),
            }
        };
        assert_eq!(ended.0, Some(401));
        assert!((12 * 3600..12 * 3600 + 600).contains(&(ended.1 - 1500)), "twelve hours in all: {}", ended.1 - 1500);
    });
}

/// What is sensitive needs a factor given within ten minutes.
#[test]
fn checklist_18_step_up() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let person = bank.person("customer");
        let text = |name: &str| person[name].as_str().expect("text").to_owned();
        let client = bank.client();
        let token = challenge(&client, &text("username"), &text("password")).await;
        let session = client.verify(&token, "totp", &code(&text("totp_secret"))).await.expect("the code is right");
        clock.set(290);
        let session = client.refresh(&session.refresh_token).await.expect("in time");
        clock.set(580);
        let session = client.refresh(&session.refresh_token).await.expect("in time");
        clock.set(620);
        let signed_in = client.with_token(&session.access_token).expect("text");
        let key = strongroom_crypto::sign::SigningKey::generate_ed25519();
        let factor = signed_in.factors().await.expect("one's factors").items[0].id.clone();
        let refusals = [
            signed_in.begin_totp().await.err(),
            signed_in.make_recovery_codes().await.err(),
            signed_in.add_device("Late", &key.public()).await.err(),
            signed_in.remove_factor(&factor).await.err(),
        ];
        for refusal in refusals {
            let refusal = refusal.expect("the factor was given too long ago");
            assert_eq!((refusal.status(), refusal.code()), (Some(403), Some("step_up_required")));
        }
        let code = code_at(&text("totp_secret"), now_s() + 620);
        let fresh = signed_in.step_up("totp", &code).await.expect("the code is right");
        let fresh = client.with_token(&fresh.access_token).expect("text");
        fresh.add_device("In time", &key.public()).await.expect("now she may");
    });
}

/// Names are told from each other by nothing: same status, same words, the empty password included.
#[test]
fn checklist_13_known_and_unknown_names_answer_alike() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        for password in ["", "wrong", &"x".repeat(2000)] {
            let mut seen = BTreeSet::new();
            for name in ["ana", "nobody"] {
                let body = json!({"username": name, "password": password});
                let content = Content::json(&body).expect("it is JSON");
                let answer = bank.client().send(Method::POST, "/v1/sessions", Some(content)).await.expect("it answers");
                seen.insert((answer.status, String::from_utf8_lossy(&answer.body).into_owned()));
            }
            assert_eq!(seen.len(), 1, "{seen:?}");
        }
        // Taken user names can be seen, but not asked for at will.
        let mut last = 0;
        for _ in 0..21 {
            let user = NewUser {
                username: "ana".into(),
                password: "a long password of nobody".into(),
                full_name: None,
                email: Some("x@example.com".into()),
                phone: None,
                national_id: None,
                date_of_birth: None,
                address: None,
            };
            last = bank.client().sign_up(&user).await.expect_err("the name is taken").status().expect("it answers");
        }
        assert_eq!(last, 429);
        ana.client.me().await.expect("she is not disturbed");
    });
}

/// Every entry is chained; changed, removed or cut off, the log is found broken.
#[test]
fn checklist_20_the_audit_log() {
    let mut bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let account = ana.open_account().await;
        let wrong = bank.client().sign_in("ana", "not the password").await;
        assert!(wrong.is_err() && !account.id.is_empty());
        ana.client.revoke_device(&ana.device).await.expect("her own device");
    });
    let rotated = bank.run(&["keys", "rotate", "credential"]);
    assert!(rotated.status.success());
    let tail = bank.run(&["audit", "tail", "--count", "1000", "--json"]);
    let tail: Value = serde_json::from_slice(&tail.stdout).expect("it prints JSON");
    let items = tail["items"].as_array().expect("a list");
    let events: BTreeSet<&str> = items.iter().filter_map(|entry| entry["event"].as_str()).collect();
    for event in [
        "person.added",
        "factor.added",
        "session.opened",
        "device.added",
        "account.opened",
        "password.wrong",
        "device.revoked",
        "key.rotated",
    ] {
        assert!(events.contains(event), "{event} is missing: {events:?}");
    }
    let wrong = items.iter().find(|entry| entry["event"] == "password.wrong").expect("it is there");
    assert_eq!(wrong["detail"]["address"], "127.0.0.1");
    let text = tail.to_string();
    for secret in ["not the password", "a long password of ana"] {
        assert!(!text.contains(secret), "no secret is in it");
    }
    let verify = |bank: &TestBank| bank.run(&["audit", "verify"]).status.code();
    assert_eq!(verify(&bank), Some(0));
    let output = bank.folder.path().join("audit.jsonl");
    assert!(bank.run(&["audit", "export", "--output", output.to_str().expect("text")]).status.success());
    let lines = std::fs::read_to_string(&output).expect("it was written").lines().count();
    assert_eq!(lines, items.len());
    bank.stop();
    let mut sql = bank.sql();
    let middle = items.len() as i64 / 2;
    for (change, back) in [
        (format!("UPDATE audit SET event = 'session.lost' WHERE position = {middle}"), true),
        (format!("UPDATE audit SET time_us = time_us + 1 WHERE position = {middle}"), true),
        (format!("UPDATE audit SET person = NULL WHERE position = {middle}"), true),
        (format!("DELETE FROM audit WHERE position = {middle}"), true),
        (format!("DELETE FROM audit WHERE position >= {middle}"), true),
    ] {
        sql.begin().expect("a transaction begins");
        sql.execute("CREATE TABLE kept AS SELECT * FROM audit", &[]).expect("a copy is made");
        sql.execute(&change, &[]).expect("rows change");
        sql.commit().expect("it is done");
        assert_eq!(verify(&bank), Some(5), "{change}");
        if back {
            sql.execute("DELETE FROM audit", &[]).expect("rows go");
            sql.execute("INSERT INTO audit SELECT * FROM kept", &[]).expect("rows come back");
            sql.execute("DROP TABLE kept", &[]).expect("the copy goes");
        }
        assert_eq!(verify(&bank), Some(0), "as it was");
    }
    // Power cannot come from taking somebody's factor away: a password alone enrols no other.
    sql.execute("DELETE FROM factors", &[]).expect("rows go");
    drop(sql);
    bank.start(&[]);
    block_on(async {
        let step = bank.client().sign_in("ana", "a long password of ana").await.expect("the password is right");
        assert!(matches!(step, SignInStep::FactorRequired { .. }), "{step:?}");
    });
}

/// Tokens that the bank did not make, or made for something else.
#[test]
fn checklist_09_forged_tokens() {
    use strongroom_crypto::base64url;
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        let token = ana.session.access_token.clone();
        let parts: Vec<&str> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&base64url::decode(parts[0]).expect("base64url")).expect("JSON");
        let claims: Value = serde_json::from_slice(&base64url::decode(parts[1]).expect("base64url")).expect("JSON");
        let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let with = |value: &Value, name: &str, to: Value| {
            let mut changed = value.clone();
            changed[name] = to;
            changed
        };
        let jwks = bank.client().send(Method::GET, "/.well-known/jwks.json", None).await.expect("it answers");
        let jwks: Value = jwks.json().expect("JSON");
        let public = base64url::decode(jwks["keys"][0]["x"].as_str().expect("text")).expect("base64url");
        let attacker = strongroom_crypto::sign::SigningKey::generate_ed25519();
        let hmac = |input: &str| {
            let key = aws_hmac(&public, input.as_bytes());
            base64url::encode(&key)
        };
        let forged = |header: &Value, claims: &Value| {
            let input = format!("{}.{}", encode(header), encode(claims));
            let signature = base64url::encode(&attacker.sign(input.as_bytes()));
            format!("{input}.{signature}")
        };
        let none = with(&header, "alg", json!("none"));
        let hs256 = with(&header, "alg", json!("HS256"));
        let hs_input = format!("{}.{}", encode(&hs256), encode(&claims));
        let jwk = attacker.public().to_jwk();
        let attacks = [
            ("none", format!("{}.{}.", encode(&none), parts[1])),
            ("none, with the old signature", format!("{}.{}.{}", encode(&none), parts[1], parts[2])),
            ("HS256 under the public key", format!("{hs_input}.{}", hmac(&hs_input))),
            ("another key", forged(&header, &claims)),
            ("kid of a path", forged(&with(&header, "kid", json!("../../etc/passwd")), &claims)),
            ("kid of SQL", forged(&with(&header, "kid", json!("token-1' OR '1'='1")), &claims)),
            ("embedded key", forged(&with(&header, "jwk", jwk), &claims)),
            ("jku", forged(&with(&header, "jku", json!("https://evil.example/jwks.json")), &claims)),
            ("x5u", forged(&with(&header, "x5u", json!("https://evil.example/x.pem")), &claims)),
            (
                "another person",
                format!(
                    "{}.{}.{}",
                    parts[0],
                    encode(&with(&claims, "sub", json!(bank.person("teller")["username"]))),
                    parts[2]
                ),
            ),
            (
                "a longer life",
                format!("{}.{}.{}", parts[0], encode(&with(&claims, "exp", json!(now_s() + 99999))), parts[2]),
            ),
            (
                "another issuer",
                format!("{}.{}.{}", parts[0], encode(&with(&claims, "iss", json!("evil.example"))), parts[2]),
            ),
            ("a refresh token", ana.session.refresh_token.clone()),
            ("nothing", String::new()),
        ];
        for (name, forged) in attacks {
            let client = bank.client().with_token(&forged).expect("a token is text");
            assert_eq!(client.me().await.expect_err(name).status(), Some(401), "{name}");
        }
        ana.client.me().await.expect("her own is good");
        // Another bank's token, made by the same program.
        let other = TestBank::open(Engine::Sqlite);
        let stranger = Customer::sign_up(&other, "ana").await;
        let foreign = bank.client().with_token(&stranger.session.access_token).expect("a token is text");
        assert_eq!(foreign.me().await.expect_err("another issuer").status(), Some(401));
    });
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let ana = Customer::sign_up(&bank, "ana").await;
        clock.set(299);
        ana.client.me().await.expect("five minutes are not over");
        clock.set(301);
        assert_eq!(ana.client.me().await.expect_err("the token has ended").status(), Some(401));
    });
}

fn aws_hmac(key: &[u8], input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let args = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{hex}"), "-binary"];
    let mut openssl =
        Command::new("openssl").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl runs");
    openssl.stdin.take().expect("it is piped").write_all(input).expect("it reads");
    openssl.wait_with_output().expect("it ends").stdout
}

async fn futures<T>(all: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut is_waiting = false;
        for (future, done) in running.iter_mut().zip(&mut done) {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => is_waiting = true,
                }
            }
        }
        if is_waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
