//! What needs a second person: roles, service accounts, the end of keys. And what staff see of people: masked,
//! until somebody gives a reason.

use serde_json::{Value, json};
use strongroom_client::{Answer, Client, Content, Method};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem};

pub async fn call(client: &Client, method: Method, path: &str, body: Option<Value>) -> Answer {
    let content = body.map(|body| Content::json(&body).expect("it is JSON"));
    client.send(method, path, content).await.expect("the bank answers")
}

pub async fn asked(who: &Customer, method: Method, path: &str, body: Option<Value>) -> Value {
    let answer = call(&who.client, method, path, body).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.json().expect("JSON")
}

/// Approves by a signature of the digest that is given.
pub async fn approve_as(who: &Customer, id: &str, digest: &str, purpose: &str) -> Answer {
    let body = json!({"approval": id, "digest": digest}).to_string();
    let signature = who.sign_as(&who.device, purpose, &who.origin, 300, &body);
    let content = Content::signed(body.into_bytes().into(), &signature).expect("it is text");
    let path = format!("/v1/approvals/{id}/approve");
    who.client.send(Method::POST, &path, Some(content)).await.expect("the bank answers")
}

pub async fn approve(who: &Customer, request: &Value) -> Answer {
    let text = |name: &str| request[name].as_str().expect("text").to_owned();
    approve_as(who, &text("id"), &text("digest"), "approval").await
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, problem(answer))
}

