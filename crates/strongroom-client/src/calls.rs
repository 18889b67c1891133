//! The calls of the API, one function each.

use hyper::Method;
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_api::{
    Account, AccountChange, Approval, ApprovalOrder, Block, BulkOrder, BulkResults, CashOrder, ConfirmFactor,
    CreatedDevice, CreatedUser, DeviceItem, Enrolment, Entry, FactorItem, FollowUpOrder, Invitation, List, Me,
    NameFactor, NewAccount, NewDevice, NewInvitation, NewRecovery, NewRoles, NewService, NewServiceKey, NewSession,
    NewTotp, NewUser, PasswordChange, PersonItem, PersonView, Recovered, Recovery, RecoveryCodes, RecoveryEnd,
    RecoveryProgress, RecoveryProof, Refresh, Reveal, RoleDefinition, RoleItem, ServiceKey, ServiceKeyItem, Session,
    SessionItem, SignInStep, StepUp, Transfer, TransferOrder, TrialBalanceItem, Verification, VerifyFactor, WellKnown,
};
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::leaf::bulk;
use strongroom_ledger::merkle;

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
        let body = StepUp { factor: factor.into(), code: Some(code.into()), assertion: None };
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

    /// A person as staff see them, masked.
    pub async fn person(&self, id: &str) -> Result<PersonView> {
        self.call(Method::GET, &format!("/v1/users/{}", segment(id)?), NOTHING).await
    }

    /// Some masked fields of a person, for a reason that is kept.
    pub async fn reveal(&self, id: &str, fields: &[String], reason: &str) -> Result<PersonView> {
        let body = Reveal { fields: fields.to_vec(), reason: reason.into() };
        self.call(Method::POST, &format!("/v1/users/{}/reveal", segment(id)?), Some(&body)).await
    }

    /// Asks for somebody's roles.
    pub async fn ask_for_roles(&self, id: &str, roles: &[String]) -> Result<Approval> {
        let body = NewRoles { roles: roles.to_vec() };
        self.call(Method::PUT, &format!("/v1/users/{}/roles", segment(id)?), Some(&body)).await
    }

    /// All roles.
    pub async fn roles(&self) -> Result<List<RoleItem>> {
        self.call(Method::GET, "/v1/roles", NOTHING).await
    }

    /// Asks for a role.
    pub async fn ask_for_role(&self, name: &str, role: &RoleDefinition) -> Result<Approval> {
        self.call(Method::PUT, &format!("/v1/roles/{}", segment(name)?), Some(role)).await
    }

    /// Asks for a role's end.
    pub async fn ask_for_roles_end(&self, name: &str) -> Result<Approval> {
        self.call(Method::DELETE, &format!("/v1/roles/{}", segment(name)?), NOTHING).await
    }

    /// Asks for a service account.
    pub async fn ask_for_service(&self, name: &str, roles: &[String]) -> Result<Approval> {
        let body = NewService { name: name.into(), roles: roles.to_vec() };
        self.call(Method::POST, "/v1/services", Some(&body)).await
    }

    /// Asks for a key of a service account; it is shown once.
    pub async fn make_service_key(&self, service: &str, days: i64) -> Result<ServiceKey> {
        let path = format!("/v1/services/{}/keys", segment(service)?);
        self.call(Method::POST, &path, Some(&NewServiceKey { days })).await
    }

    /// The keys of a service account that hold.
    pub async fn service_keys(&self, service: &str) -> Result<List<ServiceKeyItem>> {
        self.call(Method::GET, &format!("/v1/services/{}/keys", segment(service)?), NOTHING).await
    }

    /// Ends a key of a service account.
    pub async fn end_service_key(&self, service: &str, key: &str) -> Result<()> {
        let path = format!("/v1/services/{}/keys/{}", segment(service)?, segment(key)?);
        self.send(Method::DELETE, &path, None).await?.accepted().map(drop)
    }

    /// A page of what waits for approval, or of everything that was asked for.
    pub async fn approvals(&self, pending: bool, cursor: Option<&str>, limit: usize) -> Result<List<Approval>> {
        let path = paged("/v1/approvals", cursor, limit)?;
        let status = if pending { "pending" } else { "all" };
        self.call(Method::GET, &format!("{path}&status={status}"), NOTHING).await
    }

    /// One request.
    pub async fn approval(&self, id: &str) -> Result<Approval> {
        self.call(Method::GET, &format!("/v1/approvals/{}", segment(id)?), NOTHING).await
    }

    /// Approves exactly this request.
    pub async fn approve(&self, signer: &Signer, request: &Approval, now_s: i64) -> Result<Approval> {
        let order = ApprovalOrder { approval: request.id.clone(), digest: request.digest.clone() };
        let path = format!("/v1/approvals/{}/approve", segment(&request.id)?);
        self.place(&path, Purpose::Approval, signer, &order, now_s).await
    }

    /// Refuses a request, or withdraws one's own.
    pub async fn refuse(&self, id: &str) -> Result<Approval> {
        self.call(Method::POST, &format!("/v1/approvals/{}/refuse", segment(id)?), NOTHING).await
    }

    /// Changes one's password.
    pub async fn change_password(&self, present: &str, new: &str) -> Result<()> {
        let body = PasswordChange { current_password: present.into(), new_password: new.into() };
        let content = Content::json(&body)?;
        self.send(Method::POST, "/v1/me/password", Some(content)).await?.accepted().map(drop)
    }

    /// Begins to get back in.
    pub async fn begin_recovery(&self, username: &str) -> Result<Recovery> {
        self.call(Method::POST, "/v1/recoveries", Some(&NewRecovery { username: username.into() })).await
    }

    /// Gives a proof.
    pub async fn prove_recovery(&self, recovery: &str, proof: &str, value: &str) -> Result<RecoveryProgress> {
        let body = RecoveryProof { recovery: recovery.into(), proof: proof.into(), value: value.into() };
        self.call(Method::POST, "/v1/recoveries/prove", Some(&body)).await
    }

    /// Gets back in, after the waiting time.
    pub async fn finish_recovery(&self, recovery: &str, new_password: Option<&str>) -> Result<Recovered> {
        let body = RecoveryEnd { recovery: recovery.into(), new_password: new_password.map(str::to_owned) };
        self.call(Method::POST, "/v1/recoveries/finish", Some(&body)).await
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

    /// Places many transfers under one signature, made now; linked ones all or none.
    pub async fn bulk(&self, signer: &Signer, orders: Vec<String>, linked: bool, now_s: i64) -> Result<BulkResults> {
        let leaves: Vec<_> = orders.iter().map(|order| merkle::leaf_hash(order.as_bytes())).collect();
        let (root, count) = (merkle::root_of(&leaves), orders.len() as u64);
        let signature = signer.sign(Purpose::Bulk, bulk::text(&root, count, linked).as_bytes(), now_s);
        let root = root.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = serde_json::to_vec(&BulkOrder { root, count, linked, orders });
        let body = Bytes::from(body.map_err(|e| Error::Answer(e.to_string()))?);
        self.send_twice("/v1/transfers/bulk", || Content::signed(body.clone(), &signature)).await
    }

    /// Places a deposit, signed now by a teller.
    pub async fn deposit(&self, signer: &Signer, order: &CashOrder, now_s: i64) -> Result<Transfer> {
        self.place("/v1/cash/deposits", Purpose::Cash, signer, order, now_s).await
    }

    /// Pays cash out, signed now by a teller; the customer agrees by a code.
    pub async fn withdraw(&self, signer: &Signer, order: &CashOrder, code: &str, now_s: i64) -> Result<Transfer> {
        let body = Bytes::from(serde_json::to_vec(order).map_err(|e| Error::Answer(e.to_string()))?);
        let signature = signer.sign(Purpose::Cash, &body, now_s);
        let content = || Content::signed(body.clone(), &signature)?.with_header("x-customer-code", code);
        self.send_twice("/v1/cash/withdrawals", content).await
    }

    /// Captures or releases what is reserved, or takes a posting back; signed now.
    pub async fn follow_up(&self, signer: &Signer, order: &FollowUpOrder, now_s: i64) -> Result<Transfer> {
        let path = format!("/v1/transfers/{}/{}", segment(&order.transfer)?, segment(&order.action)?);
        self.place(&path, Purpose::Order, signer, order, now_s).await
    }

    /// Changes an account.
    pub async fn change_account(&self, id: &str, change: &AccountChange) -> Result<Account> {
        self.call(Method::PATCH, &format!("/v1/accounts/{}", segment(id)?), Some(change)).await
    }

    /// A statement, as CSV. Moments are days or times; what is empty is left out.
    pub async fn statement(&self, id: &str, from: &str, to: &str) -> Result<String> {
        let mut path = format!("/v1/accounts/{}/statement?format=csv", segment(id)?);
        for (name, value) in [("from", from), ("to", to)].iter().filter(|(_, value)| !value.is_empty()) {
            path.push_str(&format!("&{name}={}", moment(value)?));
        }
        self.text(&path).await
    }

    /// The trial balance.
    pub async fn trial_balance(&self) -> Result<List<TrialBalanceItem>> {
        self.call(Method::GET, "/v1/ledger/trial-balance", NOTHING).await
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

    async fn place<T: DeserializeOwned>(
        &self,
        path: &str,
        purpose: Purpose,
        signer: &Signer,
        order: &impl Serialize,
        now_s: i64,
    ) -> Result<T> {
        let body = Bytes::from(serde_json::to_vec(order).map_err(|e| Error::Answer(e.to_string()))?);
        let signature = signer.sign(purpose, &body, now_s);
        self.send_twice(path, || Content::signed(body.clone(), &signature)).await
    }

    /// An order that got no answer is placed once more, the same bytes: its id makes that harmless.
    async fn send_twice<T: DeserializeOwned>(&self, path: &str, content: impl Fn() -> Result<Content>) -> Result<T> {
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

/// A day or a moment in a query.
fn moment(text: &str) -> Result<String> {
    match text.chars().all(|c| c.is_ascii_digit() || "-:.+TZ".contains(c)) {
        true => Ok(text.replace('+', "%2B")),
        false => {
            Err(Error::Answer(format!("{text} is no day and no moment: write 2030-01-31 or 2030-01-31T12:00:00Z")))
        }
    }
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
