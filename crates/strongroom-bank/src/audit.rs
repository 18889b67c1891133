//! The audit log: what happened that matters for security, each entry chained to the one before by a
//! hash, written in the transaction of what it tells of. The newest hash is also kept outside the
//! database, under a MAC, so that a shortened or rewritten log is found.
//!
//! Details (an address, a browser's name) are sealed for the person they are about and enter the chain
//! by their salted hash: an erased person's cannot be read any more, and the chain still holds.

use std::net::IpAddr;

use serde::Serialize;
use strongroom_crypto::digest::{sha256, sha256_parts};
use strongroom_crypto::random;
use strongroom_identity::role::Permission;
use strongroom_ledger::id::{PersonId, SessionId};
use strongroom_store::audit::{self as store, AuditRow};
use strongroom_store::{Connection, Id};

use crate::audit_head::AuditHead;
use crate::keyring::{Keyring, column};
use crate::sessions::{self, Caller};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, hex, staff};

/// Where a request comes from, as the server saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// What its program calls itself.
    pub agent: Option<String>,
}

/// How much of a program's name is kept.
const AGENT_CHARS_MAX: usize = 160;

impl Source {
    /// From what a request says.
    pub fn new(address: IpAddr, agent: Option<&str>) -> Self {
        let plain = |agent: &str| agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect();
        Source { address: Some(address.to_canonical()), agent: agent.map(plain) }
    }

    /// What counts as one place: an IPv4 address, or an IPv6 network of 64 bits.
    pub(crate) fn place(&self) -> String {
        match self.address {
            Some(IpAddr::V6(address)) => format!("{:x}", u128::from(address) >> 64),
            Some(IpAddr::V4(address)) => address.to_string(),
            None => String::new(),
        }
    }
}

/// What happened. Names are stable: they are read by programs.
#[derive(Clone, Debug)]
pub struct Event {
    name: &'static str,
    person: Option<Id>,
    subject: Option<Id>,
    session: Option<Id>,
    detail: Vec<u8>,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl Event {
    /// Something that nobody signed in did, as far as is known.
    pub fn new(name: &'static str) -> Self {
        Event { name, person: None, subject: None, session: None, detail: Vec::new() }
    }

    /// Something that a signed-in person did.
    pub fn by(caller: &Caller, name: &'static str) -> Self {
        Event { person: Some(caller.person), session: Some(caller.session), ..Event::new(name) }
    }

    /// Something that happened for a person.
    pub fn of(person: Id, name: &'static str) -> Self {
        Event { person: Some(person), ..Event::new(name) }
    }

    /// In a session that has just begun.
    pub fn in_session(self, session: Id) -> Self {
        Event { session: Some(session), ..self }
    }

    /// To whom or what.
    pub fn on(self, subject: Id) -> Self {
        Event { subject: Some(subject), ..self }
    }

    /// From where.
    pub fn from(mut self, source: &Source) -> Self {
        let detail = Detail { address: source.address, agent: source.agent.as_deref(), note: None };
        self.detail = serde_json::to_vec(&detail).unwrap_or_default();
        self
    }

    /// With a word that is no secret.
    pub fn noting(mut self, note: &str) -> Self {
        self.detail = serde_json::to_vec(&Detail { address: None, agent: None, note: Some(note) }).unwrap_or_default();
        self
    }
}

impl Bank {
    /// What the caller did and what happened to them, below a position, newest first.
    pub async fn activity(&self, caller: &Caller, below: i64, limit: i64) -> Result<Vec<Entry>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            sessions::see(c, &keys, &caller, now_us)?;
            let rows = store::below(c, Some(&caller.person), below, limit)?;
            Ok(rows.iter().map(|row| Entry::open(&keys, row)).collect())
        })
        .await
    }

    /// Everything, for who may read the books: without what is personal.
    pub async fn audit_log(&self, caller: &Caller, below: i64, limit: i64) -> Result<Vec<Entry>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            staff::allow(&seen, &[Permission::BooksRead])?;
            let rows = store::below(c, None, below, limit)?;
            Ok(rows.iter().map(|row| Entry::open(&keys, row).for_auditors()).collect())
        })
        .await
    }
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many entries there are.
    pub size: i64,
    /// The newest one's hash; zeros before the first.
    pub hash: [u8; 32],
}

impl Chain {
    /// Where it stands in the database.
    pub fn read(connection: &mut dyn Connection) -> Result<Self> {
        let last = store::last(connection)?;
        Ok(last.map_or(Chain::default(), |row| Chain { size: row.position + 1, hash: row.hash }))
    }
}

impl Tx<'_> {
    /// Writes down what happens in this batch. A person whose keys are gone gets no detail.
    pub fn audit(&mut self, event: Event) -> Result<()> {
        let salted = [&random::bytes::<16>()[..], &event.detail].concat();
        let id = store::id(self.audit.size);
        let detail = match self.keys.seal(event.person.as_ref(), column::AUDIT_DETAIL, &id, &salted) {
            Err(Error::Erased(_)) => Vec::new(),
            sealed => sealed?,
        };
        let mut row = AuditRow {
            position: self.audit.size,
            id,
            time_us: self.now_us,
            event: event.name.to_owned(),
            person: event.person,
            subject: event.subject,
            session: event.session,
            detail_hash: sha256(&salted),
            detail,
            hash: [0; 32],
        };
        row.hash = chained(&self.audit.hash, &row);
        store::append(self.connection, &row)?;
        self.audit = Chain { size: row.position + 1, hash: row.hash };
        Ok(())
    }
}

