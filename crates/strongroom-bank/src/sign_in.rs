//! Signing in, in two steps: the password gives a challenge, a factor turns it into a session. A try is
//! counted before anything is looked at; known and unknown names take the same road.

use strongroom_crypto::blind;
use strongroom_crypto::digest::sha256;
use strongroom_crypto::password::Checked;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_identity::person::Standing;
use strongroom_identity::{recovery, session as rules};
use strongroom_store::identity::{self, ChallengeRow, PersonRow};
use strongroom_store::{Connection, Id, factors};

use crate::audit::{Event, Source};
use crate::factor::NOBODY;
use crate::factor::proof::{self, Given, Proof};
use crate::keyring::indexes::Field;
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::sessions::{self, NewSession, SignedIn};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, factor, hex};

/// The answer to a right password.
#[derive(Clone, Debug)]
pub enum FirstStep {
    /// A factor is asked for.
    Challenge {
        /// To be given back with the code.
        token: String,
        /// The kinds of factor that will do.
        factors: Vec<&'static str>,
    },
    /// The person has no factor yet; the token can only enrol one.
    Enrolment {
        /// To be given as a bearer token.
        token: String,
    },
}

/// What a challenge is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Purpose {
    /// To sign in with a factor.
    SignIn = 1,
    /// To enrol the first factor.
    Enrol = 2,
    /// To sign in with a passkey alone.
    Passkey = 3,
    /// To prove that somebody reads their mail.
    VerifyEmail = 4,
    /// To get back in without what was lost.
    Recover = 5,
    /// To prove that a telephone number is somebody's.
    VerifyPhone = 6,
    /// To give a factor again while signed in.
    StepUp = 7,
    /// To get back in with a telephone that is still there.
    RecoverPhone = 8,
}

impl Purpose {
    fn valid_s(self) -> i64 {
        match self {
            Purpose::Recover => recovery::PROVING_S,
            _ => rules::CHALLENGE_S,
        }
    }

    /// What a code is for, to whom it is sent.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Purpose::SignIn | Purpose::Enrol | Purpose::Passkey => "sign in",
            Purpose::VerifyEmail => "confirm that this address is yours",
            Purpose::VerifyPhone => "confirm that this number is yours",
            Purpose::Recover | Purpose::RecoverPhone => "get back into your account",
            Purpose::StepUp => "confirm that it is you",
        }
    }
}

impl Bank {
    /// The first step: user name and password.
    pub async fn sign_in(&self, username: &str, password: &str, source: &Source) -> Result<FirstStep> {
        let normal = blind::normal_username(username).unwrap_or_default();
        let tried = [Against::password(&self.keys, &normal), Against::address(&self.keys, source)];
        let indexes = self.keys.indexes().all(Field::Username, &normal);
        let person = self
            .change(move |tx| {
                tx.reserve(&tried)?;
                Ok(identity::person_by_username(tx.connection, &indexes)?)
            })
            .await?;
        let person = person.filter(|row| row.check(&self.keys).is_ok());
        let hash = person.as_ref().and_then(|row| self.password_hash(row));
        let checked = self.check_password(password, hash).await?;
        let matches = checked != Checked::Wrong;
        let known = person.as_ref().map(|row| row.id);
        let right = person.filter(|row| matches && Standing::from_number(row.status) == Standing::Active);
        let Some(person) = right else {
            // About whom goes beside it in the clear: the detail is sealed for the bank, in the same time for all.
            let wrong = Event::new("password.wrong").from(source);
            let wrong = known.map_or(wrong.clone(), |person| wrong.on(person));
            self.change(move |tx| tx.audit(wrong.clone())).await?;
            return Err(Error::BadCredentials);
        };
        if checked == Checked::Outdated {
            self.renew_hash(&person, password).await?;
        }
        let secret: [u8; 32] = random::bytes();
        let (purpose, factors) = self
            .change(move |tx| {
                tx.forget_tries(tried[0])?;
                tx.take_back(tried[1])?;
                begin_challenge(tx, &person.id, &secret)
            })
            .await?;
        Ok(match purpose {
            Purpose::Enrol => FirstStep::Enrolment { token: format!("enr_{}", hex::encode(&secret)) },
            _ => FirstStep::Challenge { token: format!("chl_{}", hex::encode(&secret)), factors },
        })
    }

