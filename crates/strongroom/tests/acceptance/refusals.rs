//! What is refused: each with its own code, and nothing changed but the order id that it spent.

use crate::bank::{Engine, TestBank, block_on};
use crate::curl;
use crate::customer::{Customer, problem, transfer};

crate::on_both_databases!(
    refusals_have_codes_and_change_nothing,
    checklist_25_what_is_not_signed_for_this_spends_no_id
);

/// The ids of orders that the bank remembers.
fn spent(bank: &TestBank) -> Vec<String> {
    let rows = bank.sql().query("SELECT order_id FROM orders ORDER BY order_id", &[]).expect("orders can be counted");
    rows.iter().map(|row| row.text(0).expect("an id is text").to_owned()).collect()
}

fn refusals_have_codes_and_change_nothing(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await, ben.open_account().await);
        teller.deposit(&from.number, "100.00").await;
        teller.deposit(&to.number, "50000000000000000.00").await;
        // Customers' money together is what the cash account owes, so this is the account that overflows.
        let refused =
            teller.try_deposit(&to.number, "50000000000000000.00").await.expect_err("more than can be counted");
        assert_eq!((refused.status(), refused.code()), (Some(422), Some("overflow")));
        let before = spent(&bank);

        let (own, other) = (from.id.as_str(), to.id.as_str());
        let mut mistyped = to.number.clone().into_bytes();
        mistyped[17] = b'0' + (mistyped[17] - b'0' + 1) % 10;
        let mistyped = String::from_utf8(mistyped).expect("digits");
        let nobody = "acct_01900000000070008000000000000001";
        let cases = [
            ("funds", own, other, "100.01", "USD", 422, "insufficient_funds"),
            ("zero", own, other, "0", "USD", 422, "amount_not_positive"),
            ("zeros", own, other, "0.00", "USD", 422, "amount_not_positive"),
            ("negative", own, other, "-1.00", "USD", 422, "amount_not_positive"),
            ("exponent", own, other, "1e3", "USD", 422, "amount_malformed"),
            ("digits", own, other, "1.234", "USD", 422, "amount_malformed"),
            ("comma", own, other, "1,00", "USD", 422, "amount_malformed"),
            ("words", own, other, "one", "USD", 422, "amount_malformed"),
            ("space", own, other, " 1", "USD", 422, "amount_malformed"),
            ("huge", own, other, "92233720368547758.08", "USD", 422, "amount_too_large"),
            ("currency", own, other, "1.00", "MXN", 422, "currency_mismatch"),
            ("nonsense", own, other, "1.00", "XXQ", 422, "currency_mismatch"),
            ("digit", own, &mistyped, "1.00", "USD", 422, "bad_check_digit"),
            ("unknown", own, nobody, "1.00", "USD", 404, "not_found"),
            ("number", own, "032180000118359719", "1.00", "USD", 404, "not_found"),
            ("theirs", other, own, "1.00", "USD", 404, "not_found"),
            ("same", own, own, "1.00", "USD", 422, "same_account"),
            ("same-number", own, &from.number, "1.00", "USD", 422, "same_account"),
        ];
        let mut ids: Vec<String> = cases.iter().map(|case| case.0.to_owned()).collect();
        for (id, from, to, amount, currency, status, code) in cases {
            let body = transfer(id, from, to, amount).replace("USD", currency);
            let answer = ana.order(&body).await;
            assert_eq!((answer.status, problem(&answer).as_str()), (status, code), "{id}");
        }
        ids.extend(before);
        ids.sort();
        let mut remembered = spent(&bank);
        remembered.sort();
        assert_eq!(remembered, ids, "every refusal spent its id");
        assert_eq!(ana.balance(own).await, "100.00");
        assert_eq!(ben.balance(other).await, "50000000000000000.00");
        let entries = ana.client.entries(own, None, 10).await.expect("one's own entries").items;
        assert_eq!(entries.len(), 1, "only the deposit");
        let stolen = ana.client.account(other).await.expect_err("another's account");
        assert_eq!((stolen.status(), stolen.code()), (Some(404), Some("not_found")));
    });
}