/// The hash of an entry on top of the one before.
pub fn chained(before: &[u8; 32], row: &AuditRow) -> [u8; 32] {
    let optional = |id: &Option<Id>| {
        id.map_or([0; 17], |id| {
            let mut bytes = [1; 17];
            bytes[1..].copy_from_slice(&id);
            bytes
        })
    };
    sha256_parts(&[
        b"strongroom audit v1\0",
        before,
        &row.position.to_be_bytes(),
        &row.time_us.to_be_bytes(),
        &(row.event.len() as u32).to_be_bytes(),
        row.event.as_bytes(),
        &optional(&row.person),
        &optional(&row.subject),
        &optional(&row.session),
        &row.detail_hash,
    ])
}

/// An entry as those see it who may.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its place.
    pub position: i64,
    /// When it happened, RFC 3339.
    pub time: String,
    /// What happened.
    pub event: String,
    /// `usr_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// To whom or what: 32 hexadecimal digits, as in the ids `usr_…`, `dev_…` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `sess_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where it came from, and a word about it; none when it cannot be opened any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
    /// What detail was written, as a hash.
    pub detail_hash: String,
    /// The hash that chains it.
    pub hash: String,
}

/// What staff have done: its note is a word about the bank's own business, and for its auditors.
const STAFFS: [&str; 6] = ["person.revealed", "person.invited", "roles.", "role.", "key.", "people."];

impl Entry {
    /// Without what is personal: addresses, programs, and every detail of what was not staff's business.
    fn for_auditors(mut self) -> Self {
        let is_staffs = STAFFS.iter().any(|start| self.event.starts_with(start));
        let note = self.detail.take().and_then(|mut detail| Some(detail.get_mut("note")?.take()));
        self.detail = note.filter(|_| is_staffs).map(|note| serde_json::json!({"note": note}));
        self
    }

    /// Opens a row.
    pub fn open(keys: &Keyring, row: &AuditRow) -> Self {
        Entry {
            position: row.position,
            time: strongroom_ledger::time::to_text(row.time_us),
            event: row.event.clone(),
            person: row.person.map(|id| PersonId(id).to_string()),
            subject: row.subject.map(|id| hex::encode(&id)),
            session: row.session.map(|id| SessionId(id).to_string()),
            detail: detail(keys, row),
            detail_hash: hex::encode(&row.detail_hash),
            hash: hex::encode(&row.hash),
        }
    }
}

/// An entry's detail, if it can still be opened and is the one that was written.
fn detail(keys: &Keyring, row: &AuditRow) -> Option<serde_json::Value> {
    let salted = keys.unseal(row.person.as_ref(), column::AUDIT_DETAIL, &row.id, &row.detail).ok()?;
    let (_, json) = salted.split_at_checked(16)?;
    (sha256(&salted) == row.detail_hash).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// What checking the whole log came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Entries that hold together.
    pub entries: i64,
    /// The first thing that is wrong.
    pub broken: Option<String>,
}

/// Checks every entry, and that the log reaches what was kept outside the database.
pub fn verify(connection: &mut dyn Connection, kept: Option<Chain>) -> Result<Checked> {
    let (mut chain, mut broken, mut kept_hash) = (Chain::default(), None, None);
    store::each(connection, &mut |row| {
        if broken.is_none() {
            if row.position != chain.size {
                broken = Some(format!("entry {} is missing", chain.size));
            } else if chained(&chain.hash, &row) != row.hash || store::id(row.position) != row.id {
                broken = Some(format!("entry {} was changed, or one before it", row.position));
            } else {
                chain = Chain { size: row.position + 1, hash: row.hash };
                if kept.is_some_and(|kept| kept.size == chain.size) {
                    kept_hash = Some(chain.hash);
                }
            }
        }
        Ok(())
    })?;
    if let (None, Some(kept)) = (&broken, kept.filter(|kept| kept.size > 0)) {
        match kept_hash {
            Some(hash) if hash == kept.hash => {}
            Some(_) => broken = Some(format!("entry {} is not the one whose hash was kept", kept.size - 1)),
            None => broken = Some(format!("{} entries are missing at the end", kept.size - chain.size)),
        }
    }
    Ok(Checked { entries: chain.size, broken })
}

/// Keeps where the chain stands outside the database, if it has moved.
pub(crate) fn keep(head: &mut AuditHead, keys: &Keyring, before: Chain, now: Chain) {
    if before != now
        && let Err(e) = head.keep(keys, now)
    {
        tracing::error!(error = %e, "the audit log's newest hash could not be kept outside the database; check the home's disk");
    }
}
