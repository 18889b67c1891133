//! Codes by SMS: proof of a telephone number, and a second factor. Eight digits, five minutes by the bank's own
//! challenge, five tries counted here before anything is asked elsewhere, one use. Weaker than the others, since
//! numbers can be taken over; the operator can turn them off.
//!
//! Twilio Verify makes and checks the codes; the challenge keeps its verification's id, so that what is approved
//! belongs to this sign-in. Without it (a demonstration) the challenge keeps the bank's own code.

use std::sync::Arc;
use std::time::Duration;

use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_notify::sms::{Sms, SmsError, Twilio};
use strongroom_store::factors::FactorRow;
use strongroom_store::identity::{self, ChallengeRow};
use strongroom_store::{Id, meta};

use super::proof::{Given, Proof};
use super::{begin, confirm, held, step_up, write_person};
use crate::audit::{Event, Source};
use crate::contact::{begin_proof, new_code, plain, text_of_code};
use crate::keyring::column;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::sign_in::{self, Purpose, live_challenge};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock};

/// What a code has.
const CODE_DIGITS: usize = 8;
/// Codes sent for one sign-in.
const SENDS_MAX: i64 = 3;
/// When a code that was not used is ended at Twilio, which would take it for longer.
const ENDS_AFTER: Duration = Duration::from_secs(300);
/// In `meta`: the service that the bank has made at Twilio.
const SERVICE: &str = "sms_service";

/// A code that was right, by what its challenge kept of it.
#[derive(Clone, Debug)]
pub(crate) struct Approved(Vec<u8>);

/// What is to be sent for a challenge.
struct Sending {
    challenge: Id,
    sends: i64,
    to: String,
    before: Option<String>,
}

impl Bank {
    /// Sends a code to the caller's telephone number, to prove that it is theirs.
    pub async fn send_phone_proof(&self, caller: &Caller) -> Result<()> {
        self.needs_sms()?;
        let caller = caller.clone();
        let sending = self
            .change(move |tx| {
                sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
                let to = phone_of(tx, &caller.person)?;
                let to = to.ok_or_else(|| Error::field("phone", "required", "Give a phone number first."))?;
                tx.reserve(&[Against::sending(tx.keys, &caller.person)])?;
                let challenge = proof_id(&caller.person);
                let before = identity::challenge(tx.connection, &challenge)?;
                let before = before.map(|row| kept(tx, &row)).transpose()?.flatten();
                begin_proof(tx, challenge, caller.person, Purpose::VerifyPhone)?;
                Ok(Sending { challenge, sends: 1, to, before })
            })
            .await?;
        self.send_sms(sending, Purpose::VerifyPhone).await
    }

    /// Takes the code that was sent.
    pub async fn confirm_phone(&self, caller: &Caller, code: &str, source: &Source) -> Result<()> {
        let challenge = proof_id(&caller.person);
        let (keys, asking, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| sessions::see(c, &keys, &asking, now_us)).await?;
        let approved = self.check_sms(&challenge, Purpose::VerifyPhone, code, source).await?;
        let caller = caller.clone();
        let met = self
            .change(move |tx| {
                let mut person = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?.person;
                let row = live_challenge(tx.connection, tx.keys, &challenge, Purpose::VerifyPhone, tx.now_us)?;
                let Some(row) = row.filter(|row| row.person == caller.person) else { return Ok(false) };
                if !is_approved(tx, &row, approved.as_ref())? {
                    return Ok(false);
                }
                identity::end_challenge(tx.connection, &challenge, tx.now_us)?;
                person.phone_verified_us = Some(tx.now_us);
                write_person(tx, person)?;
                tx.forget_tries(Against::factors(tx.keys, &caller.person))?;
                tx.audit(Event::by(&caller, "phone.verified"))?;
                Ok(true)
            })
            .await?;
        let wrong = "The code is wrong or older than five minutes. Ask for a new one.";
        if met { Ok(()) } else { Err(Error::field("code", "wrong_code", wrong)) }
    }

