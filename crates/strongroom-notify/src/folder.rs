//! A folder in the place of a mail server: a file for each mail, for a demonstration.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use lettre::message::Mailbox;

use crate::smtp::written;
use crate::{Message, NotSent, Unusable};

/// Where the files go.
pub struct Folder {
    path: PathBuf,
    from: Mailbox,
}

impl Folder {
    /// Makes the folder, readable by its owner alone.
    pub fn new(path: PathBuf, from: &str) -> Result<Self, Unusable> {
        let from = from.parse().map_err(|_| Unusable("from is not a sender such as Bank <bank@example.com>".into()))?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|e| Unusable(format!("the folder {}: {e}", path.display())))?;
        Ok(Folder { path, from })
    }

    /// Writes a file, whole or not at all.
    pub fn send(&self, message: &Message) -> Result<(), NotSent> {
        let failed = |e: std::io::Error| NotSent::Later(e.to_string());
        let mail = written(&self.from, message)?;
        let name: String = strongroom_crypto::random::bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
        let (begun, done) = (self.path.join(format!(".{name}")), self.path.join(format!("{name}.eml")));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&begun).map_err(failed)?;
        file.write_all(&mail.formatted()).and_then(|()| fs::rename(&begun, &done)).map_err(failed)
    }
}
