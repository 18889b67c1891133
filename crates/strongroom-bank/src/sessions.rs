//! Staying signed in: API clients hold a short access token and a refresh token that rotates,
//! browsers a cookie.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use strongroom_crypto::digest::sha256;
use strongroom_crypto::mac::MacKey;
use strongroom_crypto::random;
use strongroom_crypto::token::{self, Claims};
use strongroom_identity::person::Standing;
use strongroom_identity::role::Permissions;
use strongroom_identity::session::{self as rules, Refresh, SessionKind};
use strongroom_ledger::id::{PersonId, SessionId};
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::identity::{self, PersonRow, SessionRow};

use crate::audit::Event;
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex, roles};

/// Someone who is signed in: by a token or cookie that we issued. What they may do is read again
/// wherever it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub person: Id,
    /// Their session.
    pub session: Id,
}

/// What a signed-in client holds.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// For API calls; none for browsers.
    pub access_token: String,
    /// How long it lasts.
    pub expires_in_s: i64,
    /// The refresh token, or the browser's cookie.
    pub secret: String,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// When it began.
    pub created_us: i64,
    /// When it was last used.
    pub seen_us: i64,
    /// When it ends at the latest.
    pub expires_us: i64,
    /// Whether it is the one that asks.
    pub current: bool,
}

const API: i64 = 1;
pub(crate) const BROWSER: i64 = 2;
/// A key of a service account.
pub(crate) const SERVICE: i64 = 3;
/// A browser's session is marked as used at most this often.
const TOUCH_AFTER_US: i64 = 30_000_000;

/// Access tokens whose signature was checked, by their SHA-256, and when each ends. They are kept with the
/// keys that checked them, so that a change of the keys forgets them.
#[derive(Default)]
pub struct KnownTokens(RwLock<HashMap<[u8; 32], (Caller, i64)>>);

const KNOWN_TOKENS_MAX: usize = 100_000;

/// Whether a session holds now, for the person it belongs to. Both rows carry our MAC.
pub fn is_alive(session: &SessionRow, person: &PersonRow, permissions: &Permissions, now_us: i64) -> bool {
    let kind = match session.kind {
        BROWSER => SessionKind::Browser,
        SERVICE => SessionKind::Service,
        _ => SessionKind::Api,
    };
    let staff = permissions.is_staff();
    Standing::from_number(person.status) == Standing::Active
        && session.person == person.id
        && session.ended_us.is_none()
        && rules::is_alive(kind, staff, session.seen_us, session.expires_us, now_us)
}

/// A signed-in person as their rows say now.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Their row.
    pub person: PersonRow,
    /// Their session's row.
    pub session: SessionRow,
    /// What their roles allow.
    pub permissions: Permissions,
}

/// Reads the caller's rows and refuses a session that ended, or rows that are not ours.
pub fn see(connection: &mut dyn Connection, keys: &Keyring, caller: &Caller, now_us: i64) -> Result<Seen> {
    let session = identity::sessions(connection, &[caller.session])?.pop().ok_or(Error::Unauthenticated)?;
    let person = identity::people(connection, &[caller.person])?.pop().ok_or(Error::Unauthenticated)?;
    session.check(keys).map_err(|_| Error::Unauthenticated)?;
    person.check(keys).map_err(|_| Error::Unauthenticated)?;
    let mut permissions = roles::permissions(connection, keys, &person.roles)?;
    if !is_alive(&session, &person, &permissions, now_us) {
        return Err(Error::Unauthenticated);
    }
    if session.kind == SERVICE {
        // Power over people and roles is for people.
        permissions = permissions.for_a_program();
    }
    Ok(Seen { person, session, permissions })
}

