//! Getting back in (the rules: `strongroom_identity::recovery`). A recovery is a challenge that lives longer:
//! what was proven, and the code that was sent, stand sealed in its row. Known and unknown names take the same
//! road, and tries count against the name; what is sent goes out after the answer. Whatever shows that the owner is
//! there ends it: a sign-in, a step-up, a new password, changed contact data or factors.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strongroom_crypto::blind;
use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::password::Checked;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_identity::recovery::{self as rules, Evidence};
use strongroom_ledger::id::PersonId;
use strongroom_store::identity::{self, ChallengeRow, PersonRow};
use strongroom_store::{Id, factors};

use crate::audit::{Event, Source};
use crate::contact::{has_verified_email, new_code, plain, text_of_code};
use crate::factor::proof::{self, Proof};
use crate::factor::sms::{self, Approved};
use crate::factor::{NOBODY, held, write_person};
use crate::keyring::column;
use crate::keyring::indexes::Field;
use crate::post::email_of;
use crate::rows::Authenticated;
use crate::sign_in::{self, Purpose, challenge_id};
use crate::staff::is_active;
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, device, hex, password, sessions};

/// Where a recovery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What was proven.
    pub proven: Vec<&'static str>,
    /// From when on it can be finished, once enough is proven.
    pub ready_us: Option<i64>,
}

/// What a finished recovery leaves to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Sign in as before.
    SignIn,
    /// Enrol a new factor, with this token.
    Enrolment(String),
}

/// What a recovery's row keeps, sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// The normal form of the name that was given, known or not: what tries are counted against.
    username: String,
    proven: Vec<String>,
    ready_us: Option<i64>,
    /// The code that was sent by mail, and until when it is good.
    code: Option<(String, i64)>,
}

/// A code that was sent is good for so long.
const CODE_US: i64 = 300_000_000;
/// Longer than it takes to have a code looked at elsewhere.
const SMS_LOOK: Duration = Duration::from_secs(2);
const HOURS: u32 = 24;
/// The owner needs some time to see a notice.
const HOURS_MIN: u32 = 1;

impl Kept {
    fn evidence(&self) -> Vec<Evidence> {
        self.proven.iter().filter_map(|name| Evidence::from_name(name)).collect()
    }

    fn progress(&self) -> Progress {
        Progress { proven: self.evidence().into_iter().map(Evidence::name).collect(), ready_us: self.ready_us }
    }
}

impl Bank {
    /// Begins a recovery, for a name that may be known or not. Answers its token.
    pub async fn begin_recovery(self: &Arc<Self>, username: &str, source: &Source) -> Result<String> {
        let normal = blind::normal_username(username).unwrap_or_default();
        let tried = [Against::recovering(&self.keys, &normal), Against::address(&self.keys, source)];
        let indexes = self.keys.indexes().all(Field::Username, &normal);
        let (secret, source): ([u8; 32], _) = (random::bytes(), source.clone());
        let id = challenge_id(&secret);
        let person = self
            .change(move |tx| {
                tx.reserve(&tried)?;
                let person = identity::person_by_username(tx.connection, &indexes)?;
                let known = person.filter(|row| row.check(tx.keys).is_ok() && is_active(row)).map(|row| row.id);
                sign_in::insert_challenge(tx, id, known.unwrap_or(NOBODY), Purpose::Recover)?;
                keep(tx, &id, &Kept { username: normal.clone(), ..Kept::default() })?;
                let event = Event::new("recovery.begun").from(&source);
                tx.audit(known.map_or(event.clone(), |person| event.on(person)))?;
                Ok(known)
            })
            .await?;
        if let Some(person) = person {
            // After the answer, so that its time does not tell a known name.
            let (bank, code) = (self.clone(), new_code());
            tokio::spawn(async move {
                let sent = bank.change(move |tx| send(tx, &id, &person, &code)).await;
                if let Err(error) = sent {
                    tracing::warn!(%error, "a recovery's code was not sent");
                }
            });
        }
        Ok(format!("rcv_{}", hex::encode(&secret)))
    }

    /// Where a recovery stands, and what finishing it would give back.
    pub async fn recovery(&self, token: &str) -> Result<(Progress, Option<rules::Renewal>)> {
        let id = recovery_of(token)?;
        self.change(move |tx| {
            let row = live(tx, &id)?;
            let kept = kept(tx, &row)?;
            Ok((kept.progress(), rules::renewal(&kept.evidence())))
        })
        .await
    }

