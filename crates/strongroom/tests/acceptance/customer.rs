//! People of a test, who sign up, sign in and order.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use strongroom_api::{Account, CashOrder, NewUser, Session, SignInStep, Transfer};
use strongroom_client::{Answer, Bytes, Client, Content, Method, Signer};
use strongroom_crypto::sign::SigningKey;
use strongroom_crypto::{jws, totp};

use crate::bank::TestBank;

/// Someone signed in, with a device that signs.
pub struct Customer {
    pub client: Client,
    pub id: String,
    pub password: String,
    pub totp_secret: String,
    pub session: Session,
    pub device: String,
    pub key: SigningKey,
    pub origin: String,
}

impl Customer {
    /// Signs up, enrols a factor, signs in and registers a device.
    pub async fn sign_up(bank: &TestBank, username: &str) -> Self {
        let client = bank.client();
        let password = format!("a long password of {username}");
        let user = NewUser {
            username: username.into(),
            password: password.clone(),
            full_name: None,
            email: Some(format!("{username}@example.com")),
            phone: None,
            national_id: None,
            date_of_birth: None,
            address: None,
        };
        client.sign_up(&user).await.expect("a free name signs up");
        let step = client.sign_in(username, &password).await.expect("the password is right");
        let SignInStep::EnrolmentRequired { enrolment_token } = step else { panic!("no factor yet: {step:?}") };
        let enrolling = client.with_token(&enrolment_token).expect("a token is text");
        let factor = enrolling.begin_totp().await.expect("a factor can be begun");
        let session = enrolling.confirm_totp(&factor.id, &code(&factor.secret)).await.expect("the code is right");
        Self::signed_in(client, &password, &factor.secret, session.expect("the first factor opens a session")).await
    }

    /// Signs in as the demo's first person in a role, and registers a device.
    pub async fn sign_in(bank: &TestBank, role: &str) -> Self {
        Self::sign_in_as(bank, bank.person(role)).await
    }

    /// The same again within half a minute, with the next code, since one is good once.
    pub async fn sign_in_again(bank: &TestBank, role: &str) -> Self {
        Self::sign_in_at(bank, bank.person(role), now_s() + 30).await
    }

    /// Signs in as one of the demo's people, and registers a device.
    pub async fn sign_in_as(bank: &TestBank, person: &Value) -> Self {
        Self::sign_in_at(bank, person, now_s()).await
    }

    async fn sign_in_at(bank: &TestBank, person: &Value, time_s: i64) -> Self {
        let client = bank.client();
        let text = |name: &str| person[name].as_str().expect("people have it").to_owned();
        let (username, password) = (text("username"), text("password"));
        let step = client.sign_in(&username, &password).await.expect("the password is right");
        let SignInStep::FactorRequired { challenge, .. } = step else { panic!("the demo enrolled a factor: {step:?}") };
        let session = client.verify(&challenge, "totp", &code_at(&text("totp_secret"), time_s)).await;
        let session = session.expect("the code is right");
        Self::signed_in(client, &password, &text("totp_secret"), session).await
    }

    async fn signed_in(anonymous: Client, password: &str, totp_secret: &str, session: Session) -> Self {
        let origin = anonymous.well_known().await.expect("the bank tells its origin").origin;
        let client = anonymous.with_token(&session.access_token).expect("a token is text");
        let id = client.me().await.expect("one may read oneself").id;
        let key = SigningKey::generate_ed25519();
        let device = client.add_device("Test device", &key.public()).await.expect("a device registers").id;
        Customer {
            client,
            id,
            password: password.into(),
            totp_secret: totp_secret.into(),
            session,
            device,
            key,
            origin,
        }
    }

    /// Goes on at the bank's new address with a new access token.
    pub fn signed_in_again(&mut self, bank: &TestBank) {
        let refreshed = crate::bank::block_on(bank.client().refresh(&self.session.refresh_token));
        self.session = refreshed.expect("the session is still there");
        self.moved_to(bank);
    }

    /// Opens an account in USD.
    pub async fn open_account(&self) -> Account {
        self.client.open_account("USD", "Everyday").await.expect("an account opens")
    }

