//! The names that the log has had. A database put back to an older copy must not go on under the
//! log's name: it would sign a second history. [`reopen`] gives the log a new name, and its first
//! leaf under that name holds the highest checkpoint that was signed under the old one.
//!
//! The log's key can also be followed by another one under the same name.
//!
//! What was posted before is proven by the last checkpoint of its own era, under the name that its
//! orders were signed for.

use std::sync::{Arc, PoisonError};

use strongroom_crypto::random;
use strongroom_ledger::leaf::{Kind, LogKeyCore, OriginCore};
use strongroom_ledger::note::{Checkpoint, LogKey};
use strongroom_sql::{Connection, Role};
use strongroom_store::{log, meta};

use crate::audit::{Chain, Event};
use crate::audit_head::AuditHead;
use crate::head::Head;
use crate::keyring::Keyring;
use crate::tx::Tx;
use crate::{Bank, Error, Home, Opened, Result, clock, hex, init, resume};

/// A stretch of the log that is over.
#[derive(Clone, Debug)]
struct Past {
    key: LogKey,
    /// The log's size at its end.
    size: u64,
    /// The checkpoint of that size.
    note: String,
}

/// All names and keys of the log, and which part of it each one signs.
#[derive(Clone, Debug)]
pub struct Eras {
    past: Vec<Past>,
    present: LogKey,
    version: i64,
}

/// What a reopened log is called.
#[derive(Clone, Debug)]
pub struct Reopened {
    /// Its key, which has the new name in it.
    pub log_key: LogKey,
    /// Log entries of the old database that this copy does not have.
    pub lost: u64,
}

/// In `meta`: the present name; a line for each past era: its name, the height of its last block, and
/// the version of its key; the version of the present key, absent for the first.
const ORIGIN: &str = "origin";
const ERAS: &str = "eras";
const KEY_VERSION: &str = "log_key_version";

impl Eras {
    /// Reads them. Each one's last block proves it, since its checkpoint is signed under the name.
    pub fn read(connection: &mut dyn Connection, keys: &Keyring) -> Result<Self> {
        let origin = meta::value(connection, ORIGIN)?.and_then(|origin| String::from_utf8(origin).ok());
        let origin =
            origin.ok_or_else(|| Error::Internal("the database names no log; run `strongroom init`".into()))?;
        let lines = lines(connection)?;
        let past = lines.lines().map(|line| past(connection, keys, line)).collect::<Result<_>>()?;
        let version = key_version(connection)?;
        Ok(Eras { past, present: LogKey::new(&origin, &keys.log(version)?.public()), version })
    }

    /// The present name and key.
    pub fn present(&self) -> &LogKey {
        &self.present
    }

    /// The version of the present key.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// A checkpoint of this log under any of its names, as far as it went under that name.
    pub fn verify(&self, note: &str) -> Option<Checkpoint> {
        let of_past = |era: &Past| era.key.verify(note).ok().filter(|checkpoint| checkpoint.size <= era.size);
        self.present.verify(note).ok().or_else(|| self.past.iter().find_map(of_past))
    }

    /// The key under whose name an entry was appended.
    pub fn key_at(&self, position: u64) -> &LogKey {
        self.past.iter().find(|era| position < era.size).map_or(&self.present, |era| &era.key)
    }

    /// The checkpoint that proves an entry: the last one of its era, or the newest of all.
    pub fn checkpoint_for(&self, position: u64, newest: String) -> Result<(u64, String)> {
        match self.past.iter().find(|era| position < era.size) {
            Some(era) => Ok((era.size, era.note.clone())),
            None => {
                let checkpoint = self.present.verify(&newest).map_err(|e| Error::Internal(e.to_string()))?;
                Ok((checkpoint.size, newest))
            }
        }
    }
}

fn lines(connection: &mut dyn Connection) -> Result<String> {
    let lines = meta::value(connection, ERAS)?.unwrap_or_default();
    String::from_utf8(lines).map_err(|_| Error::Integrity("the list of the log's names is not text".into()))
}

fn key_version(connection: &mut dyn Connection) -> Result<i64> {
    let Some(version) = meta::value(connection, KEY_VERSION)? else { return Ok(1) };
    let version = std::str::from_utf8(&version).ok().and_then(|version| version.parse().ok());
    version.ok_or_else(|| Error::Integrity("the version of the log's key is no number".into()))
}

fn past(connection: &mut dyn Connection, keys: &Keyring, line: &str) -> Result<Past> {
    let broken = || Error::Integrity("the list of the log's names was changed".into());
    let parts: Vec<&str> = line.split(' ').collect();
    let [origin, height, version] = parts[..] else { return Err(broken()) };
    let block = log::block(connection, height.parse().map_err(|_| broken())?)?.ok_or_else(broken)?;
    let key = LogKey::new(origin, &keys.log(version.parse().map_err(|_| broken())?)?.public());
    let checkpoint = key.verify(&block.note).map_err(|_| broken())?;
    Ok(Past { key, size: checkpoint.size, note: block.note })
}

