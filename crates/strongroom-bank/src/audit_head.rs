//! Where the audit log stands, kept outside the database: two slots written in turn, each under a MAC.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use strongroom_store::Mac;

use crate::audit::Chain;
use crate::keyring::Keyring;
use crate::{Error, Home, Result};

/// `<home>/audit.0` and `<home>/audit.1`: size (8 bytes), hash (32), MAC (36).
pub struct AuditHead {
    slots: [File; 2],
    next: usize,
}

const SLOT: usize = 76;

impl AuditHead {
    /// Opens the slots, making them when they are not there.
    pub fn open(home: &Home) -> Result<Self> {
        let open = |name: &str| {
            let path = home.path(name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            file.map_err(|e| Error::Internal(format!("cannot open {}: {e}", path.display())))
        };
        Ok(AuditHead { slots: [open("audit.0")?, open("audit.1")?], next: 0 })
    }

    /// Forgets what was kept, for a database that was put back to an older copy.
    pub fn start_anew(home: &Home) -> Result<Self> {
        for name in ["audit.0", "audit.1"] {
            let _ = std::fs::remove_file(home.path(name));
        }
        AuditHead::open(home)
    }

    /// The furthest that was kept.
    pub fn furthest(&self, keys: &Keyring) -> Option<Chain> {
        let read = |file: &File| {
            let mut slot = [0; SLOT];
            file.read_exact_at(&mut slot, 0).ok()?;
            let chain =
                Chain { size: i64::from_be_bytes(slot[..8].try_into().ok()?), hash: slot[8..40].try_into().ok()? };
            let mac: Mac = slot[40..].try_into().ok()?;
            keys.macs().check(&mac, |key| key.tag("audit head", &[&slot[..40]])).then_some(chain)
        };
        self.slots.iter().filter_map(read).max_by_key(|chain| chain.size)
    }

    /// Keeps where it stands.
    pub fn keep(&mut self, keys: &Keyring, chain: Chain) -> std::io::Result<()> {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&chain.size.to_be_bytes());
        slot[8..40].copy_from_slice(&chain.hash);
        let mac = keys.macs().write(|key| key.tag("audit head", &[&slot[..40]]));
        slot[40..].copy_from_slice(&mac);
        self.slots[self.next].write_all_at(&slot, 0)?;
        self.next = 1 - self.next;
        Ok(())
    }
}