#[test]
fn checklist_17_role_changes_and_key_destruction_need_a_second_person() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let admin = Customer::sign_in(&bank, "admin").await;
        let manager = Customer::sign_in(&bank, "manager").await;
        let ana = Customer::sign_up(&bank, "ana").await;
        let roles = format!("/v1/users/{}/roles", ana.id);

        // Who may ask, and for what.
        let wanted = json!({"roles": ["customer", "teller"]});
        for nobody in [&ana, &manager] {
            let answer = call(&nobody.client, Method::PUT, &roles, Some(wanted.clone())).await;
            assert_eq!(refusal(&answer), (403, "forbidden".into()));
        }
        let own = format!("/v1/users/{}/roles", admin.id);
        let answer = call(&admin.client, Method::PUT, &own, Some(json!({"roles": ["admin", "auditor"]}))).await;
        assert_eq!(refusal(&answer), (403, "own_person".into()));
        for wrong in [json!([]), json!(["king"]), json!(["teller", "teller"]), json!(["service"])] {
            let answer = call(&admin.client, Method::PUT, &roles, Some(json!({"roles": wrong}))).await;
            assert_eq!(answer.status, 422, "{wrong}");
        }
        let request = asked(&admin, Method::PUT, &roles, Some(wanted)).await;
        assert_eq!((&request["status"], &request["request"]["kind"]), (&json!("pending"), &json!("roles.assign")));
        assert_eq!(ana.client.me().await.expect("herself").roles, ["customer"], "nothing has happened yet");

        // Who may approve: another person, who signs exactly this.
        let id = request["id"].as_str().expect("text");
        let digest = request["digest"].as_str().expect("text");
        assert_eq!(refusal(&approve(&admin, &request).await), (403, "own_request".into()));
        assert_eq!(refusal(&approve(&ana, &request).await), (403, "own_request".into()), "it is about her");
        let teller = Customer::sign_in(&bank, "teller").await;
        assert_eq!(refusal(&approve(&teller, &request).await), (403, "forbidden".into()));
        let other = "00".repeat(32);
        assert_eq!(refusal(&approve_as(&manager, id, &other, "approval").await), (403, "bad_signature".into()));
        assert_eq!(refusal(&approve_as(&manager, id, digest, "order").await), (403, "bad_signature".into()));
        let done: Value = approve(&manager, &request).await.json().expect("JSON");
        assert_eq!((&done["status"], &done["decided_by"]), (&json!("approved"), &json!(manager.id)));
        assert_eq!(ana.client.me().await.expect("herself").roles, ["customer", "teller"]);
        assert_eq!(refusal(&approve(&manager, &request).await), (409, "request_decided".into()), "once");
        let account = ana.open_account().await;
        let own = ana.try_deposit(&account.id, "1.00").await.expect_err("a teller cannot act on their own accounts");
        assert_eq!(own.code(), Some("own_account"));

        // A refused request stays refused; one whose asker may not any more is void.
        let second = asked(&admin, Method::PUT, &roles, Some(json!({"roles": ["customer"]}))).await;
        let refuse = format!("/v1/approvals/{}/refuse", second["id"].as_str().expect("text"));
        assert_eq!(call(&ana.client, Method::POST, &refuse, Some(json!({}))).await.status, 403);
        assert_eq!(call(&manager.client, Method::POST, &refuse, Some(json!({}))).await.status, 200);
        assert_eq!(refusal(&approve(&manager, &second).await), (409, "request_decided".into()));
        let third = asked(&admin, Method::PUT, &roles, Some(json!({"roles": ["customer"]}))).await;
        manager.client.set_locked(&admin.id, true).await.expect("a manager may");
        assert_eq!(refusal(&approve(&manager, &third).await), (409, "request_void".into()));
        manager.client.set_locked(&admin.id, false).await.expect("a manager may");
        let admin = Customer::sign_in_again(&bank, "admin").await;

        // Keys: asked for by one, ended by the approval of another.
        assert!(bank.run(&["keys", "rotate", "credential"]).status.success());
        let body = json!({"purpose": "credential", "version": 1});
        let end = asked(&admin, Method::POST, "/v1/keys/destroy", Some(body)).await;
        assert_eq!(approve(&manager, &end).await.status, 200);
        let body = json!({"purpose": "log", "version": 1});
        let end = asked(&admin, Method::POST, "/v1/keys/destroy", Some(body)).await;
        assert_eq!(refusal(&approve(&manager, &end).await), (409, "key_in_use".into()));
        let path = format!("/v1/approvals/{}", end["id"].as_str().expect("text"));
        let failed: Value = call(&manager.client, Method::GET, &path, None).await.json().expect("JSON");
        assert_eq!(failed["status"], "failed");
    });
    let status = bank.run(&["keys", "status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("it prints JSON");
    let ended = status["keys"].as_array().expect("a list").iter();
    assert!(ended.clone().any(|key| key["purpose"] == "credential" && key["state"] == "destroyed"), "{status}");
    assert!(bank.run(&["audit", "verify"]).status.success());
}

#[test]
fn a_bank_makes_roles_of_its_own_and_their_changes_hold_at_once() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let admin = Customer::sign_in(&bank, "admin").await;
        let manager = Customer::sign_in(&bank, "manager").await;
        let bela = Customer::sign_up(&bank, "bela").await;
        let ana = Customer::sign_up(&bank, "ana").await;
        let account = ana.open_account().await;
        let approved = async |request: Value| assert_eq!(approve(&manager, &request).await.status, 200);
        for (name, permissions) in [("admin", json!([])), ("Clerk", json!([])), ("clerk", json!(["everything"]))] {
            let body = json!({"staff": true, "permissions": permissions});
            let answer = call(&admin.client, Method::PUT, &format!("/v1/roles/{name}"), Some(body)).await;
            assert_eq!(answer.status, 422, "{name}");
        }
        let body = json!({"staff": true, "permissions": ["cash.deposit", "people.read"]});
        approved(asked(&admin, Method::PUT, "/v1/roles/clerk", Some(body)).await).await;
        let roles: Value = call(&admin.client, Method::GET, "/v1/roles", None).await.json().expect("JSON");
        let clerk = roles["items"].as_array().expect("a list").iter().find(|role| role["name"] == "clerk");
        assert_eq!(clerk.expect("it is there")["permissions"], json!(["cash.deposit", "people.read"]));
        assert_eq!(call(&ana.client, Method::GET, "/v1/roles", None).await.status, 403);

        let before = bela.try_deposit(&account.id, "1.00").await.expect_err("she is a customer");
        assert_eq!(before.status(), Some(403));
        let path = format!("/v1/users/{}/roles", bela.id);
        approved(asked(&admin, Method::PUT, &path, Some(json!({"roles": ["clerk"]}))).await).await;
        bela.deposit(&account.id, "1.00").await;
        let seen = call(&bela.client, Method::GET, &format!("/v1/users/{}", ana.id), None).await;
        assert_eq!(seen.status, 200);
        assert_eq!(
            call(&bela.client, Method::POST, "/v1/accounts", Some(json!({"currency": "USD", "name": "Mine"})))
                .await
                .status,
            403
        );

        // Less is allowed from the next call on; written by SQL it allows nothing.
        let body = json!({"staff": true, "permissions": ["people.read"]});
        approved(asked(&admin, Method::PUT, "/v1/roles/clerk", Some(body)).await).await;
        assert_eq!(bela.try_deposit(&account.id, "1.00").await.expect_err("not any more").status(), Some(403));
        bank.sql()
            .execute("UPDATE roles SET permissions = ?", &[strongroom_sql::Value::Bytes(b"cash.deposit people.read")])
            .expect("SQL can");
        assert!(bela.try_deposit(&account.id, "1.00").await.is_err());
        assert!(call(&bela.client, Method::GET, &format!("/v1/users/{}", ana.id), None).await.status >= 400);
    });
}

