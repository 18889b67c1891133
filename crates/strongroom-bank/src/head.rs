//! The highest checkpoint, kept outside the database: two slots written in turn, so that a crash
//! in the middle of one leaves the other. The checkpoint is signed, so a slot proves itself.
//!
//! It is written after the commit that it describes. A database that is behind it has been put
//! back to an older copy, and must not write: it would sign a second history.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use strongroom_ledger::note::Checkpoint;

use crate::era::Eras;
use crate::{Error, Result};

/// The two slots.
pub struct Head {
    slots: [File; 2],
    next: usize,
}

const SLOT: usize = 1024;

impl Head {
    /// Opens the slots, making them when they are not there.
    pub fn open(dir: &Path) -> Result<Self> {
        let open = |name: &str| -> Result<File> {
            let path: PathBuf = dir.join(name);
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(|e| Error::Internal(format!("cannot open {}: {e}", path.display())))
        };
        Ok(Head { slots: [open("head.0")?, open("head.1")?], next: 0 })
    }

    /// The highest checkpoint that verifies under one of the log's names and keys, with its text.
    pub fn highest(&self, eras: &Eras) -> Option<(Checkpoint, String)> {
        let read = |file: &File| {
            let mut slot = vec![0; SLOT];
            let length = file.read_at(&mut slot, 0).ok()?;
            slot.truncate(length);
            let text = String::from_utf8(slot).ok()?;
            let note = text.trim_end_matches('\0').to_owned();
            Some((eras.verify(&note)?, note))
        };
        self.slots.iter().filter_map(read).max_by_key(|(checkpoint, _)| checkpoint.size)
    }

    /// Keeps a checkpoint.
    pub fn keep(&mut self, note: &str) -> std::io::Result<()> {
        let mut slot = [0; SLOT];
        slot[..note.len()].copy_from_slice(note.as_bytes());
        self.slots[self.next].write_all_at(&slot, 0)?;
        self.next = 1 - self.next;
        Ok(())
    }

    /// Makes what was kept survive a power cut.
    pub fn sync(&self) -> std::io::Result<()> {
        self.slots.iter().try_for_each(File::sync_data)
    }
}
