//! A connection of the measurement: a customer with two accounts, and their orders.

use std::time::{Duration, Instant};

use strongroom_api::{Amount, BulkOrder, CashOrder, NewUser, SignInStep};
use strongroom_bank::clock;
use strongroom_client::{Bytes, Client, Content, Error, Method, Purpose, Signer};
use strongroom_crypto::random;
use strongroom_crypto::sign::SigningKey;
use strongroom_ledger::id::TransferId;
use strongroom_ledger::leaf::bulk;
use strongroom_ledger::merkle;

use super::bank::{OwnBank, code_now, failed};
use super::moment;
use crate::failure::Outcome;
use crate::remote::now_s;

const FUNDS: &str = "90000";
/// Access tokens last five minutes.
const TOKEN_AGE_MAX: Duration = Duration::from_secs(200);
const TRIES: u32 = 20;

/// One customer on one connection.
pub struct Lane {
    anonymous: Client,
    client: Client,
    refresh_token: String,
    token_since: Instant,
    signer: Signer,
    /// Everything of an order's body after its id; they are placed in turn.
    orders: Vec<String>,
    placed: usize,
}

/// A customer who is ready, before it is known who the neighbour is.
pub struct Customer {
    lane: Lane,
    accounts: [String; 2],
}

/// Orders under one signature.
pub struct Bulk {
    /// `x-jws-signature`
    pub signature: String,
    /// The exact body.
    pub body: Vec<u8>,
}

/// An order with a signature of its own.
pub struct SignedOrder {
    /// `x-jws-signature`
    pub signature: String,
    /// The exact body.
    pub body: String,
}

/// The teller who funds everybody.
pub struct Teller {
    client: Client,
    signer: Signer,
    currency: String,
    origin: String,
}

impl Teller {
    /// Signs the demo's teller in, with a device.
    pub async fn sign_in(bank: &OwnBank, anonymous: &Client) -> Outcome<Self> {
        let known = anonymous.well_known().await?;
        let person = bank.teller()?;
        let SignInStep::FactorRequired { challenge, .. } =
            anonymous.sign_in(&person.username, &person.password).await?
        else {
            return Err(failed("the demo's teller has no second factor"));
        };
        let session = anonymous.verify(&challenge, "totp", &person.code()?).await?;
        let client = anonymous.with_token(&session.access_token)?;
        let signer = device(&client, &known.origin).await?;
        let currency = known.currencies.into_iter().next().unwrap_or_default();
        Ok(Teller { client, signer, currency, origin: known.origin })
    }

    async fn fund(&self, account: &str) -> Outcome {
        let amount = Amount { amount: FUNDS.into(), currency: self.currency.clone() };
        let order = CashOrder { order_id: new_order_id(), account: account.into(), amount, reference: None };
        retried(|| self.client.deposit(&self.signer, &order, now_s())).await?;
        Ok(())
    }
}

impl Customer {
    /// Signs someone up on a connection of their own, and gives them two funded accounts.
    pub async fn sign_up(anonymous: &Client, teller: &Teller) -> Outcome<Self> {
        let anonymous = anonymous.apart();
        let name: String = random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect();
        let (username, password) = (format!("lane-{name}"), format!("{name}-{}", new_order_id()));
        let email = Some(format!("{name}@example.com"));
        let user = NewUser {
            username,
            password,
            full_name: None,
            email,
            phone: None,
            national_id: None,
            date_of_birth: None,
            address: None,
        };
        retried(|| anonymous.sign_up(&user)).await?;
        let SignInStep::EnrolmentRequired { enrolment_token } =
            retried(|| anonymous.sign_in(&user.username, &user.password)).await?
        else {
            return Err(failed("someone who just signed up has a second factor"));
        };
        let enrolling = anonymous.with_token(&enrolment_token)?;
        let factor = enrolling.begin_totp().await?;
        let session = enrolling
            .confirm_totp(&factor.id, &code_now(&factor.secret)?)
            .await?
            .ok_or_else(|| failed("a first factor opened no session"))?;
        let client = anonymous.with_token(&session.access_token)?;
        let signer = device(&client, &teller.origin).await?;
        let mut accounts = [String::new(), String::new()];
        for account in &mut accounts {
            *account = retried(|| client.open_account(&teller.currency, "Measured")).await?.id;
            teller.fund(account).await?;
        }
        let lane = Lane {
            anonymous,
            client,
            refresh_token: session.refresh_token,
            token_since: moment(),
            signer,
            orders: Vec::new(),
            placed: 0,
        };
        Ok(Customer { lane, accounts })
    }

    /// What asks for their balance, and of which account.
    pub fn inquiry(&self) -> (Client, String) {
        (self.lane.client.clone(), self.accounts[0].clone())
    }

    /// One of their accounts.
    pub fn account(&self) -> String {
        self.accounts[0].clone()
    }

