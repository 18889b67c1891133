//! The keys that authenticate rows: the newest version writes, and a MAC names the version that checks it.

use strongroom_crypto::lifecycle::State;
use strongroom_crypto::mac::MacKey;
use strongroom_crypto::secret::Secret;
use strongroom_store::Mac;
use strongroom_store::keys::WrappedKey;

use super::wrapped;
use crate::Result;

/// All versions of the MAC key that may check.
pub struct Macs {
    /// The active one first.
    versions: Vec<([u8; 4], MacKey)>,
}

impl Macs {
    /// Opens the versions of the MAC key. A compromised one checks only until its rows are authenticated
    /// anew: after that whoever knows it could write rows.
    pub fn open(kek: &Secret, rows: &[WrappedKey]) -> Result<Self> {
        let mut usable = wrapped::usable(rows, "mac")?;
        usable.retain(|row| row.state != State::Compromised as i64 || row.is_pending);
        let open =
            |row: &WrappedKey| Ok(((row.version as u32).to_be_bytes(), MacKey::new(&wrapped::unwrap(kek, row)?)));
        Ok(Macs { versions: usable.into_iter().map(open).collect::<Result<_>>()? })
    }

    /// The version that writes, as MACs name it.
    pub fn active(&self) -> [u8; 4] {
        self.versions[0].0
    }

    /// Whether it has a version, as MACs name it.
    pub fn knows(&self, version: &[u8]) -> bool {
        self.versions.iter().any(|(known, _)| known == version)
    }

    /// A MAC by the active version, of what `tag` gives for its key.
    pub fn write(&self, tag: impl FnOnce(&MacKey) -> [u8; 32]) -> Mac {
        let (version, key) = &self.versions[0];
        let mut mac = [0; 36];
        mac[..4].copy_from_slice(version);
        mac[4..].copy_from_slice(&tag(key));
        mac
    }

    /// Whether a MAC is right by the version that it names.
    pub fn check(&self, mac: &Mac, tag: impl FnOnce(&MacKey) -> [u8; 32]) -> bool {
        let key = self.versions.iter().find(|(version, _)| mac.starts_with(version));
        key.is_some_and(|(_, key)| strongroom_crypto::mac::equal(&tag(key), &mac[4..]))
    }

    /// Whether some version gives a tag that the bank handed out without its version.
    pub fn any(&self, is_right: impl Fn(&MacKey) -> bool) -> bool {
        self.versions.iter().any(|(_, key)| is_right(key))
    }
}
