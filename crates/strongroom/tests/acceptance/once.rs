//! An order is carried out once, however often and by whomever its id is used.

use serde_json::Value;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, problem, transfer};

crate::on_both_databases!(fifty_posts_of_one_order_move_money_once);

fn fifty_posts_of_one_order_move_money_once(engine: Engine) {
    let bank = TestBank::open(engine);
    block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await, ben.open_account().await);
        teller.deposit(&from.id, "100.00").await;
        teller.deposit(&to.id, "100.00").await;

        let body = transfer("one", &from.id, &to.number, "10.00");
        let signature = ana.sign(&body);
        let ana = std::sync::Arc::new(ana);
        let posts: Vec<_> = (0..50)
            .map(|_| {
                let (ana, body, signature) = (ana.clone(), body.clone(), signature.clone());
                tokio::spawn(async move { ana.send(&body, &signature).await })
            })
            .collect();
        let mut answers = Vec::new();
        for post in posts {
            answers.push(post.await.expect("it does not panic"));
        }
        let count = |status| answers.iter().filter(|a| a.status == status).count();
        assert_eq!((count(201), count(200)), (1, 49));
        assert!(answers.iter().all(|a| a.body == answers[0].body), "all have the same body");

        let other = ana.order(&transfer("one", &from.id, &to.number, "10.01")).await;
        assert_eq!((other.status, problem(&other).as_str()), (409, "order_id_conflict"));

        let bens = ben.order(&transfer("one", &to.id, &from.number, "3.00")).await;
        assert_eq!(bens.status, 201, "the id is each person's own");
        let bens: Value = bens.json().expect("it is JSON");
        assert_ne!(bens["id"], answers[0].json::<Value>().expect("it is JSON")["id"]);
        assert_eq!(ana.balance(&from.id).await, "93.00");
        assert_eq!(ben.balance(&to.id).await, "107.00");

        // A refusal spends the id too, and is told again.
        let body = transfer("two", &from.id, &to.number, "1000.00");
        let signature = ana.sign(&body);
        for _ in 0..2 {
            let refused = ana.send(&body, &signature).await;
            assert_eq!((refused.status, problem(&refused).as_str()), (422, "insufficient_funds"));
        }
        let other = ana.order(&transfer("two", &from.id, &to.number, "1.00")).await;
        assert_eq!(other.status, 409, "{:?}", other);
    });
}
