//! What needs a second person: roles, service accounts, the end of keys. Somebody asks, with a fresh factor;
//! another person, who may, signs the digest of exactly what was asked with their device; then it is done, by
//! what holds at that moment. Nobody approves their own request, nor anything about themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_crypto::digest::sha256;
use strongroom_crypto::random;
use strongroom_identity::credential;
use strongroom_identity::role::{self, Permission, Role};
use strongroom_ledger::decide::Posting;
use strongroom_ledger::id::{AccountId, ApprovalId, PersonId, SessionId, TransferId};
use strongroom_ledger::leaf::Authority;
use strongroom_ledger::order::ApprovalOrder;
use strongroom_store::approvals::{self as store, ApprovalRow};
use strongroom_store::holds::HoldRow;
use strongroom_store::identity::PersonRow;
use strongroom_store::{Id, identity, roles as role_rows};

use crate::audit::Event;
use crate::factor::{step_up, write_person};
use crate::key_order::{KeyName, KeyOrder};
use crate::money::hold;
use crate::orders::Verified;
use crate::people::NewPerson;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller, Seen};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex, people, roles, service_account, staff};

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum Request {
    /// A person gets these roles in the place of those they have.
    #[serde(rename = "roles.assign")]
    AssignRoles {
        /// Who.
        user: PersonId,
        /// Role names.
        roles: Vec<String>,
    },
    /// A role is made, or allows something else from now on.
    #[serde(rename = "role.define")]
    DefineRole {
        /// Its name.
        role: String,
        /// Whether it is of the bank's own staff.
        staff: bool,
        /// Names of permissions.
        permissions: Vec<String>,
    },
    /// A role is removed: who has it may do nothing by it.
    #[serde(rename = "role.remove")]
    RemoveRole {
        /// Its name.
        role: String,
    },
    /// A service account is made.
    #[serde(rename = "service.create")]
    CreateService {
        /// Its user name.
        name: String,
        /// Role names.
        roles: Vec<String>,
    },
    /// An invitation under a role becomes good.
    #[serde(rename = "person.invite")]
    Invite {
        /// The role.
        role: String,
        /// The id of its code, in hexadecimal digits.
        invitation: String,
    },
    /// A key of a service account becomes good.
    #[serde(rename = "service.key")]
    MakeServiceKey {
        /// The account.
        service: PersonId,
        /// The key's id.
        key: SessionId,
        /// SHA-256 of its secret, in hexadecimal digits.
        secret_hash: String,
        /// For how long it holds.
        days: i64,
    },
    /// A transfer over the limit is carried out; it was asked for by the customer's signed order.
    #[serde(rename = "transfer")]
    Transfer {
        /// It, and what is reserved for it.
        transfer: TransferId,
        /// The account that pays.
        from: AccountId,
        /// The account that is paid.
        to: AccountId,
        /// Like `150000.00`.
        amount: String,
        /// ISO 4217 code.
        currency: String,
        /// SHA-256 of the order, in hexadecimal digits.
        order_hash: String,
    },
    /// A version of a key is ended.
    #[serde(rename = "key.destroy")]
    DestroyKey {
        /// The key's purpose.
        purpose: String,
        /// Whose, for a person's key.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<PersonId>,
        /// Which version.
        version: i64,
    },
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Status {
    /// Nobody has decided.
    Pending = 0,
    /// Approved, and done.
    Approved = 1,
    /// Refused, or withdrawn by who asked.
    Refused = 2,
    /// Approved, and could not be done.
    Failed = 3,
}

/// A request as staff see it.
#[derive(Clone, Debug)]
pub struct ApprovalView {
    /// Its id.
    pub id: ApprovalId,
    /// `pending`, `approved`, `refused`, `failed` or `expired`.
    pub status: &'static str,
    /// What exactly is asked for, as JSON.
    pub request: String,
    /// SHA-256 of it, in hexadecimal digits: what an approval signs.
    pub digest: String,
    /// Who asked.
    pub requested_by: PersonId,
    /// When.
    pub created_us: i64,
    /// Until when it can be decided.
    pub expires_us: i64,
    /// Who decided.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_us: Option<i64>,
}

/// A request can be decided for so long.
const OPEN_US: i64 = 7 * 24 * 3_600_000_000;
const ROLES_CHARS_MAX: usize = 64;

impl Request {
    /// What who asks must be allowed.
    fn asking(&self) -> Permission {
        match self {
            Request::DestroyKey { .. } => Permission::KeysUse,
            Request::Invite { .. } => Permission::PeopleInvite,
            Request::Transfer { .. } => Permission::TransfersCreate,
            _ => Permission::RolesChange,
        }
    }

    /// Who may decide on it, beside whoever decides on anything.
    fn deciding(&self) -> Option<Permission> {
        match self {
            // A customer may order transfers, and decides on none.
            Request::Transfer { .. } => None,
            _ => Some(self.asking()),
        }
    }

    /// About whom it is.
    fn about(&self) -> Option<PersonId> {
        match self {
            Request::AssignRoles { user, .. } => Some(*user),
            _ => None,
        }
    }
}

impl Bank {
    /// Asks for something that another person has to approve.
    pub async fn request(&self, caller: &Caller, request: Request) -> Result<ApprovalView> {
        let (caller, id) = (caller.clone(), ApprovalId::from_time(clock::now_us(), random::bytes()));
        self.change(move |tx| ask(tx, &caller, id, &request)).await
    }

    /// Requests after one, oldest first: those that wait, or all.
    pub async fn approvals(
        &self,
        caller: &Caller,
        pending: bool,
        after: Option<ApprovalId>,
        limit: i64,
    ) -> Result<Vec<ApprovalView>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            staff::allow(&sessions::see(c, &keys, &caller, now_us)?, &READERS)?;
            let rows = store::after(c, pending, &after.map_or([0; 16], |id| id.0), limit)?;
            Ok(rows.iter().filter(|row| row.check(&keys).is_ok()).map(|row| view(row, now_us)).collect())
        })
        .await
    }

    /// One request.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<ApprovalView> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            staff::allow(&sessions::see(c, &keys, &caller, now_us)?, &READERS)?;
            let row = store::by_id(c, &id.0)?.ok_or(Error::NotFound)?;
            row.check(&keys)?;
            Ok(view(&row, now_us))
        })
        .await
    }

    /// Approves a request by a signature over its digest, and does it, whether or not who approves still waits.
    pub async fn approve(self: &Arc<Self>, id: ApprovalId, verified: Verified<ApprovalOrder>) -> Result<ApprovalView> {
        let bank = self.clone();
        let done = tokio::spawn(async move { bank.approve_to_the_end(id, verified).await });
        done.await.map_err(|e| Error::Internal(e.to_string()))?
    }

    async fn approve_to_the_end(
        self: &Arc<Self>,
        id: ApprovalId,
        verified: Verified<ApprovalOrder>,
    ) -> Result<ApprovalView> {
        if verified.order.approval != id.to_string() {
            return Err(Error::bad_signature("it approves another request"));
        }
        let service = self.prepare_service(id).await?;
        let made = service.as_ref().map(NewPerson::id);
        let approved = self.change(move |tx| approve(tx, id, &verified, service.as_ref())).await;
        if let (Err(_), Some(person)) = (&approved, made) {
            self.take_back_key(person).await;
        }
        let (request, approved) = approved?;
        let Request::DestroyKey { purpose, user, version } = request else { return Ok(approved) };
        let key = KeyName { purpose, person: user.map(|user| user.to_string()), version };
        let bank = self.clone();
        let done = tokio::task::spawn_blocking(move || bank.carry_out(KeyOrder::Destroy { key }));
        if let Err(error) = done.await.map_err(|e| Error::Internal(e.to_string()))? {
            self.change(move |tx| fail(tx, id)).await?;
            return Err(error);
        }
        Ok(approved)
    }

    /// Refuses a request; who asked withdraws it.
    pub async fn refuse(&self, caller: &Caller, id: ApprovalId) -> Result<ApprovalView> {
        let caller = caller.clone();
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let (mut row, request) = find(tx, id)?;
            if row.person != caller.person {
                allow_deciding(&seen, &request)?;
            }
            refuse_decided(&row, tx.now_us)?;
            if let Request::Transfer { transfer, .. } = &request {
                let hold = hold::pending(tx, *transfer)?;
                let person = caller.person;
                let ending = hold::Ending { person, order_id: None, authority: REFUSAL, order_hash: [0; 32] };
                hold::refuse(tx, hold, &ending)?;
            }
            decide(tx, &mut row, &caller, Status::Refused)?;
            tx.audit(Event::by(&caller, "approval.refused").on(id.0))?;
            Ok(view(&row, tx.now_us))
        })
        .await
    }

    /// A service account's rows, made before the writer runs.
    async fn prepare_service(&self, id: ApprovalId) -> Result<Option<NewPerson>> {
        let keys = self.keys.clone();
        let row = self.read(move |c| Ok(store::by_id(c, &id.0)?.filter(|row| row.check(&keys).is_ok()))).await?;
        match row.map(|row| read(&row)).transpose()? {
            Some(Request::CreateService { name, roles }) => service_account::prepare(self, &name, &roles).map(Some),
            _ => Ok(None),
        }
    }
}

