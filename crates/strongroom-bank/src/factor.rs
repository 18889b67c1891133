//! Second factors: enrolling, listing, naming and removing them. The kinds stand in files below.

mod email;
mod passkey;
pub mod proof;
mod recovery;
pub(crate) mod sms;
mod totp;

pub(crate) use passkey::NOBODY;
pub use passkey::{NewPasskey, PasskeyChallenge};
pub use recovery::NewCodes;
pub use totp::NewTotp;

use strongroom_identity::credential;
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_store::factors::{self, FactorRow};
use strongroom_store::identity::{self, PersonRow};
use strongroom_store::{Connection, Id};

use crate::audit::{Event, Source};
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::sessions::{self, Caller, NewSession, Opened, SignedIn};
use crate::sign_in;
use crate::staff::is_active;
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock};

/// Who enrols a factor.
#[derive(Clone, Debug)]
pub enum Enrolling {
    /// Someone signed in.
    SignedIn(Caller),
    /// Someone who has given their password and has no factor yet.
    First(String),
}

/// A factor as its owner sees it.
#[derive(Clone, Debug)]
pub struct FactorView {
    /// Its id.
    pub id: FactorId,
    /// What it is.
    pub kind: &'static str,
    /// What its owner calls it.
    pub name: Option<String>,
    /// When it was made.
    pub created_us: i64,
    /// When it was last used.
    pub last_used_us: Option<i64>,
    /// How many codes are left, of recovery codes.
    pub codes_left: Option<u64>,
}

/// A signed-in person must have given a factor this recently for what is sensitive.
const STEP_UP_US: i64 = 600_000_000;

impl Bank {
    /// The caller's confirmed factors, oldest first.
    pub async fn factors(&self, caller: &Caller) -> Result<Vec<FactorView>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            sessions::see(c, &keys, &caller, now_us)?;
            let held = held(c, &keys, &caller.person)?;
            held.iter().filter(|row| row.confirmed_us.is_some()).map(|row| view(&keys, row)).collect()
        })
        .await
    }

    /// Names a factor.
    pub async fn name_factor(&self, caller: &Caller, factor: FactorId, name: &str) -> Result<()> {
        credential::check_label(name, "Give a name of 1 to 64 characters, such as My phone.")?;
        let sealed = self.keys.seal(Some(&caller.person), column::FACTOR_NAME, &factor.0, name.trim().as_bytes())?;
        let caller = caller.clone();
        self.change(move |tx| {
            sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let mut row = confirmed(tx, &caller.person, &factor)?;
            row.name = Some(sealed.clone());
            Ok(factors::update(tx.connection, &row)?)
        })
        .await
    }

    /// Removes a factor. One that stands alone has to stay; everyone else who is signed in as this
    /// person is signed out.
    pub async fn remove_factor(&self, caller: &Caller, factor: FactorId) -> Result<()> {
        let caller = caller.clone();
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            step_up(seen.session.factor_us, tx.now_us)?;
            let row = confirmed(tx, &caller.person, &factor)?;
            let stands = |row: &FactorRow| {
                row.confirmed_us.is_some() && FactorKind::from_number(row.kind).is_some_and(FactorKind::stands_alone)
            };
            let others = held(tx.connection, tx.keys, &caller.person)?;
            if !others.iter().any(|other| other.id != row.id && stands(other)) {
                let detail = "This is your only factor: add another one before you remove it.".to_owned();
                return Err(Error::Conflict { code: "last_factor", detail });
            }
            factors::delete(tx.connection, &row.id)?;
            sign_in::end_recoveries(tx, &caller.person)?;
            sessions::end_others(tx, &caller.person, Some(&caller.session))?;
            tx.notify(&caller.person, "A second factor was removed", "A way to prove that it is you was removed at the bank just now. If it was not you, tell the bank at once.")?;
            tx.audit(Event::by(&caller, "factor.removed").on(row.id).noting(kind_name(&row)))
        })
        .await
    }
}

