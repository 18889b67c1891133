//! Money that is reserved before it moves: captured by who was named for it, released, expired, approved by the bank
//! above its limit, taken back; the limits of accounts; and cash paid out with the customer's consent.

use serde_json::{Value, json};
use strongroom_api::CashOrder;
use strongroom_client::{Answer, Bytes, Client, Content, Method};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code_at, now_s, problem, transfer};

/// Two customers with 100.00 and nothing, and a teller.
struct Scene {
    ana: Customer,
    ben: Customer,
    teller: Customer,
    from: String,
    to: String,
}

impl Scene {
    async fn set(bank: &TestBank) -> Self {
        let (ana, ben) = (Customer::sign_up(bank, "ana").await, Customer::sign_up(bank, "ben").await);
        let teller = Customer::sign_in(bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "100.00").await;
        Scene { ana, ben, teller, from, to }
    }

    fn order(&self, id: &str, amount: &str, hold: Value) -> String {
        let mut body: Value = serde_json::from_str(&transfer(id, &self.from, &self.to, amount)).expect("JSON");
        body["hold"] = hold;
        body.to_string()
    }

    async fn hold(&self, id: &str, amount: &str) -> String {
        let answer = self.ana.order(&self.order(id, amount, json!(true))).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        let body: Value = answer.json().expect("JSON");
        assert_eq!(body["status"], "held");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Balance, reserved, available.
    async fn account(&self) -> [String; 3] {
        let account = self.ana.client.account(&self.from).await.expect("her own");
        [account.balance.amount, account.held.amount, account.available.amount]
    }
}

async fn follow_up(who: &Customer, order_id: &str, action: &str, transfer: &str, amount: Option<&str>) -> Answer {
    let mut body = json!({"order_id": order_id, "action": action, "transfer": transfer});
    if let Some(amount) = amount {
        body["amount"] = json!({"amount": amount, "currency": "USD"});
    }
    signed(who, &format!("/v1/transfers/{transfer}/{action}"), &body.to_string()).await
}

async fn signed(who: &Customer, path: &str, body: &str) -> Answer {
    let content = Content::signed(Bytes::copy_from_slice(body.as_bytes()), &who.sign(body)).expect("it is text");
    who.client.send(Method::POST, path, Some(content)).await.expect("the bank answers")
}

async fn status(client: &Client, id: &str) -> String {
    client.posting(id).await.expect("it is theirs to see").status
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, problem(answer))
}

mod sqlite {
    use super::*;

    #[test]
    fn what_is_reserved_is_captured_released_or_free_again() {
        super::what_is_reserved_is_captured_released_or_free_again(Engine::Sqlite);
    }
    #[test]
    fn checklist_17_large_transfers_wait_for_a_second_person() {
        super::large_transfers_wait_for_a_second_person(Engine::Sqlite);
    }
}

mod mariadb {
    use super::*;

    #[test]
    fn what_is_reserved_is_captured_released_or_free_again() {
        super::what_is_reserved_is_captured_released_or_free_again(Engine::MariaDb);
    }
    #[test]
    fn checklist_17_large_transfers_wait_for_a_second_person() {
        super::large_transfers_wait_for_a_second_person(Engine::MariaDb);
    }
}

