//! The log as an auditor takes it away: one line of JSON for each leaf and a last one with the signed checkpoint. From
//! these alone and the log's key, every leaf is hashed anew, the root compared with what was signed, and all balances
//! and reservations kept anew. There is nothing personal in it: the parts of payer and payee are hashes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, TransferId};
use crate::leaf::{self, HoldCore, HoldState, Kind, PostingCore, PostingKind};
use crate::merkle::{self, Frontier, Hash};
use crate::note::LogKey;

/// A line of the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// A leaf.
    Leaf(LeafLine),
    /// The newest checkpoint, as a signed note.
    Checkpoint(String),
}

/// A leaf: its parts in hexadecimal digits. What a leaf does not have is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafLine {
    /// The core part, whose first byte is the leaf's kind.
    pub core: String,
    /// The core's salt.
    pub salt: String,
    /// Hash of the payer's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Hash of the payee's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<String>,
}

impl LeafLine {
    /// A leaf by its parts.
    pub fn new(core: &[u8], salt: &[u8; 16], payer: &Hash, payee: &Hash) -> Self {
        let part = |hash: &Hash| (*hash != leaf::ABSENT).then(|| hex(hash));
        LeafLine { core: hex(core), salt: hex(salt), payer: part(payer), payee: part(payee) }
    }
}

/// What an export says, once it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Leaves.
    pub leaves: u64,
    /// Postings among them.
    pub transfers: u64,
    /// What each account holds, with its currency, in minor units.
    pub balances: BTreeMap<(String, AccountId), i64>,
    /// What is reserved on accounts, in minor units.
    pub held: BTreeMap<AccountId, i64>,
    /// The log's root, as it was signed.
    pub root: Hash,
}

/// Why an export does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Broken {
    /// Which line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Checks an export, line by line, against the log's key.
#[derive(Default)]
pub struct Auditor {
    frontier: Frontier,
    audited: Audited,
    open: HashMap<TransferId, HoldCore>,
    captured: Option<HoldCore>,
    reversed: HashSet<TransferId>,
    signed: bool,
    line: u64,
}

impl Auditor {
    /// The next line.
    pub fn take(&mut self, line: &str, key: &LogKey) -> Result<(), Broken> {
        self.line += 1;
        let outcome = match serde_json::from_str(line) {
            _ if self.signed => Err("it comes after the checkpoint".to_owned()),
            Ok(Line::Leaf(leaf)) => self.leaf(&leaf),
            Ok(Line::Checkpoint(note)) => self.checkpoint(&note, key),
            Err(error) => Err(format!("it is no line of an export: {error}")),
        };
        outcome.map_err(|what| Broken { line: self.line, what })
    }

    /// After the last line.
    pub fn finish(self) -> Result<Audited, Broken> {
        match (self.signed, self.captured) {
            (true, None) => Ok(self.audited),
            (true, Some(_)) => Err(Broken { line: self.line, what: "what was captured is not posted".into() }),
            (false, _) => Err(Broken { line: self.line + 1, what: "the export ends without its checkpoint".into() }),
        }
    }

    fn leaf(&mut self, line: &LeafLine) -> Result<(), String> {
        let core = bytes(&line.core).ok_or("its core is not hexadecimal")?;
        let salt: [u8; 16] = bytes(&line.salt).and_then(|b| b.try_into().ok()).ok_or("its salt is not 16 bytes")?;
        let part = |text: &Option<String>| -> Result<Hash, String> {
            let Some(text) = text else { return Ok(leaf::ABSENT) };
            bytes(text).and_then(|b| b.try_into().ok()).ok_or_else(|| "a part's hash is not 32 bytes".to_owned())
        };
        let kind = core.first().copied().and_then(Kind::of_core).ok_or("its kind is unknown")?;
        let core_hash = leaf::part_hash(leaf::CORE, &salt, &core);
        let commitment = leaf::commitment(kind, &core_hash, &part(&line.payer)?, &part(&line.payee)?);
        self.frontier.append(merkle::leaf_hash(&commitment));
        let place = self.audited.leaves;
        self.audited.leaves += 1;
        if self.captured.is_some() && kind != Kind::Posting {
            return Err("what was captured is not posted next".into());
        }
        match kind {
            Kind::Posting => self.posting(&PostingCore::decode(&core).map_err(|e| e.to_string())?, place),
            Kind::Hold => self.hold(&HoldCore::decode(&core).map_err(|e| e.to_string())?, place),
            _ => Ok(()),
        }
    }

    fn posting(&mut self, core: &PostingCore, place: u64) -> Result<(), String> {
        if core.sequence != place {
            return Err("the posting says that it stands elsewhere".into());
        }
        let completes = core.refers == Some(core.transfer);
        let is_it = |hold: &HoldCore| {
            let ours = (core.transfer, core.from, core.to, core.amount, core.currency);
            (hold.transfer, hold.from, hold.to, hold.amount, hold.currency) == ours
        };
        if completes != self.captured.is_some() || self.captured.take().is_some_and(|hold| !is_it(&hold)) {
            return Err("the posting is not what was captured".into());
        }
        match (core.kind, core.refers) {
            (PostingKind::Reversal, None) => return Err("it takes nothing back".into()),
            (PostingKind::Reversal, Some(original)) if !self.reversed.insert(original) => {
                return Err("it takes back what was taken back before".into());
            }
            _ => {}
        }
        let currency = core.currency.to_string();
        for (account, amount) in [(core.from, -core.amount), (core.to, core.amount)] {
            let balance = self.audited.balances.entry((currency.clone(), account)).or_default();
            *balance = balance.checked_add(amount).ok_or("an account overflows")?;
        }
        self.audited.transfers += 1;
        Ok(())
    }

    fn hold(&mut self, core: &HoldCore, place: u64) -> Result<(), String> {
        if core.sequence != place {
            return Err("the reservation says that it stands elsewhere".into());
        }
        if core.state.is_open() {
            let held = self.audited.held.entry(core.from).or_default();
            *held = held.checked_add(core.amount).ok_or("more is reserved than can be counted")?;
            let before = self.open.insert(core.transfer, core.clone());
            return before.map_or(Ok(()), |_| Err("it is reserved twice".into()));
        }
        let began = self.open.remove(&core.transfer).ok_or("what ends was not reserved")?;
        let terms = |of: &HoldCore| (of.from, of.to, of.currency, of.capturer, of.until_us);
        if terms(&began) != terms(core) {
            return Err("it ends as another reservation than it began".into());
        }
        let is_captured = core.state == HoldState::Captured;
        if core.amount > began.amount || is_captured != (core.amount > 0) {
            return Err("not what was reserved is captured".into());
        }
        let held = self.audited.held.entry(began.from).or_default();
        *held = held.checked_sub(began.amount).ok_or("less is reserved than ends")?;
        if is_captured {
            self.captured = Some(core.clone());
        }
        Ok(())
    }

    fn checkpoint(&mut self, note: &str, key: &LogKey) -> Result<(), String> {
        let checkpoint = key.verify(note).map_err(|e| e.to_string())?;
        if checkpoint.size != self.frontier.size() || checkpoint.root != self.frontier.root() {
            return Err("the leaves are not those that were signed".into());
        }
        self.audited.root = checkpoint.root;
        self.audited.held.retain(|_, held| *held != 0);
        self.signed = true;
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    (0..digits.len()).step_by(2).map(pair).collect()
}
