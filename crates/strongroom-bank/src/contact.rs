//! A person's own data, changed by them: contact data after a fresh factor, with a notice to the address
//! they had; and the proof that they read what is sent to a new one.

use strongroom_crypto::blind;
use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::random;
use strongroom_identity::credential::{self, FieldError};
use strongroom_identity::factor::FactorKind;
use strongroom_store::Id;
use strongroom_store::identity::{self, ProfileChange};

use crate::audit::Event;
use crate::factor::{step_up, write_person};
use crate::keyring::column;
use crate::keyring::indexes::Field;
use crate::post::email_of;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::sign_in::{self, Purpose};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, factor};

/// What a person changes of their data. What is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Full name.
    pub full_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Postal address.
    pub address: Option<String>,
}

/// How long a code that was sent is good: as long as its challenge.
const CODE_US: i64 = 300_000_000;
const CODE_DIGITS: u32 = 8;

impl Bank {
    /// Changes a person's own data. Contact data need a fresh factor; the old address is told, and the new
    /// one has to be verified.
    pub async fn change_profile(&self, caller: &Caller, changes: Changes) -> Result<()> {
        let errors = check(&changes);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let caller = caller.clone();
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let is_contact = changes.email.is_some() || changes.phone.is_some() || changes.address.is_some();
            if is_contact {
                step_up(seen.session.factor_us, tx.now_us)?;
            }
            keep_a_factor(tx, &caller.person, &changes)?;
            let change = sealed(tx, &caller.person, &changes)?;
            if is_contact {
                let what = "Your contact data were changed at the bank just now. If it was not you, sign in, look at \
                            Security, and tell the bank at once.";
                tx.notify(&caller.person, "Your contact data were changed", what)?;
                sign_in::end_recoveries(tx, &caller.person)?;
                // A code that went to the old address proves nothing of the new one.
                identity::end_challenges_for(tx.connection, &caller.person, Purpose::VerifyEmail as i64)?;
                identity::end_challenges_for(tx.connection, &caller.person, Purpose::VerifyPhone as i64)?;
                let mut row = seen.person;
                row.email_verified_us = row.email_verified_us.filter(|_| changes.email.is_none());
                row.phone_verified_us = row.phone_verified_us.filter(|_| changes.phone.is_none());
                write_person(tx, row)?;
            }
            identity::change_profile(tx.connection, &caller.person, &change)?;
            tx.audit(Event::by(&caller, if is_contact { "contact.changed" } else { "profile.changed" }))
        })
        .await
    }

    /// Sends a code to the caller's e-mail address, to prove that they read it.
    pub async fn send_email_proof(&self, caller: &Caller) -> Result<()> {
        self.needs_mail()?;
        let caller = caller.clone();
        let code = new_code();
        self.change(move |tx| {
            sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let to = email_of(tx, &caller.person)?;
            let to = to.ok_or_else(|| Error::field("email", "required", "Give an e-mail address first."))?;
            tx.reserve(&[Against::sending(tx.keys, &caller.person)])?;
            let id = proof_id(&caller.person);
            begin_proof(tx, id, caller.person, Purpose::VerifyEmail)?;
            keep_code(tx, &id, 1, &code)?;
            send_code(tx, &caller.person, &to, &code, Purpose::VerifyEmail.words())
        })
        .await
    }

    /// Takes the code that was sent.
    pub async fn confirm_email(&self, caller: &Caller, code: &str) -> Result<()> {
        let (caller, code) = (caller.clone(), plain(code));
        let met = self
            .change(move |tx| {
                let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
                let id = proof_id(&caller.person);
                let row = sign_in::live_challenge(tx.connection, tx.keys, &id, Purpose::VerifyEmail, tx.now_us)?;
                let Some(row) = row else { return Ok(false) };
                let tried = Against::address_proofs(tx.keys, &caller.person);
                tx.reserve(&[tried])?;
                identity::count_try(tx.connection, &id, row.tries + 1)?;
                if !is_code(tx, &row.id, row.data.as_deref(), &code)? {
                    tx.audit(Event::by(&caller, "address_proof.wrong"))?;
                    return Ok(false);
                }
                tx.forget_tries(tried)?;
                identity::end_challenge(tx.connection, &id, tx.now_us)?;
                let mut person = seen.person;
                person.email_verified_us = Some(tx.now_us);
                write_person(tx, person)?;
                tx.audit(Event::by(&caller, "email.verified"))?;
                Ok(true)
            })
            .await?;
        let wrong = "The code is wrong or older than five minutes. Ask for a new one.";
        if met { Ok(()) } else { Err(Error::field("code", "wrong_code", wrong)) }
    }

    /// Refuses where no mail is set up.
    pub(crate) fn needs_mail(&self) -> Result<()> {
        if self.config.mail.is_some() {
            return Ok(());
        }
        Err(Error::forbidden("no_mail", "This bank sends no mail: its operator has not set it up."))
    }
}

