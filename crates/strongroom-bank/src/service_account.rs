//! Service accounts: programs that use the API under roles of their own. They have no password and no factor;
//! they show a key that an administrator made, good until its end and for nothing that needs a fresh factor.

use strongroom_crypto::digest::sha256;
use strongroom_crypto::random;
use strongroom_identity::role::{self, Permission};
use strongroom_ledger::id::{ApprovalId, PersonId, SessionId};
use strongroom_store::Id;
use strongroom_store::identity::{self, PersonRow, SessionRow};

use crate::approvals::Request;
use crate::audit::Event;
use crate::people::{self, NewPerson, SignUp};
use crate::sessions::{self, Caller, SERVICE};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex, staff};

/// A key of a service account, shown once.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its id.
    pub id: SessionId,
    /// What the program gives as its bearer token.
    pub secret: String,
    /// When it ends, if it is approved now.
    pub expires_us: i64,
    /// What has to be approved before it is good.
    pub approval: ApprovalId,
}

/// A key that holds.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its id.
    pub id: SessionId,
    /// When it was made.
    pub created_us: i64,
    /// When it ends.
    pub expires_us: i64,
}

/// The longest a key holds.
pub const DAYS_MAX: i64 = 366;
pub(crate) const DAY_US: i64 = 24 * 3_600_000_000;

impl Bank {
    /// Asks for a key of a service account, with a fresh factor. It is shown now, and good once a second person has
    /// approved it: they approved the account's roles, and not that the asker may use them.
    pub async fn ask_for_service_key(&self, caller: &Caller, service: PersonId, days: i64) -> Result<NewKey> {
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Error::field("days", "out_of_range", &format!("Give 1 to {DAYS_MAX} days.")));
        }
        let (now_us, secret) = (clock::now_us(), random::bytes::<32>());
        let key = SessionId::from_time(now_us, random::bytes());
        let secret_hash = hex::encode(&sha256(&secret));
        let request = Request::MakeServiceKey { service, key, secret_hash, days };
        let approval = self.request(caller, request).await?;
        let secret = sessions::secret_text(&self.keys, key, &secret);
        Ok(NewKey { id: key, secret, expires_us: now_us + days * DAY_US, approval: approval.id })
    }

    /// The keys of a service account that hold.
    pub async fn service_keys(&self, caller: &Caller, service: PersonId) -> Result<Vec<KeyView>> {
        let caller = caller.clone();
        self.change(move |tx| {
            staff::permitted(tx, &caller, &[Permission::RolesChange, Permission::BooksRead])?;
            let row = present(tx, &service)?;
            let holds = |key: &SessionRow| key.ended_us.is_none() && key.expires_us > tx.now_us && key.kind == SERVICE;
            let keys = identity::sessions_of(tx.connection, &row.id, tx.now_us)?;
            Ok(keys
                .into_iter()
                .filter(holds)
                .map(|key| KeyView { id: SessionId(key.id), created_us: key.created_us, expires_us: key.expires_us })
                .collect())
        })
        .await
    }

    /// Ends a key at once.
    pub async fn end_service_key(&self, caller: &Caller, service: PersonId, key: SessionId) -> Result<()> {
        let caller = caller.clone();
        self.change(move |tx| {
            staff::permitted(tx, &caller, &[Permission::RolesChange])?;
            present(tx, &service)?;
            sessions::end_key(tx, &service.0, &key.0)?;
            tx.audit(Event::by(&caller, "service.key_ended").on(key.0))
        })
        .await
    }
}

/// The rows of a service account to be.
pub(crate) fn prepare(bank: &Bank, name: &str, roles: &[String]) -> Result<NewPerson> {
    let now_us = clock::now_us();
    let id: Id = PersonId::from_time(now_us, random::bytes()).0;
    let roles = [&[role::SERVICE.to_owned()], roles].concat().join(",");
    bank.keys.create_person(id, now_us)?;
    // No password has an empty hash.
    people::prepare(&bank.keys, id, &SignUp { username: name.to_owned(), ..SignUp::default() }, "", &roles, now_us)
}

pub(crate) fn present(tx: &mut Tx<'_>, service: &PersonId) -> Result<PersonRow> {
    let row = staff::present(tx, &service.0)?;
    if row.roles.split(',').any(|name| name == role::SERVICE) { Ok(row) } else { Err(Error::NotFound) }
}
