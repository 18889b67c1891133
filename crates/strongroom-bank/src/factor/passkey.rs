//! Passkeys: made by someone signed in (or as their first factor), and used after the password or in
//! its place. Signatures are checked beside the writer, which only sees that nothing changed meanwhile.

use serde_json::Value;
use strongroom_crypto::passkey::Site;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_store::factors::{self, FactorRow};
use strongroom_store::identity;
use strongroom_store::{Connection, Id};

use super::proof::{Given, Proof};
use super::{Enroller, Enrolling, begin, held};
use crate::audit::Source;
use crate::keyring::{Keyring, column};
use crate::sessions::{NewSession, SignedIn};
use crate::sign_in::{self, Purpose, challenge_id};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex};

/// A passkey that has been begun.
pub struct NewPasskey {
    /// The factor's id.
    pub id: FactorId,
    /// For the browser's `navigator.credentials.create`.
    pub options: Value,
}

/// A sign-in that has been begun with a passkey alone.
pub struct PasskeyChallenge {
    /// To be given back with the answer.
    pub token: String,
    /// For the browser's `navigator.credentials.get`.
    pub options: Value,
}

/// A passkey whose signature was right, as its row was then.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    factor: Id,
    before: Vec<u8>,
    after: String,
}

impl Bank {
    /// Begins a passkey; it counts once confirmed with what the device has made.
    pub async fn begin_passkey(&self, enrolling: &Enrolling) -> Result<NewPasskey> {
        let enroller = Enroller::of(enrolling)?;
        let (keys, looker, now_us) = (self.keys.clone(), enroller.clone(), clock::now_us());
        let (person, username, passkeys) = self
            .read(move |c| {
                let person = looker.person(c, &keys, now_us)?;
                let row = identity::profile(c, &person)?.ok_or(Error::Unauthenticated)?;
                let username = keys.unseal_text(Some(&person), column::USERNAME, &person, &row.username)?;
                Ok((person, username, passkeys_of(c, &keys, &person)?))
            })
            .await?;
        let known: Vec<String> = passkeys.into_iter().map(|(_, passkey)| passkey).collect();
        let asked = self.site.begin(person, &username, &known).map_err(|e| Error::Internal(e.to_string()))?;
        let id = FactorId::from_time(clock::now_us(), random::bytes());
        self.change(move |tx| {
            enroller.person(tx.connection, tx.keys, tx.now_us)?;
            super::forget_begun(tx, &person, FactorKind::Passkey)?;
            begin(tx, id.0, person, FactorKind::Passkey, asked.state.as_bytes()).map(drop)
        })
        .await?;
        Ok(NewPasskey { id, options: asked.options })
    }

    /// Begins a sign-in with a passkey alone: no name, no password.
    pub async fn begin_passkey_sign_in(&self, source: &Source) -> Result<PasskeyChallenge> {
        let asked = self.site.ask().map_err(|e| Error::Internal(e.to_string()))?;
        let secret: [u8; 32] = random::bytes();
        let tried = Against::address(&self.keys, source);
        self.change(move |tx| {
            // Counted as a try until it succeeds, so that nobody fills the table.
            tx.reserve(&[tried])?;
            let id = challenge_id(&secret);
            sign_in::insert_challenge(tx, id, NOBODY, Purpose::Passkey)?;
            keep_state(tx, &id, 1, &asked.state)
        })
        .await?;
        Ok(PasskeyChallenge { token: format!("chl_{}", hex::encode(&secret)), options: asked.options })
    }

    /// Asks for a passkey as the second step of a sign-in.
    pub async fn ask_for_passkey(&self, challenge: &str) -> Result<Value> {
        self.ask_passkey(sign_in::challenge_of(challenge)?, Purpose::SignIn).await
    }

    /// What a passkey is to sign for a challenge of this purpose.
    pub(crate) async fn ask_passkey(&self, id: Id, purpose: Purpose) -> Result<Value> {
        let asked = self.site.ask().map_err(|e| Error::Internal(e.to_string()))?;
        self.change(move |tx| {
            let row = sign_in::live_challenge(tx.connection, tx.keys, &id, purpose, tx.now_us)?;
            let row = row.ok_or(Error::BadCredentials)?;
            keep_state(tx, &id, row.sends + 1, &asked.state)
        })
        .await?;
        Ok(asked.options)
    }

    /// Signs in with what a passkey has signed, for a challenge of either kind.
    pub async fn verify_passkey(
        &self,
        challenge: &str,
        answer: &Value,
        browser: bool,
        source: &Source,
    ) -> Result<SignedIn> {
        let id = sign_in::challenge_of(challenge)?;
        let (person, proof) = self.answered(id, &[Purpose::SignIn, Purpose::Passkey], answer).await?;
        let (new, source) = (NewSession::random(browser), source.clone());
        let met = self.change(move |tx| sign_in::meet_challenge(tx, &id, Some(&person), &proof, &new, &source)).await?;
        Ok(self.welcome(&met.ok_or(Error::BadCredentials)?))
    }

