//! How a factor is met: the try was counted by whoever asks.

use strongroom_identity::factor::FactorKind;
use strongroom_store::Id;
use strongroom_store::factors::FactorRow;
use strongroom_store::identity::ChallengeRow;

use super::passkey::{self, Met};
use super::sms::Approved;
use super::{email, held, recovery, sms, totp};
use crate::tx::Tx;
use crate::{Error, Result};

/// What a person gives as their second factor.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Of what kind it is.
    pub kind: FactorKind,
    /// The thing itself.
    pub(crate) given: Given,
}

/// A code, or a passkey that was checked before.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Code(String),
    Passkey(Option<Met>),
    Sms(Option<Approved>),
}

impl Proof {
    /// A code as it was typed: six digits of an authenticator, or a recovery code.
    pub fn typed(code: &str) -> Result<Self> {
        let signs = code.chars().filter(|c| c.is_alphanumeric()).count();
        Proof::code(if signs > 8 { "recovery" } else { "totp" }, code)
    }

    /// A code of a kind by its name.
    pub fn code(kind: &str, code: &str) -> Result<Self> {
        let known = FactorKind::from_name(kind);
        let unknown = || Error::field("factor", "unknown_factor", "Give one of totp, email, sms, recovery, passkey.");
        let code = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        Ok(Proof { kind: known.ok_or_else(unknown)?, given: Given::Code(code) })
    }
}

/// Whether a person's factor is met; what may be used once is used up.
pub(crate) fn meet(tx: &mut Tx<'_>, person: &Id, challenge: Option<&ChallengeRow>, proof: &Proof) -> Result<bool> {
    let rows = held(tx.connection, tx.keys, person)?;
    let mine = rows.into_iter().filter(|row| row.kind == proof.kind as i64 && row.confirmed_us.is_some());
    for row in mine {
        let met = match (proof.kind, &proof.given) {
            (FactorKind::Totp, Given::Code(code)) => totp::meet(tx, &row, code)?,
            (FactorKind::Email, Given::Code(code)) => email::meet(tx, &row, challenge, code)?,
            (FactorKind::Sms, Given::Sms(Some(approved))) => sms::meet(tx, &row, challenge, approved)?,
            (FactorKind::Recovery, Given::Code(code)) => recovery::meet(tx, &row, code)?,
            (FactorKind::Passkey, Given::Passkey(Some(met))) => passkey::meet(tx, &row, met),
            _ => None,
        };
        if let Some(used) = met {
            super::write(tx, FactorRow { last_used_us: Some(tx.now_us), ..used })?;
            return Ok(true);
        }
    }
    Ok(false)
}
