//! The versions of one key that seals fields: a person's, or one of the bank's own. The newest
//! seals, and a field names in its header the version that opens it: nothing is tried.

use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_crypto::lifecycle::State;
use strongroom_crypto::sealed::{self, Context, FieldKey, Suite};
use strongroom_crypto::secret::Secret;
use strongroom_store::keys::WrappedKey;

use super::wrapped::unwrap;
use crate::{Error, Result};

/// A series, opened.
pub struct Series {
    active: FieldKey,
    older: Vec<FieldKey>,
    compromised: Vec<u32>,
    uses: AtomicU64,
}

impl Series {
    /// Opens the versions of a series.
    pub fn open(kek: &Secret, rows: &[WrappedKey], suite: Suite) -> Result<Self> {
        let (mut active, mut older, mut compromised) = (None, Vec::new(), Vec::new());
        for row in rows {
            let state = State::from_number(row.state).unwrap_or(State::Destroyed);
            if !state.may_process() {
                continue;
            }
            let version =
                u32::try_from(row.version).map_err(|_| Error::Integrity("a key's version is no number".into()))?;
            let key = FieldKey::new(&unwrap(kek, row)?, suite, version);
            match state {
                State::Active => active = Some(key),
                _ => older.push(key),
            }
            compromised.extend((state == State::Compromised).then_some(version));
        }
        let is_gone = |row: &WrappedKey| row.state == State::Destroyed as i64;
        let active = active.ok_or_else(|| match !rows.is_empty() && rows.iter().all(is_gone) {
            true => erased(),
            false => Error::Integrity("the keyring has no key for this row; restore keys.db from its backup".into()),
        })?;
        Ok(Series { active, older, compromised, uses: AtomicU64::new(0) })
    }

    /// Seals with the active version.
    pub fn seal(&self, context: &Context<'_>, plaintext: &[u8]) -> Vec<u8> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        sealed::seal(&self.active, context, plaintext)
    }

    /// Opens with the version that the field names.
    pub fn unseal(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        let fails = |e: sealed::OpenError| Error::Integrity(format!("a sealed field does not open: {e}"));
        let version = sealed::header(sealed).ok_or(fails(sealed::OpenError::NotSealed))?.version;
        if self.compromised.contains(&version) {
            tracing::warn!(target: "strongroom::keys", version, "a field was opened with a compromised key; it waits to be sealed anew");
        }
        let key = std::iter::once(&self.active).chain(&self.older).find(|key| key.version() == version);
        sealed::open(key.ok_or(fails(sealed::OpenError::OtherKey))?, context, sealed).map_err(fails)
    }

    /// Whether it opens what a version sealed.
    pub fn knows(&self, version: u32) -> bool {
        std::iter::once(&self.active).chain(&self.older).any(|key| key.version() == version)
    }

    /// The version that seals.
    pub fn active(&self) -> u32 {
        self.active.version()
    }

    /// How often it has sealed since this was last asked.
    pub fn take_uses(&self) -> u64 {
        self.uses.swap(0, Ordering::Relaxed)
    }

    /// They could not be written down.
    pub fn put_uses_back(&self, uses: u64) {
        self.uses.fetch_add(uses, Ordering::Relaxed);
    }
}

/// The error of what was sealed for someone who has been erased.
pub fn erased() -> Error {
    Error::Erased("What you asked for belongs to someone who has been erased.")
}