#[test]
fn a_service_account_shows_a_key_that_holds_until_its_end() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let admin = Customer::sign_in(&bank, "admin").await;
        let manager = Customer::sign_in(&bank, "manager").await;
        let body = json!({"staff": true, "permissions": ["books.read"]});
        let role = asked(&admin, Method::PUT, "/v1/roles/reporter", Some(body)).await;
        assert_eq!(approve(&manager, &role).await.status, 200);
        let body = json!({"name": "nightly-report", "roles": ["reporter"]});
        let request = asked(&admin, Method::POST, "/v1/services", Some(body)).await;
        assert_eq!(approve(&manager, &request).await.status, 200);
        let service = admin.client.find_person("nightly-report").await.expect("found by name").expect("there is one");
        assert_eq!(service.roles, ["service", "reporter"]);
        for password in ["", "a password", "nightly-report"] {
            assert!(bank.client().sign_in("nightly-report", password).await.is_err(), "it has no password");
        }
        let keys = format!("/v1/services/{}/keys", service.id);
        assert_eq!(call(&manager.client, Method::POST, &keys, Some(json!({"days": 1}))).await.status, 403);
        for days in [0, 367, -1] {
            assert_eq!(call(&admin.client, Method::POST, &keys, Some(json!({"days": days}))).await.status, 422);
        }
        let people = format!("/v1/services/{}/keys", admin.id);
        assert_eq!(
            call(&admin.client, Method::POST, &people, Some(json!({"days": 1}))).await.status,
            404,
            "people have none"
        );
        let ask = async || asked(&admin, Method::POST, &keys, Some(json!({"days": 1}))).await;
        let (first, second) = (ask().await, ask().await);
        let program = |key: &Value| {
            let key = key["api_key"].as_str().expect("text");
            bank.client().with_token(key).expect("a token is text")
        };
        let (one, two) = (program(&first), program(&second));
        assert_eq!(call(&one, Method::GET, "/v1/audit?limit=1", None).await.status, 401, "one person is not enough");
        for key in [&first, &second] {
            let path = format!("/v1/approvals/{}", key["approval"].as_str().expect("text"));
            let request: Value = call(&manager.client, Method::GET, &path, None).await.json().expect("JSON");
            assert_eq!(approve(&admin, &request).await.status, 403);
            assert_eq!(approve(&manager, &request).await.status, 200);
        }
        assert_eq!(call(&one, Method::GET, "/v1/audit?limit=1", None).await.status, 200, "its role allows it");
        assert_eq!(call(&one, Method::GET, "/v1/approvals", None).await.status, 200);
        assert_eq!(call(&one, Method::POST, &keys, Some(json!({"days": 1}))).await.status, 403);
        let device = json!({"name": "x", "public_key": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}});
        assert!(call(&one, Method::POST, "/v1/me/devices", Some(device)).await.status >= 400);
        assert_eq!(
            call(&one, Method::POST, "/v1/me/factors/totp", Some(json!({}))).await.status,
            401,
            "it gives no factor"
        );
        let path = format!("{keys}/{}", first["id"].as_str().expect("text"));
        assert_eq!(call(&admin.client, Method::DELETE, &path, None).await.status, 204);
        assert_eq!(call(&one, Method::GET, "/v1/audit?limit=1", None).await.status, 401, "ended at once");
        clock.set(3 * 3600);
        assert_eq!(call(&two, Method::GET, "/v1/audit?limit=1", None).await.status, 200, "idle or not");
        clock.set(25 * 3600);
        assert_eq!(call(&two, Method::GET, "/v1/audit?limit=1", None).await.status, 401, "until its end");
    });
}

