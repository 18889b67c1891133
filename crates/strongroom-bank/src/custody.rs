//! Who holds the root key: moving it to another place, splitting it into shares, and putting shares
//! together when the place is lost. No sealed field and no wrapped key changes; the server must not run.
//!
//! The key is in the new place, and was read back from there, before the configuration names it; so a
//! stop at any point leaves a bank that opens. The old place is left for its owner to empty.

use std::path::{Path, PathBuf};

use strongroom_crypto::root::{Provider, RootError};
use strongroom_crypto::secret::Secret;
use strongroom_crypto::shares::{self, Share};
use strongroom_sql::Role;
use zeroize::Zeroizing;

use crate::home::{Config, write_private};
use crate::keyring::Keyring;
use crate::{Error, Home, Result, fault, init};

/// Moves the root key to another place. Answers where it still is, too.
pub fn move_root(home: &Home, to: &str, passphrase: Option<&str>) -> Result<String> {
    let _lock = init::lock(home)?;
    let config = home.config()?;
    let root = config.key.load_root()?;
    opens(home, &root)?;
    let old = config.key.root.clone();
    keep(home, config, &root, to, passphrase)?;
    Ok(old)
}

/// Splits the root key into files of shares in a directory. Answers the files.
pub fn split(home: &Home, threshold: u8, count: u8, output: &Path) -> Result<Vec<PathBuf>> {
    let config = home.config()?;
    let root = config.key.load_root()?;
    let store = opens(home, &root)?;
    let shares = shares::split(&root, store, threshold, count).map_err(|e| Error::Malformed(e.to_string()))?;
    let files: Vec<PathBuf> = shares.iter().map(|share| output.join(format!("share-{}.txt", share.number()))).collect();
    if let Some(file) = files.iter().find(|file| file.exists()) {
        let detail = format!("{} is there already; give an empty directory", file.display());
        return Err(Error::Conflict { code: "file_exists", detail });
    }
    for (share, file) in shares.iter().zip(&files) {
        write_private(file, share.to_text().as_bytes())?;
    }
    Ok(files)
}

/// Puts the root key together from shares and keeps it in a new place.
pub fn restore(home: &Home, files: &[PathBuf], to: &str, passphrase: Option<&str>) -> Result<()> {
    let _lock = init::lock(home)?;
    let config = home.config()?;
    let read = |file: &PathBuf| -> Result<Share> {
        let text = std::fs::read_to_string(file).map(Zeroizing::new);
        let text = text.map_err(|e| Error::Malformed(format!("cannot read {}: {e}", file.display())))?;
        Share::from_text(&text).map_err(|e| Error::Integrity(format!("{}: {e}", file.display())))
    };
    let shares = files.iter().map(read).collect::<Result<Vec<Share>>>()?;
    let root = shares::combine(&shares).map_err(|e| Error::Integrity(e.to_string()))?;
    opens(home, &root)?;
    keep(home, config, &root, to, passphrase)
}

/// The key opens this home's keyring. Answers the bank's store id.
fn opens(home: &Home, root: &Secret) -> Result<[u8; 16]> {
    Ok(Keyring::open(home.keyring(Role::Writer)?, root)?.store())
}

fn keep(home: &Home, mut config: Config, root: &Secret, to: &str, passphrase: Option<&str>) -> Result<()> {
    let to = init::absolute(to)?;
    let place = Provider::parse(&to).map_err(refused)?;
    place.store(root, passphrase).map_err(refused)?;
    fault::point("root-stored");
    if !place.holds(root, passphrase).map_err(refused)? {
        return Err(Error::Internal(format!("{to} does not give back what was put there; nothing was changed")));
    }
    config.key.root = to;
    home.replace_config(&config)?;
    fault::point("root-named");
    Ok(())
}

fn refused(error: RootError) -> Error {
    match error {
        RootError::UnknownProvider(_) | RootError::NoPassphrase(_) | RootError::OtherKey(_) => {
            Error::Malformed(error.to_string())
        }
        other => Error::Internal(other.to_string()),
    }
}
