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

crate::on_both_databases!(kills_lose_and_repeat_nothing);

/// Orders of a round; on 32 connections they are more than 15 batches.
const ORDERS: usize = 500;
const LANES: usize = 32;
const FUNDS: &str = "10000000.00";
/// Rounds between two looks at the whole log.
const ROUNDS_PER_LOOK: usize = 100;
/// Access tokens last five minutes.
const ROUNDS_PER_SESSION: usize = 50;

/// How often the bank is killed; `STRONGROOM_TEST_KILLS` asks for more.
fn rounds() -> usize {
    std::env::var("STRONGROOM_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(24)
}

/// Where it is killed: before, after, and twice as often inside a commit, some microseconds after it began.
fn fault(round: usize) -> String {
    let batch = 1 + round * 7 % 14;
    match round % 4 {
        0 => format!("commit-before:{batch}"),
        1 => format!("commit-after:{batch}"),
        _ => format!("commit-inside:{batch}:{}", round * 137 % 2_500),
    }
}

/// A signed order: what a client keeps until it has an answer.
struct Order {
    id: String,
    body: String,
    signature: String,
}

fn kills_lose_and_repeat_nothing(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let (mut people, accounts) = block_on(found(&bank));
    // Of each order the transfer that it became.
    let mut acknowledged: HashMap<String, String> = HashMap::new();
    let (mut seen, mut before, mut in_doubt, mut killed) = (Vec::new(), 0, 0, BTreeMap::<String, usize>::new());
    for round in 0..rounds() {
        bank.stop();
        let plan = fault(round);
        bank.start(&[("STRONGROOM_FAULT", &plan)]);
        people.iter_mut().for_each(|person| person.moved_to(&bank));
        let orders = Arc::new(signed(&people, &accounts, round));

        let (answered, checkpoint) = block_on(place(&people, &orders));
        bank.await_kill();
        *killed.entry(plan.split(':').next().expect("a point").to_owned()).or_default() += 1;
        assert!(answered.len() < orders.len(), "{plan}: it was killed in the middle");
        assert!(answered.values().all(|(status, _)| *status == 201), "{plan}: nothing was refused");
        before += answered.len();

        bank.start(&[]);
        people.iter_mut().for_each(|person| person.moved_to(&bank));
        block_on(async {
            seen.extend(checkpoint.map(|text| size_and_root(&text)));
            let (again, _) = place(&people, &orders).await;
            assert_eq!(again.len(), orders.len(), "{plan}: everything is answered after the restart");
            for order in orders.iter() {
                let (status, body) = &again[&order.id];
                match answered.get(&order.id) {
                    Some((_, first)) => {
                        assert_eq!((status, body), (&200, first), "{plan}: {} was acknowledged", order.id);
                    }
                    None => in_doubt += usize::from(*status == 200),
                }
                assert!(matches!(status, 200 | 201), "{plan}: {} ended with {status}", order.id);
                let body: Value = serde_json::from_slice(body).expect("an answer is JSON");
                acknowledged.insert(order.id.clone(), body["id"].as_str().expect("an id").to_owned());
            }
            if round % ROUNDS_PER_LOOK == 0 {
                extends(&people[0].client, &mut seen).await;
            }
            if round % ROUNDS_PER_SESSION == ROUNDS_PER_SESSION - 1 {
                for person in &mut people {
                    person.stay_signed_in().await;
                }
            }
        });
    }
    assert_eq!(acknowledged.len(), rounds() * ORDERS);
    block_on(async {
        extends(&people[0].client, &mut seen).await;
        compare_entries(&people, &accounts, &acknowledged).await;
    });
    sums_to_zero(&bank);
    let report = bank.verify();
    eprintln!(
        "{killed:?}: {before} orders were acknowledged before a kill and are there; {in_doubt} were committed and not \
         acknowledged; {} transfers verify",
        report["transfers"]
    );
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

/// The log still has the roots that it had at earlier sizes, computed from its own tiles by carrying as in a binary
/// counter. Of these only the present one is kept.
async fn extends(client: &Client, seen: &mut Vec<(usize, Vec<u8>)>) {
    let now = size_and_root(&client.checkpoint().await.expect("the bank shows its checkpoint"));
    assert!(seen.iter().all(|(size, _)| *size <= now.0), "the log shrank to {}", now.0);
    seen.push(now.clone());
    seen.sort();
    let (mut known, mut size, mut trees) = (seen.iter().peekable(), 0, Vec::<(u32, Vec<u8>)>::new());
    while size < now.0 {
        let (tile, width) = (size / 256, (now.0 - size).min(256));
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let path = format!("/log/tile/0/{}{partial}", in_groups(tile));
        let answer = client.send(Method::GET, &path, None).await.expect("the bank answers");
        assert_eq!((answer.status, answer.body.len()), (200, width * 32), "{path}");
        for leaf in answer.body.chunks(32) {
            trees.push((0, leaf.to_vec()));
            while let [.., (left, one), (right, other)] = &trees[..]
                && left == right
            {
                let joined = (left + 1, node(one, other));
                trees.truncate(trees.len() - 2);
                trees.push(joined);
            }
            size += 1;
            while let Some((_, root)) = known.next_if(|(at, _)| *at == size) {
                let mut right_to_left = trees.iter().rev().map(|(_, hash)| hash.clone());
                let last = right_to_left.next().expect("there is a leaf");
                let found = right_to_left.fold(last, |right, left| node(&left, &right));
                assert_eq!(found, *root, "the log of size {size} was rewritten");
            }
        }
    }
    *seen = vec![now];
}

/// A tile's number as it stands in its path.
fn in_groups(tile: usize) -> String {
    match tile / 1000 {
        0 => format!("{tile:03}"),
        thousands => format!("x{thousands:03}/{:03}", tile % 1000),
    }
}

fn node(left: &[u8], right: &[u8]) -> Vec<u8> {
    sha256_parts(&[&[1], left, right]).to_vec()
}

/// The statements of both show each acknowledged order once, and nothing else.
async fn compare_entries(people: &[Customer], accounts: &[String], acknowledged: &HashMap<String, String>) {
    let mut listed: HashMap<String, usize> = HashMap::new();
    for (person, account) in people.iter().zip(accounts) {
        let mut cursor: Option<String> = None;
        loop {
            let page = person.client.entries(account, cursor.as_deref(), 200).await.expect("one's own entries");
            for entry in page.items.iter().filter(|entry| entry.amount.amount.starts_with('-')) {
                let id = entry.order_id.clone().expect("the payer sees the order's id");
                assert_eq!(acknowledged[&id], entry.transfer, "{id} is the posting that was answered");
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
    assert_eq!(rows[0].int(0).expect("a count"), 2 * (rounds() * ORDERS + 4) as i64, "two entries to each posting");
}