    /// Whose passkey has signed what a challenge of one of these purposes asks, and whether it was right.
    pub(crate) async fn answered(&self, id: Id, purposes: &'static [Purpose], answer: &Value) -> Result<(Id, Proof)> {
        let (keys, now_us, claimed) = (self.keys.clone(), clock::now_us(), self.site.claimed(answer));
        let asked = self
            .read(move |c| {
                let row = purposes
                    .iter()
                    .find_map(|purpose| sign_in::live_challenge(c, &keys, &id, *purpose, now_us).transpose());
                let Some(row) = row.transpose()? else { return Ok(None) };
                let (Some(state), Some(claimed)) = (&row.data, claimed) else { return Ok(None) };
                let state = keys.unseal_credential(column::CHALLENGE_DATA, &row.id, state)?;
                let person = if row.person == NOBODY { claimed } else { row.person };
                Ok(Some((person, String::from_utf8_lossy(&state).into_owned(), passkeys_of(c, &keys, &person)?)))
            })
            .await?;
        let Some((person, state, passkeys)) = asked else { return Err(Error::BadCredentials) };
        let met = if claimed == Some(person) { check(&self.site, &state, answer, passkeys) } else { None };
        Ok((person, Proof { kind: FactorKind::Passkey, given: Given::Passkey(met) }))
    }
}

/// Whose challenge it is before anyone has said who they are.
pub(crate) const NOBODY: Id = [0; 16];

fn keep_state(tx: &mut Tx<'_>, id: &Id, sends: i64, state: &str) -> Result<()> {
    let sealed = tx.keys.seal_credential(column::CHALLENGE_DATA, id, state.as_bytes());
    Ok(identity::set_challenge_data(tx.connection, id, sends, &sealed)?)
}

fn passkeys_of(connection: &mut dyn Connection, keys: &Keyring, person: &Id) -> Result<Vec<(FactorRow, String)>> {
    let rows = held(connection, keys, person)?.into_iter();
    let passkeys = rows.filter(|row| row.kind == FactorKind::Passkey as i64 && row.confirmed_us.is_some());
    passkeys
        .map(|row| {
            let passkey = keys.unseal_credential(column::FACTOR_SECRET, &[row.id, row.person].concat(), &row.secret)?;
            Ok((row, String::from_utf8_lossy(&passkey).into_owned()))
        })
        .collect()
}

fn check(site: &Site, state: &str, answer: &Value, passkeys: Vec<(FactorRow, String)>) -> Option<Met> {
    passkeys.into_iter().find_map(|(row, passkey)| {
        let used = site.check(state, answer, &passkey);
        if let Err(refused) = &used {
            tracing::debug!(%refused, "a passkey's answer was refused");
        }
        Some(Met { factor: row.id, before: row.secret, after: used.ok()?.passkey })
    })
}

/// The row with the passkey's new count, if it is the one that was checked.
pub(super) fn meet(tx: &mut Tx<'_>, row: &FactorRow, met: &Met) -> Option<FactorRow> {
    if row.id != met.factor || row.secret != met.before {
        return None;
    }
    let context = [row.id, row.person].concat();
    let secret = tx.keys.seal_credential(column::FACTOR_SECRET, &context, met.after.as_bytes());
    Some(FactorRow { secret, ..row.clone() })
}

/// The row with the passkey that a device has made for what was asked.
pub(super) fn made(site: &Site, keys: &Keyring, row: &FactorRow, answer: &Value) -> Result<Option<FactorRow>> {
    let context = [row.id, row.person].concat();
    let state = keys.unseal_credential(column::FACTOR_SECRET, &context, &row.secret)?;
    let passkey = match site.finish(&String::from_utf8_lossy(&state), answer) {
        Ok(passkey) => passkey,
        Err(refused) => {
            tracing::debug!(%refused, "a new passkey was refused");
            return Ok(None);
        }
    };
    let secret = keys.seal_credential(column::FACTOR_SECRET, &context, passkey.as_bytes());
    Ok(Some(FactorRow { secret, ..row.clone() }))
}

/// A person's factor that was begun.
pub(super) fn begun(
    connection: &mut dyn Connection,
    keys: &Keyring,
    person: &Id,
    factor: &FactorId,
) -> Result<FactorRow> {
    let row = factors::by_id(connection, &factor.0)?;
    let mine = row.filter(|row| row.person == *person && row.confirmed_us.is_none());
    let row = mine.ok_or(Error::NotFound)?;
    crate::rows::Authenticated::check(&row, keys)?;
    Ok(row)
}