/// Ends the present era with a block.
fn end(connection: &mut dyn Connection, eras: &Eras, height: i64) -> Result<()> {
    let line = format!("{}{} {height} {}\n", lines(connection)?, eras.present.origin(), eras.version);
    Ok(meta::set_value(connection, ERAS, line.as_bytes())?)
}

impl Bank {
    /// Gives the log its next key. The change is a leaf that both keys have signed, the last one under
    /// the old key. Answers the log's key with its name, as verifiers pin it.
    pub(crate) fn rotate_log(&self) -> Result<LogKey> {
        let eras = self.eras();
        let old = Arc::new(self.keys.log(eras.version)?);
        let (version, new) = self.keys.prepare_log(eras.version, clock::now_us())?;
        let new = Arc::new(new);
        let (was, salt, origin) = (eras.clone(), random::bytes(), eras.present.origin().to_owned());
        self.change_blocking(move |tx| {
            if key_version(tx.connection)? != was.version {
                let detail = "The log's key was followed meanwhile; look at `keys status`.".into();
                return Err(Error::Conflict { code: "key_followed", detail });
            }
            let core = LogKeyCore::sign(&origin, tx.now_us, &old, &new);
            tx.append_fact(Kind::LogKey, tx.keys.store(), salt, core.encode());
            end(tx.connection, &was, tx.height)?;
            meta::set_value(tx.connection, KEY_VERSION, version.to_string().as_bytes())?;
            tx.next_key = Some(new.clone());
            Ok(())
        })?;
        self.keys.activate_log(version, clock::now_us())?;
        let present = self.readers.read(|c| Eras::read(c, &self.keys))?;
        let log_key = present.present.clone();
        *self.eras.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(present);
        Ok(log_key)
    }
}

/// Gives the log of a database that was put back to an older copy a new name, so that it may be
/// written again. The server must not run.
///
/// Refuses a database that is not behind the checkpoint kept outside it.
pub fn reopen(home: &Home) -> Result<Reopened> {
    let _lock = init::lock(home)?;
    let opened = Opened::at(home)?;
    let mut connection = opened.database.connect(Role::Writer)?;
    let (state, note) = resume(connection.as_mut(), &opened.keys, &opened.eras)?;
    let mut head = Head::open(home.dir())?;
    let behind = init::check_head(&head, &opened.eras, connection.as_mut(), &state, &note)?;
    let (Some(_), Some((kept, kept_note))) = (behind, head.highest(&opened.eras)) else {
        return Err(Error::Conflict {
            code: "not_behind",
            detail: "The database is not behind the checkpoint kept outside it: there is nothing to recover, and the log keeps its name.".into(),
        });
    };
    let origin = format!("strongroom.bank/{}", hex::encode(&random::bytes::<16>()));
    let now_us = clock::now_us();
    let epoch = meta::take_writer(connection.as_mut())?;
    let audit = Chain::read(connection.as_mut())?;
    connection.begin()?;
    if !meta::stamp_batch(connection.as_mut(), epoch, &random::bytes())? {
        return Err(Error::Busy);
    }
    end(connection.as_mut(), &opened.eras, state.height)?;
    meta::set_value(connection.as_mut(), ORIGIN, origin.as_bytes())?;
    let mut tx = Tx::new(connection.as_mut(), &opened.keys, now_us, &state, audit);
    let core = OriginCore { old_checkpoint: kept_note, time_us: now_us };
    tx.append_fact(Kind::Origin, opened.keys.store(), random::bytes(), core.encode());
    tx.audit(Event::new("log.reopened"))?;
    let audit = tx.audit;
    let finished = tx.finish(&origin, &state)?;
    let (_, note) = finished.ok_or_else(|| Error::Internal("the new log's first block was not made".into()))?;
    connection.commit()?;
    // What was kept of the audit log is ahead of this database, which goes on from where it is.
    let kept_audit = AuditHead::start_anew(home)?.keep(&opened.keys, audit);
    kept_audit.map_err(|e| Error::Internal(format!("the audit log's newest hash could not be kept: {e}")))?;
    head.keep(&note)
        .and_then(|()| head.sync())
        .map_err(|e| Error::Internal(format!("the new log's first checkpoint could not be kept: {e}")))?;
    // Its older rows may be protected by keys that had nothing left to protect.
    opened.keys.expect_older()?;
    let lost = kept.size.saturating_sub(state.frontier.size());
    Ok(Reopened { log_key: LogKey::new(&origin, &state.key.public()), lost })
}
