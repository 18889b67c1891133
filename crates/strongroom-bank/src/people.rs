//! Signing up, accepting an invitation, and a person's own data: sealed before it leaves this
//! process, opened for its owner.

mod import;

pub use import::{Coming, Refusal};

use strongroom_crypto::blind;
use strongroom_crypto::digest::sha256;
use strongroom_crypto::random;
use strongroom_crypto::sealed::ColumnId;
use strongroom_identity::credential::{self, FieldError};
use strongroom_identity::person::Standing;
use strongroom_identity::role::Permissions;
use strongroom_ledger::id::PersonId;
use strongroom_store::identity::{self, EnrolmentRow, PersonIndexes, PersonRow, ProfileRow};
use strongroom_store::{Connection, Id};

use crate::audit::{Event, Source};
use crate::keyring::indexes::Field;
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex};

/// What a person gives when they sign up.
#[derive(Clone, Default)]
pub struct SignUp {
    /// Chosen name, unique.
    pub username: String,
    /// Chosen password.
    pub password: String,
    /// Full name.
    pub full_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// National id.
    pub national_id: Option<String>,
    /// Date of birth, `YYYY-MM-DD`.
    pub date_of_birth: Option<String>,
    /// Postal address.
    pub address: Option<String>,
}

/// A person's own data, opened.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Their id.
    pub id: Option<PersonId>,
    /// `active`, `locked` or `closed`.
    pub status: &'static str,
    /// Role names.
    pub roles: Vec<String>,
    /// What the roles allow.
    pub permissions: Permissions,
    /// They have proven that they read their mail.
    pub is_email_verified: bool,
    /// They have proven that the phone is theirs.
    pub is_phone_verified: bool,
    /// When they signed up.
    pub created_us: i64,
    /// Username.
    pub username: String,
    /// Full name.
    pub full_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// National id.
    pub national_id: Option<String>,
    /// Date of birth.
    pub date_of_birth: Option<String>,
    /// Postal address.
    pub address: Option<String>,
}

/// A person ready to be written.
pub(crate) struct NewPerson {
    /// The normal form of their name.
    username: String,
    row: PersonRow,
    indexes: PersonIndexes,
    profile: ProfileRow,
}

pub(crate) const ENROLMENT_VALID_US: i64 = 7 * 24 * 3600 * 1_000_000;

impl NewPerson {
    /// Their id.
    pub(crate) fn id(&self) -> Id {
        self.row.id
    }
}

impl Bank {
    /// Adds a customer. A known e-mail address or phone number answers as a new one.
    pub async fn sign_up(&self, form: SignUp, source: &Source) -> Result<PersonId> {
        let mut errors = self.check(&form);
        if form.email.is_none() && form.phone.is_none() {
            errors.push(FieldError {
                field: "email",
                code: "contact_required",
                detail: "Give an e-mail address or a phone number.".into(),
            });
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        self.add_person(form, "customer", None, source).await
    }

    /// Field by field, in words a person understands; the password too.
    fn check(&self, form: &SignUp) -> Vec<FieldError> {
        let own: Vec<&str> =
            [Some(form.username.as_str()), form.full_name.as_deref(), form.email.as_deref(), form.phone.as_deref()]
                .into_iter()
                .flatten()
                .collect();
        let is_blocked = self.blocked_passwords.contains(&form.password.to_lowercase());
        let mut errors = check_fields(form);
        errors.extend(credential::check_password(&form.password, true, &own, is_blocked).err().into_iter().flatten());
        errors
    }

    /// Adds a person of the demo, under any role.
    pub(crate) async fn sign_up_as(&self, form: SignUp, role: &str) -> Result<PersonId> {
        self.add_person(form, role, None, &Source::default()).await
    }

    /// Accepts an invitation: the code gives the role.
    pub async fn enrol(&self, code: &str, form: SignUp, source: &Source) -> Result<PersonId> {
        let errors = self.check(&form);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let id = enrolment_id(code);
        let now_us = clock::now_us();
        let keys = self.keys.clone();
        let invitation = self.read(move |c| Ok(identity::enrolment(c, &id)?)).await?;
        let valid = |row: &EnrolmentRow| row.used_us.is_none() && row.expires_us > now_us && row.check(&keys).is_ok();
        let invitation = invitation.filter(valid).ok_or_else(refused_code)?;
        self.add_person(form, &invitation.role, Some(id), source).await
    }

    /// The caller's own data.
    pub async fn me(&self, caller: &Caller) -> Result<Profile> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let row = identity::profile(c, &caller.person)?.ok_or(Error::Unauthenticated)?;
            Ok(Profile { permissions: seen.permissions, ..open(&keys, &seen.person, &row)? })
        })
        .await
    }

    /// A name that is taken is refused before anything is made for it, and again where nobody can
    /// come between; a key made in vain is taken back.
    async fn add_person(
        &self,
        mut form: SignUp,
        role: &str,
        enrolment: Option<Id>,
        source: &Source,
    ) -> Result<PersonId> {
        form.username = form.username.trim().to_owned();
        let normal = blind::normal_username(&form.username).unwrap_or_default();
        let indexes = self.keys.indexes().all(Field::Username, &normal);
        let asked = Against::taken(&self.keys, source);
        if self.read(move |c| Ok(identity::person_by_username(c, &indexes)?.is_some())).await? {
            // Asking for names finds people: it is counted, and slowed.
            return self.change(move |tx| tx.reserve(&[asked]).and(Err(username_taken()))).await;
        }
        let person = self.new_person(form, role).await?;
        let (id, source) = (person.row.id, source.clone());
        let added = self.change(move |tx| add(tx, &person, enrolment.as_ref(), &source)).await;
        if added.is_err() {
            self.take_back_key(id).await;
        }
        added
    }

    /// Takes back the key of somebody who was perhaps not added. The writer is asked, behind whatever was on its way.
    pub(crate) async fn take_back_key(&self, id: Id) {
        let written = self.change(move |tx| Ok(identity::people(tx.connection, &[id])?)).await;
        self.take_back_keys(&[id], written);
    }

    /// Takes back the keys of those who were not added. Whoever cannot be looked for keeps a key that nothing
    /// needs, which is better than a row that nothing opens.
    fn take_back_keys(&self, made: &[Id], written: Result<Vec<PersonRow>>) {
        let taken_back = written.and_then(|written| {
            let is_written = |id: &&Id| written.iter().any(|person| person.id == **id);
            made.iter().filter(|id| !is_written(id)).try_for_each(|id| self.keys.discard_person(id))
        });
        if let Err(e) = taken_back {
            tracing::warn!(target: "strongroom::keys", error = %e, "keys of people who were not added stay");
        }
    }

    /// Hashes the password on the bounded pool, makes the person's key and seals their data.
    async fn new_person(&self, form: SignUp, role: &str) -> Result<NewPerson> {
        let now_us = clock::now_us();
        let id = PersonId::from_time(now_us, random::bytes());
        let (keys, role, scheme) = (self.keys.clone(), role.to_owned(), self.config.password.scheme());
        let prepare = move || {
            keys.create_person(id.0, now_us)?;
            let hash = keys.hasher().hash(scheme, &form.password);
            prepare(&keys, id.0, &form, &hash, &role, now_us)
        };
        self.hashing.run(prepare).await?
    }
}