    /// Has a code sent to the verified telephone number behind a recovery, if there is one. The answer tells
    /// nothing; it goes out after it.
    pub async fn send_recovery_sms(self: &Arc<Self>, token: &str) -> Result<()> {
        self.may_send_sms()?;
        let id = recovery_of(token)?;
        let asked = sms_challenge(&id);
        let person = self
            .change(move |tx| {
                let row = live(tx, &id)?;
                if let Some(before) =
                    identity::challenge(tx.connection, &asked)?.filter(|row| row.expires_us > tx.now_us)
                {
                    let retry_after_s = (before.expires_us - tx.now_us) as u64 / 1_000_000 + 1;
                    return Err(Error::TooMany { retry_after_s });
                }
                let username = kept(tx, &row)?.username;
                tx.reserve(&[Against::recovering(tx.keys, &username)])?;
                identity::end_challenge(tx.connection, &asked, tx.now_us)?;
                sign_in::insert_challenge(tx, asked, row.person, Purpose::RecoverPhone)?;
                Ok(row.person)
            })
            .await?;
        if person != NOBODY {
            let bank = self.clone();
            tokio::spawn(async move {
                if let Err(error) = bank.text_code(asked, Purpose::RecoverPhone).await {
                    tracing::info!(%error, "a recovery's SMS was not sent");
                }
            });
        }
        Ok(())
    }

    /// Takes a proof. What it is worth depends on what was proven before.
    pub async fn prove_recovery(&self, token: &str, evidence: &str, value: &str, source: &Source) -> Result<Progress> {
        let (id, value, source) = (recovery_of(token)?, value.to_owned(), source.clone());
        let unknown = || Error::field("proof", "unknown_proof", "Give one of password, email, sms, factor.");
        let evidence = Evidence::from_name(evidence).ok_or_else(unknown)?;
        let address = Against::address(&self.keys, &source);
        let (before, row) = self
            .change(move |tx| {
                let row = live(tx, &id)?;
                let kept = kept(tx, &row)?;
                // What is proven is not looked at again: it would be a way to try more.
                if kept.evidence().contains(&evidence) {
                    return Ok((Some(kept.progress()), None));
                }
                refuse_nothing_lost(&kept, evidence)?;
                tx.reserve(&[address, Against::proving(tx.keys, &kept.username)])?;
                identity::count_try(tx.connection, &id, row.tries + 1)?;
                Ok((None, identity::people(tx.connection, &[row.person])?.pop()))
            })
            .await?;
        if let Some(progress) = before {
            return Ok(progress);
        }
        let matches = match evidence {
            Evidence::Password => {
                let hash = row.as_ref().and_then(|row| self.password_hash(row));
                self.check_password(&value, hash).await? != Checked::Wrong
            }
            Evidence::Email | Evidence::Sms | Evidence::Factor => false,
        };
        let asked = sms_challenge(&id);
        let approved = match evidence {
            Evidence::Sms => self.check_recovery_sms(&asked, &value, &source).await,
            _ => None,
        };
        let wait_us = i64::from(self.config.factors.recovery_hours.unwrap_or(HOURS).max(HOURS_MIN)) * 3_600_000_000;
        let progress = self
            .change(move |tx| {
                let row = live(tx, &id)?;
                let mut kept = kept(tx, &row)?;
                let is_met = match evidence {
                    Evidence::Password => matches,
                    Evidence::Email => takes_code(&mut kept, &plain(&value), tx.now_us),
                    Evidence::Sms => takes_sms(tx, &asked, approved.as_ref())?,
                    Evidence::Factor => takes_factor(tx, &row.person, &value)?,
                };
                if !is_met {
                    tx.audit(Event::new("recovery.wrong").on(row.person))?;
                    return Ok(None);
                }
                // The tries that were right are taken back, and no others are forgotten.
                tx.take_back(address)?;
                tx.take_back(Against::proving(tx.keys, &kept.username))?;
                identity::count_try(tx.connection, &row.id, (row.tries - 1).max(0))?;
                proven(tx, row, kept, evidence, wait_us).map(Some)
            })
            .await?;
        progress.ok_or(Error::BadCredentials)
    }

    /// Looks at a code, in the same time whether or not one was sent and looked at elsewhere.
    async fn check_recovery_sms(&self, asked: &Id, code: &str, source: &Source) -> Option<Approved> {
        let answer_at = tokio::time::Instant::now() + SMS_LOOK;
        let approved = self.check_sms(asked, Purpose::RecoverPhone, code, source).await;
        tokio::time::sleep_until(answer_at).await;
        // Why it could not be looked at stands in the log.
        approved.unwrap_or_default()
    }