    /// Makes codes by SMS a second factor of the caller's, whose number is verified.
    pub async fn add_sms_factor(&self, caller: &Caller) -> Result<FactorId> {
        self.may_send_sms()?;
        let (caller, id) = (caller.clone(), FactorId::from_time(clock::now_us(), random::bytes()));
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            step_up(seen.session.factor_us, tx.now_us)?;
            if seen.person.phone_verified_us.is_none() {
                let detail = "Verify your phone number first.".to_owned();
                return Err(Error::Conflict { code: "phone_not_verified", detail });
            }
            let rows = held(tx.connection, tx.keys, &caller.person)?;
            if rows.iter().any(|row| row.kind == FactorKind::Sms as i64) {
                let detail = "Codes by SMS are a factor of yours already.".to_owned();
                return Err(Error::Conflict { code: "factor_exists", detail });
            }
            let row = begin(tx, id.0, caller.person, FactorKind::Sms, &[])?;
            confirm(tx, row)?;
            sessions::end_others(tx, &caller.person, Some(&caller.session))
        })
        .await?;
        Ok(id)
    }

    /// Sends a code for a sign-in that is under way. Sending again does not give more tries.
    pub async fn send_sms_code(&self, challenge: &str) -> Result<()> {
        self.text_code(sign_in::challenge_of(challenge)?, Purpose::SignIn).await
    }

    /// Sends a code for a challenge of this purpose.
    pub(crate) async fn text_code(&self, id: Id, purpose: Purpose) -> Result<()> {
        self.may_send_sms()?;
        let sending = self
            .change(move |tx| {
                let row = live_challenge(tx.connection, tx.keys, &id, purpose, tx.now_us)?;
                let row = row.ok_or(Error::BadCredentials)?;
                let rows = held(tx.connection, tx.keys, &row.person)?;
                let is_factor = rows.iter().any(|f| f.kind == FactorKind::Sms as i64 && f.confirmed_us.is_some());
                // Whoever has lost the rest may still have their telephone, factor or not.
                if !is_factor && purpose != Purpose::RecoverPhone {
                    let detail = "This kind of factor is not set up for you.";
                    return Err(Error::field("factor", "unknown_factor", detail));
                }
                let to = phone_of(tx, &row.person)?.ok_or(Error::BadCredentials)?;
                let person = identity::people(tx.connection, &[row.person])?.pop().ok_or(Error::BadCredentials)?;
                person.check(tx.keys)?;
                if person.phone_verified_us.is_none() {
                    let detail = "Your phone number was changed and is not verified yet: use another factor.";
                    return Err(Error::field("factor", "not_verified", detail));
                }
                if row.sends >= SENDS_MAX {
                    let retry_after_s = (row.expires_us - tx.now_us).max(0) as u64 / 1_000_000 + 1;
                    return Err(Error::TooMany { retry_after_s });
                }
                tx.reserve(&[Against::sending(tx.keys, &row.person)])?;
                let before = kept(tx, &row)?;
                Ok(Sending { challenge: id, sends: row.sends + 1, to, before })
            })
            .await?;
        self.send_sms(sending, purpose).await
    }

    /// A code that somebody typed, after it was looked at: what goes on with it belongs to the writer.
    pub(crate) async fn checked_sms(
        &self,
        challenge: &Id,
        purpose: Purpose,
        proof: Proof,
        source: &Source,
    ) -> Result<Proof> {
        match (proof.kind, &proof.given) {
            (FactorKind::Sms, Given::Code(code)) => {
                let approved = self.check_sms(challenge, purpose, code, source).await?;
                Ok(Proof { kind: FactorKind::Sms, given: Given::Sms(approved) })
            }
            _ => Ok(proof),
        }
    }

    /// Counts a try, then looks at the code: elsewhere, where it was made.
    pub(crate) async fn check_sms(
        &self,
        id: &Id,
        purpose: Purpose,
        code: &str,
        source: &Source,
    ) -> Result<Option<Approved>> {
        let (id, code, address) = (*id, plain(code), Against::address(&self.keys, source));
        let reference = self
            .change(move |tx| {
                let row = live_challenge(tx.connection, tx.keys, &id, purpose, tx.now_us)?;
                let Some(row) = row else { return Ok(None) };
                let tried = match purpose {
                    // It was counted with the other proofs.
                    Purpose::RecoverPhone => Vec::new(),
                    _ => vec![address, Against::factors(tx.keys, &row.person)],
                };
                tx.reserve(&tried)?;
                if purpose == Purpose::VerifyPhone {
                    identity::count_try(tx.connection, &id, row.tries + 1)?;
                }
                Ok(kept(tx, &row)?.map(|reference| (reference, tried)))
            })
            .await?;
        let Some((reference, tried)) = reference else { return Ok(None) };
        if code.len() != CODE_DIGITS {
            return Ok(None);
        }
        let is_right = match self.sms.as_deref() {
            Some(Sms::Twilio(twilio)) if reference.starts_with("VE") => {
                let service = self.sms_service(twilio).await?;
                match twilio.check(&service, &reference, &code).await {
                    Ok(is_right) => is_right,
                    // Nothing but the code can be wrong with what is asked here.
                    Err(SmsError::Over | SmsError::Number) => false,
                    Err(error) => {
                        // It was not looked at, so it was no try.
                        self.change(move |tx| tried.iter().try_for_each(|tried| tx.take_back(*tried))).await?;
                        return Err(told(error));
                    }
                }
            }
            Some(Sms::Folder(_)) => strongroom_crypto::mac::equal(reference.as_bytes(), code.as_bytes()),
            _ => false,
        };
        Ok(is_right.then(|| Approved(reference.into_bytes())))
    }

    async fn send_sms(&self, sending: Sending, purpose: Purpose) -> Result<()> {
        let Sending { challenge, sends, to, before } = sending;
        let reference = match self.sms.as_deref() {
            Some(Sms::Folder(folder)) => {
                let code = new_code();
                folder.send(&to, &text_of_code(&code, purpose.words())).map_err(told)?;
                code
            }
            Some(Sms::Twilio(twilio)) => {
                let service = self.sms_service(twilio).await?;
                // While one is pending Twilio would send the same code again, and count on.
                if let Some(before) = before.filter(|before| before.starts_with("VE")) {
                    twilio.cancel(&service, &before).await.map_err(told)?;
                }
                let reference = twilio.send(&service, &to).await.map_err(told)?;
                self.end_later(service, reference.clone());
                reference
            }
            None => return self.needs_sms(),
        };
        self.change(move |tx| {
            let sealed = tx.keys.seal_credential(column::CHALLENGE_DATA, &challenge, reference.as_bytes());
            Ok(identity::set_challenge_data(tx.connection, &challenge, sends, &sealed)?)
        })
        .await
    }

    /// Ends a verification at Twilio when its challenge here has ended, used or not.
    fn end_later(&self, service: String, verification: String) {
        let Some(sms) = self.sms.clone() else { return };
        tokio::spawn(async move {
            tokio::time::sleep(ENDS_AFTER).await;
            if let Sms::Twilio(twilio) = &*sms
                && let Err(error) = twilio.cancel(&service, &verification).await
            {
                tracing::warn!(%error, "an SMS verification could not be canceled");
            }
        });
    }

    /// The service of the configuration, or the one that the bank has made, now or before.
    async fn sms_service(&self, twilio: &Twilio) -> Result<String> {
        if let Some(service) = twilio.service() {
            return Ok(service.to_owned());
        }
        // One at a time, so that no second one is made.
        let _turn = self.sms_setup.lock().await;
        let held = self.read(|c| Ok(meta::value(c, SERVICE)?)).await?;
        let held = held.and_then(|held| String::from_utf8(held).ok());
        if let Some(service) = held.filter(|held| strongroom_notify::sms::is_service(held)) {
            return Ok(service);
        }
        let service = twilio.create_service(&self.config.bank.name).await.map_err(told)?;
        let made = service.clone();
        self.change(move |tx| {
            meta::set_value(tx.connection, SERVICE, made.as_bytes())?;
            tx.audit(Event::new("sms.service_made"))
        })
        .await?;
        Ok(service)
    }

    fn needs_sms(&self) -> Result<()> {
        match self.sms {
            Some(_) => Ok(()),
            None => Err(Error::forbidden("no_sms", "This bank sends no SMS: its operator has not set it up.")),
        }
    }

    /// Refuses where no SMS is set up, or codes by SMS are turned off.
    pub fn may_send_sms(&self) -> Result<()> {
        self.needs_sms()?;
        if self.config.factors.hardened {
            let detail = "This bank takes no codes by mail or SMS. Use an authenticator app or a passkey.";
            return Err(Error::forbidden("factor_not_allowed", detail));
        }
        Ok(())
    }
}

