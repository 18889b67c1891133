//! One batch's transaction: the connection, the time it is decided at, and what it adds to the log.

use std::sync::Arc;

use strongroom_crypto::sign::SigningKey;
use strongroom_ledger::leaf;
use strongroom_ledger::merkle::{self, Frontier};
use strongroom_ledger::note::Checkpoint;
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::log::{self, BlockRow, FactRow, LeafRow, TileRow};

use crate::audit::Chain;
use crate::keyring::Keyring;
use crate::money::Seen;

/// A batch in progress.
pub struct Tx<'a> {
    /// The writer's connection, inside a transaction.
    pub connection: &'a mut dyn Connection,
    /// The bank's keys.
    pub keys: &'a Keyring,
    /// The time at which the whole batch is decided.
    pub now_us: i64,
    /// The height of the block this batch makes.
    pub height: i64,
    /// Signs from the next block on, if this batch changes the log's key.
    pub next_key: Option<Arc<SigningKey>>,
    /// Where the audit log stands.
    pub audit: Chain,
    /// Whether mail can be sent.
    pub has_mail: bool,
    /// What orders were decided on before, where nothing has changed since.
    pub seen: Seen,
    frontier: Frontier,
    leaves: Vec<LeafRow>,
    facts: Vec<FactRow>,
    tiles: Vec<TileRow>,
}

/// Where the log stands: what the writer carries from batch to batch.
#[derive(Clone)]
pub struct LogState {
    /// The right edge of the tree.
    pub frontier: Frontier,
    /// The newest block, if there is one.
    pub height: i64,
    /// Its hash.
    pub last_hash: [u8; 32],
    /// Signs the checkpoints.
    pub key: Arc<SigningKey>,
}

impl<'a> Tx<'a> {
    /// Begins a batch on top of the log as it stands.
    pub fn new(
        connection: &'a mut dyn Connection,
        keys: &'a Keyring,
        now_us: i64,
        log: &LogState,
        audit: Chain,
    ) -> Self {
        Tx {
            connection,
            keys,
            now_us,
            height: log.height + 1,
            next_key: None,
            audit,
            has_mail: false,
            seen: Seen::default(),
            frontier: log.frontier.clone(),
            leaves: Vec::new(),
            facts: Vec::new(),
            tiles: Vec::new(),
        }
    }

    /// The position the next leaf will have.
    pub fn next_position(&self) -> i64 {
        self.frontier.size() as i64
    }

    /// Appends a leaf by its commitment. Answers its position.
    pub fn append(&mut self, kind: leaf::Kind, commitment: [u8; 32]) -> i64 {
        let position = self.next_position();
        for (level, index, hash) in self.frontier.append(merkle::leaf_hash(&commitment)) {
            self.tiles.push(TileRow { level: i64::from(level), position: index as i64, hash });
        }
        self.leaves.push(LeafRow { position, kind: kind as i64, commitment });
        position
    }

    /// Appends a leaf that keeps its core beside the log: a device, a key.
    pub fn append_fact(&mut self, kind: leaf::Kind, subject: Id, salt: Id, core: Vec<u8>) -> i64 {
        let commitment = fact_commitment(kind, &salt, &core);
        let position = self.append(kind, commitment);
        self.facts.push(FactRow { position, subject, salt, core });
        position
    }

    /// Writes what was appended and the block that commits to it. Answers the log's new state and
    /// its signed checkpoint, or nothing when nothing was appended.
    pub fn finish(self, origin: &str, log: &LogState) -> strongroom_sql::Result<Option<(LogState, String)>> {
        if self.leaves.is_empty() {
            return Ok(None);
        }
        let checkpoint =
            Checkpoint { origin: origin.to_owned(), size: self.frontier.size(), root: self.frontier.root() };
        let note = checkpoint.sign(&log.key);
        let mut block = BlockRow {
            height: self.height,
            previous: log.last_hash,
            size: self.frontier.size() as i64,
            time_us: self.now_us,
            note,
            hash: [0; 32],
        };
        block.hash = block_hash(&block);
        log::append(self.connection, &self.leaves, &self.facts, &self.tiles, &block)?;
        let key = self.next_key.unwrap_or_else(|| log.key.clone());
        let state = LogState { frontier: self.frontier, height: block.height, last_hash: block.hash, key };
        Ok(Some((state, block.note)))
    }
}

/// The log entry of a leaf that has only a core part.
pub fn fact_commitment(kind: leaf::Kind, salt: &Id, core: &[u8]) -> [u8; 32] {
    leaf::commitment(kind, &leaf::part_hash(leaf::CORE, salt, core), &[0; 32], &[0; 32])
}

/// The hash that links blocks: over height, the previous hash, size, time and the signed checkpoint.
pub fn block_hash(block: &BlockRow) -> [u8; 32] {
    strongroom_crypto::digest::sha256_parts(&[
        b"strongroom block v1\0",
        &block.height.to_be_bytes(),
        &block.previous,
        &block.size.to_be_bytes(),
        &block.time_us.to_be_bytes(),
        block.note.as_bytes(),
    ])
}
