//! The calls of the API, one function each.

use hyper::Method;
use hyper::body::Bytes;
use serde::Serialize;
use strongroom_api::{
    Account, Block, CashOrder, ConfirmFactor, CreatedDevice, CreatedUser, DeviceItem, Enrolment, Entry, FactorItem,
    Invitation, List, Me, NameFactor, NewAccount, NewDevice, NewInvitation, NewSession, NewTotp, NewUser, PersonItem,
    RecoveryCodes, Refresh, Session, SessionItem, SignInStep, StepUp, Transfer, TransferOrder, Verification,
    VerifyFactor, WellKnown,
};
use strongroom_crypto::sign::PublicKey;

use crate::{Client, Content, Error, Purpose, Result, Signer};

const NOTHING: Option<&()> = None;

impl Client {
    /// What the bank says of itself.
    pub async fn well_known(&self) -> Result<WellKnown> {
        self.call(Method::GET, "/.well-known/strongroom", NOTHING).await
    }

    /// Signs up.
    pub async fn sign_up(&self, user: &NewUser) -> Result<CreatedUser> {
        self.call(Method::POST, "/v1/users", Some(user)).await
    }

    /// Accepts an invitation.
    pub async fn enrol(&self, enrolment: &Enrolment) -> Result<CreatedUser> {
        self.call(Method::POST, "/v1/enrolments", Some(enrolment)).await
    }