    /// The kinds of factor that will do for a sign-in that is under way.
    pub async fn offered(&self, challenge: &str) -> Result<Vec<FactorKind>> {
        let (id, keys, now_us) = (challenge_of(challenge)?, self.keys.clone(), clock::now_us());
        self.read(move |c| {
            let row = live_challenge(c, &keys, &id, Purpose::SignIn, now_us)?.ok_or(Error::BadCredentials)?;
            let held = factor::held(c, &keys, &row.person)?;
            let offers = |kind: &FactorKind| held.iter().any(|f| f.kind == *kind as i64 && f.confirmed_us.is_some());
            Ok(FactorKind::ALL.into_iter().filter(offers).collect())
        })
        .await
    }

    /// The second step: a factor for a challenge. `browser` asks for a cookie instead of tokens.
    pub async fn verify_factor(
        &self,
        challenge: &str,
        proof: Proof,
        browser: bool,
        source: &Source,
    ) -> Result<SignedIn> {
        let (id, new, source) = (challenge_of(challenge)?, NewSession::random(browser), source.clone());
        let proof = self.checked_sms(&id, Purpose::SignIn, proof, &source).await?;
        let met = self.change(move |tx| meet_challenge(tx, &id, None, &proof, &new, &source)).await?;
        Ok(self.welcome(&met.ok_or(Error::BadCredentials)?))
    }

    pub(crate) fn password_hash(&self, person: &PersonRow) -> Option<String> {
        match self.keys.unseal_credential(column::PASSWORD, &person.id, &person.password) {
            // A service account has none.
            Ok(hash) => String::from_utf8(hash).ok().filter(|hash| !hash.is_empty()),
            Err(_) => {
                let id = hex::encode(&person.id);
                tracing::error!(target: "strongroom::integrity", table = "people", id, "a password hash does not belong to its row; sign-in refused");
                None
            }
        }
    }

    /// Checks a password on the bounded pool, in the same time whether or not there is a hash.
    pub(crate) async fn check_password(&self, password: &str, hash: Option<String>) -> Result<Checked> {
        let (hasher, scheme, password) = (self.keys.hasher(), self.config.password.scheme(), password.to_owned());
        let check = move || match hash {
            Some(hash) => hasher.check(scheme, &password, &hash),
            None => {
                hasher.check(scheme, &password, hasher.dummy(scheme));
                Checked::Wrong
            }
        };
        self.hashing.run(check).await
    }

    /// Puts a hash as the bank makes them today in the place of an older or imported one.
    async fn renew_hash(&self, person: &PersonRow, password: &str) -> Result<()> {
        let (hasher, scheme, password) = (self.keys.hasher(), self.config.password.scheme(), password.to_owned());
        let hash = self.hashing.run(move || hasher.hash(scheme, &password)).await?;
        let sealed = self.keys.seal_credential(column::PASSWORD, &person.id, hash.as_bytes());
        let (id, before) = (person.id, person.password.clone());
        self.change(move |tx| {
            if identity::renew_password(tx.connection, &id, &before, &sealed)? {
                tx.audit(Event::of(id, "password.rehashed"))?;
            }
            Ok(())
        })
        .await
    }
}

pub(crate) fn challenge_id(secret: &[u8; 32]) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(secret)[..16]);
    id
}

/// The challenge behind its token.
pub(crate) fn challenge_of(token: &str) -> Result<Id> {
    let secret = token.strip_prefix("chl_").and_then(hex::decode_32).ok_or(Error::BadCredentials)?;
    Ok(challenge_id(&secret))
}

/// The challenge behind an enrolment token.
pub(crate) fn enrolment_challenge(enrolment_token: &str) -> Result<Id> {
    let secret = enrolment_token.strip_prefix("enr_").and_then(hex::decode_32).ok_or(Error::Unauthenticated)?;
    Ok(challenge_id(&secret))
}

/// Who may enrol a first factor by a challenge.
pub(crate) fn enrolling(connection: &mut dyn Connection, keys: &Keyring, challenge: &Id, now_us: i64) -> Result<Id> {
    let row = live_challenge(connection, keys, challenge, Purpose::Enrol, now_us)?;
    Ok(row.ok_or(Error::Unauthenticated)?.person)
}

fn begin_challenge(tx: &mut Tx<'_>, person: &Id, secret: &[u8; 32]) -> Result<(Purpose, Vec<&'static str>)> {
    let row = identity::people(tx.connection, &[*person])?.pop().filter(|row| row.check(tx.keys).is_ok());
    let person = row.ok_or(Error::BadCredentials)?;
    let held = factors::of_person(tx.connection, &person.id)?;
    let offers = |kind: &FactorKind| held.iter().any(|f| f.kind == *kind as i64 && f.confirmed_us.is_some());
    let kinds = FactorKind::ALL.into_iter().filter(offers).map(FactorKind::name).collect();
    let purpose = if person.has_factor { Purpose::SignIn } else { Purpose::Enrol };
    insert_challenge(tx, challenge_id(secret), person.id, purpose)?;
    Ok((purpose, kinds))
}

