//! What staff do with people: inviting, finding, locking and unlocking them. Nobody's personal data are
//! opened for it: a user name is found by its blind index, and what is shown is id, standing and roles.

use strongroom_crypto::{blind, random};
use strongroom_identity::person::Standing;
use strongroom_identity::role::{self, Permission};
use strongroom_ledger::id::{ApprovalId, PersonId};
use strongroom_store::Id;
use strongroom_store::identity::{self, PersonRow};

use crate::approvals::{self, Request};
use crate::audit::Event;
use crate::factor::{step_up, write_person};
use crate::keyring::indexes::Field;
use crate::people;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller, Seen};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex, roles};

/// An invitation, shown once.
pub struct Invitation {
    /// To be given to whom it is for.
    pub code: String,
    /// The role it gives.
    pub role: String,
    /// When it ends.
    pub expires_us: i64,
    /// What has to be approved before it is good.
    pub approval: Option<ApprovalId>,
}

/// A person as staff see them.
#[derive(Clone, Debug)]
pub struct PersonView {
    /// Their id.
    pub id: PersonId,
    /// `active`, `locked`, `closed` or `erased`.
    pub status: &'static str,
    /// Role names.
    pub roles: Vec<String>,
    /// When they joined.
    pub created_us: i64,
}

/// The role of whoever signs up.
const CUSTOMER: &str = "customer";
/// Who may list people.
const LISTS: [Permission; 4] =
    [Permission::PeopleInvite, Permission::PeopleLock, Permission::PeopleRead, Permission::BooksRead];

impl Bank {
    /// Invites someone under a role, with a fresh factor. The code is good for seven days and for one person; under
    /// any role of staff only once a second person has approved it, as soon as the bank has one.
    pub async fn invite(&self, caller: &Caller, role: &str) -> Result<Invitation> {
        let (caller, role) = (caller.clone(), role.to_owned());
        let approval_id = ApprovalId::from_time(clock::now_us(), random::bytes());
        self.change(move |tx| {
            let seen = permitted(tx, &caller, &[Permission::PeopleInvite])?;
            step_up(seen.session.factor_us, tx.now_us)?;
            if role == role::SERVICE || !roles::is_there(tx.connection, tx.keys, &role)? {
                return Err(Error::field("role", "unknown_role", "There is no role of this name."));
            }
            let code = people::new_invitation_code();
            let id = people::enrolment_id(&code);
            let mut approval = None;
            if role != CUSTOMER && approvals::has_second_person(tx, &caller.person)? {
                let request = Request::Invite { role: role.clone(), invitation: hex::encode(&id) };
                approval = Some(approvals::ask(tx, &caller, approval_id, &request)?.id);
            } else {
                people::insert_invitation(tx.connection, tx.keys, id, &role, tx.now_us)?;
                tx.audit(Event::by(&caller, "person.invited").noting(&role))?;
            }
            let expires_us = tx.now_us + people::ENROLMENT_VALID_US;
            Ok(Invitation { code, role: role.clone(), expires_us, approval })
        })
        .await
    }

    /// People after one, in the order in which they joined; or the one of a user name.
    pub async fn people(
        &self,
        caller: &Caller,
        username: Option<&str>,
        after: Option<PersonId>,
        limit: i64,
    ) -> Result<Vec<PersonView>> {
        self.note_look(caller, &LISTS, "people.listed", None).await?;
        let normal = username.map(|name| blind::normal_username(name).unwrap_or_default());
        let indexes = normal.map(|normal| self.keys.indexes().all(Field::Username, &normal));
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            allow(&seen, &LISTS)?;
            let rows = match indexes {
                Some(indexes) => identity::person_by_username(c, &indexes)?.into_iter().collect(),
                None => identity::people_after(c, &after.map_or([0; 16], |id| id.0), limit)?,
            };
            Ok(rows.iter().filter(|row| row.check(&keys).is_ok()).map(view).collect())
        })
        .await
    }

    /// Locks a person: they are signed out everywhere and cannot sign in. Not oneself.
    pub async fn lock_person(&self, caller: &Caller, person: PersonId) -> Result<()> {
        self.set_standing(caller, person, Standing::Active, Standing::Locked).await
    }

    /// Lets them in again.
    pub async fn unlock_person(&self, caller: &Caller, person: PersonId) -> Result<()> {
        self.set_standing(caller, person, Standing::Locked, Standing::Active).await
    }

    async fn set_standing(&self, caller: &Caller, person: PersonId, from: Standing, to: Standing) -> Result<()> {
        let caller = caller.clone();
        self.change(move |tx| {
            permitted(tx, &caller, &[Permission::PeopleLock])?;
            if person.0 == caller.person {
                return Err(Error::forbidden("own_person", "Nobody locks or unlocks themselves."));
            }
            let mut row = present(tx, &person.0)?;
            if Standing::from_number(row.status) != from {
                let detail = format!("This person is {}.", Standing::from_number(row.status).name());
                return Err(Error::Conflict { code: "person_state", detail });
            }
            row.status = to as i64;
            write_person(tx, row)?;
            identity::end_challenges_of(tx.connection, &person.0, tx.now_us)?;
            sessions::end_others(tx, &person.0, None)?;
            let name = if to == Standing::Locked { "person.locked" } else { "person.unlocked" };
            tx.audit(Event::by(&caller, name).on(person.0))
        })
        .await
    }
}

pub(crate) fn permitted(tx: &mut Tx<'_>, caller: &Caller, any: &[Permission]) -> Result<Seen> {
    let seen = sessions::see(tx.connection, tx.keys, caller, tx.now_us)?;
    allow(&seen, any)?;
    Ok(seen)
}

/// Refuses whose roles allow none of these.
pub(crate) fn allow(seen: &Seen, any: &[Permission]) -> Result<()> {
    if any.iter().any(|permission| seen.permissions.allows(*permission)) {
        return Ok(());
    }
    Err(Error::forbidden("forbidden", "Your role does not allow this."))
}

pub(crate) fn present(tx: &mut Tx<'_>, person: &Id) -> Result<PersonRow> {
    let row = identity::people(tx.connection, &[*person])?.pop().ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    Ok(row)
}

/// Whether somebody may sign in.
pub(crate) fn is_active(row: &PersonRow) -> bool {
    Standing::from_number(row.status) == Standing::Active
}

fn view(row: &PersonRow) -> PersonView {
    PersonView {
        id: PersonId(row.id),
        status: Standing::from_number(row.status).name(),
        roles: row.roles.split(',').map(str::to_owned).collect(),
        created_us: row.created_us,
    }
}