    /// Its device, to take along.
    pub fn signer(&self) -> Signer {
        let key = SigningKey::from_bytes(self.key.to_bytes()).expect("it is a key");
        Signer::new(key, self.device.as_str(), self.origin.as_str())
    }

    /// The signature of a body as this person's client makes it.
    pub fn sign(&self, body: &str) -> String {
        self.sign_as(&self.device, "order", &self.origin, 300, body)
    }

    /// A signature with any of its claims chosen; the expiry is seconds from now.
    pub fn sign_as(&self, device: &str, purpose: &str, origin: &str, expires_in_s: i64, body: &str) -> String {
        jws::sign_detached(&self.key, device, purpose, origin, now_s() + expires_in_s, body.as_bytes())
    }

    /// Sends a body with a signature.
    pub async fn send(&self, body: &str, signature: &str) -> Answer {
        post(&self.client, body, signature).await.expect("the bank answers")
    }

    /// Goes on at the bank's new address, after it was started again.
    pub fn moved_to(&mut self, bank: &TestBank) {
        self.client = bank.client().with_token(&self.session.access_token).expect("a token is text");
    }

    /// New tokens before the old ones end.
    pub async fn stay_signed_in(&mut self) {
        self.session = self.client.refresh(&self.session.refresh_token).await.expect("the session goes on");
        self.client = self.client.with_token(&self.session.access_token).expect("a token is text");
    }

    /// Places an order, signed now.
    pub async fn order(&self, body: &str) -> Answer {
        self.send(body, &self.sign(body)).await
    }

    /// Captures, releases or takes back.
    pub async fn follow_up(&self, order: &str, action: &str, transfer: &str) {
        let body = serde_json::json!({"order_id": order, "action": action, "transfer": transfer}).to_string();
        let content = Content::signed(body.clone().into(), &self.sign(&body)).expect("it is text");
        let path = format!("/v1/transfers/{transfer}/{action}");
        let answer = self.client.send(Method::POST, &path, Some(content)).await.expect("the bank answers");
        assert_eq!(answer.status, 201, "{action}");
    }

    /// Takes cash in at the counter, as a teller.
    pub async fn deposit(&self, account: &str, amount: &str) -> Transfer {
        self.try_deposit(account, amount).await.expect("a teller may take cash in")
    }

    /// The same, when the bank may refuse.
    pub async fn try_deposit(&self, account: &str, amount: &str) -> Result<Transfer, strongroom_client::Error> {
        let amount = strongroom_api::Amount { amount: amount.into(), currency: "USD".into() };
        let order_id = format!("deposit-{}", unique());
        let order = CashOrder { order_id, account: account.into(), amount, reference: None };
        self.client.deposit(&self.signer(), &order, now_s()).await
    }

    /// The balance of an account, as text.
    pub async fn balance(&self, account: &str) -> String {
        self.client.account(account).await.expect("one's own account can be read").balance.amount
    }
}

/// Sends a signed transfer to a bank that may be gone.
pub async fn post(client: &Client, body: &str, signature: &str) -> Result<Answer, strongroom_client::Error> {
    let content = Content::signed(Bytes::copy_from_slice(body.as_bytes()), signature).expect("it is text");
    client.send(Method::POST, "/v1/transfers", Some(content)).await
}

/// The body of a transfer.
pub fn transfer(order_id: &str, from: &str, to: &str, amount: &str) -> String {
    json!({"order_id": order_id, "from": from, "to": to, "amount": {"amount": amount, "currency": "USD"}}).to_string()
}

/// The stable code of a problem.
pub fn problem(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
    body["code"].as_str().expect("a problem has a code").to_owned()
}

/// The present code of an authenticator app.
pub fn code(secret: &str) -> String {
    code_at(secret, now_s())
}

/// The code of an authenticator at a time.
pub fn code_at(secret: &str, time_s: i64) -> String {
    let secret = totp::from_base32(secret).expect("secrets are base32");
    totp::code(&secret, time_s.unsigned_abs())
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods)] // a test is at the edge
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs() as i64
}

/// A name nobody has yet.
pub fn unique() -> String {
    strongroom_crypto::random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect()
}
