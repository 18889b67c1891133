//! Killed with SIGKILL at commits, again and again: what was acknowledged stays, nothing happens
//! twice, and the log only grows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use strongroom_client::{Client, Method};
use strongroom_crypto::base64url;
use strongroom_crypto::digest::sha256_parts;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, post, transfer};

crate::on_both_databases!(twenty_kills_lose_and_repeat_nothing);

const ROUNDS: usize = 20;
const ORDERS: usize = 2_000;
const LANES: usize = 32;
const FUNDS: &str = "1000000.00";

/// A signed order: what a client keeps until it has an answer.
struct Order {
    id: String,
    body: String,
    signature: String,
}

fn twenty_kills_lose_and_repeat_nothing(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let (mut people, accounts) = block_on(found(&bank));
    let mut acknowledged: HashMap<String, Vec<u8>> = HashMap::new();
    let mut seen = (0, Vec::new());
    for round in 0..ROUNDS {
        bank.stop();
        // 2,000 orders on 32 connections are more than 62 batches; which one is hit differs by round.
        let point = ["commit-before", "commit-after"][round % 2];
        let plan = format!("{point}:{}", 1 + round * 3);
        bank.start(&[("STRONGROOM_FAULT", &plan)]);
        people.iter_mut().for_each(|person| person.moved_to(&bank));
        let orders = Arc::new(signed(&people, &accounts, round));

        let (answered, checkpoint) = block_on(place(&people, &orders));
        bank.await_kill();
        assert!(answered.len() < orders.len(), "{plan}: it was killed in the middle");
        assert!(round == 0 || !answered.is_empty(), "{plan}: it was killed while it worked");
        assert!(answered.values().all(|(status, _)| *status == 201), "{plan}: nothing was refused");

        bank.start(&[]);
        people.iter_mut().for_each(|person| person.moved_to(&bank));
        block_on(async {
            if let Some(text) = checkpoint {
                seen = size_and_root(&text);
            }
            seen = extends(&people[0].client, &seen).await;
            let (again, _) = place(&people, &orders).await;
            assert_eq!(again.len(), orders.len(), "{plan}: everything is answered after the restart");
            for order in orders.iter() {
                let (status, body) = &again[&order.id];
                if let Some((_, first)) = answered.get(&order.id) {
                    assert_eq!((status, body), (&200, first), "{plan}: {} was acknowledged", order.id);
                }
                assert!(matches!(status, 200 | 201), "{plan}: {} ended with {status}", order.id);
                acknowledged.insert(order.id.clone(), body.clone());
            }
        });
    }
    assert_eq!(acknowledged.len(), ROUNDS * ORDERS);
    block_on(async {
        extends(&people[0].client, &seen).await;
        compare_entries(&people, &accounts, &acknowledged).await;
    });
    sums_to_zero(&bank);
}

/// Two customers with much money each.
async fn found(bank: &TestBank) -> (Vec<Customer>, Vec<String>) {
    let teller = Customer::sign_in(bank, "teller").await;
    let (mut people, mut accounts) = (Vec::new(), Vec::new());
    for name in ["ana", "ben"] {
        let person = Customer::sign_up(bank, name).await;
        let account = person.open_account().await.id;
        teller.deposit(&account, FUNDS).await;
        people.push(person);
        accounts.push(account);
    }
    (people, accounts)
}

/// A round's orders: each pays the other.
fn signed(people: &[Customer], accounts: &[String], round: usize) -> Vec<Order> {
    let order = |n: usize| {
        let (payer, payee) = (n % 2, 1 - n % 2);
        let id = format!("r{round}-{n}");
        let amount = format!("{}.{:02}", n % 7, 1 + n % 99);
        let body = transfer(&id, &accounts[payer], &accounts[payee], &amount);
        let signature = people[payer].sign(&body);
        Order { id, body, signature }
    };
    (0..ORDERS).map(order).collect()
}

type Answers = BTreeMap<String, (u16, Vec<u8>)>;