fn username_taken() -> Error {
    Error::Conflict { code: "username_taken", detail: "This user name is taken. Choose another.".into() }
}

fn refused_code() -> Error {
    Error::Forbidden {
        code: "enrolment_refused",
        detail: "This enrolment code is wrong, used or too old. Ask the person who invited you for a new one.".into(),
    }
}

/// All but the password.
fn check_fields(form: &SignUp) -> Vec<FieldError> {
    let mut errors = Vec::new();
    errors.extend(credential::check_username(&form.username).err());
    errors.extend(form.full_name.as_deref().and_then(|v| credential::check_full_name(v).err()));
    errors.extend(form.email.as_deref().and_then(|v| credential::check_email(v).err()));
    errors.extend(form.phone.as_deref().and_then(|v| credential::check_phone(v).err()));
    errors.extend(form.national_id.as_deref().and_then(|v| credential::check_national_id(v).err()));
    errors.extend(form.date_of_birth.as_deref().and_then(|v| credential::check_date_of_birth(v).err()));
    errors.extend(form.address.as_deref().and_then(|v| credential::check_address(v).err()));
    errors
}

pub(crate) fn prepare(keys: &Keyring, id: Id, form: &SignUp, hash: &str, role: &str, now_us: i64) -> Result<NewPerson> {
    let normal = |r: std::result::Result<String, blind::NotNormal>| {
        r.map_err(|_| Error::field("username", "malformed", "This cannot be used."))
    };
    let username = normal(blind::normal_username(&form.username))?;
    let email = form.email.as_deref().map(|v| normal(blind::normal_email(v))).transpose()?;
    let phone = form.phone.as_deref().map(|v| normal(blind::normal_phone(v))).transpose()?;
    let national_id = form.national_id.as_deref().map(|v| normal(blind::normal_national_id(v))).transpose()?;
    let sealed = |column: ColumnId, value: &str| keys.seal(Some(&id), column, &id, value.as_bytes());
    let optional = |column, value: &Option<String>| value.as_deref().map(|v| sealed(column, v)).transpose();
    let mut row = PersonRow {
        id,
        status: Standing::Active as i64,
        has_factor: false,
        roles: role.to_owned(),
        version: 1,
        created_us: now_us,
        legal_hold_us: None,
        email_verified_us: None,
        phone_verified_us: None,
        mac: [0; 36],
        password: keys.seal_credential(column::PASSWORD, &id, hash.as_bytes()),
    };
    row.mac = row.expected(keys);
    let indexes = keys.indexes();
    Ok(NewPerson {
        username: username.clone(),
        row,
        indexes: PersonIndexes {
            username: indexes.index(Field::Username, &username),
            email: email.map(|v| indexes.index(Field::Email, &v)),
            phone: phone.map(|v| indexes.index(Field::Phone, &v)),
            national_id: national_id.map(|v| indexes.index(Field::NationalId, &v)),
        },
        profile: ProfileRow {
            username: sealed(column::USERNAME, &form.username)?,
            full_name: optional(column::FULL_NAME, &form.full_name)?,
            email: optional(column::EMAIL, &form.email)?,
            phone: optional(column::PHONE, &form.phone)?,
            national_id: optional(column::NATIONAL_ID, &form.national_id)?,
            date_of_birth: optional(column::DATE_OF_BIRTH, &form.date_of_birth)?,
            address: optional(column::ADDRESS, &form.address)?,
        },
    })
}