impl Bank {
    /// The caller behind an access token. The signature is checked once per token.
    pub fn authenticate(&self, access_token: &str) -> Result<Caller> {
        let now_s = clock::now_us() / 1_000_000;
        let digest = sha256(access_token.as_bytes());
        let tokens = self.keys.tokens();
        if let Some((caller, end_s)) = tokens.known.0.read().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return if *end_s > now_s { Ok(caller.clone()) } else { Err(Error::Unauthenticated) };
        }
        let mut key_ends_s = i64::MAX;
        let key = |kid: &str| {
            let key = tokens.verifying(now_s * 1_000_000).find(|key| key.kid == kid)?;
            key_ends_s = key.until_us.map_or(i64::MAX, |until| until / 1_000_000);
            Some(key.key.clone())
        };
        let claims =
            token::verify(access_token, key, &self.origin, &self.origin, now_s).map_err(|_| Error::Unauthenticated)?;
        let person: PersonId = claims.sub.parse().map_err(|_| Error::Unauthenticated)?;
        let session: SessionId = claims.sid.parse().map_err(|_| Error::Unauthenticated)?;
        let caller = Caller { person: person.0, session: session.0 };
        let mut known = tokens.known.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_TOKENS_MAX {
            known.clear();
        }
        known.insert(digest, (caller.clone(), claims.exp.min(key_ends_s)));
        Ok(caller)
    }

    /// The caller behind a browser's cookie.
    pub async fn authenticate_cookie(&self, cookie: &str) -> Result<Caller> {
        self.authenticate_secret(cookie, BROWSER).await
    }

    /// The caller behind the key of a service account.
    pub async fn authenticate_key(&self, key: &str) -> Result<Caller> {
        self.authenticate_secret(key, SERVICE).await
    }

    async fn authenticate_secret(&self, cookie: &str, kind: i64) -> Result<Caller> {
        let (session, secret_hash) = parse_secret(&self.keys, cookie).ok_or(Error::Unauthenticated)?;
        let keys = self.keys.clone();
        let now_us = clock::now_us();
        let row = self
            .read(move |c| {
                let row = identity::sessions(c, &[session])?.pop().ok_or(Error::Unauthenticated)?;
                row.check(&keys).map_err(|_| Error::Unauthenticated)?;
                let caller = Caller { person: row.person, session };
                see(c, &keys, &caller, now_us)?;
                Ok(row)
            })
            .await?;
        if row.kind != kind || !strongroom_crypto::mac::equal(&row.secret_hash, &secret_hash) {
            return Err(Error::Unauthenticated);
        }
        let caller = Caller { person: row.person, session };
        if kind == BROWSER && now_us - row.seen_us > TOUCH_AFTER_US {
            let touched = caller.clone();
            self.change(move |tx| touch(tx, &touched)).await?;
        }
        Ok(caller)
    }

    /// Changes a refresh token for its successor and a new access token.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn> {
        let (session, given) = parse_secret(&self.keys, refresh_token).ok_or(Error::Unauthenticated)?;
        let next: [u8; 32] = random::bytes();
        let outcome = self.change(move |tx| rotate(tx, session, &given, &next)).await?;
        let (row, secret) = outcome.ok_or(Error::Unauthenticated)?;
        Ok(self.signed_in(&row, &secret))
    }

    /// The caller's sessions that hold, newest first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = see(c, &keys, &caller, now_us)?;
            let rows = identity::sessions_of(c, &caller.person, now_us)?;
            let is_alive = |row: &SessionRow| is_alive(row, &seen.person, &seen.permissions, now_us);
            let alive = rows.into_iter().filter(|row| row.check(&keys).is_ok() && is_alive(row));
            Ok(alive
                .map(|row| SessionView {
                    id: SessionId(row.id),
                    created_us: row.created_us,
                    seen_us: row.seen_us,
                    expires_us: row.expires_us,
                    current: row.id == caller.session,
                })
                .collect())
        })
        .await
    }

    /// Ends one of the caller's sessions, at once.
    pub async fn end_session(&self, caller: &Caller, session: SessionId) -> Result<()> {
        let caller = caller.clone();
        self.change(move |tx| {
            see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let row = identity::sessions(tx.connection, &[session.0])?.pop();
            let row = row.filter(|r| r.person == caller.person && r.ended_us.is_none()).ok_or(Error::NotFound)?;
            row.check(tx.keys).map_err(|_| Error::NotFound)?;
            end(tx, row)?;
            tx.audit(Event::by(&caller, "session.ended").on(session.0))
        })
        .await
    }

    fn signed_in(&self, row: &SessionRow, secret: &[u8; 32]) -> SignedIn {
        let now_s = clock::now_us() / 1_000_000;
        let session = SessionId(row.id);
        let claims = Claims {
            iss: self.origin.clone(),
            aud: self.origin.clone(),
            sub: PersonId(row.person).to_string(),
            sid: session.to_string(),
            iat: now_s,
            exp: now_s + rules::ACCESS_TOKEN_S,
        };
        let tokens = self.keys.tokens();
        let access_token =
            if row.kind == API { token::issue(&tokens.key, &tokens.kid, &claims) } else { String::new() };
        SignedIn {
            session,
            person: PersonId(row.person),
            access_token,
            expires_in_s: rules::ACCESS_TOKEN_S,
            secret: secret_text(&self.keys, session, secret),
        }
    }
}