    /// The first step of signing in.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<SignInStep> {
        let body = NewSession { username: username.into(), password: password.into() };
        self.call(Method::POST, "/v1/sessions", Some(&body)).await
    }

    /// The second step, with the code of a factor.
    pub async fn verify(&self, challenge: &str, factor: &str, code: &str) -> Result<Session> {
        let body = VerifyFactor {
            challenge: challenge.into(),
            factor: factor.into(),
            code: Some(code.into()),
            assertion: None,
        };
        self.call(Method::POST, "/v1/sessions/verify", Some(&body)).await
    }

    /// New tokens for a session.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Session> {
        let body = Refresh { refresh_token: refresh_token.into() };
        self.call(Method::POST, "/v1/sessions/refresh", Some(&body)).await
    }

    /// Begins a TOTP factor; the token may be an enrolment token.
    pub async fn begin_totp(&self) -> Result<NewTotp> {
        self.call(Method::POST, "/v1/me/factors/totp", NOTHING).await
    }

    /// Confirms it; a first factor opens a session.
    pub async fn confirm_totp(&self, factor: &str, code: &str) -> Result<Option<Session>> {
        let content = Content::json(&ConfirmFactor { code: Some(code.into()), credential: None })?;
        let path = format!("/v1/me/factors/{}/confirm", segment(factor)?);
        let answer = self.send(Method::POST, &path, Some(content)).await?.accepted()?;
        if answer.status == 201 { answer.json().map(Some) } else { Ok(None) }
    }

    /// One's second factors.
    pub async fn factors(&self) -> Result<List<FactorItem>> {
        self.call(Method::GET, "/v1/me/factors", NOTHING).await
    }

    /// New recovery codes; those before are good no more.
    pub async fn make_recovery_codes(&self) -> Result<RecoveryCodes> {
        self.call(Method::POST, "/v1/me/factors/recovery", NOTHING).await
    }

    /// Names a factor.
    pub async fn name_factor(&self, id: &str, name: &str) -> Result<()> {
        let content = Content::json(&NameFactor { name: name.into() })?;
        let path = format!("/v1/me/factors/{}", segment(id)?);
        self.send(Method::PATCH, &path, Some(content)).await?.accepted().map(drop)
    }

    /// Removes one of them.
    pub async fn remove_factor(&self, id: &str) -> Result<()> {
        self.delete(&format!("/v1/me/factors/{}", segment(id)?)).await
    }

    /// A factor given again: a new session that may do for some minutes what is sensitive.
    pub async fn step_up(&self, factor: &str, code: &str) -> Result<Session> {
        let body = StepUp { factor: factor.into(), code: code.into() };
        self.call(Method::POST, "/v1/sessions/step-up", Some(&body)).await
    }

    /// Invites someone under a role.
    pub async fn invite(&self, role: &str) -> Result<Invitation> {
        self.call(Method::POST, "/v1/users/invitations", Some(&NewInvitation { role: role.into() })).await
    }

    /// A page of people, as staff see them.
    pub async fn people(&self, cursor: Option<&str>, limit: usize) -> Result<List<PersonItem>> {
        self.call(Method::GET, &paged("/v1/users", cursor, limit)?, NOTHING).await
    }

    /// The person of a user name, if there is one.
    pub async fn find_person(&self, username: &str) -> Result<Option<PersonItem>> {
        let path = format!("/v1/users?username={}", segment(username)?);
        let mut found: List<PersonItem> = self.call(Method::GET, &path, NOTHING).await?;
        Ok(found.items.pop())
    }

    /// Locks a person, or lets them in again.
    pub async fn set_locked(&self, id: &str, is_locked: bool) -> Result<()> {
        let verb = if is_locked { "lock" } else { "unlock" };
        let path = format!("/v1/users/{}/{verb}", segment(id)?);
        self.send(Method::POST, &path, None).await?.accepted().map(drop)
    }

    /// Who one is.
    pub async fn me(&self) -> Result<Me> {
        self.call(Method::GET, "/v1/me", NOTHING).await
    }

    /// One's sessions.
    pub async fn sessions(&self) -> Result<List<SessionItem>> {
        self.call(Method::GET, "/v1/sessions", NOTHING).await
    }

    /// Ends one of them.
    pub async fn end_session(&self, id: &str) -> Result<()> {
        self.delete(&format!("/v1/sessions/{}", segment(id)?)).await
    }

    /// Registers a device's key.
    pub async fn add_device(&self, name: &str, key: &PublicKey) -> Result<CreatedDevice> {
        let body = NewDevice { name: name.into(), public_key: key.to_jwk() };
        self.call(Method::POST, "/v1/me/devices", Some(&body)).await
    }

    /// One's devices.
    pub async fn devices(&self) -> Result<List<DeviceItem>> {
        self.call(Method::GET, "/v1/me/devices", NOTHING).await
    }

    /// Revokes one of them.
    pub async fn revoke_device(&self, id: &str) -> Result<()> {
        self.delete(&format!("/v1/me/devices/{}", segment(id)?)).await
    }

    /// Opens an account.
    pub async fn open_account(&self, currency: &str, name: &str) -> Result<Account> {
        let body = NewAccount { currency: currency.into(), name: name.into() };
        self.call(Method::POST, "/v1/accounts", Some(&body)).await
    }

    /// A page of one's accounts.
    pub async fn accounts(&self, cursor: Option<&str>, limit: usize) -> Result<List<Account>> {
        self.call(Method::GET, &paged("/v1/accounts", cursor, limit)?, NOTHING).await
    }

    /// An account.
    pub async fn account(&self, id: &str) -> Result<Account> {
        self.call(Method::GET, &format!("/v1/accounts/{}", segment(id)?), NOTHING).await
    }

    /// A page of its entries.
    pub async fn entries(&self, id: &str, cursor: Option<&str>, limit: usize) -> Result<List<Entry>> {
        self.call(Method::GET, &paged(&format!("/v1/accounts/{}/entries", segment(id)?), cursor, limit)?, NOTHING).await
    }

    /// Places a transfer, signed now.
    pub async fn transfer(&self, signer: &Signer, order: &TransferOrder, now_s: i64) -> Result<Transfer> {
        self.place("/v1/transfers", Purpose::Order, signer, order, now_s).await
    }

    /// Places a deposit, signed now by a teller.
    pub async fn deposit(&self, signer: &Signer, order: &CashOrder, now_s: i64) -> Result<Transfer> {
        self.place("/v1/cash/deposits", Purpose::Cash, signer, order, now_s).await
    }

    /// A posting.
    pub async fn posting(&self, id: &str) -> Result<Transfer> {
        self.call(Method::GET, &format!("/v1/transfers/{}", segment(id)?), NOTHING).await
    }

    /// Its receipt.
    pub async fn receipt(&self, id: &str) -> Result<String> {
        self.text(&format!("/v1/transfers/{}/receipt", segment(id)?)).await
    }

    /// The bank's own checks of it.
    pub async fn verification(&self, id: &str) -> Result<Verification> {
        self.call(Method::GET, &format!("/v1/transfers/{}/verification", segment(id)?), NOTHING).await
    }

    /// The log's newest signed checkpoint.
    pub async fn checkpoint(&self) -> Result<String> {
        self.text("/log/checkpoint").await
    }

    /// A page of the log's blocks.
    pub async fn blocks(&self, cursor: Option<&str>, limit: usize) -> Result<List<Block>> {
        self.call(Method::GET, &paged("/v1/ledger/blocks", cursor, limit)?, NOTHING).await
    }

    /// An order that got no answer is placed once more, the same bytes: its id makes that harmless.
    async fn place(
        &self,
        path: &str,
        purpose: Purpose,
        signer: &Signer,
        order: &impl Serialize,
        now_s: i64,
    ) -> Result<Transfer> {
        let body = Bytes::from(serde_json::to_vec(order).map_err(|e| Error::Answer(e.to_string()))?);
        let signature = signer.sign(purpose, &body, now_s);
        let content = || Content::signed(body.clone(), &signature);
        let answer = match self.send(Method::POST, path, Some(content()?)).await {
            Err(Error::Lost { .. }) => self.send(Method::POST, path, Some(content()?)).await,
            answer => answer,
        };
        answer?.accepted()?.json()
    }

    async fn text(&self, path: &str) -> Result<String> {
        self.send(Method::GET, path, None).await?.accepted()?.text()
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, None).await?.accepted().map(|_| ())
    }
}

fn paged(path: &str, cursor: Option<&str>, limit: usize) -> Result<String> {
    let cursor = cursor.map(|c| segment(c).map(|c| format!("&cursor={c}"))).transpose()?.unwrap_or_default();
    Ok(format!("{path}?limit={limit}{cursor}"))
}

/// An id or cursor that goes into a path. None has other characters than these, so nothing is
/// escaped, and what has others does not exist.
fn segment(id: &str) -> Result<&str> {
    let is_plain =
        !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) && !id.starts_with('.');
    if is_plain {
        return Ok(id);
    }
    let detail = "There is nothing by that id; ids look like acct_0123… and stand in the lists";
    let problem = strongroom_api::Problem::new(404, "Not Found", "not_found", detail, Vec::new());
    Err(Error::Refused { problem: Box::new(problem), retry_after_s: None })
}