fn add(tx: &mut Tx<'_>, person: &NewPerson, enrolment: Option<&Id>, source: &Source) -> Result<PersonId> {
    if let Some(id) = enrolment {
        let holds = |row: &EnrolmentRow| {
            row.used_us.is_none()
                && row.expires_us > tx.now_us
                && row.role == person.row.roles
                && row.check(tx.keys).is_ok()
        };
        identity::enrolment(tx.connection, id)?.filter(holds).ok_or_else(refused_code)?;
    }
    refuse_taken(tx, person)?;
    // Nothing below this line may fail.
    if let Some(id) = enrolment {
        identity::use_enrolment(tx.connection, id, tx.now_us)?;
    }
    identity::insert_person(tx.connection, &person.row, &person.indexes, &person.profile)?;
    tx.audit(Event::of(person.row.id, "person.added").from(source))?;
    Ok(PersonId(person.row.id))
}

/// Refuses somebody whose user name another person has.
pub(crate) fn refuse_taken(tx: &mut Tx<'_>, person: &NewPerson) -> Result<()> {
    let indexes = tx.keys.indexes().all(Field::Username, &person.username);
    match identity::person_by_username(tx.connection, &indexes)? {
        Some(_) => Err(username_taken()),
        None => Ok(()),
    }
}

/// Adds somebody who was looked at before.
pub(crate) fn insert(tx: &mut Tx<'_>, person: &NewPerson) -> Result<()> {
    identity::insert_person(tx.connection, &person.row, &person.indexes, &person.profile)?;
    tx.audit(Event::of(person.row.id, "person.added"))
}

/// Opens a person's sealed data.
pub(crate) fn open(keys: &Keyring, person: &PersonRow, row: &ProfileRow) -> Result<Profile> {
    let id = &person.id;
    let text = |column, sealed: &Option<Vec<u8>>| {
        sealed.as_deref().map(|s| keys.unseal_text(Some(id), column, id, s)).transpose()
    };
    Ok(Profile {
        id: Some(PersonId(*id)),
        status: Standing::from_number(person.status).name(),
        roles: person.roles.split(',').map(str::to_owned).collect(),
        permissions: Permissions::named(&person.roles),
        is_email_verified: person.email_verified_us.is_some(),
        is_phone_verified: person.phone_verified_us.is_some(),
        created_us: person.created_us,
        username: keys.unseal_text(Some(id), column::USERNAME, id, &row.username)?,
        full_name: text(column::FULL_NAME, &row.full_name)?,
        email: text(column::EMAIL, &row.email)?,
        phone: text(column::PHONE, &row.phone)?,
        national_id: text(column::NATIONAL_ID, &row.national_id)?,
        date_of_birth: text(column::DATE_OF_BIRTH, &row.date_of_birth)?,
        address: text(column::ADDRESS, &row.address)?,
    })
}

/// The row id of an enrolment code.
pub(crate) fn enrolment_id(code: &str) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(code.trim().as_bytes())[..16]);
    id
}

/// A code for an invitation; it is not kept.
pub(crate) fn new_invitation_code() -> String {
    format!("enrol-{}", hex::encode(&random::bytes::<16>()))
}

/// Makes an invitation. Answers the code.
pub(crate) fn invite(connection: &mut dyn Connection, keys: &Keyring, role: &str, now_us: i64) -> Result<String> {
    let code = new_invitation_code();
    insert_invitation(connection, keys, enrolment_id(&code), role, now_us)?;
    Ok(code)
}

/// Lets the code of this id be redeemed, once.
pub(crate) fn insert_invitation(
    connection: &mut dyn Connection,
    keys: &Keyring,
    id: Id,
    role: &str,
    now_us: i64,
) -> Result<()> {
    let mut row = EnrolmentRow {
        id,
        role: role.to_owned(),
        expires_us: now_us + ENROLMENT_VALID_US,
        used_us: None,
        mac: [0; 36],
    };
    row.mac = row.expected(keys);
    Ok(identity::insert_enrolment(connection, &row)?)
}