fn what_is_reserved_is_captured_released_or_free_again(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let scene = Scene::set(&bank).await;
        let (ana, ben) = (&scene.ana, &scene.ben);
        let whole = scene.hold("h-1", "60.00").await;
        assert_eq!(scene.account().await, ["100.00", "60.00", "40.00"]);
        let over = ana.order(&transfer("t-1", &scene.from, &scene.to, "40.01")).await;
        assert_eq!(refused(&over), (422, "insufficient_funds".into()), "what is reserved counts");
        assert_eq!(refused(&follow_up(ana, "c-0", "capture", &whole, None).await).0, 404, "the payee captures");
        assert_eq!(refused(&follow_up(&scene.teller, "c-0", "capture", &whole, None).await).0, 403);
        let more = follow_up(ben, "c-1", "capture", &whole, Some("60.01")).await;
        assert_eq!(refused(&more), (422, "capture_too_large".into()));
        let captured = follow_up(ben, "c-2", "capture", &whole, Some("45.50")).await;
        assert_eq!(captured.status, 201);
        let body: Value = captured.json().expect("JSON");
        assert_eq!(
            (&body["status"], &body["id"], &body["order_id"]),
            (&json!("captured"), &json!(whole), &json!("c-2"))
        );
        assert_eq!(body["amount"]["amount"], "45.50");
        let again = follow_up(ben, "c-2", "capture", &whole, Some("45.50")).await;
        assert_eq!((again.status, &again.body), (200, &captured.body), "the same order again, the same answer");
        assert_eq!(refused(&follow_up(ben, "c-3", "capture", &whole, None).await), (409, "hold_ended".into()));
        assert_eq!(scene.account().await, ["54.50", "0.00", "54.50"], "what was not captured is free");
        assert_eq!(status(&ana.client, &whole).await, "captured");
        let held = ana.order(&scene.order("h-1", "60.00", json!(true))).await;
        assert_eq!(held.status, 200);
        assert_eq!(held.json::<Value>().expect("JSON")["status"], "held", "its first answer");
        let receipt = ana.client.receipt(&whole).await.expect("the payer has one");
        assert!(receipt.contains("45.50") || receipt.contains("4550"), "{receipt}");
        assert!(ana.client.verification(&whole).await.expect("it is checked").is_valid);

        let freed = scene.hold("h-2", "54.50").await;
        assert_eq!(scene.account().await, ["54.50", "54.50", "0.00"]);
        assert_eq!(refused(&follow_up(ana, "r-0", "release", &freed, None).await).0, 404, "not the payer");
        let released = follow_up(ben, "r-1", "release", &freed, None).await;
        assert_eq!(released.json::<Value>().expect("JSON")["status"], "released");
        assert_eq!(follow_up(ben, "r-1", "release", &freed, None).await.status, 200);
        assert_eq!(status(&ben.client, &freed).await, "released");
        assert_eq!(scene.account().await, ["54.50", "0.00", "54.50"]);
        // Whose the capture is stands in the signed order.
        let terms =
            json!({"capturer": ana.id, "until": strongroom_ledger::time::to_text((now_s() + 3600) * 1_000_000)});
        let own: Value = ana.order(&scene.order("h-3", "1.00", terms)).await.json().expect("JSON");
        let own = own["id"].as_str().expect("an id");
        assert_eq!(refused(&follow_up(ben, "c-4", "capture", own, None).await).0, 404);
        assert_eq!(follow_up(ana, "c-5", "capture", own, None).await.status, 201);
        for (id, until) in [("h-4", "2020-01-01T00:00:00Z"), ("h-6", "2999-01-01T00:00:00Z")] {
            let wrong = ana.order(&scene.order(id, "1.00", json!({"until": until}))).await;
            assert_eq!(refused(&wrong), (422, "hold_out_of_range".into()), "{until}");
        }
        // A signature for one thing is none for another.
        let held = scene.hold("h-5", "1.00").await;
        let body = json!({"order_id": "x-1", "action": "release", "transfer": held}).to_string();
        assert_eq!(refused(&signed(ben, &format!("/v1/transfers/{held}/capture"), &body).await).1, "bad_signature");
        let other = json!({"order_id": "x-2", "action": "capture", "transfer": freed}).to_string();
        assert_eq!(refused(&signed(ben, &format!("/v1/transfers/{held}/capture"), &other).await).1, "bad_signature");
    });
    bank.verify();
}

#[test]
fn what_is_not_captured_in_time_is_free_again() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let mut scene = Scene::set(&bank).await;
        let held = scene.hold("h-1", "60.00").await;
        clock.set(7 * 24 * 3600 + 60);
        let step = bank.client().sign_in("ana", &scene.ana.password).await.expect("the password is right");
        let strongroom_api::SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        let code = code_at(&scene.ana.totp_secret, now_s() + 7 * 24 * 3600 + 60);
        scene.ana.session = bank.client().verify(&challenge, "totp", &code).await.expect("the code is right");
        scene.ana.moved_to(&bank);
        for _ in 0..100 {
            if status(&scene.ana.client, &held).await == "expired" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(status(&scene.ana.client, &held).await, "expired");
        assert_eq!(scene.account().await, ["100.00", "0.00", "100.00"]);
    });
    bank.verify();
}