/// Codes that go to a changed address are no factor until it is verified: another one has to stand.
fn keep_a_factor(tx: &mut Tx<'_>, person: &Id, changes: &Changes) -> Result<()> {
    let changed = |kind| match kind {
        Some(FactorKind::Email) => changes.email.is_some(),
        Some(FactorKind::Sms) => changes.phone.is_some(),
        _ => false,
    };
    let held = factor::held(tx.connection, tx.keys, person)?;
    let mut standing =
        held.iter().filter(|row| row.confirmed_us.is_some()).map(|row| FactorKind::from_number(row.kind));
    let has_any = standing.clone().any(|kind| kind.is_some_and(FactorKind::stands_alone));
    if !has_any || standing.any(|kind| kind.is_some_and(FactorKind::stands_alone) && !changed(kind)) {
        return Ok(());
    }
    let detail = "Codes sent there are your only second factor: add another one before you change it.".to_owned();
    Err(Error::Conflict { code: "last_factor", detail })
}

/// Eight digits.
pub(crate) fn new_code() -> String {
    // 64 random bits leave no digit likelier than another in any way that counts.
    format!("{:08}", u64::from_be_bytes(random::bytes()) % 10u64.pow(CODE_DIGITS))
}

/// The digits alone.
pub(crate) fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_digit).collect()
}

/// Begins the proof of an address anew. Wrong codes for the one before count on.
pub(crate) fn begin_proof(tx: &mut Tx<'_>, id: Id, person: Id, purpose: Purpose) -> Result<()> {
    let before = identity::challenge(tx.connection, &id)?.filter(|row| row.expires_us > tx.now_us);
    identity::end_challenge(tx.connection, &id, tx.now_us)?;
    sign_in::insert_challenge(tx, id, person, purpose)?;
    if let Some(before) = before {
        identity::count_try(tx.connection, &id, before.tries)?;
    }
    Ok(())
}

/// Keeps a code for its challenge.
pub(crate) fn keep_code(tx: &mut Tx<'_>, challenge: &Id, sends: i64, code: &str) -> Result<()> {
    let sealed = tx.keys.seal_credential(column::CHALLENGE_DATA, challenge, code.as_bytes());
    Ok(identity::set_challenge_data(tx.connection, challenge, sends, &sealed)?)
}

/// Whether a code is the one that was kept.
pub(crate) fn is_code(tx: &mut Tx<'_>, challenge: &Id, kept: Option<&[u8]>, code: &str) -> Result<bool> {
    let Some(kept) = kept else { return Ok(false) };
    let kept = tx.keys.unseal_credential(column::CHALLENGE_DATA, challenge, kept)?;
    Ok(kept.len() == CODE_DIGITS as usize && strongroom_crypto::mac::equal(&kept, code.as_bytes()))
}

/// Sends a code, and what it is for.
pub(crate) fn send_code(tx: &mut Tx<'_>, person: &Id, to: &str, code: &str, purpose: &str) -> Result<()> {
    tx.mail(person, to, "Your code", &text_of_code(code, purpose), CODE_US)
}

/// A code, and what it is for.
pub(crate) fn text_of_code(code: &str, purpose: &str) -> String {
    let (first, last) = code.split_at(code.len() / 2);
    format!(
        "Your code to {purpose}: {first} {last}\n\nIt is good for five minutes and for one use. Nobody from the bank \
         will ever ask you for it."
    )
}

fn proof_id(person: &Id) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256_parts(&[b"strongroom verify email v1\0", person])[..16]);
    id
}

fn check(changes: &Changes) -> Vec<FieldError> {
    let mut errors = Vec::new();
    errors.extend(changes.full_name.as_deref().and_then(|v| credential::check_full_name(v).err()));
    errors.extend(changes.email.as_deref().and_then(|v| credential::check_email(v).err()));
    errors.extend(changes.phone.as_deref().and_then(|v| credential::check_phone(v).err()));
    errors.extend(changes.address.as_deref().and_then(|v| credential::check_address(v).err()));
    errors
}

fn sealed(tx: &mut Tx<'_>, person: &Id, changes: &Changes) -> Result<ProfileChange> {
    let seal = |column, value: &Option<String>| {
        value.as_deref().map(|value| tx.keys.seal(Some(person), column, person, value.trim().as_bytes())).transpose()
    };
    let malformed = |field, detail: &str| Error::field(field, "malformed", detail);
    let email = changes.email.as_deref().map(blind::normal_email).transpose();
    let email = email.map_err(|_| malformed("email", "This does not look like an e-mail address."))?;
    let phone = changes.phone.as_deref().map(blind::normal_phone).transpose();
    let phone = phone.map_err(|_| malformed("phone", "Give the phone number with its country code."))?;
    let indexes = tx.keys.indexes();
    Ok(ProfileChange {
        full_name: seal(column::FULL_NAME, &changes.full_name)?,
        email: seal(column::EMAIL, &changes.email)?,
        email_index: email.map(|normal| indexes.index(Field::Email, &normal)),
        phone: seal(column::PHONE, &changes.phone)?,
        phone_index: phone.map(|normal| indexes.index(Field::Phone, &normal)),
        address: seal(column::ADDRESS, &changes.address)?,
    })
}

/// Whether a person has proven that they read their mail.
pub(crate) fn has_verified_email(tx: &mut Tx<'_>, person: &Id) -> Result<bool> {
    let row = identity::people(tx.connection, &[*person])?.pop().ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    Ok(row.email_verified_us.is_some())
}