impl Bank {
    /// Confirms a factor that was begun: with a code, or with the passkey that a device has made. A
    /// first factor signs its owner in.
    pub async fn confirm_factor(
        &self,
        enrolling: &Enrolling,
        factor: FactorId,
        answer: Answer,
        browser: bool,
        source: &Source,
    ) -> Result<Option<SignedIn>> {
        let (enroller, source) = (Enroller::of(enrolling)?, source.clone());
        let made = match answer {
            Answer::Code(code) => Begun::Code(code),
            Answer::Passkey(answer) => Begun::Passkey(self.made_passkey(&enroller, factor, answer).await?),
        };
        let new = NewSession::random(browser);
        let opened = self.change(move |tx| confirm_begun(tx, &enroller, &factor, &made, &new, &source)).await?;
        let wrong = || {
            let detail = "This is not right. Check your device's clock and give the newest code, or begin again.";
            Error::field("code", "wrong_code", detail)
        };
        Ok(opened.ok_or_else(wrong)?.map(|opened| self.welcome(&opened)))
    }

    /// Checked beside the writer. None: it was not accepted.
    async fn made_passkey(
        &self,
        enroller: &Enroller,
        factor: FactorId,
        answer: serde_json::Value,
    ) -> Result<Option<FactorRow>> {
        let (keys, site, enroller, now_us) = (self.keys.clone(), self.site.clone(), enroller.clone(), clock::now_us());
        self.read(move |c| {
            let person = enroller.person(c, &keys, now_us)?;
            let row = passkey::begun(c, &keys, &person, &factor)?;
            if row.kind != FactorKind::Passkey as i64 {
                return Ok(None);
            }
            passkey::made(&site, &keys, &row, &answer)
        })
        .await
    }
}

/// What confirms a factor.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A code of an authenticator.
    Code(String),
    /// What `navigator.credentials.create` gave.
    Passkey(serde_json::Value),
}

enum Begun {
    Code(String),
    Passkey(Option<FactorRow>),
}

fn confirm_begun(
    tx: &mut Tx<'_>,
    enroller: &Enroller,
    factor: &FactorId,
    made: &Begun,
    new: &NewSession,
    source: &Source,
) -> Result<Option<Option<Opened>>> {
    let person = enroller.person(tx.connection, tx.keys, tx.now_us)?;
    let row = passkey::begun(tx.connection, tx.keys, &person, factor)?;
    let tried = Against::factors(tx.keys, &person);
    tx.reserve(&[tried])?;
    let met = match made {
        Begun::Code(code) if row.kind == FactorKind::Totp as i64 => totp::meet(tx, &row, code)?,
        Begun::Passkey(Some(made)) if made.id == row.id => Some(made.clone()),
        _ => None,
    };
    let Some(met) = met else { return Ok(None) };
    // Nothing below this line may fail.
    tx.forget_tries(tried)?;
    confirm(tx, FactorRow { last_used_us: Some(tx.now_us), ..met })?;
    match enroller {
        Enroller::First(_) => {
            identity::end_challenges_of(tx.connection, &person, tx.now_us)?;
            let opened = sessions::open_session(tx, person, new)?;
            tx.audit(Event::of(person, "session.opened").from(source).in_session(opened.0.id))?;
            Ok(Some(Some(opened)))
        }
        Enroller::SignedIn(caller) => {
            sign_in::end_recoveries(tx, &person)?;
            sessions::end_others(tx, &person, Some(&caller.session))?;
            Ok(Some(None))
        }
    }
}

/// A person's factors that carry our MAC.
pub(crate) fn held(connection: &mut dyn Connection, keys: &Keyring, person: &Id) -> Result<Vec<FactorRow>> {
    let mut rows = factors::of_person(connection, person)?;
    rows.retain(|row| row.check(keys).is_ok());
    Ok(rows)
}

fn confirmed(tx: &mut Tx<'_>, person: &Id, factor: &FactorId) -> Result<FactorRow> {
    let rows = held(tx.connection, tx.keys, person)?;
    rows.into_iter().find(|row| row.id == factor.0 && row.confirmed_us.is_some()).ok_or(Error::NotFound)
}

fn kind_name(row: &FactorRow) -> &'static str {
    FactorKind::from_number(row.kind).map_or("unknown", FactorKind::name)
}

fn view(keys: &Keyring, row: &FactorRow) -> Result<FactorView> {
    let name = row.name.as_deref().map(|name| keys.unseal_text(Some(&row.person), column::FACTOR_NAME, &row.id, name));
    Ok(FactorView {
        id: FactorId(row.id),
        kind: kind_name(row),
        name: name.transpose()?,
        created_us: row.created_us,
        last_used_us: row.last_used_us,
        codes_left: recovery::left(keys, row),
    })
}