    /// Ends a recovery whose waiting time is over. What was not proven is renewed, every session ends, every
    /// device is revoked.
    pub async fn finish_recovery(&self, token: &str, new_password: Option<&str>) -> Result<Recovered> {
        let id = recovery_of(token)?;
        let (row, renewal) = self
            .change(move |tx| {
                let row = live(tx, &id)?;
                let renewal = ready(tx, &row)?;
                Ok((identity::people(tx.connection, &[row.person])?.pop().ok_or(Error::BadCredentials)?, renewal))
            })
            .await?;
        row.check(&self.keys)?;
        let chosen = match (renewal.password, new_password) {
            (true, Some(new)) => Some(self.choose_password(row, "new_password", new).await?),
            (true, None) => return Err(Error::field("new_password", "required", "Choose a new password.")),
            (false, _) => None,
        };
        let secret: [u8; 32] = random::bytes();
        self.change(move |tx| {
            let row = live(tx, &id)?;
            ready(tx, &row)?;
            let person = identity::people(tx.connection, &[row.person])?.pop().ok_or(Error::BadCredentials)?;
            person.check(tx.keys)?;
            if !is_active(&person) {
                return Err(Error::BadCredentials);
            }
            if let Some(chosen) = &chosen {
                password::put(tx, chosen)?;
            }
            // Nothing below this line may fail.
            renew(tx, person, renewal.factors, &secret)
        })
        .await?;
        Ok(match renewal.factors {
            true => Recovered::Enrolment(format!("enr_{}", hex::encode(&secret))),
            false => Recovered::SignIn,
        })
    }
}

fn recovery_of(token: &str) -> Result<Id> {
    let secret = token.strip_prefix("rcv_").and_then(hex::decode_32).ok_or(Error::BadCredentials)?;
    Ok(challenge_id(&secret))
}

/// The challenge of the code that goes to the telephone.
fn sms_challenge(recovery: &Id) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256_parts(&[b"strongroom recover phone v1\0", recovery])[..16]);
    id
}

fn takes_sms(tx: &mut Tx<'_>, asked: &Id, approved: Option<&Approved>) -> Result<bool> {
    let row = sign_in::live_challenge(tx.connection, tx.keys, asked, Purpose::RecoverPhone, tx.now_us)?;
    let Some(row) = row else { return Ok(false) };
    let is_approved = sms::is_approved(tx, &row, approved)?;
    if is_approved {
        identity::end_challenge(tx.connection, asked, tx.now_us)?;
    }
    Ok(is_approved)
}

fn live(tx: &mut Tx<'_>, id: &Id) -> Result<ChallengeRow> {
    let row = sign_in::live_challenge(tx.connection, tx.keys, id, Purpose::Recover, tx.now_us)?;
    row.ok_or(Error::BadCredentials)
}

fn kept(tx: &mut Tx<'_>, row: &ChallengeRow) -> Result<Kept> {
    let sealed = row.data.as_deref().unwrap_or_default();
    let json = tx.keys.unseal_credential(column::CHALLENGE_DATA, &row.id, sealed)?;
    serde_json::from_slice(&json).map_err(|_| Error::Integrity("what a recovery has proven is malformed".into()))
}

fn keep(tx: &mut Tx<'_>, id: &Id, kept: &Kept) -> Result<()> {
    let json = serde_json::to_vec(kept).map_err(|e| Error::Internal(e.to_string()))?;
    let sealed = tx.keys.seal_credential(column::CHALLENGE_DATA, id, &json);
    Ok(identity::set_challenge_data(tx.connection, id, 1, &sealed)?)
}

/// Tells a person that a recovery was begun, with a code that proves that they read their mail.
fn send(tx: &mut Tx<'_>, id: &Id, person: &Id, code: &str) -> Result<()> {
    // An address that nobody has verified may be a stranger's.
    if !has_verified_email(tx, person)? {
        return Ok(());
    }
    let Some(to) = email_of(tx, person)? else { return Ok(()) };
    let row = live(tx, id)?;
    let kept = Kept { code: Some((code.to_owned(), tx.now_us + CODE_US)), ..kept(tx, &row)? };
    keep(tx, id, &kept)?;
    let text = text_of_code(code, "get back into your account");
    tx.mail(person, &to, "Getting back into your account", &text, CODE_US)
}

