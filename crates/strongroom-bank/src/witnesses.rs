//! Witnesses: at a cadence the newest checkpoint is sent to each, with the proof that it extends what the witness has
//! signed before, and the cosignatures that hold are kept and shown with proofs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use strongroom_ledger::cosignature::{Proof, WitnessKey, add_checkpoint, cosigned};
use strongroom_ledger::merkle;
use strongroom_ledger::note::Checkpoint;
use strongroom_notify::witness::{Answer, Witness};
use strongroom_sql::Connection;
use strongroom_store::cosignatures::{self, CosignatureRow};
use tokio::runtime::Runtime;

use crate::era::Eras;
use crate::logs::Hashes;
use crate::{Bank, Error, Home, Result};

/// Between two rounds when the configuration says nothing.
const EVERY_S: u64 = 10;
const TICK: Duration = Duration::from_millis(250);

/// Who is asked, and how they are known.
pub struct Witnesses {
    asked: Vec<(WitnessKey, Witness)>,
    every: Duration,
}

impl Home {
    /// The witnesses of the configuration.
    pub(crate) fn witnesses(config: &crate::home::Config) -> Result<Witnesses> {
        let unusable = |e: &dyn std::fmt::Display| Error::Internal(format!("[[witness]] in strongroom.toml: {e}"));
        let mut asked = Vec::new();
        for witness in &config.witness {
            let key = witness.key.parse::<WitnessKey>().map_err(|e| unusable(&e))?;
            asked.push((key, Witness::new(witness).map_err(|e| unusable(&e))?));
        }
        Ok(Witnesses { asked, every: Duration::from_secs(config.log.witness_every_s.unwrap_or(EVERY_S)) })
    }
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
            std::thread::sleep(TICK.min(witnesses.every));
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
        let (size, name) = (checkpoint.size, key.name().to_owned());
        let mut old = self.readers.read(|c| Ok(cosignatures::newest_of(c, &name)?))?.unwrap_or(0) as u64;
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
                    let row = CosignatureRow { size: size as i64, witness: name, note: note.to_owned(), line };
                    return self.change_blocking(move |tx| Ok(cosignatures::add(tx.connection, &row)?));
                }
            }
        }
        Err(Error::Internal("it does not say where it stands".into()))
    }

    /// The newest checkpoint that witnesses have cosigned, with their lines; none before the first.
    pub async fn witnessed(&self) -> Result<Option<String>> {
        let newest = self.read(|c| Ok(cosignatures::newest(c)?)).await?;
        let lines: Vec<String> = newest.iter().map(|row| row.line.clone()).collect();
        Ok(newest.first().map(|row| cosigned(&row.note, &lines)))
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

/// The proof that an entry stands in the log, as C2SP tlog-proof writes it: under the newest checkpoint that witnesses
/// have cosigned, or under the newest of all while that does not hold the entry.
pub fn proof(connection: &mut dyn Connection, eras: &Eras, newest: String, index: u64) -> Result<String> {
    let cosigned = cosignatures::newest(connection)?;
    let witnessed = cosigned.first().and_then(|row| Some((eras.verify(&row.note)?.size, row.note.clone())));
    let (size, note, rows) = match witnessed.filter(|(size, _)| index < *size) {
        Some((size, note)) => (size, note, cosigned),
        None => {
            let (size, note) = eras.checkpoint_for(index, newest)?;
            (size, note, Vec::new())
        }
    };
    if index >= size {
        return Err(Error::NotFound);
    }
    let path = merkle::inclusion_proof(index, size, &mut Hashes { connection })?;
    let cosignatures = rows.into_iter().map(|row| row.line).collect();
    Ok(Proof { index, path, checkpoint: note, cosignatures }.to_text())
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
