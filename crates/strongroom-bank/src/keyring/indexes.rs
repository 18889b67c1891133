//! Blind indexes: the newest version of the index key writes, and until everything is indexed anew
//! the older ones find too.

use strongroom_crypto::blind::IndexKey;
use strongroom_crypto::secret::Secret;
use strongroom_store::Id;
use strongroom_store::keys::WrappedKey;

use super::{column, wrapped};
use crate::Result;

/// What is found by a blind index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// People by user name.
    Username,
    /// People by e-mail address.
    Email,
    /// People by phone number.
    Phone,
    /// People by national id.
    NationalId,
    /// Accounts by number.
    Number,
    /// What was tried in vain.
    Tries,
}

/// All versions of the index key that may find.
pub struct Indexes {
    /// The active one first, then the newer before the older.
    versions: Vec<Version>,
}

/// A version's key of each field.
struct Version {
    number: u32,
    usernames: IndexKey,
    emails: IndexKey,
    phones: IndexKey,
    national_ids: IndexKey,
    numbers: IndexKey,
    tries: IndexKey,
}

impl Indexes {
    /// Opens the versions of the index key.
    pub fn open(kek: &Secret, rows: &[WrappedKey]) -> Result<Self> {
        let usable = wrapped::usable(rows, "index")?;
        let open = |row: &WrappedKey| Ok(Version::new(row.version as u32, &wrapped::unwrap(kek, row)?));
        Ok(Indexes { versions: usable.into_iter().map(open).collect::<Result<_>>()? })
    }

    /// The version that writes.
    pub fn active(&self) -> u32 {
        self.versions[0].number
    }

    /// The index that is written.
    pub fn index(&self, field: Field, normal: &str) -> Id {
        self.versions[0].key(field).index(normal)
    }

    /// Every index that the value may stand under, the likeliest first.
    pub fn all(&self, field: Field, normal: &str) -> Vec<Id> {
        self.versions.iter().map(|version| version.key(field).index(normal)).collect()
    }
}

impl Version {
    fn new(number: u32, secret: &Secret) -> Self {
        Version {
            number,
            usernames: IndexKey::new(secret, column::USERNAME.0),
            emails: IndexKey::new(secret, column::EMAIL.0),
            phones: IndexKey::new(secret, column::PHONE.0),
            national_ids: IndexKey::new(secret, column::NATIONAL_ID.0),
            numbers: IndexKey::new(secret, column::ACCOUNT_NUMBER.0),
            tries: IndexKey::new(secret, column::TRIES.0),
        }
    }

    fn key(&self, field: Field) -> &IndexKey {
        match field {
            Field::Username => &self.usernames,
            Field::Email => &self.emails,
            Field::Phone => &self.phones,
            Field::NationalId => &self.national_ids,
            Field::Number => &self.numbers,
            Field::Tries => &self.tries,
        }
    }
}