/// A session's secret as its holder has it: `sess_….`, the secret, and a tag that proves that the
/// bank made it. So an old one is known for what it is, however often it was followed since.
pub(crate) fn secret_text(keys: &Keyring, session: SessionId, secret: &[u8; 32]) -> String {
    let mac = keys.macs().write(|key| secret_tag(key, &session.0, &sha256(secret)));
    format!("{session}.{}{}", hex::encode(secret), hex::encode(&mac[4..20]))
}

/// The session and the secret's hash, of a secret that the bank made.
fn parse_secret(keys: &Keyring, text: &str) -> Option<(Id, [u8; 32])> {
    let (session, secret) = text.split_once('.')?;
    let (secret, tag) = secret.split_at_checked(64)?;
    let session: SessionId = session.parse().ok()?;
    let hash = sha256(&hex::decode_32(secret)?);
    let is_right = |key: &MacKey| {
        let expected = hex::encode(&secret_tag(key, &session.0, &hash)[..16]);
        strongroom_crypto::mac::equal(expected.as_bytes(), tag.as_bytes())
    };
    keys.macs().any(is_right).then_some((session.0, hash))
}

fn secret_tag(key: &MacKey, session: &Id, secret_hash: &[u8; 32]) -> [u8; 32] {
    key.tag("session secret", &[session, secret_hash])
}

/// The secrets of a session to be, drawn before the writer runs.
pub(crate) struct NewSession {
    pub id10: [u8; 10],
    pub secret: [u8; 32],
    pub browser: bool,
}

/// A session that was opened, and its secret.
pub(crate) type Opened = (SessionRow, [u8; 32]);

impl NewSession {
    pub(crate) fn random(browser: bool) -> Self {
        NewSession { id10: random::bytes(), secret: random::bytes(), browser }
    }
}

/// Opens a session for a person who has just given a factor.
pub(crate) fn open_session(tx: &mut Tx<'_>, person: Id, new: &NewSession) -> Result<Opened> {
    open_until(tx, person, new, tx.now_us + rules::ABSOLUTE_S * 1_000_000)
}

/// The same, with an end of its own.
pub(crate) fn open_until(tx: &mut Tx<'_>, person: Id, new: &NewSession, expires_us: i64) -> Result<Opened> {
    let kind = if new.browser { BROWSER } else { API };
    let id = SessionId::from_time(tx.now_us, new.id10).0;
    let row = new_row(tx, person, id, kind, sha256(&new.secret), tx.now_us, expires_us);
    identity::insert_session(tx.connection, &row)?;
    Ok((row, new.secret))
}

/// Opens a key of a service account, which has given no factor.
pub(crate) fn open_key(tx: &mut Tx<'_>, person: Id, id: Id, secret_hash: [u8; 32], expires_us: i64) -> Result<()> {
    let row = new_row(tx, person, id, SERVICE, secret_hash, 0, expires_us);
    Ok(identity::insert_session(tx.connection, &row)?)
}

/// Ends a key.
pub(crate) fn end_key(tx: &mut Tx<'_>, person: &Id, key: &Id) -> Result<()> {
    let row = identity::sessions(tx.connection, &[*key])?.pop();
    let holds = |row: &SessionRow| row.person == *person && row.kind == SERVICE && row.ended_us.is_none();
    let row = row.filter(holds).ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    end(tx, row)
}

