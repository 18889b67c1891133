//! Second factors: a TOTP secret is made, shown once, and counts once its owner has given a code.

use strongroom_crypto::{random, totp};
use strongroom_ledger::id::FactorId;
use strongroom_store::identity::{self, FactorRow};
use strongroom_store::{Connection, Id};

use crate::keyring::{Keyring, column};
use crate::sessions::{self, Caller, NewSession, SignedIn};
use crate::{Bank, Error, Result, clock};

/// Who enrols a factor.
#[derive(Clone, Debug)]
pub enum Enrolling {
    /// Someone signed in.
    SignedIn(Caller),
    /// Someone who has given their password and has no factor yet.
    First(String),
}

/// A TOTP secret, shown once.
pub struct NewTotp {
    /// The factor's id.
    pub id: FactorId,
    /// Base32, as authenticator apps take it.
    pub secret: String,
    /// The same as a link.
    pub otpauth_uri: String,
}

const TOTP: i64 = 1;
/// A signed-in person must have given a factor this recently to add another.
const STEP_UP_US: i64 = 600_000_000;

impl Bank {
    /// Begins a TOTP factor; it counts once confirmed.
    pub async fn begin_totp(&self, enrolling: &Enrolling) -> Result<NewTotp> {
        let enroller = Enroller::of(enrolling)?;
        let (keys, looker, now_us) = (self.keys.clone(), enroller.clone(), clock::now_us());
        let person = self.read(move |c| looker.person(c, &keys, now_us)).await?;
        let secret = totp::new_secret();
        let id = FactorId::from_time(clock::now_us(), random::bytes());
        let keys = self.keys.clone();
        let username = self
            .read(move |c| {
                let row = identity::profile(c, &person)?.ok_or(Error::Unauthenticated)?;
                keys.unseal_text(Some(&person), column::USERNAME, &person, &row.username)
            })
            .await?;
        let shown = totp::to_base32(&secret[..]);
        let uri = totp::otpauth_uri(&self.config.bank.name, &username, &secret[..]);
        let sealed = self.keys.seal_credential(column::FACTOR_SECRET, &[id.0, person].concat(), &secret[..]);
        self.change(move |tx| {
            // Again: meanwhile someone else may have enrolled with the same password.
            enroller.person(tx.connection, tx.keys, tx.now_us)?;
            identity::delete_unconfirmed_factors(tx.connection, &person)?;
            let row = FactorRow {
                id: id.0,
                person,
                kind: TOTP,
                secret: sealed.clone(),
                confirmed_us: None,
                last_step: None,
                created_us: tx.now_us,
            };
            Ok(identity::insert_factor(tx.connection, &row)?)
        })
        .await?;
        Ok(NewTotp { id, secret: shown, otpauth_uri: uri })
    }

    /// Confirms it with a code. A first factor signs its owner in.
    pub async fn confirm_totp(
        &self,
        enrolling: &Enrolling,
        factor: FactorId,
        code: &str,
        browser: bool,
    ) -> Result<Option<SignedIn>> {
        let enroller = Enroller::of(enrolling)?;
        let code = code.to_owned();
        let new = NewSession::random(browser);
        let opened = self
            .change(move |tx| {
                let person = enroller.person(tx.connection, tx.keys, tx.now_us)?;
                let factors = identity::factors_of(tx.connection, &person)?;
                let row =
                    factors.iter().find(|f| f.id == factor.0 && f.confirmed_us.is_none()).ok_or(Error::NotFound)?;
                let Some(step) = sessions::matching_step(tx.keys, row, &code, tx.now_us) else {
                    if let Enroller::First(id) = &enroller {
                        let tries = identity::challenge(tx.connection, id)?.map_or(0, |c| c.tries);
                        identity::count_try(tx.connection, id, tries + 1)?;
                    }
                    return Ok(None);
                };
                // Nothing below this line may fail.
                identity::accept_factor(tx.connection, &row.id, tx.now_us, step as i64)?;
                match &enroller {
                    Enroller::First(_) => {
                        identity::end_challenges_of(tx.connection, &person, tx.now_us)?;
                        Ok(Some(Some(sessions::open_session(tx, person, &new)?)))
                    }
                    Enroller::SignedIn(_) => Ok(Some(None)),
                }
            })
            .await?;
        let wrong = || {
            Error::field(
                "code",
                "wrong_code",
                "The code is not right. Check your device's clock and give the newest code.",
            )
        };
        Ok(opened.ok_or_else(wrong)?.map(|opened| self.welcome(&opened)))
    }
}

/// Who enrols, as rows can prove it.
#[derive(Clone)]
enum Enroller {
    /// Someone with the password and no factor, by their challenge.
    First(Id),
    /// Someone signed in.
    SignedIn(Caller),
}

impl Enroller {
    fn of(enrolling: &Enrolling) -> Result<Self> {
        Ok(match enrolling {
            Enrolling::First(token) => Enroller::First(sessions::enrolment_challenge(token)?),
            Enrolling::SignedIn(caller) => Enroller::SignedIn(caller.clone()),
        })
    }

    /// The person, if they may enrol at this moment. With a password alone only who has no factor
    /// yet: whoever came second would get past the first one's factor.
    fn person(&self, connection: &mut dyn Connection, keys: &Keyring, now_us: i64) -> Result<Id> {
        match self {
            Enroller::First(challenge) => {
                let person = sessions::enrolling(connection, keys, challenge, now_us)?;
                let factors = identity::factors_of(connection, &person)?;
                let has_factor = factors.iter().any(|factor| factor.confirmed_us.is_some());
                if has_factor { Err(Error::Unauthenticated) } else { Ok(person) }
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
    Err(Error::forbidden(
        "step_up_required",
        "Sign in again with your second factor, then repeat this within ten minutes.",
    ))
}