fn large_transfers_wait_for_a_second_person(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let scene = Scene::set(&bank).await;
        let (ana, manager) = (&scene.ana, Customer::sign_in(&bank, "manager").await);
        scene.teller.deposit(&scene.from, "350000.00").await;
        let at_limit = ana.order(&transfer("t-0", &scene.from, &scene.to, "100000.00")).await;
        assert_eq!(at_limit.json::<Value>().expect("JSON")["status"], "posted", "up to the limit nobody is asked");
        let place = async |id: &str, amount: &str| {
            let answer = ana.order(&transfer(id, &scene.from, &scene.to, amount)).await;
            let body: Value = answer.json().expect("JSON");
            assert_eq!((answer.status, &body["status"]), (201, &json!("pending_approval")), "{body}");
            body["id"].as_str().expect("an id").to_owned()
        };
        let first = place("t-1", "100000.01").await;
        assert_eq!(scene.account().await, ["250100.00", "100000.01", "150099.99"], "it is reserved meanwhile");
        let over = ana.order(&transfer("t-2", &scene.from, &scene.to, "150100.00")).await;
        assert_eq!(refused(&over), (422, "insufficient_funds".into()), "funds come before approval");
        let around = ana.order(&scene.order("h-1", "100000.01", json!({"capturer": ana.id}))).await;
        assert_eq!(refused(&around), (422, "limit_exceeded".into()), "a reservation is no way around it");
        assert_eq!(refused(&follow_up(&scene.ben, "c-1", "capture", &first, None).await).0, 404);
        let pending = manager.client.approvals(true, None, 50).await.expect("a manager may look").items;
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].request["kind"], "transfer");
        assert_eq!(pending[0].request["amount"], "100000.01");
        let by_teller = scene.teller.client.approve(&scene.teller.signer(), &pending[0], now_s()).await;
        assert_eq!(by_teller.expect_err("not a teller").status(), Some(403));
        manager.client.approve(&manager.signer(), &pending[0], now_s()).await.expect("a manager approves");
        assert_eq!(status(&ana.client, &first).await, "posted");
        assert_eq!(scene.account().await, ["150099.99", "0.00", "150099.99"]);
        assert!(ana.client.verification(&first).await.expect("it is checked").is_valid);
        assert!(ana.client.receipt(&first).await.is_ok());
        let again = manager.client.approve(&manager.signer(), &pending[0], now_s()).await;
        assert_eq!(again.expect_err("it is decided").status(), Some(409));

        let second = place("t-3", "150000.00").await;
        let pending = manager.client.approvals(true, None, 50).await.expect("a manager may look").items;
        manager.client.refuse(&pending[0].id).await.expect("a manager refuses");
        assert_eq!(status(&ana.client, &second).await, "refused");
        assert_eq!(scene.account().await, ["150099.99", "0.00", "150099.99"]);

        // Every rule is asked again when it is approved.
        let third = place("t-4", "150000.00").await;
        let frozen = json!({"status": "frozen"});
        let change = async |who: &Customer, account: &str, change: &Value| {
            let content = Content::json(change).expect("it is JSON");
            let path = format!("/v1/accounts/{account}");
            who.client.send(Method::PATCH, &path, Some(content)).await.expect("the bank answers")
        };
        assert_eq!(change(&scene.teller, &scene.to, &frozen).await.status, 404, "not a teller");
        assert_eq!(change(ana, &scene.from, &frozen).await.status, 403, "not its owner");
        assert_eq!(change(&manager, &scene.to, &frozen).await.status, 200);
        let pending = manager.client.approvals(true, None, 50).await.expect("a manager may look").items;
        let late = manager.client.approve(&manager.signer(), &pending[0], now_s()).await;
        assert_eq!(late.expect_err("it is frozen").code(), Some("account_frozen"));
        assert_eq!(status(&ana.client, &third).await, "pending_approval");
        let own = ana.client.refuse(&pending[0].id).await.expect("who ordered it withdraws it");
        assert_eq!(own.status, "refused");
        assert_eq!(scene.account().await[1], "0.00");

        // Limits: what one order takes, how far below zero, and closing.
        let limit = json!({"order_limit": {"amount": "10.00", "currency": "USD"}});
        assert_eq!(change(&manager, &scene.from, &limit).await.status, 200);
        assert_eq!(change(&manager, &scene.to, &json!({"status": "open"})).await.status, 200);
        let over = ana.order(&transfer("t-5", &scene.from, &scene.to, "10.01")).await;
        assert_eq!(refused(&over), (422, "limit_exceeded".into()));
        let lifted = json!({"order_limit": null});
        assert_eq!(change(&manager, &scene.from, &lifted).await.status, 200);
        let free = scene.ana.order(&transfer("t-free", &scene.from, &scene.to, "10.01")).await;
        assert_eq!(free.status, 201, "the limit is lifted");
        assert_eq!(change(&manager, &scene.from, &limit).await.status, 200);
        assert_eq!(ana.order(&transfer("t-6", &scene.from, &scene.to, "10.00")).await.status, 201);
        assert_eq!(
            refused(&change(ana, &scene.from, &json!({"status": "closed"})).await),
            (409, "account_not_empty".into())
        );
        let empty = ana.open_account().await.id;
        let overdraft = json!({"overdraft": {"amount": "5.00", "currency": "USD"}});
        assert_eq!(change(&manager, &empty, &overdraft).await.status, 200);
        assert_eq!(ana.order(&transfer("t-7", &empty, &scene.to, "5.00")).await.status, 201);
        assert_eq!(ana.order(&transfer("t-8", &empty, &scene.to, "0.01")).await.status, 422);
        let none = json!({"overdraft": {"amount": "0.00", "currency": "USD"}});
        assert_eq!(refused(&change(&manager, &empty, &none).await), (409, "overdraft_used".into()));
        let closing = ana.open_account().await.id;
        assert_eq!(change(ana, &closing, &json!({"status": "closed"})).await.status, 200);
        assert_eq!(
            refused(&change(&manager, &closing, &json!({"status": "open"})).await),
            (409, "account_closed".into())
        );
        let closed = ana.order(&transfer("t-9", &scene.from, &closing, "1.00")).await;
        assert_eq!(refused(&closed), (422, "account_closed".into()));
    });
    bank.verify();
}

