//! The keyring's own backups: they are made and kept apart from the database's, and for a short time,
//! since an old one knows the keys of people who have been erased since. Putting one back erases them
//! again at the next opening.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use strongroom_identity::person::Standing;
use strongroom_sql::{Role, Url, Value};
use strongroom_store::{identity, meta};

use super::{Keyring, Purpose};
use crate::{Error, Home, Result, init, shown};

/// What putting a backup back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// People who signed up after the backup was made: what is sealed about them cannot be read.
    pub without_key: u64,
}

/// Writes a copy of the keyring as it is at one moment, beside a running server or without one. The
/// keys in it are wrapped as they are here.
pub fn write(home: &Home, output: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::Internal(format!("cannot write {}: {e}", shown(output)));
    // Made here, so that nobody else can read it while it is written; SQLite fills an empty file.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(output).map_err(failed)?;
    let mut keyring = home.keyring(Role::Writer)?;
    let target = output.to_str().ok_or_else(|| Error::Malformed("the output's name is not UTF-8".into()))?;
    keyring.execute("VACUUM INTO ?", &[Value::Text(target)])?;
    let file = fs::File::open(output).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600)).and_then(|()| file.sync_all()).map_err(failed)
}

/// Puts a backup in the keyring's place. The server must not run. A backup of another bank, or one
/// that the root key does not open, changes nothing.
pub fn restore(home: &Home, input: &Path) -> Result<Restored> {
    let _lock = init::lock(home)?;
    let config = home.config()?;
    let failed = |e: std::io::Error| Error::Internal(format!("cannot put {} back: {e}", shown(input)));
    let (new, present) = (home.path("keys.db.new"), home.path("keys.db"));
    // A copy is opened, not the backup: opening may write beside it.
    fs::copy(input, &new).map_err(failed)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600)).map_err(failed)?;
    let root = config.key.load_root()?;
    let checked = strongroom_sql::open(&Url::Sqlite(new.clone()), None, Role::Writer)
        .map_err(Error::from)
        .and_then(|connection| Keyring::open(connection, &root))
        .and_then(|keyring| belongs(home, &keyring));
    let without_key = match checked {
        Ok(count) => count,
        Err(e) => {
            remove(&new);
            return Err(e);
        }
    };
    fs::File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    for beside in ["keys.db-wal", "keys.db-shm"] {
        let _ = fs::remove_file(home.path(beside));
    }
    fs::rename(&new, &present).map_err(failed)?;
    remove(&new);
    fs::File::open(home.dir()).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(Restored { without_key })
}

/// The keyring is of this home's bank. Answers how many people it has no key for.
fn belongs(home: &Home, keyring: &Keyring) -> Result<u64> {
    let database = crate::Database::of(home, &home.config()?)?;
    let mut connection = database.connect(Role::Reader)?;
    if meta::value(connection.as_mut(), "store")?.as_deref() != Some(&keyring.store()) {
        return Err(Error::Malformed("this is a keyring of another bank; give a backup of this one".into()));
    }
    let mut without = 0;
    for person in identity::with_status(connection.as_mut(), Standing::Active as i64)? {
        without += u64::from(keyring.versions(Purpose::Person, &person)?.is_empty());
    }
    Ok(without)
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = fs::remove_file(name);
    }
}
