//! The keyring's own backups: they are made and kept apart from the database's, and for a short time,
//! since an old one knows the keys of people who have been erased since. Putting one back erases them
//! again at the next opening.

use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use strongroom_crypto::sealed;
use strongroom_crypto::secret::Secret;
use strongroom_identity::person::Standing;
use strongroom_sql::{Role, Url, Value};
use strongroom_store::cells::{self, Cell, Column};
use strongroom_store::macs::{self, Table};
use strongroom_store::{identity, meta};

use super::series::Series;
use super::{Keyring, SINGLE};
use crate::era::Eras;
use crate::{Error, Home, Result, init, shown};

/// What putting a backup back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// People who signed up, or whose key was followed, after the backup was made: what is sealed about them
    /// cannot be read.
    pub without_key: u64,
}

/// Writes a copy of the keyring as it is at one moment, beside a running server or without one. The
/// keys in it are wrapped as they are here.
pub fn write(home: &Home, output: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::Internal(format!("cannot write {}: {e}", shown(output)));
    // Made here, so that nobody else can read it while it is written; SQLite fills an empty file.
    let target = output.to_str().ok_or_else(|| Error::Malformed("the output's name is not UTF-8".into()))?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(output).map_err(failed)?;
    let copied = home
        .keyring(Role::Writer)
        .and_then(|mut keyring| Ok(keyring.execute("VACUUM INTO ?", &[Value::Text(target)])?));
    if let Err(e) = copied {
        remove(output);
        return Err(e);
    }
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
        .and_then(|keyring| belongs(home, &keyring).and_then(|without| newer(home, &root, &keyring).map(|()| without)));
    let without_key = match checked {
        Ok(count) => count,
        Err(e) => {
            remove(&new);
            return Err(e);
        }
    };
    fs::File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    // What is replaced does not open, or holds nothing that the backup has not; it is kept for whoever asks why.
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (home.path(&format!("keys.db{suffix}")), home.path(&format!("keys.db.replaced{suffix}")));
        match fs::rename(&from, &to) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    fs::rename(&new, &present).map_err(failed)?;
    remove(&new);
    fs::File::open(home.dir()).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(Restored { without_key })
}

/// The keyring is of this home's bank, and not older than the keys that its rows need. Answers how many people it
/// cannot be read for.
fn belongs(home: &Home, keyring: &Keyring) -> Result<u64> {
    let database = crate::Database::of(home, &home.config()?)?;
    let mut connection = database.connect(Role::Reader)?;
    let c = connection.as_mut();
    if meta::value(c, "store")?.as_deref() != Some(&keyring.store()) {
        return Err(Error::Malformed("this is a keyring of another bank; give a backup of this one".into()));
    }
    let too_old = |what: &str| {
        Error::Integrity(format!(
            "this backup is older than {what} that the bank's rows need; find a newer backup of the keyring"
        ))
    };
    Eras::read(c, keyring).map_err(|_| too_old("the log's key"))?;
    for table in Table::ALL {
        if !macs::versions(c, table)?.iter().all(|version| keyring.macs().knows(version)) {
            return Err(too_old("the key of row MACs"));
        }
    }
    let opens = |series: &Series, cells: &[Cell]| {
        cells.iter().all(|cell| sealed::header(&cell.sealed).is_none_or(|header| series.knows(header.version)))
    };
    if !opens(&*keyring.owners(None)?, &cells::of_bank(c)?) {
        return Err(too_old("the bank's own key"));
    }
    let (mut after, mut without) = (SINGLE, 0);
    loop {
        let page = cells::page(c, Column::Password, &after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        if !opens(&keyring.credentials(), &page) {
            return Err(too_old("the key of credentials"));
        }
    }
    for person in identity::with_status(c, Standing::Active as i64)? {
        let names = cells::of_profile(c, &person)?;
        without += u64::from(!keyring.owners(Some(&person)).is_ok_and(|series| opens(&series, &names)));
    }
    Ok(without)
}

/// Refuses to replace a keyring that opens by an older one: what its newer keys sealed would be lost.
fn newer(home: &Home, root: &Secret, backup: &Keyring) -> Result<()> {
    let Ok(present) = home.keyring(Role::Writer).and_then(|connection| Keyring::open(connection, root)) else {
        return Ok(());
    };
    match present.missing_in(backup)? {
        0 => Ok(()),
        count => Err(Error::Conflict {
            code: "backup_older",
            detail: format!(
                "The keyring in place opens, and {count} of its keys are not in this backup: what they seal would be lost. If the keyring in place \
                 must go all the same, move keys.db away first."
            ),
        }),
    }
}

/// Rows looked at in one query.
const PAGE: i64 = 1_000;

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = fs::remove_file(name);
    }
}