#[test]
fn a_posting_is_taken_back_once_by_who_was_paid_or_by_staff() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let scene = Scene::set(&bank).await;
        let (ana, ben, manager) = (&scene.ana, &scene.ben, Customer::sign_in(&bank, "manager").await);
        let pay = async |id: &str| {
            let posted = ana.order(&transfer(id, &scene.from, &scene.to, "30.00")).await;
            posted.json::<Value>().expect("JSON")["id"].as_str().expect("an id").to_owned()
        };
        let first = pay("t-1").await;
        assert_eq!(refused(&follow_up(ana, "v-0", "reverse", &first, None).await).0, 404, "the payer cannot");
        assert_eq!(refused(&follow_up(&scene.teller, "v-0", "reverse", &first, None).await).0, 403, "nor a teller");
        let back = follow_up(ben, "v-1", "reverse", &first, None).await;
        let body: Value = back.json().expect("JSON");
        assert_eq!((back.status, &body["kind"], &body["refers"]), (201, &json!("reversal"), &json!(first)));
        assert_eq!(status(&ana.client, &first).await, "reversed");
        assert_eq!(refused(&follow_up(ben, "v-2", "reverse", &first, None).await), (409, "already_reversed".into()));
        let reversal = body["id"].as_str().expect("an id");
        assert_eq!(refused(&follow_up(ana, "v-3", "reverse", reversal, None).await).0, 404, "order anew instead");
        assert!(ben.client.verification(reversal).await.expect("it is checked").is_valid);
        assert!(ben.client.receipt(reversal).await.is_ok());
        assert_eq!(scene.account().await[0], "100.00");
        let second = pay("t-2").await;
        assert_eq!(follow_up(&manager, "v-4", "reverse", &second, None).await.status, 201, "a manager takes it back");
        let deposit = scene.teller.deposit(&scene.from, "7.00").await;
        assert_eq!(refused(&follow_up(ana, "v-5", "reverse", &deposit.id, None).await).0, 404, "cash is the bank's");
        assert_eq!(follow_up(&manager, "v-6", "reverse", &deposit.id, None).await.status, 201);
        assert_eq!(scene.account().await[0], "100.00");
    });
    bank.verify();
}

