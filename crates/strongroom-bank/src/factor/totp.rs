//! One-time codes by the clock: a TOTP secret is made, shown once, and counts once its owner has given a code.

use strongroom_crypto::{random, totp};
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_store::factors::FactorRow;
use strongroom_store::identity;

use super::{Enroller, Enrolling, begin, forget_begun};
use crate::keyring::column;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex};

/// A TOTP secret, shown once.
pub struct NewTotp {
    /// The factor's id.
    pub id: FactorId,
    /// Base32, as authenticator apps take it.
    pub secret: String,
    /// The same as a link.
    pub otpauth_uri: String,
}

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
        self.change(move |tx| {
            // Again: meanwhile someone else may have enrolled with the same password.
            enroller.person(tx.connection, tx.keys, tx.now_us)?;
            forget_begun(tx, &person, FactorKind::Totp)?;
            begin(tx, id.0, person, FactorKind::Totp, &secret[..]).map(drop)
        })
        .await?;
        Ok(NewTotp { id, secret: shown, otpauth_uri: uri })
    }
}

/// The row with the step that a code belongs to, if it is right and newer than the last one accepted.
pub(super) fn meet(tx: &mut Tx<'_>, row: &FactorRow, code: &str) -> Result<Option<FactorRow>> {
    let context = [row.id, row.person].concat();
    let Ok(secret) = tx.keys.unseal_credential(column::FACTOR_SECRET, &context, &row.secret) else {
        let id = hex::encode(&row.id);
        tracing::error!(target: "strongroom::integrity", table = "factors", id, "a factor's secret does not belong to its row; refused");
        return Ok(None);
    };
    let time_s = u64::try_from(tx.now_us / 1_000_000).unwrap_or_default();
    let last = row.last_step.and_then(|step| u64::try_from(step).ok());
    let step = totp::matching_step(&secret, code, time_s, last);
    Ok(step.map(|step| FactorRow { last_step: Some(step as i64), ..row.clone() }))
}