fn new_row(
    tx: &Tx<'_>,
    person: Id,
    id: Id,
    kind: i64,
    secret_hash: [u8; 32],
    factor_us: i64,
    expires_us: i64,
) -> SessionRow {
    let mut row = SessionRow {
        id,
        person,
        kind,
        created_us: tx.now_us,
        seen_us: tx.now_us,
        factor_us,
        expires_us,
        secret_hash,
        previous_hash: None,
        rotated_us: None,
        successor: None,
        ended_us: None,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    row
}

impl Bank {
    /// Tokens or a cookie for a session that was just opened.
    pub(crate) fn welcome(&self, opened: &Opened) -> SignedIn {
        self.signed_in(&opened.0, &opened.1)
    }
}

/// One step of a refresh token's life, as the rules decide.
fn rotate(tx: &mut Tx<'_>, session: Id, given: &[u8; 32], next: &[u8; 32]) -> Result<Option<(SessionRow, [u8; 32])>> {
    let Some(mut row) = identity::sessions(tx.connection, &[session])?.pop() else { return Ok(None) };
    let person = identity::people(tx.connection, &[row.person])?.pop();
    let Some(person) = person.filter(|p| p.check(tx.keys).is_ok()) else { return Ok(None) };
    let permissions = roles::permissions(tx.connection, tx.keys, &person.roles)?;
    if row.kind != API || row.check(tx.keys).is_err() || !is_alive(&row, &person, &permissions, tx.now_us) {
        return Ok(None);
    }
    let is_current = strongroom_crypto::mac::equal(&row.secret_hash, given);
    let is_previous = row.previous_hash.is_some_and(|h| strongroom_crypto::mac::equal(&h, given));
    match rules::decide_refresh(is_current, is_previous, row.rotated_us, tx.now_us) {
        Refresh::Rotate => {
            row.previous_hash = Some(row.secret_hash);
            row.secret_hash = sha256(next);
            row.rotated_us = Some(tx.now_us);
            row.seen_us = tx.now_us;
            row.successor = Some(tx.keys.seal_credential(column::SESSION_SUCCESSOR, &row.id, next));
            Ok(Some((write(tx, row)?, *next)))
        }
        Refresh::Repeat => {
            let sealed = row.successor.clone().unwrap_or_default();
            let secret = tx.keys.unseal_credential(column::SESSION_SUCCESSOR, &row.id, &sealed)?;
            Ok(secret.try_into().ok().map(|secret| (row, secret)))
        }
        Refresh::Reused => {
            tracing::warn!(target: "strongroom::integrity", session = %SessionId(row.id), "an old refresh token was used again; the session is ended");
            let event = Event::of(row.person, "session.ended").on(row.id).noting("an old refresh token was used again");
            end(tx, row)?;
            tx.audit(event)?;
            Ok(None)
        }
    }
}

pub(crate) fn end(tx: &mut Tx<'_>, mut row: SessionRow) -> Result<()> {
    row.ended_us = Some(tx.now_us);
    write(tx, row).map(drop)
}

/// Ends a person's sessions, all but one: something changed that they rest on.
pub(crate) fn end_others(tx: &mut Tx<'_>, person: &Id, but: Option<&Id>) -> Result<()> {
    for row in identity::sessions_of(tx.connection, person, tx.now_us)? {
        if row.ended_us.is_none() && but != Some(&row.id) && row.check(tx.keys).is_ok() {
            end(tx, row)?;
        }
    }
    Ok(())
}

fn touch(tx: &mut Tx<'_>, caller: &Caller) -> Result<()> {
    let mut seen = see(tx.connection, tx.keys, caller, tx.now_us)?;
    seen.session.seen_us = tx.now_us;
    write(tx, seen.session)?;
    Ok(())
}

fn write(tx: &mut Tx<'_>, mut row: SessionRow) -> Result<SessionRow> {
    row.mac = row.expected(tx.keys);
    identity::update_session(tx.connection, &row)?;
    Ok(row)
}