/// Whether what was approved is what this challenge keeps now; it is used up.
pub(super) fn meet(
    tx: &mut Tx<'_>,
    row: &FactorRow,
    challenge: Option<&ChallengeRow>,
    approved: &Approved,
) -> Result<Option<FactorRow>> {
    let Some(challenge) = challenge else { return Ok(None) };
    if !is_approved(tx, challenge, Some(approved))? {
        return Ok(None);
    }
    identity::set_challenge_data(tx.connection, &challenge.id, challenge.sends, &[])?;
    Ok(Some(row.clone()))
}

pub(crate) fn is_approved(tx: &mut Tx<'_>, challenge: &ChallengeRow, approved: Option<&Approved>) -> Result<bool> {
    let (Some(Approved(approved)), Some(kept)) = (approved, kept(tx, challenge)?) else { return Ok(false) };
    Ok(strongroom_crypto::mac::equal(approved, kept.as_bytes()))
}

/// What a challenge keeps of a code that was sent.
fn kept(tx: &mut Tx<'_>, row: &ChallengeRow) -> Result<Option<String>> {
    let Some(sealed) = row.data.as_deref().filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
    let opened = tx.keys.unseal_credential(column::CHALLENGE_DATA, &row.id, sealed)?;
    Ok(String::from_utf8(opened).ok())
}

fn phone_of(tx: &mut Tx<'_>, person: &Id) -> Result<Option<String>> {
    let Some(row) = identity::profile(tx.connection, person)? else { return Ok(None) };
    let phone = row
        .phone
        .as_deref()
        .map(|sealed| tx.keys.unseal_text(Some(person), column::PHONE, person, sealed))
        .transpose()?;
    Ok(phone.and_then(|phone| strongroom_crypto::blind::normal_phone(&phone).ok()))
}

fn proof_id(person: &Id) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256_parts(&[b"strongroom verify phone v1\0", person])[..16]);
    id
}

/// What the person hears; what the operator has to know goes to the log.
fn told(error: SmsError) -> Error {
    match error {
        SmsError::TooOften(retry_after_s) => Error::TooMany { retry_after_s },
        SmsError::Number => Error::field("phone", "not_reachable", "This number takes no SMS. Give another one."),
        SmsError::Over => Error::BadCredentials,
        SmsError::Failed(why) => {
            tracing::error!(why, "no SMS could be sent or checked");
            Error::Busy
        }
    }
}

/// What sends codes, shared with what ends them.
pub(crate) type SharedSms = Arc<Sms>;