pub(crate) fn insert_challenge(tx: &mut Tx<'_>, id: Id, person: Id, purpose: Purpose) -> Result<()> {
    let mut row = ChallengeRow {
        id,
        person,
        purpose: purpose as i64,
        expires_us: tx.now_us + purpose.valid_s() * 1_000_000,
        tries: 0,
        sends: 0,
        data: None,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    Ok(identity::insert_challenge(tx.connection, &row)?)
}

pub(crate) fn live_challenge(
    connection: &mut dyn Connection,
    keys: &Keyring,
    id: &Id,
    purpose: Purpose,
    now_us: i64,
) -> Result<Option<ChallengeRow>> {
    let row = identity::challenge(connection, id)?;
    Ok(row.filter(|r| {
        r.purpose == purpose as i64 && r.expires_us > now_us && r.tries < rules::TRIES_MAX && r.check(keys).is_ok()
    }))
}

/// A right factor uses up the challenge and opens a session. `claimed` is who a passkey says it is of:
/// it is believed where its signature was right.
pub(crate) fn meet_challenge(
    tx: &mut Tx<'_>,
    id: &Id,
    claimed: Option<&Id>,
    proof: &Proof,
    new: &NewSession,
    source: &Source,
) -> Result<Option<sessions::Opened>> {
    let mut challenge = live_challenge(tx.connection, tx.keys, id, Purpose::SignIn, tx.now_us)?;
    if challenge.is_none() && claimed.is_some() {
        challenge = live_challenge(tx.connection, tx.keys, id, Purpose::Passkey, tx.now_us)?;
    }
    let Some(challenge) = challenge else { return Ok(None) };
    let person = if challenge.person == NOBODY { *claimed.unwrap_or(&NOBODY) } else { challenge.person };
    if !try_factor(tx, &person, Some(&challenge), proof, source)? || !may_sign_in(tx, &person)? {
        identity::count_try(tx.connection, id, challenge.tries + 1)?;
        return Ok(None);
    }
    identity::end_challenge(tx.connection, id, tx.now_us)?;
    if challenge.person == NOBODY {
        // Asking for it was counted too.
        tx.take_back(Against::address(tx.keys, source))?;
    }
    end_recoveries(tx, &person)?;
    let opened = sessions::open_session(tx, person, new)?;
    tx.audit(Event::of(person, "session.opened").from(source).in_session(opened.0.id))?;
    Ok(Some(opened))
}

/// Who shows that they are there has lost nothing.
pub(crate) fn end_recoveries(tx: &mut Tx<'_>, person: &Id) -> Result<()> {
    if identity::end_challenges_for(tx.connection, person, Purpose::Recover as i64)? {
        tx.audit(Event::of(*person, "recovery.ended"))?;
    }
    Ok(())
}

fn may_sign_in(tx: &mut Tx<'_>, person: &Id) -> Result<bool> {
    let row = identity::people(tx.connection, &[*person])?.pop();
    let active = |row: &PersonRow| Standing::from_number(row.status) == Standing::Active;
    Ok(row.is_some_and(|row| row.check(tx.keys).is_ok() && active(&row)))
}

/// Looks at a factor after the try was counted, over all that a person has under way.
pub(crate) fn try_factor(
    tx: &mut Tx<'_>,
    person: &Id,
    challenge: Option<&ChallengeRow>,
    proof: &Proof,
    source: &Source,
) -> Result<bool> {
    let tried = [Against::address(tx.keys, source), Against::factors(tx.keys, person)];
    let counted: &[Against] = match proof.given {
        // Nobody guesses a signature; and who tries to must not hold up the owner of the key.
        Given::Passkey(_) => &tried[..1],
        // It was counted before the code was looked at.
        Given::Sms(_) => &[],
        Given::Code(_) => &tried,
    };
    tx.reserve(counted)?;
    if !proof::meet(tx, person, challenge, proof)? {
        tx.audit(Event::new("factor.wrong").from(source).on(*person))?;
        return Ok(false);
    }
    tx.take_back(tried[0])?;
    tx.forget_tries(tried[1])?;
    Ok(true)
}
