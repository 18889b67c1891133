//! The names that the log has had. A database put back to an older copy must not go on under the
//! log's name: it would sign a second history. [`reopen`] gives the log a new name, and its first
//! leaf under that name holds the highest checkpoint that was signed under the old one.
//!
//! What was posted before is proven by the last checkpoint of its own era, under the name that its
//! orders were signed for.

use strongroom_crypto::random;
use strongroom_ledger::leaf::{Kind, OriginCore};
use strongroom_ledger::note::LogKey;
use strongroom_sql::{Connection, Role};
use strongroom_store::{log, meta};

use crate::head::Head;
use crate::keyring::Keyring;
use crate::tx::Tx;
use crate::{Error, Home, Opened, Result, clock, hex, init, resume};

/// A stretch of the log that is over.
#[derive(Clone, Debug)]
struct Past {
    key: LogKey,
    /// The log's size at its end.
    size: u64,
    /// The checkpoint of that size.
    note: String,
}

/// All names of the log, and which part of it each one signs.
#[derive(Clone, Debug)]
pub struct Eras {
    past: Vec<Past>,
    present: LogKey,
}

/// What a reopened log is called.
#[derive(Clone, Debug)]
pub struct Reopened {
    /// Its key, which has the new name in it.
    pub log_key: LogKey,
    /// Log entries of the old database that this copy does not have.
    pub lost: u64,
}

/// In `meta`: a line for each past era, its origin and the height of its last block.
const ERAS: &str = "eras";

impl Eras {
    /// Reads them. Each one's last block proves it, since its checkpoint is signed under the name.
    pub fn read(connection: &mut dyn Connection, keys: &Keyring, present: LogKey) -> Result<Self> {
        let lines = lines(connection)?;
        let past = lines.lines().map(|line| past(connection, keys, line)).collect::<Result<_>>()?;
        Ok(Eras { past, present })
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

fn past(connection: &mut dyn Connection, keys: &Keyring, line: &str) -> Result<Past> {
    let broken = || Error::Integrity("the list of the log's names was changed".into());
    let (origin, height) = line.split_once(' ').ok_or_else(broken)?;
    let block = log::block(connection, height.parse().map_err(|_| broken())?)?.ok_or_else(broken)?;
    let key = LogKey::new(origin, &keys.log.public());
    let checkpoint = key.verify(&block.note).map_err(|_| broken())?;
    Ok(Past { key, size: checkpoint.size, note: block.note })
}

/// Gives the log of a database that was put back to an older copy a new name, so that it may be
/// written again. The server must not run.
///
/// Refuses a database that is not behind the checkpoint kept outside it.
pub fn reopen(home: &Home) -> Result<Reopened> {
    let _lock = init::lock(home)?;
    let opened = Opened::at(home)?;
    let mut connection = opened.database.connect(Role::Writer)?;
    let (state, note) = resume(connection.as_mut())?;
    let mut head = Head::open(home.dir())?;
    let behind = init::check_head(&head, &opened.log_key, connection.as_mut(), &state, &note)?;
    let (Some(_), Some((kept, kept_note))) = (behind, head.highest(&opened.log_key)) else {
        return Err(Error::Conflict {
            code: "not_behind",
            detail: "The database is not behind the checkpoint kept outside it: there is nothing to recover, and the log keeps its name.".into(),
        });
    };
    let origin = format!("strongroom.bank/{}", hex::encode(&random::bytes::<16>()));
    let past = format!("{}{} {}\n", lines(connection.as_mut())?, opened.origin, state.height);
    let now_us = clock::now_us();
    let epoch = meta::take_writer(connection.as_mut())?;
    connection.begin()?;
    if !meta::stamp_batch(connection.as_mut(), epoch, &random::bytes())? {
        return Err(Error::Busy);
    }
    meta::set_value(connection.as_mut(), "origin", origin.as_bytes())?;
    meta::set_value(connection.as_mut(), ERAS, past.as_bytes())?;
    let mut tx = Tx::new(connection.as_mut(), &opened.keys, now_us, &state);
    let core = OriginCore { old_checkpoint: kept_note, time_us: now_us };
    tx.append_fact(Kind::Origin, opened.keys.store(), random::bytes(), core.encode());
    let finished = tx.finish(&origin, &state)?;
    let (_, note) = finished.ok_or_else(|| Error::Internal("the new log's first block was not made".into()))?;
    connection.commit()?;
    head.keep(&note)
        .and_then(|()| head.sync())
        .map_err(|e| Error::Internal(format!("the new log's first checkpoint could not be kept: {e}")))?;
    let lost = kept.size.saturating_sub(state.frontier.size());
    Ok(Reopened { log_key: LogKey::new(&origin, &opened.keys.log.public()), lost })
}