#[test]
fn cash_is_paid_out_when_the_customer_agrees() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let scene = Scene::set(&bank).await;
        let amount = strongroom_api::Amount { amount: "40.00".into(), currency: "USD".into() };
        let order = |id: &str| CashOrder {
            order_id: id.into(),
            account: scene.from.clone(),
            amount: amount.clone(),
            reference: Some("Counter 3".into()),
        };
        let pay = async |id: &str, code: &str| {
            scene.teller.client.withdraw(&scene.teller.signer(), &order(id), code, now_s()).await
        };
        let body = serde_json::to_string(&order("w-0")).expect("JSON");
        let signature = scene.teller.sign_as(&scene.teller.device, "cash", &scene.teller.origin, 300, &body);
        let alone = signed_cash(&scene.teller, &body, &signature, None).await;
        assert_eq!(refused(&alone), (403, "consent_required".into()));
        assert_eq!(pay("w-1", "000000").await.expect_err("a wrong code").code(), Some("consent_refused"));
        clock.set(60);
        let code = code_at(&scene.ana.totp_secret, now_s() + 60);
        let paid = pay("w-1", &code).await.expect("the customer agrees");
        assert_eq!((paid.kind.as_str(), paid.status.as_str()), ("withdrawal", "posted"));
        assert_eq!(scene.account().await[0], "60.00");
        assert_eq!(pay("w-1", &code).await.expect("the same order").id, paid.id, "once");
        assert_eq!(pay("w-2", &code).await.expect_err("a code counts once").code(), Some("consent_refused"));
        // Who may not pay out learns nothing of a code, and burns none.
        clock.set(120);
        let next = code_at(&scene.ana.totp_secret, now_s() + 120);
        let by_customer = scene.ben.client.withdraw(&scene.ben.signer(), &order("w-2"), &next, now_s()).await;
        assert_eq!(by_customer.expect_err("not a teller").code(), Some("forbidden"));
        // Or by their own device's signature over the teller's.
        let body = serde_json::to_string(&order("w-3")).expect("JSON");
        let by_teller = scene.teller.sign_as(&scene.teller.device, "cash", &scene.teller.origin, 300, &body);
        let consent = |who: &Customer, of: &str| who.sign_as(&who.device, "cash", &who.origin, 300, of);
        let send = async |consent: &str| signed_cash(&scene.teller, &body, &by_teller, Some(consent)).await;
        assert_eq!(refused(&send(&consent(&scene.ben, &by_teller)).await).1, "bad_signature");
        assert_eq!(refused(&send(&consent(&scene.ana, &body)).await).1, "bad_signature", "over the order alone");
        assert_eq!(send(&consent(&scene.ana, &by_teller)).await.status, 201);
        assert_eq!(scene.account().await[0], "20.00");
        assert!(scene.ana.client.receipt(&paid.id).await.is_ok(), "the customer has a receipt");
    });
    bank.verify();
}

async fn signed_cash(teller: &Customer, body: &str, signature: &str, consent: Option<&str>) -> Answer {
    let mut content = Content::signed(Bytes::copy_from_slice(body.as_bytes()), signature).expect("it is text");
    if let Some(consent) = consent {
        content = content.with_header("x-customer-signature", consent).expect("it is text");
    }
    teller.client.send(Method::POST, "/v1/cash/withdrawals", Some(content)).await.expect("the bank answers")
}