fn takes_code(kept: &mut Kept, given: &str, now_us: i64) -> bool {
    // Once is enough, right or wrong guesses are counted by the row.
    let Some((code, until_us)) = &kept.code else { return false };
    let is_it = *until_us > now_us && strongroom_crypto::mac::equal(code.as_bytes(), given.as_bytes());
    if is_it {
        kept.code = None;
    }
    is_it
}

/// A code of an authenticator or one on paper. A code by mail proves no more than the mail itself.
fn takes_factor(tx: &mut Tx<'_>, person: &Id, value: &str) -> Result<bool> {
    let proof = Proof::typed(value)?;
    debug_assert!(matches!(proof.kind, FactorKind::Totp | FactorKind::Recovery));
    proof::meet(tx, person, None, &proof)
}

/// Refuses the proof with which somebody could sign in.
fn refuse_nothing_lost(kept: &Kept, evidence: Evidence) -> Result<()> {
    let mut all = kept.evidence();
    all.push(evidence);
    if all.contains(&Evidence::Password) && all.contains(&Evidence::Factor) {
        let detail = "Who has the password and a factor has lost nothing: sign in with them.".to_owned();
        return Err(Error::Conflict { code: "nothing_lost", detail });
    }
    Ok(())
}

/// Notes a proof. With the second one the waiting begins, and the owner is told.
fn proven(
    tx: &mut Tx<'_>,
    mut row: ChallengeRow,
    mut kept: Kept,
    evidence: Evidence,
    wait_us: i64,
) -> Result<Progress> {
    if !kept.evidence().contains(&evidence) {
        kept.proven.push(evidence.name().into());
    }
    if kept.ready_us.is_none() && rules::renewal(&kept.evidence()).is_some() {
        let ready_us = tx.now_us + wait_us;
        kept.ready_us = Some(ready_us);
        row.expires_us = ready_us + rules::OPEN_S * 1_000_000;
        row.mac = row.expected(tx.keys);
        identity::extend_challenge(tx.connection, &row.id, row.expires_us, &row.mac)?;
        let text = format!(
            "Somebody has proven in two ways that they are you, and gets back into your account from {} on. Your password \
             or your second factor is new then, and your devices are revoked. If it was not you, sign in: that ends it. \
             If you cannot, tell the bank at once.",
            strongroom_ledger::time::to_text(ready_us)
        );
        tx.notify(&row.person, "Your account is being recovered", &text)?;
        tx.audit(Event::of(row.person, "recovery.proven").noting(&kept.proven.join(" ")))?;
    }
    keep(tx, &row.id, &kept)?;
    Ok(kept.progress())
}

/// What is renewed, once the waiting is over.
fn ready(tx: &mut Tx<'_>, row: &ChallengeRow) -> Result<rules::Renewal> {
    let kept = kept(tx, row)?;
    let (Some(renewal), Some(ready_us)) = (rules::renewal(&kept.evidence()), kept.ready_us) else {
        let detail = "Prove in two ways that it is you first.".to_owned();
        return Err(Error::Conflict { code: "recovery_unproven", detail });
    };
    if tx.now_us < ready_us {
        let at = strongroom_ledger::time::to_text(ready_us);
        let detail = format!("This can be finished from {at} on, so that its owner can end it if it is not them.");
        return Err(Error::Conflict { code: "recovery_waiting", detail });
    }
    Ok(renewal)
}

fn renew(tx: &mut Tx<'_>, mut row: PersonRow, factors: bool, secret: &[u8; 32]) -> Result<()> {
    let person = &row.id.clone();
    if factors {
        for factor in held(tx.connection, tx.keys, person)? {
            factors::delete(tx.connection, &factor.id)?;
        }
        row.has_factor = false;
        write_person(tx, row)?;
    }
    sessions::end_others(tx, person, None)?;
    for row in identity::live_devices_of(tx.connection, person)? {
        if row.check(tx.keys).is_ok() {
            device::revoke(tx, row, PersonId(*person), random::bytes())?;
        }
    }
    identity::end_challenges_of(tx.connection, person, tx.now_us)?;
    if factors {
        sign_in::insert_challenge(tx, challenge_id(secret), *person, Purpose::Enrol)?;
    }
    let text = "Your account was recovered at the bank just now: your devices are revoked, and what you had lost is new. \
                If it was not you, tell the bank at once.";
    tx.notify(person, "Your account was recovered", text)?;
    tx.audit(Event::of(*person, "recovery.finished"))
}