/// The request that a transfer over the limit be carried out.
pub(crate) fn transfer_request(tx: &mut Tx<'_>, hold: &HoldRow, posting: &Posting) -> ApprovalRow {
    let request = Request::Transfer {
        transfer: TransferId(hold.id),
        from: posting.from,
        to: posting.to,
        amount: posting.currency.format_amount(posting.amount),
        currency: posting.currency.to_string(),
        order_hash: hex::encode(&hold.order_hash),
    };
    // Texts and numbers alone are always JSON.
    let request = serde_json::to_vec(&request).unwrap_or_default();
    pending(tx, hold.id, hold.person, request, hold.until_us)
}

/// A request that nobody has decided on yet.
fn pending(tx: &Tx<'_>, id: Id, person: Id, request: Vec<u8>, expires_us: i64) -> ApprovalRow {
    let mut row = ApprovalRow {
        id,
        person,
        request,
        created_us: tx.now_us,
        expires_us,
        status: Status::Pending as i64,
        decided_by: None,
        decided_us: None,
        signature: None,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    row
}

fn allow_deciding(seen: &Seen, request: &Request) -> Result<()> {
    let needed: Vec<Permission> =
        [Some(Permission::ApprovalsDecide), request.deciding()].into_iter().flatten().collect();
    staff::allow(seen, &needed)
}

/// The bank's rule by which somebody's refusal frees what was reserved.
const REFUSAL: Authority = Authority::Rule(2);

/// Writes a request down, if it can be asked for.
pub(crate) fn ask(tx: &mut Tx<'_>, caller: &Caller, id: ApprovalId, request: &Request) -> Result<ApprovalView> {
    let seen = staff::permitted(tx, caller, &[request.asking()])?;
    step_up(seen.session.factor_us, tx.now_us)?;
    if request.about() == Some(PersonId(caller.person)) {
        return Err(Error::forbidden("own_person", "Nobody asks for roles of their own."));
    }
    check(tx, request)?;
    let json = serde_json::to_vec(request).map_err(|e| Error::Internal(e.to_string()))?;
    let row = pending(tx, id.0, caller.person, json, tx.now_us + OPEN_US);
    store::add(tx.connection, &row)?;
    tx.audit(Event::by(caller, "approval.requested").on(id.0))?;
    Ok(view(&row, tx.now_us))
}

/// Whether somebody else could approve what this person asks for.
pub(crate) fn has_second_person(tx: &mut Tx<'_>, person: &Id) -> Result<bool> {
    for row in identity::staff(tx.connection)? {
        if row.id == *person || row.check(tx.keys).is_err() || !staff::is_active(&row) {
            continue;
        }
        let allowed = roles::permissions(tx.connection, tx.keys, &row.roles)?;
        if allowed.allows(Permission::ApprovalsDecide) || allowed.allows(Permission::PeopleInvite) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether somebody has a role.
fn holds(person: &PersonRow, role: &str) -> bool {
    person.roles.split(',').any(|name| name == role)
}

/// Who may look at requests.
const READERS: [Permission; 4] =
    [Permission::ApprovalsDecide, Permission::RolesChange, Permission::KeysUse, Permission::BooksRead];

fn approve(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    verified: &Verified<ApprovalOrder>,
    service: Option<&NewPerson>,
) -> Result<(Request, ApprovalView)> {
    let caller = &verified.caller;
    let seen = signer(tx, verified)?;
    let (mut row, request) = find(tx, id)?;
    if row.person == caller.person || request.about() == Some(PersonId(caller.person)) {
        return Err(Error::forbidden("own_request", "Another person has to approve this."));
    }
    allow_deciding(&seen, &request)?;
    if let Request::DefineRole { role, .. } = &request
        && holds(&seen.person, role)
    {
        return Err(Error::forbidden("own_request", "This role is yours: another person has to approve it."));
    }
    if digest(&row) != verified.order.digest {
        return Err(Error::bad_signature("it approves something else than what was asked for"));
    }
    refuse_decided(&row, tx.now_us)?;
    step_up(seen.session.factor_us, tx.now_us)?;
    still_asked(tx, &row, &request)?;
    check(tx, &request)?;
    if let Some(service) = service {
        people::refuse_taken(tx, service)?;
    }
    // Nothing below this line may fail, but for the rules of money, which are asked before anything is written.
    match &request {
        Request::Transfer { transfer, .. } => {
            let hold = hold::pending(tx, *transfer)?;
            hold::approve(tx, hold, &verified.ending())?;
        }
        _ => carry_out(tx, &request, service)?,
    }
    row.signature = Some(verified.signature.clone().into_bytes());
    decide(tx, &mut row, caller, Status::Approved)?;
    tx.audit(Event::by(caller, "approval.approved").on(id.0))?;
    Ok((request, view(&row, tx.now_us)))
}

/// The session and the device of who signs, as they are now.
fn signer(tx: &mut Tx<'_>, verified: &Verified<ApprovalOrder>) -> Result<Seen> {
    let seen = sessions::see(tx.connection, tx.keys, &verified.caller, tx.now_us)?;
    let device = identity::devices(tx.connection, &[verified.device.0])?.pop();
    let device = device.filter(|row| row.person == verified.caller.person && row.revoked_us.is_none());
    let device = device.ok_or_else(|| Error::bad_signature("the signing device is revoked or another person's"))?;
    device.check(tx.keys)?;
    Ok(seen)
}

/// Who asked is still there, and may still ask for it.
fn still_asked(tx: &mut Tx<'_>, row: &ApprovalRow, request: &Request) -> Result<()> {
    let person = staff::present(tx, &row.person)?;
    let allowed = roles::permissions(tx.connection, tx.keys, &person.roles)?.allows(request.asking());
    if allowed && staff::is_active(&person) {
        return Ok(());
    }
    let detail = "Whoever asked for this may not any more; refuse it, and let it be asked for again.".to_owned();
    Err(Error::Conflict { code: "request_void", detail })
}

/// Whether a request can be carried out as things are.
fn check(tx: &mut Tx<'_>, request: &Request) -> Result<()> {
    match request {
        Request::AssignRoles { user, roles } => {
            let person = staff::present(tx, &user.0)?;
            let is_service = person.roles.split(',').any(|name| name == role::SERVICE);
            if is_service != roles.iter().any(|name| name == role::SERVICE) {
                let detail = "A service account stays one, and nobody becomes one.";
                return Err(Error::field("roles", "service", detail));
            }
            check_roles(tx, roles)
        }
        Request::CreateService { name, roles } => {
            credential::check_username(name).map_err(|error| Error::Invalid(vec![error]))?;
            if roles.iter().any(|name| name == role::SERVICE) {
                return Err(Error::field("roles", "service", "A service account is one without saying so."));
            }
            check_roles(tx, &[&[role::SERVICE.to_owned()], roles.as_slice()].concat())
        }
        Request::DefineRole { role, permissions, .. } => {
            if !role::may_be_named(role) {
                let detail =
                    "Call a role by 3 to 24 lower-case letters, digits and hyphens, and not like a built-in one.";
                return Err(Error::field("role", "malformed", detail));
            }
            let is_repeated = |(at, name): (usize, &String)| permissions[..at].contains(name);
            if permissions.len() > Permission::ALL.len() || permissions.iter().enumerate().any(is_repeated) {
                return Err(Error::field("permissions", "repeated", "Give each permission once."));
            }
            match permissions.iter().find(|name| Permission::from_name(name).is_none()) {
                Some(unknown) => {
                    let shown: String = unknown.chars().take(40).collect();
                    Err(Error::field(
                        "permissions",
                        "unknown_permission",
                        &format!("There is no permission `{shown}`."),
                    ))
                }
                None => Ok(()),
            }
        }
        Request::RemoveRole { role } => {
            role_rows::by_name(tx.connection, role)?.ok_or(Error::NotFound)?;
            // Made again it would be theirs again, and nobody would have been asked.
            if identity::staff(tx.connection)?.iter().any(|person| holds(person, role)) {
                let detail = "Somebody has this role: give them others first.".to_owned();
                return Err(Error::Conflict { code: "role_in_use", detail });
            }
            Ok(())
        }
        Request::Invite { role, .. } => check_roles(tx, std::slice::from_ref(role)),
        Request::MakeServiceKey { service, .. } => service_account::present(tx, service).map(drop),
        Request::Transfer { transfer, .. } => hold::pending(tx, *transfer).map(drop),
        Request::DestroyKey { version, .. } if *version < 1 => {
            Err(Error::field("version", "malformed", "Versions are counted from 1."))
        }
        Request::DestroyKey { purpose, user, version } => {
            let person = user.map(|user| user.to_string());
            crate::key_order::named(&KeyName { purpose: purpose.clone(), person, version: *version }).map(drop)
        }
    }
}

fn check_roles(tx: &mut Tx<'_>, names: &[String]) -> Result<()> {
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) || !roles::is_there(tx.connection, tx.keys, name)? {
            let shown: String = name.chars().take(40).collect();
            return Err(Error::field(
                "roles",
                "unknown_role",
                &format!("There is no role `{shown}`, or it is given twice."),
            ));
        }
    }
    if names.is_empty() || names.join(",").len() > ROLES_CHARS_MAX {
        let detail = "Give at least one role, and no more than fit into 64 characters together.";
        return Err(Error::field("roles", "length", detail));
    }
    Ok(())
}

fn carry_out(tx: &mut Tx<'_>, request: &Request, service: Option<&NewPerson>) -> Result<()> {
    match request {
        Request::AssignRoles { user, roles } => {
            let mut row = staff::present(tx, &user.0)?;
            row.roles = roles.join(",");
            write_person(tx, row)?;
            let text = "Your roles at the bank were changed just now. If you did not expect it, tell the bank.";
            tx.notify(&user.0, "Your roles were changed", text)?;
            tx.audit(Event::new("roles.assigned").on(user.0).noting(&roles.join(" ")))
        }
        Request::DefineRole { role, staff, permissions } => {
            let permissions = permissions.iter().filter_map(|name| Permission::from_name(name)).collect();
            let defined = Role { name: role.clone(), is_staff: *staff, permissions };
            roles::define(tx, random::bytes(), &defined)?;
            tx.audit(Event::new("role.defined").noting(role))
        }
        Request::RemoveRole { role } => {
            role_rows::remove(tx.connection, role)?;
            tx.audit(Event::new("role.removed").noting(role))
        }
        Request::CreateService { .. } => match service {
            Some(service) => people::insert(tx, service),
            None => Err(Error::Internal("a service account was not prepared".into())),
        },
        Request::Invite { role, invitation } => {
            let id = hex::decode(invitation).ok_or_else(|| Error::Integrity("an invitation has no id".into()))?;
            people::insert_invitation(tx.connection, tx.keys, id, role, tx.now_us)?;
            tx.audit(Event::new("person.invited").noting(role))
        }
        Request::MakeServiceKey { service, key, secret_hash, days } => {
            let hash = hex::decode_32(secret_hash).ok_or_else(|| Error::Integrity("a key has no hash".into()))?;
            sessions::open_key(tx, service.0, key.0, hash, tx.now_us + days * service_account::DAY_US)?;
            tx.audit(Event::new("service.key_made").on(key.0))
        }
        // Done after the commit: keys live in a database of their own.
        Request::DestroyKey { .. } => Ok(()),
        Request::Transfer { .. } => Err(Error::Internal("a transfer is carried out by the ledger".into())),
    }
}

fn find(tx: &mut Tx<'_>, id: ApprovalId) -> Result<(ApprovalRow, Request)> {
    let row = store::by_id(tx.connection, &id.0)?.ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    let request = read(&row)?;
    Ok((row, request))
}

fn refuse_decided(row: &ApprovalRow, now_us: i64) -> Result<()> {
    if row.status == Status::Pending as i64 && row.expires_us > now_us {
        return Ok(());
    }
    let detail = format!("This request is {}.", view(row, now_us).status);
    Err(Error::Conflict { code: "request_decided", detail })
}

fn read(row: &ApprovalRow) -> Result<Request> {
    serde_json::from_slice(&row.request).map_err(|_| Error::Integrity("a request is malformed".into()))
}

fn decide(tx: &mut Tx<'_>, row: &mut ApprovalRow, caller: &Caller, status: Status) -> Result<()> {
    row.status = status as i64;
    row.decided_by = Some(caller.person);
    row.decided_us = Some(tx.now_us);
    row.mac = row.expected(tx.keys);
    Ok(store::decide(tx.connection, row)?)
}

fn fail(tx: &mut Tx<'_>, id: ApprovalId) -> Result<()> {
    let mut row = store::by_id(tx.connection, &id.0)?.ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    row.status = Status::Failed as i64;
    row.mac = row.expected(tx.keys);
    store::decide(tx.connection, &row)?;
    tx.audit(Event::new("approval.failed").on(id.0))
}

fn digest(row: &ApprovalRow) -> String {
    hex::encode(&sha256(&row.request))
}

fn view(row: &ApprovalRow, now_us: i64) -> ApprovalView {
    let status = match row.status {
        1 => "approved",
        2 => "refused",
        3 => "failed",
        _ if row.expires_us <= now_us => "expired",
        _ => "pending",
    };
    let person = |id: Id| PersonId(id);
    ApprovalView {
        id: ApprovalId(row.id),
        status,
        request: String::from_utf8_lossy(&row.request).into_owned(),
        digest: digest(row),
        requested_by: person(row.person),
        created_us: row.created_us,
        expires_us: row.expires_us,
        decided_by: row.decided_by.map(person),
        decided_us: row.decided_us,
    }
}
