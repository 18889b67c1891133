//! Second factors: a TOTP secret is made, shown once, and counts once its owner has given a code.

use strongroom_crypto::{random, totp};
use strongroom_ledger::id::FactorId;
use strongroom_store::Id;
use strongroom_store::identity::{self, FactorRow};

use crate::keyring::column;
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
        let person = self.enrolling_person(enrolling).await?;
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
        let person = self.enrolling_person(enrolling).await?;
        let challenge = match enrolling {
            Enrolling::First(token) => Some(self.enrolling(token).await?.1),
            Enrolling::SignedIn(_) => None,
        };
        let code = code.to_owned();
        let new = NewSession::random(browser);
        let opened = self
            .change(move |tx| {
                let factors = identity::factors_of(tx.connection, &person)?;
                let row =
                    factors.iter().find(|f| f.id == factor.0 && f.confirmed_us.is_none()).ok_or(Error::NotFound)?;
                let Some(step) = sessions::matching_step(tx.keys, row, &code, tx.now_us) else {
                    if let Some(id) = &challenge {
                        let tries = identity::challenge(tx.connection, id)?.map_or(0, |c| c.tries);
                        identity::count_try(tx.connection, id, tries + 1)?;
                    }
                    return Ok(None);
                };
                // Nothing below this line may fail.
                identity::accept_factor(tx.connection, &row.id, tx.now_us, step as i64)?;
                match &challenge {
                    Some(id) => {
                        identity::end_challenge(tx.connection, id, tx.now_us)?;
                        Ok(Some(Some(sessions::open_session(tx, person, &new)?)))
                    }
                    None => Ok(Some(None)),
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

    async fn enrolling_person(&self, enrolling: &Enrolling) -> Result<Id> {
        match enrolling {
            Enrolling::First(token) => Ok(self.enrolling(token).await?.0),
            Enrolling::SignedIn(caller) => {
                let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
                self.read(move |c| {
                    let seen = sessions::see(c, &keys, &caller, now_us)?;
                    step_up(seen.session.factor_us, now_us)?;
                    Ok(seen.person.id)
                })
                .await
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