fn checklist_25_what_is_not_signed_for_this_spends_no_id(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await, ben.open_account().await);
        teller.deposit(&from.number, "100.00").await;
        let body = transfer("fresh", &from.id, &to.id, "1.00");
        let before = spent(&bank);

        let old = ana.order(&transfer("old", &from.id, &to.id, "1.00")).await;
        assert_eq!(old.status, 201);
        let old_signature = ana.sign(&transfer("older", &from.id, &to.id, "1.00"));
        let lost = ana.client.add_device("Lost phone", &ana.key.public()).await.expect("a device registers").id;
        ana.client.revoke_device(&lost).await.expect("one may revoke one's device");
        let sign = |device: &str, purpose: &str, origin: &str, seconds: i64| {
            ana.sign_as(device, purpose, origin, seconds, &body)
        };
        let flipped = {
            let mut signature = ana.sign(&body).into_bytes();
            let last = signature.len() - 10;
            signature[last] = if signature[last] == b'A' { b'B' } else { b'A' };
            String::from_utf8(signature).expect("base64url")
        };
        let with_payload = ana.sign(&body).replacen("..", ".e30.", 1);
        let signatures = [
            ("another person's device", ben.sign(&body)),
            ("one's own id with another's key", ben.sign_as(&ana.device, "order", &ben.origin, 300, &body)),
            ("a revoked device", sign(&lost, "order", &ana.origin, 300)),
            ("no device", sign("dev_01900000000070008000000000000001", "order", &ana.origin, 300)),
            ("expired", sign(&ana.device, "order", &ana.origin, -1)),
            ("far ahead", sign(&ana.device, "order", &ana.origin, 700)),
            ("another bank", sign(&ana.device, "order", "strongroom.bank/another", 300)),
            ("another purpose", sign(&ana.device, "cash", &ana.origin, 300)),
            ("over another order_id", old_signature),
            ("changed", flipped),
            ("attached", with_payload),
            ("nonsense", "nonsense".to_owned()),
        ];
        for (what, signature) in signatures {
            let answer = ana.send(&body, &signature).await;
            assert_eq!((answer.status, problem(&answer).as_str()), (403, "bad_signature"), "{what}");
        }

        let token = format!("Bearer {}", ana.session.access_token);
        let json = ("content-type", "application/json");
        let post = |headers: &[(&str, &str)], body: &str| {
            let mut all = vec![("authorization", token.as_str())];
            all.extend_from_slice(headers);
            curl::send(&bank, "POST", "/v1/transfers", &all, body.as_bytes())
        };
        let refused = |status: u16, code: &str| (status, code.to_owned());
        assert_eq!(post(&[json], &body), refused(403, "bad_signature"), "no signature");
        let big = body.replace("fresh", &"x".repeat(10 << 20));
        assert_eq!(post(&[json, ("x-jws-signature", "e30..e30")], &big), refused(413, "body_too_large"));
        let signature = ana.sign(&body);
        let signed = ("x-jws-signature", signature.as_str());
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert_eq!(post(&[("content-type", other), signed], &body), refused(415, "unsupported_media_type"));
        }
        let bare = curl::send(&bank, "POST", "/v1/transfers", &[json, signed], body.as_bytes());
        assert_eq!(bare, refused(401, "unauthenticated"), "no token");
        let changed = [
            ("an unknown key", body.replacen('{', r#"{"tip":"1.00","#, 1)),
            ("a key twice", body.replacen('{', &format!(r#"{{"to":"{}","#, from.id), 1)),
            ("an amount as a number", body.replace(r#""1.00""#, "1.00")),
            ("no order_id", body.replace(r#""order_id":"fresh","#, "")),
            ("an order_id with a space", body.replace("fresh", "fr esh")),
            ("an empty order_id", body.replace("fresh", "")),
            ("a long order_id", body.replace("fresh", &"x".repeat(65))),
            ("an array", format!("[{body}]")),
            ("two values", format!("{body}{body}")),
            ("no JSON", "{".to_owned()),
            ("nothing", String::new()),
        ];
        for (what, body) in changed {
            let answer = ana.order(&body).await;
            assert_eq!((answer.status, problem(&answer).as_str()), (400, "malformed"), "{what}");
        }

        assert_eq!(spent(&bank).len(), before.len() + 1, "only the order that was posted");
        assert_eq!(ana.balance(&from.id).await, "99.00");
        assert_eq!(ana.order(&body).await.status, 201, "the id of what was refused unread is still free");
        assert_eq!(ana.balance(&from.id).await, "98.00");

        let staff = transfer("staff", &from.id, &to.id, "1.00");
        let answer = teller.order(&staff).await;
        assert!(matches!(answer.status, 403 | 404), "a teller moves nobody's money: {answer:?}");
    });
}
