//! A factor given again by someone signed in: a new session takes the place of theirs, and may do for some minutes
//! what is sensitive. What has to be sent or asked for first stands in a challenge that belongs to the session.

use serde_json::Value;
use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_store::{Id, identity};

use crate::audit::{Event, Source};
use crate::factor::proof::{Given, Proof};
use crate::sessions::{self, Caller, NewSession, SignedIn};
use crate::sign_in::{Purpose, end_recoveries, insert_challenge, live_challenge, try_factor};
use crate::{Bank, Error, Result};

impl Bank {
    /// Sends a code, or answers what a passkey is to sign. Sending again does not give more tries.
    pub async fn ask_for_step_up(&self, caller: &Caller, factor: FactorKind) -> Result<Option<Value>> {
        let (id, asking) = (challenge_id(caller), caller.clone());
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &asking, tx.now_us)?;
            match live_challenge(tx.connection, tx.keys, &id, Purpose::StepUp, tx.now_us)? {
                Some(_) => Ok(()),
                None => {
                    identity::end_challenge(tx.connection, &id, tx.now_us)?;
                    insert_challenge(tx, id, seen.person.id, Purpose::StepUp)
                }
            }
        })
        .await?;
        match factor {
            FactorKind::Passkey => self.ask_passkey(id, Purpose::StepUp).await.map(Some),
            FactorKind::Email => self.mail_code(id, Purpose::StepUp).await.map(|()| None),
            FactorKind::Sms => self.text_code(id, Purpose::StepUp).await.map(|()| None),
            FactorKind::Totp | FactorKind::Recovery => {
                Err(Error::field("factor", "unknown_factor", "For this kind nothing is sent: give its code."))
            }
        }
    }

    /// Takes a code.
    pub async fn step_up(&self, caller: &Caller, proof: Proof, source: &Source) -> Result<SignedIn> {
        let proof = self.checked_sms(&challenge_id(caller), Purpose::StepUp, proof, source).await?;
        self.stepped_up(caller, proof, source).await
    }

    /// Takes what a passkey has signed.
    pub async fn step_up_by_passkey(&self, caller: &Caller, answer: &Value, source: &Source) -> Result<SignedIn> {
        let (person, proof) = self.answered(challenge_id(caller), &[Purpose::StepUp], answer).await?;
        if person != caller.person {
            return Err(Error::BadCredentials);
        }
        self.stepped_up(caller, proof, source).await
    }

    async fn stepped_up(&self, caller: &Caller, proof: Proof, source: &Source) -> Result<SignedIn> {
        let (caller, source, asked) = (caller.clone(), source.clone(), challenge_id(caller));
        let (id10, secret) = (random::bytes(), random::bytes());
        let met = self
            .change(move |tx| {
                let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
                let challenge = live_challenge(tx.connection, tx.keys, &asked, Purpose::StepUp, tx.now_us)?;
                // A signature counts for what was asked, and only while it is.
                let needs_challenge = matches!(proof.given, Given::Passkey(_));
                if needs_challenge && challenge.is_none()
                    || !try_factor(tx, &seen.person.id, challenge.as_ref(), &proof, &source)?
                {
                    return Ok(None);
                }
                identity::end_challenge(tx.connection, &asked, tx.now_us)?;
                let new = NewSession { id10, secret, browser: seen.session.kind == sessions::BROWSER };
                end_recoveries(tx, &seen.person.id)?;
                // It goes on in the other's place, and ends when that one would have.
                let opened = sessions::open_until(tx, seen.person.id, &new, seen.session.expires_us)?;
                tx.audit(Event::by(&caller, "session.stepped_up").on(opened.0.id).from(&source))?;
                sessions::end(tx, seen.session)?;
                Ok(Some(opened))
            })
            .await?;
        Ok(self.welcome(&met.ok_or(Error::BadCredentials)?))
    }
}

/// One for each session, so that nothing has to be carried along.
fn challenge_id(caller: &Caller) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256_parts(&[b"strongroom step-up v1\0", &caller.session])[..16]);
    id
}