#[test]
fn a_bulk_is_signed_as_a_whole_and_linked_orders_are_carried_out_together() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let scene = Scene::set(&bank).await;
        let ana = &scene.ana;
        let orders = |name: &str, amounts: &[&str]| -> Vec<String> {
            let one = |(at, amount): (usize, &&str)| transfer(&format!("{name}-{at}"), &scene.from, &scene.to, amount);
            amounts.iter().enumerate().map(one).collect()
        };
        let place = async |orders: Vec<String>, linked: bool| {
            let results =
                ana.client.bulk(&ana.signer(), orders, linked, now_s()).await.expect("a bulk is taken").results;
            let outcome = |r: &strongroom_api::BulkItem| match (&r.transfer, &r.code) {
                (Some(transfer), None) => transfer.status.clone(),
                (None, Some(code)) => code.clone(),
                _ => panic!("one of the two: {r:?}"),
            };
            (results.iter().map(outcome).collect::<Vec<_>>(), results)
        };
        let loose = orders("loose", &["10.00", "0.00", "20.00", "80.00"]);
        let (outcomes, results) = place(loose.clone(), false).await;
        assert_eq!(outcomes, ["posted", "amount_not_positive", "posted", "insufficient_funds"]);
        assert_eq!(scene.account().await[0], "70.00");
        assert_eq!(place(loose, false).await.0, outcomes, "the same bulk again, the same answers");
        assert_eq!(scene.account().await[0], "70.00");
        // Each order has a receipt of its own, by the one signature.
        let first = results[0].transfer.as_ref().expect("it is posted").id.clone();
        let receipt = ana.client.receipt(&first).await.expect("the payer has one");
        let key = bank.log_key().parse().expect("a key");
        let proven = strongroom_ledger::receipt::verify(&receipt, &key).expect("it holds");
        assert_eq!((proven.amount_text().as_str(), proven.order_id.as_deref()), ("10.00 USD", Some("loose-0")));
        assert!(ana.client.verification(&first).await.expect("it is checked").is_valid);
        let file = bank.folder.path().join("bulk.receipt");
        std::fs::write(&file, &receipt).expect("it can be written");
        crate::path::python("verify_receipt.py", &[&file, std::path::Path::new(bank.log_key())]);

        let linked = orders("linked", &["30.00", "30.00", "30.00"]);
        assert_eq!(place(linked, true).await.0, ["linked_refused", "linked_refused", "insufficient_funds"]);
        assert_eq!(scene.account().await[0], "70.00", "none is carried out");
        assert_eq!(place(orders("both", &["30.00", "30.00"]), true).await.0, ["posted", "posted"]);
        assert_eq!(scene.account().await[0], "10.00");
        let mixed =
            vec![transfer("both-0", &scene.from, &scene.to, "1.00"), transfer("new", &scene.from, &scene.to, "1.00")];
        assert_eq!(place(mixed, true).await.0, ["order_id_conflict", "linked_refused"]);

        // What is not what was signed moves nothing.
        let send = async |body: &str, signature: &str| {
            let content = Content::signed(Bytes::copy_from_slice(body.as_bytes()), signature).expect("it is text");
            let answer = ana.client.send(Method::POST, "/v1/transfers/bulk", Some(content)).await;
            answer.expect("the bank answers")
        };
        let one = orders("one", &["1.00"]);
        let leaf = strongroom_ledger::merkle::leaf_hash(one[0].as_bytes());
        let root: String = leaf.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = |linked: bool| json!({"root": root, "count": 1, "linked": linked, "orders": one}).to_string();
        let sign = |purpose: &str, linked: bool| {
            let whole = format!(r#"{{"root":"{root}","count":1,"linked":{linked}}}"#);
            ana.sign_as(&ana.device, purpose, &ana.origin, 300, &whole)
        };
        assert_eq!(refused(&send(&body(true), &sign("bulk", false)).await).1, "bad_signature");
        assert_eq!(refused(&send(&body(false), &sign("order", false)).await).1, "bad_signature");
        let changed = body(false).replace("1.00", "2.00");
        assert_eq!(refused(&send(&changed, &sign("bulk", false)).await), (400, "malformed".into()));
        assert_eq!(scene.account().await[0], "10.00");
        assert_eq!(send(&body(false), &sign("bulk", false)).await.status, 200);
        assert_eq!(scene.account().await[0], "9.00");
        let many: Vec<String> =
            (0..3_000).map(|at| transfer(&format!("m-{at}"), &scene.from, &scene.to, "0.00")).collect();
        assert!(place(many, false).await.0.iter().all(|code| code == "amount_not_positive"));
    });
    bank.verify();
}

#[test]
fn checklist_18_a_large_transfer_needs_a_fresh_factor() {
    let (bank, clock) = TestBank::open_with_clock();
    block_on(async {
        let mut scene = Scene::set(&bank).await;
        scene.teller.deposit(&scene.from, "250000.00").await;
        for ahead_s in [290, 580, 620] {
            clock.set(ahead_s);
            scene.ana.session = bank.client().refresh(&scene.ana.session.refresh_token).await.expect("in time");
            scene.ana.moved_to(&bank);
        }
        let large = transfer("t-1", &scene.from, &scene.to, "100000.01");
        let sign = |body: &str| scene.ana.sign_as(&scene.ana.device, "order", &scene.ana.origin, 900, body);
        let stale = scene.ana.send(&large, &sign(&large)).await;
        assert_eq!(stale.status, 403, "{}", String::from_utf8_lossy(&stale.body));
        assert_eq!(refused(&stale).1, "step_up_required");
        let small = transfer("t-2", &scene.from, &scene.to, "10.00");
        assert_eq!(scene.ana.send(&small, &sign(&small)).await.status, 201, "a small one needs none");
        let code = code_at(&scene.ana.totp_secret, now_s() + 620);
        scene.ana.session = scene.ana.client.step_up("totp", &code).await.expect("the code is right");
        scene.ana.moved_to(&bank);
        let fresh = scene
            .ana
            .send(&large, &scene.ana.sign_as(&scene.ana.device, "order", &scene.ana.origin, 900, &large))
            .await;
        assert_eq!(fresh.status, 201, "nothing was spent by the first try");
    });
    bank.verify();
}
