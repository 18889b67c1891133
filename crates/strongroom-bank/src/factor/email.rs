//! Codes by mail: eight digits, five minutes, one use. Weaker than the others, since who reads the mail has
//! them; the operator can turn them off.

use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_store::Id;
use strongroom_store::factors::FactorRow;
use strongroom_store::identity::{self, ChallengeRow};

use super::{begin, confirm, held, step_up};
use crate::contact::{has_verified_email, is_code, keep_code, new_code, plain, send_code};
use crate::post::email_of;
use crate::sessions::{self, Caller};
use crate::sign_in::{self, Purpose};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock};

/// Codes sent for one sign-in.
const SENDS_MAX: i64 = 3;

impl Bank {
    /// Makes codes by mail a second factor of the caller's, whose address is verified.
    pub async fn add_email_factor(&self, caller: &Caller) -> Result<FactorId> {
        self.may_send_codes()?;
        let (caller, id) = (caller.clone(), FactorId::from_time(clock::now_us(), random::bytes()));
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            step_up(seen.session.factor_us, tx.now_us)?;
            if !has_verified_email(tx, &caller.person)? {
                let detail = "Verify your e-mail address first.".to_owned();
                return Err(Error::Conflict { code: "email_not_verified", detail });
            }
            let rows = held(tx.connection, tx.keys, &caller.person)?;
            if rows.iter().any(|row| row.kind == FactorKind::Email as i64) {
                let detail = "Codes by mail are a factor of yours already.".to_owned();
                return Err(Error::Conflict { code: "factor_exists", detail });
            }
            let row = begin(tx, id.0, caller.person, FactorKind::Email, &[])?;
            confirm(tx, row)?;
            sessions::end_others(tx, &caller.person, Some(&caller.session))
        })
        .await?;
        Ok(id)
    }

    /// Sends a code for a sign-in that is under way. Sending again does not give more tries.
    pub async fn send_email_code(&self, challenge: &str) -> Result<()> {
        self.mail_code(sign_in::challenge_of(challenge)?, Purpose::SignIn).await
    }

    /// Sends a code for a challenge of this purpose.
    pub(crate) async fn mail_code(&self, id: Id, purpose: Purpose) -> Result<()> {
        self.may_send_codes()?;
        let code = new_code();
        self.change(move |tx| {
            let row = sign_in::live_challenge(tx.connection, tx.keys, &id, purpose, tx.now_us)?;
            let row = row.ok_or(Error::BadCredentials)?;
            let rows = held(tx.connection, tx.keys, &row.person)?;
            if !rows.iter().any(|f| f.kind == FactorKind::Email as i64 && f.confirmed_us.is_some()) {
                return Err(Error::field("factor", "unknown_factor", "This kind of factor is not set up for you."));
            }
            let to = email_of(tx, &row.person)?.ok_or(Error::BadCredentials)?;
            if !has_verified_email(tx, &row.person)? {
                let detail = "Your e-mail address was changed and is not verified yet: use another factor.";
                return Err(Error::field("factor", "not_verified", detail));
            }
            if row.sends >= SENDS_MAX {
                return Err(Error::TooMany {
                    retry_after_s: (row.expires_us - tx.now_us).max(0) as u64 / 1_000_000 + 1,
                });
            }
            tx.reserve(&[Against::sending(tx.keys, &row.person)])?;
            keep_code(tx, &id, row.sends + 1, &code)?;
            send_code(tx, &row.person, &to, &code, purpose.words())
        })
        .await
    }

    /// Refuses where no mail is set up, or codes by mail are turned off.
    fn may_send_codes(&self) -> Result<()> {
        self.needs_mail()?;
        if self.config.factors.hardened {
            let detail = "This bank takes no codes by mail or SMS. Use an authenticator app or a passkey.";
            return Err(Error::forbidden("factor_not_allowed", detail));
        }
        Ok(())
    }
}

/// Whether a code is the one that was sent for this challenge.
pub(super) fn meet(
    tx: &mut Tx<'_>,
    row: &FactorRow,
    challenge: Option<&ChallengeRow>,
    code: &str,
) -> Result<Option<FactorRow>> {
    let Some(challenge) = challenge else { return Ok(None) };
    if !is_code(tx, &challenge.id, challenge.data.as_deref(), &plain(code))? {
        return Ok(None);
    }
    // Once is enough, whatever becomes of the challenge.
    identity::set_challenge_data(tx.connection, &challenge.id, challenge.sends, &[])?;
    Ok(Some(row.clone()))
}