/// Forgets what was begun of a kind and never confirmed.
pub(crate) fn forget_begun(tx: &mut Tx<'_>, person: &Id, kind: FactorKind) -> Result<()> {
    for begun in held(tx.connection, tx.keys, person)? {
        if begun.confirmed_us.is_none() && begun.kind == kind as i64 {
            factors::delete(tx.connection, &begun.id)?;
        }
    }
    Ok(())
}

/// Writes a factor's row with its MAC.
pub(crate) fn write(tx: &mut Tx<'_>, mut row: FactorRow) -> Result<()> {
    row.mac = row.expected(tx.keys);
    Ok(factors::update(tx.connection, &row)?)
}

/// A new factor, not confirmed.
pub(crate) fn begin(tx: &mut Tx<'_>, id: Id, person: Id, kind: FactorKind, secret: &[u8]) -> Result<FactorRow> {
    let sealed = tx.keys.seal_credential(column::FACTOR_SECRET, &[id, person].concat(), secret);
    let mut row = FactorRow {
        id,
        person,
        kind: kind as i64,
        secret: sealed,
        name: None,
        confirmed_us: None,
        last_step: None,
        last_used_us: None,
        created_us: tx.now_us,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    factors::add(tx.connection, &row)?;
    Ok(row)
}

/// Confirms a factor. A person who has one can only sign in with it.
pub(crate) fn confirm(tx: &mut Tx<'_>, row: FactorRow) -> Result<()> {
    let (person, id, note) = (row.person, row.id, kind_name(&row));
    write(tx, FactorRow { confirmed_us: Some(tx.now_us), ..row })?;
    tx.audit(Event::of(person, "factor.added").on(id).noting(note))?;
    tx.notify(
        &person,
        "A second factor was added",
        "A way to prove that it is you was added at the bank just now. If it was not you, tell the bank at once.",
    )?;
    let mut row = identity::people(tx.connection, &[person])?.pop().ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    if !row.has_factor {
        row.has_factor = true;
        write_person(tx, row)?;
    }
    Ok(())
}

/// Writes a person's row with its next version and MAC.
pub(crate) fn write_person(tx: &mut Tx<'_>, mut row: PersonRow) -> Result<()> {
    row.version += 1;
    row.mac = row.expected(tx.keys);
    Ok(identity::update_person(tx.connection, &row)?)
}

/// Who enrols, as rows can prove it.
#[derive(Clone)]
pub(crate) enum Enroller {
    /// Someone with the password and no factor, by their challenge.
    First(Id),
    /// Someone signed in.
    SignedIn(Caller),
}

impl Enroller {
    pub(crate) fn of(enrolling: &Enrolling) -> Result<Self> {
        Ok(match enrolling {
            Enrolling::First(token) => Enroller::First(sign_in::enrolment_challenge(token)?),
            Enrolling::SignedIn(caller) => Enroller::SignedIn(caller.clone()),
        })
    }

    /// The person, if they may enrol at this moment. With a password alone only who has no factor
    /// yet: whoever came second would get past the first one's factor.
    pub(crate) fn person(&self, connection: &mut dyn Connection, keys: &Keyring, now_us: i64) -> Result<Id> {
        match self {
            Enroller::First(challenge) => {
                let person = sign_in::enrolling(connection, keys, challenge, now_us)?;
                let row = identity::people(connection, &[person])?.pop().ok_or(Error::Unauthenticated)?;
                row.check(keys).map_err(|_| Error::Unauthenticated)?;
                let may = !row.has_factor && is_active(&row);
                if may { Ok(person) } else { Err(Error::Unauthenticated) }
            }
            Enroller::SignedIn(caller) => {
                let seen = sessions::see(connection, keys, caller, now_us)?;
                step_up(seen.session.factor_us, now_us)?;
                Ok(seen.person.id)
            }
        }
    }
}

/// Refuses a sensitive step when the last factor is too long ago.
pub(crate) fn step_up(factor_us: i64, now_us: i64) -> Result<()> {
    if now_us - factor_us <= STEP_UP_US {
        return Ok(());
    }
    Err(Error::forbidden("step_up_required", "Give your second factor again, then repeat this within ten minutes."))
}
