//! Witnesses: at a cadence the newest checkpoint is sent to each, with the proof that it extends what the witness has
//! signed before, and the cosignatures that hold are kept and shown with proofs.

use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::time::Duration;

use strongroom_crypto::digest::id;
use strongroom_ledger::cosignature::{Cosigned, Proof, WitnessKey, add_checkpoint};
use strongroom_ledger::merkle;
use strongroom_ledger::note::Checkpoint;
use strongroom_notify::witness::{Answer, Witness};
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::cosignatures::{self, CosignatureRow};
use tokio::runtime::Runtime;

use crate::era::Eras;
use crate::home::Config;
use crate::logs::Hashes;
use crate::{Bank, Error, Result};

/// Between two rounds when the configuration says nothing.
const EVERY_S: u32 = 10;
const TICK: Duration = Duration::from_millis(250);

/// Who is asked, and how they are known.
pub struct Witnesses {
    asked: Vec<(WitnessKey, Witness)>,
    every: Duration,
}

impl Witnesses {
    /// Those of the configuration.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let unusable = |e: &dyn std::fmt::Display| Error::Internal(format!("[[witness]] in strongroom.toml: {e}"));
        let mut asked = Vec::new();
        for witness in &config.witness {
            let key = witness.key.parse::<WitnessKey>().map_err(|e| unusable(&e))?;
            asked.push((key, Witness::new(witness).map_err(|e| unusable(&e))?));
        }
        let every_s = config.log.witness_every_s.map_or(EVERY_S, NonZeroU32::get);
        Ok(Witnesses { asked, every: Duration::from_secs(every_s.into()) })
    }
}

/// By what a witness's cosignatures are kept: its whole key, since a name may get another key.
fn id_of(key: &WitnessKey) -> Id {
    id(&[key.to_string().as_bytes()])
}

/// Starts the thread that asks them. It ends when the bank is gone or closing.
pub(crate) fn start(bank: &Arc<Bank>, witnesses: Witnesses) -> std::io::Result<()> {
    if witnesses.asked.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bank = Arc::downgrade(bank);
    let work = move || ask_all(&bank, &witnesses, &runtime);
    std::thread::Builder::new().name("witness".into()).spawn(work).map(drop)
}

fn ask_all(bank: &Weak<Bank>, witnesses: &Witnesses, runtime: &Runtime) {
    loop {
        let mut waited = Duration::ZERO;
        while waited < witnesses.every {
            std::thread::sleep(TICK);
            waited += TICK;
            if bank.strong_count() == 0 {
                return;
            }
        }
        let Some(bank) = bank.upgrade() else { return };
        if bank.stopped.why().is_some() || bank.is_closing() {
            continue;
        }
        // All are asked about the same checkpoint.
        let note = bank.checkpoint();
        for (key, witness) in &witnesses.asked {
            if let Err(e) = bank.ask_witness(key, witness, &note, runtime) {
                tracing::warn!(witness = key.name(), error = %e, "a witness did not cosign; it is asked again");
            }
        }
    }
}

impl Bank {
    fn ask_witness(&self, key: &WitnessKey, witness: &Witness, note: &str, runtime: &Runtime) -> Result<()> {
        let checkpoint = Checkpoint::parse(note).map_err(|e| Error::Internal(e.to_string()))?;
        let (size, witness_id) = (checkpoint.size, id_of(key));
        let signed = self.readers.read(|c| Ok(cosignatures::newest_of(c, &witness_id)?))?.unwrap_or(0) as u64;
        // Nobody has signed more than there is.
        let mut old = if signed > size { 0 } else { signed };
        if old == size {
            return Ok(());
        }
        // Once more from where the witness says that it stands.
        for _ in 0..2 {
            let path = self.readers.read(|c| merkle::consistency_proof(old, size, &mut Hashes { connection: c }))?;
            match runtime.block_on(witness.ask(add_checkpoint(old, &path, note))).map_err(Error::Internal)? {
                Answer::HasSigned(signed) if signed <= size && signed != old => old = signed,
                Answer::HasSigned(signed) => {
                    return Err(Error::Internal(format!("it has signed {signed} entries, and this log has {size}")));
                }
                Answer::Cosigned(lines) => {
                    let line = lines.into_iter().find(|line| key.verify(&checkpoint, line).is_some());
                    let line = line.ok_or_else(|| Error::Internal("no cosignature of its key holds".into()))?;
                    let row = CosignatureRow { size: size as i64, witness: witness_id, note: note.to_owned(), line };
                    return self.change_blocking(move |tx| Ok(cosignatures::add(tx.connection, &row)?));
                }
            }
        }
        Err(Error::Internal("it does not say where it stands".into()))
    }

    /// The checkpoint that most witnesses have cosigned, the newest of several, with their lines; none before the first.
    pub async fn witnessed(&self) -> Result<Option<String>> {
        let eras = self.eras();
        self.read(move |c| Ok(Cosigned::best(all_cosigned(c)?, eras.present(), 0).map(|best| best.to_text()))).await
    }

    /// The proof that an entry stands in the log: see [`proof`].
    pub async fn proof(&self, index: u64) -> Result<String> {
        let (eras, newest) = (self.eras(), self.checkpoint());
        self.read_at_once(move |c| proof(c, &eras, newest, index)).await
    }

    /// The proof that the log extends what it was at an earlier size: see [`extension`].
    pub async fn extension(&self, old: u64) -> Result<String> {
        let (eras, newest) = (self.eras(), self.checkpoint());
        self.read_at_once(move |c| extension(c, &eras, &newest, old)).await
    }
}

/// Checkpoints, each with the lines of its witnesses.
fn all_cosigned(connection: &mut dyn Connection) -> Result<Vec<(String, Vec<String>)>> {
    let rows = cosignatures::all(connection)?;
    let by_note = rows.chunk_by(|one, other| one.note == other.note);
    Ok(by_note.map(|some| (some[0].note.clone(), some.iter().map(|row| row.line.clone()).collect())).collect())
}

/// The proof that an entry stands in the log, as C2SP tlog-proof writes it: under the checkpoint that most witnesses have
/// cosigned, or under the newest of all while none of those holds the entry.
pub fn proof(connection: &mut dyn Connection, eras: &Eras, newest: String, index: u64) -> Result<String> {
    let (size, checkpoint, cosignatures) = match Cosigned::best(all_cosigned(connection)?, eras.key_at(index), index) {
        Some(best) => (best.size, best.checkpoint, best.lines),
        None => {
            let (size, checkpoint) = eras.checkpoint_for(index, newest)?;
            (size, checkpoint, Vec::new())
        }
    };
    if index >= size {
        return Err(Error::NotFound);
    }
    let path = merkle::inclusion_proof(index, size, &mut Hashes { connection })?;
    Ok(Proof { index, path, checkpoint, cosignatures }.to_text())
}

/// The proof that the log extends what it was at an earlier size, as C2SP tlog-witness writes it.
pub fn extension(connection: &mut dyn Connection, eras: &Eras, newest: &str, old: u64) -> Result<String> {
    let checkpoint = eras.verify(newest).ok_or_else(|| Error::Internal("the checkpoint does not verify".into()))?;
    if old > checkpoint.size {
        return Err(Error::NotFound);
    }
    let path = merkle::consistency_proof(old, checkpoint.size, &mut Hashes { connection })?;
    Ok(add_checkpoint(old, &path, newest))
}