    /// Many orders under one signature, to these accounts in turn.
    pub fn bulk(&self, to: &[String], currency: &str, count: usize) -> Bulk {
        let others: Vec<&String> = to.iter().filter(|account| **account != self.accounts[0]).collect();
        let tails: Vec<String> =
            others.iter().map(|to| order_tail_of(&self.accounts[0], to, "0.01", currency)).collect();
        let order = |at: usize| [ORDER_HEAD, &new_order_id(), &tails[at % tails.len()]].concat();
        let orders: Vec<String> = (0..count).map(order).collect();
        let leaves: Vec<_> = orders.iter().map(|order| merkle::leaf_hash(order.as_bytes())).collect();
        let root = merkle::root_of(&leaves);
        let whole = bulk::text(&root, count as u64, false);
        let signature = self.lane.signer.sign(Purpose::Bulk, whole.as_bytes(), now_s());
        let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = BulkOrder { root, count: count as u64, linked: false, orders };
        Bulk { signature, body: serde_json::to_vec(&body).unwrap_or_default() }
    }

    /// An order with a signature of its own, to one of these accounts.
    pub fn signed_order(&self, to: &[String], currency: &str, at: usize) -> SignedOrder {
        let others: Vec<&String> = to.iter().filter(|account| **account != self.accounts[0]).collect();
        let tail = order_tail_of(&self.accounts[0], others[at % others.len()], "0.01", currency);
        let body = [ORDER_HEAD, &new_order_id(), &tail].concat();
        let signature = self.lane.signer.sign(Purpose::Order, body.as_bytes(), now_s());
        SignedOrder { signature, body }
    }

    /// What gives a new access token.
    pub fn refresh_token(&self) -> &str {
        &self.lane.refresh_token
    }

    /// Everybody's orders: between their own two accounts, and to the neighbour's.
    pub fn lanes(customers: Vec<Customer>, currency: &str) -> Vec<Lane> {
        let firsts: Vec<String> = customers.iter().map(|c| c.accounts[0].clone()).collect();
        let lane = |(at, Customer { mut lane, accounts: [own, other] })| {
            let neighbour: &String = &firsts[(at + 1) % firsts.len()];
            let mut pairs = vec![(&own, &other), (&other, &own)];
            if *neighbour != own {
                pairs.push((&own, neighbour));
            }
            lane.orders = pairs.iter().map(|(from, to)| order_tail(from, to, currency)).collect();
            lane
        };
        customers.into_iter().enumerate().map(lane).collect()
    }
}

impl Teller {
    /// The bank's currency.
    pub fn currency(&self) -> &str {
        &self.currency
    }
}

impl Lane {
    /// The next order, signed.
    pub fn order(&mut self) -> Result<Content, Error> {
        let tail = &self.orders[self.placed % self.orders.len()];
        self.placed += 1;
        let mut body = String::with_capacity(ORDER_HEAD.len() + 32 + tail.len());
        body.push_str(ORDER_HEAD);
        body.push_str(&new_order_id());
        body.push_str(tail);
        let signature = self.signer.sign(Purpose::Order, body.as_bytes(), now_s());
        Content::signed(Bytes::from(body), &signature)
    }

    /// Sends an order and gives the status of the answer.
    pub async fn place(&self, order: Content) -> Result<u16, Error> {
        Ok(self.client.send(Method::POST, "/v1/transfers", Some(order)).await?.status)
    }

    /// A request that the server answers without any work.
    pub async fn noop(&self) -> Result<u16, Error> {
        Ok(self.client.send(Method::POST, "/healthz", None).await?.status)
    }

    /// A new access token before the old one ends.
    pub async fn stay_signed_in(&mut self) -> Result<(), Error> {
        if moment() - self.token_since < TOKEN_AGE_MAX {
            return Ok(());
        }
        let session = self.anonymous.refresh(&self.refresh_token).await?;
        self.client = self.anonymous.with_token(&session.access_token)?;
        self.refresh_token = session.refresh_token;
        self.token_since = moment();
        Ok(())
    }
}

const ORDER_HEAD: &str = r#"{"order_id":""#;

fn order_tail(from: &str, to: &str, currency: &str) -> String {
    order_tail_of(from, to, "1", currency)
}

fn order_tail_of(from: &str, to: &str, amount: &str, currency: &str) -> String {
    format!(r#"","from":"{from}","to":"{to}","amount":{{"amount":"{amount}","currency":"{currency}"}}}}"#)
}

/// Time-ordered, as the bank likes them.
fn new_order_id() -> String {
    TransferId::from_time(clock::now_us(), random::bytes()).to_string().split_off(TransferId::PREFIX.len())
}

async fn device(client: &Client, origin: &str) -> Outcome<Signer> {
    let key = SigningKey::generate_ed25519();
    let public = key.public();
    let device = retried(|| client.add_device("Measured", &public)).await?;
    Ok(Signer::new(key, device.id, origin))
}

/// While everybody signs up the bank may be busy.
async fn retried<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        match call().await {
            Err(Error::Refused { problem, retry_after_s }) if matches!(problem.status, 429 | 503) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_secs(retry_after_s.unwrap_or(1))).await;
            }
            result => return result,
        }
    }
}