#[test]
fn checklist_19_and_27_identifiers_are_masked() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let manager = Customer::sign_in(&bank, "manager").await;
        let teller = Customer::sign_in(&bank, "teller").await;
        let auditor = Customer::sign_in(&bank, "auditor").await;
        let admin = Customer::sign_in(&bank, "admin").await;
        let customer = Customer::sign_in(&bank, "customer").await;
        let own = customer.client.me().await.expect("herself");
        let path = format!("/v1/users/{}", customer.id);
        let see = async |who: &Customer| call(&who.client, Method::GET, &path, None).await;
        for nobody in [&admin, &customer] {
            assert_eq!(see(nobody).await.status, 403, "an administrator cannot read customers' data");
        }
        let personal = [&own.email, &own.phone, &own.national_id, &own.date_of_birth, &own.address];
        for (who, shows_name) in [(&teller, true), (&manager, true), (&auditor, false)] {
            let answer = see(who).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            for value in personal {
                assert!(!text.contains(value.as_deref().expect("the demo fills every field")), "{text}");
            }
            let seen: Value = answer.json().expect("JSON");
            let phone = own.phone.as_deref().expect("she has one");
            assert_eq!(seen["phone"], format!("\u{2022}\u{2022}\u{2022}\u{2022}{}", &phone[phone.len() - 4..]));
            assert_eq!(seen["full_name"] == json!(own.full_name), shows_name);
            assert_eq!(seen["date_of_birth"], "\u{2022}\u{2022}\u{2022}\u{2022}");
        }
        let reveal = async |who: &Customer, body: Value| {
            call(&who.client, Method::POST, &format!("{path}/reveal"), Some(body)).await
        };
        let reason = "She asked at the counter what we have on file.";
        let body = json!({"fields": ["phone"], "reason": reason});
        for nobody in [&teller, &auditor, &admin, &customer] {
            assert_eq!(reveal(nobody, body.clone()).await.status, 403);
        }
        for wrong in [
            json!({"fields": ["phone"], "reason": "why"}),
            json!({"fields": [], "reason": reason}),
            json!({"fields": ["password"], "reason": reason}),
        ] {
            assert_eq!(reveal(&manager, wrong).await.status, 422);
        }
        let shown: Value = reveal(&manager, body).await.json().expect("JSON");
        assert_eq!((&shown["phone"], &shown["email"]), (&json!(own.phone), &Value::Null));
        let masked: Value = see(&manager).await.json().expect("JSON");
        assert_ne!(masked["phone"], json!(own.phone), "it was shown once");

        // The auditor reads everything, masked, and changes nothing.
        let log = call(&auditor.client, Method::GET, "/v1/audit?limit=20", None).await;
        assert!(String::from_utf8_lossy(&log.body).contains(reason), "the reason is for the auditor, too");
        let account = customer.client.accounts(None, 1).await.expect("her accounts").items.remove(0);
        let entry = customer.client.entries(&account.id, None, 1).await.expect("her entries").items.remove(0);
        for path in [
            format!("/v1/accounts?owner={}", customer.id),
            format!("/v1/accounts/{}", account.id),
            format!("/v1/accounts/{}/entries", account.id),
            format!("/v1/transfers/{}", entry.transfer),
            format!("/v1/transfers/{}/verification", entry.transfer),
            "/v1/audit".into(),
            "/v1/users".into(),
            "/v1/roles".into(),
            "/v1/approvals".into(),
        ] {
            let answer = call(&auditor.client, Method::GET, &path, None).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{path}: {text}");
            assert!(!text.contains(&account.number) && !text.contains(&account.name), "{path}: {text}");
            for value in personal {
                assert!(!text.contains(value.as_deref().expect("filled")), "{path}: {text}");
            }
        }
        for (method, path, body) in [
            (Method::POST, "/v1/accounts".into(), json!({"currency": "USD", "name": "Mine"})),
            (Method::POST, format!("{path}/lock"), json!({})),
            (Method::PUT, format!("{path}/roles"), json!({"roles": ["customer"]})),
            (Method::PUT, "/v1/roles/clerk".into(), json!({"staff": true, "permissions": []})),
            (Method::POST, "/v1/users/invitations".into(), json!({"role": "teller"})),
            (Method::POST, "/v1/services".into(), json!({"name": "robot", "roles": ["teller"]})),
            (Method::POST, "/v1/keys/destroy".into(), json!({"purpose": "token", "version": 1})),
        ] {
            assert_eq!(call(&auditor.client, method, &path, Some(body)).await.status, 403, "{path}");
        }
    });
    let tail = bank.run(&["audit", "tail", "--count", "40", "--json"]);
    let tail = String::from_utf8_lossy(&tail.stdout).into_owned();
    assert!(tail.contains("person.revealed") && tail.contains("She asked at the counter"), "{tail}");
    for event in ["person.seen", "people.listed", "accounts.seen", "account.seen", "transfer.seen"] {
        assert!(tail.contains(event), "{event}: {tail}");
    }
}