/// Sends all orders over many connections, until they are answered or the bank is gone. Answers
/// what was answered, and the newest checkpoint that the bank showed.
async fn place(people: &[Customer], orders: &Arc<Vec<Order>>) -> (Answers, Option<String>) {
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (client, orders) = (people[lane % 2].client.apart(), orders.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for order in orders.iter().skip(lane).step_by(LANES) {
                    match post(&client, &order.body, &order.signature).await {
                        Ok(answer) => answers.push((order.id.clone(), (answer.status, answer.body.to_vec()))),
                        Err(_) => break,
                    }
                }
                answers
            })
        })
        .collect();
    let watched = tokio::spawn(watch(people[0].client.apart()));
    let mut answers = Answers::new();
    for lane in lanes {
        answers.extend(lane.await.expect("a lane does not panic"));
    }
    watched.abort();
    let checkpoint = watched.await.unwrap_or_default();
    (answers, checkpoint)
}

/// Reads checkpoints until the bank is gone. Answers the last one.
async fn watch(client: Client) -> Option<String> {
    let mut newest = None;
    while let Ok(checkpoint) = client.checkpoint().await {
        newest = Some(checkpoint);
    }
    newest
}

fn size_and_root(checkpoint: &str) -> (usize, Vec<u8>) {
    let mut lines = checkpoint.lines().skip(1);
    let size = lines.next().and_then(|line| line.parse().ok()).expect("a size");
    let root = lines.next().expect("a root");
    let root = root.replace('+', "-").replace('/', "_");
    (size, base64url::decode(root.trim_end_matches('=')).expect("base64"))
}

/// The log still has the root that it had at an earlier size, computed from its own tiles by the
/// plain recursion of RFC 6962. Answers its present size and root.
async fn extends(client: &Client, (size, root): &(usize, Vec<u8>)) -> (usize, Vec<u8>) {
    let now = size_and_root(&client.checkpoint().await.expect("the bank shows its checkpoint"));
    assert!(now.0 >= *size, "the log shrank from {size} to {}", now.0);
    let mut leaves = Vec::new();
    while leaves.len() < now.0 {
        let (tile, width) = (leaves.len() / 256, (now.0 - leaves.len()).min(256));
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let path = format!("/log/tile/0/{:03}{partial}", tile);
        let answer = client.send(Method::GET, &path, None).await.expect("the bank answers");
        assert_eq!((answer.status, answer.body.len()), (200, width * 32), "{path}");
        leaves.extend(answer.body.chunks(32).map(<[u8]>::to_vec));
    }
    assert_eq!(tree(&leaves), now.1, "the checkpoint is of these leaves");
    if *size > 0 {
        assert_eq!(tree(&leaves[..*size]), *root, "the log of size {size} was rewritten");
    }
    now
}

fn tree(leaves: &[Vec<u8>]) -> Vec<u8> {
    if let [leaf] = leaves {
        return leaf.clone();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    sha256_parts(&[&[1], &tree(left), &tree(right)]).to_vec()
}

/// The statements of both show each acknowledged order once, and nothing else.
async fn compare_entries(people: &[Customer], accounts: &[String], acknowledged: &HashMap<String, Vec<u8>>) {
    let mut listed: HashMap<String, usize> = HashMap::new();
    for (person, account) in people.iter().zip(accounts) {
        let mut cursor: Option<String> = None;
        loop {
            let page = person.client.entries(account, cursor.as_deref(), 200).await.expect("one's own entries");
            for entry in page.items.iter().filter(|entry| entry.amount.amount.starts_with('-')) {
                let id = entry.order_id.clone().expect("the payer sees the order's id");
                let first: Value = serde_json::from_slice(&acknowledged[&id]).expect("an answer is JSON");
                assert_eq!(first["id"], entry.transfer.as_str(), "{id} is the posting that was answered");
                *listed.entry(id).or_default() += 1;
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    assert_eq!(listed.len(), acknowledged.len(), "every acknowledged order is in a statement");
    assert!(listed.values().all(|times| *times == 1), "none was carried out twice");
}

/// By SQL, without the program: every currency sums to zero.
fn sums_to_zero(bank: &TestBank) {
    let sql = "SELECT a.currency, CAST(SUM(b.balance) AS CHAR) FROM balances b JOIN accounts a ON a.id = b.account \
               GROUP BY a.currency";
    for row in bank.sql().query(sql, &[]).expect("balances can be summed") {
        assert_eq!(row.text(1).expect("a sum"), "0");
    }
    let moved = "SELECT COUNT(*) FROM entries e JOIN transfers t ON t.sequence = e.sequence";
    let rows = bank.sql().query(moved, &[]).expect("entries can be counted");
    assert_eq!(rows[0].int(0).expect("a count"), 2 * (ROUNDS * ORDERS + 4) as i64, "two entries to each posting");
}
