//! Reading the log: hashes for proofs, tiles and entry bundles for anyone, blocks.

use strongroom_ledger::merkle::{self, TILE_WIDTH};
use strongroom_ledger::tile::{self, TilePath};
use strongroom_sql::Connection;
use strongroom_store::log;
pub use strongroom_store::log::BlockRow;

use crate::sessions::{self, Caller};
use crate::{Bank, Error, Result, clock};

/// The log's hashes as its tables hold them.
pub struct Hashes<'a> {
    /// Where to read.
    pub connection: &'a mut dyn Connection,
}

impl merkle::Hashes for Hashes<'_> {
    type Error = Error;

    fn hash(&mut self, level: u8, index: u64) -> Result<[u8; 32]> {
        let gone = || Error::Integrity(format!("the log has no hash at level {level}, position {index}"));
        if level == 0 {
            let leaf = log::leaf(self.connection, index as i64)?.ok_or_else(gone)?;
            return Ok(merkle::leaf_hash(&leaf.commitment));
        }
        log::tile(self.connection, i64::from(level), index as i64)?.ok_or_else(gone)
    }

    fn hashes(&mut self, level: u8, from: u64, until: u64) -> Result<Vec<[u8; 32]>> {
        let found = if level == 0 {
            log::commitments(self.connection, from as i64, until as i64)?.iter().map(|c| merkle::leaf_hash(c)).collect()
        } else {
            log::tiles(self.connection, i64::from(level), from as i64, until as i64)?
        };
        if found.len() as u64 != until - from {
            return Err(Error::Integrity(format!("the log lacks hashes at level {level} between {from} and {until}")));
        }
        Ok(found)
    }
}

impl Bank {
    /// A tile or entry bundle of the public log, as C2SP tlog-tiles lays them out.
    pub async fn tile(&self, path: &str) -> Result<Vec<u8>> {
        let path: TilePath = path.parse().map_err(|_| Error::NotFound)?;
        let size = self.log_size()?;
        self.read(move |c| {
            let (level, index, width) = (path.level(), path.index(), u64::from(path.width()));
            let below = size >> (8 * u32::from(level.unwrap_or(0)));
            let from = index.checked_mul(TILE_WIDTH).ok_or(Error::NotFound)?;
            let until = from + width;
            if until > below {
                return Err(Error::NotFound);
            }
            Ok(match level {
                None => tile::encode_entries(&log::commitments(c, from as i64, until as i64)?),
                Some(level) => merkle::Hashes::hashes(&mut Hashes { connection: c }, level, from, until)?.concat(),
            })
        })
        .await
    }

    /// How many entries the log has.
    pub fn log_size(&self) -> Result<u64> {
        let checkpoint = self.eras().verify(&self.checkpoint());
        Ok(checkpoint.ok_or_else(|| Error::Internal("the published checkpoint does not verify".into()))?.size)
    }

    /// Blocks below a height, newest first.
    pub async fn blocks(&self, caller: &Caller, below: Option<i64>, limit: i64) -> Result<Vec<BlockRow>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            sessions::see(c, &keys, &caller, now_us)?;
            Ok(log::blocks_below(c, below.unwrap_or(i64::MAX), limit)?)
        })
        .await
    }

    /// One block.
    pub async fn block(&self, caller: &Caller, height: i64) -> Result<BlockRow> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            sessions::see(c, &keys, &caller, now_us)?;
            log::block(c, height)?.ok_or(Error::NotFound)
        })
        .await
    }
}
