//! Tries that are counted before they are looked at, in the database, so that neither a restart nor
//! guesses made at the same time give more of them.

use strongroom_identity::throttle::{self, Limit, Tries};
use strongroom_store::{Id, tries};

use crate::audit::Source;
use crate::keyring::Keyring;
use crate::keyring::indexes::Field;
use crate::tx::Tx;
use crate::{Error, Result, hex};

/// What is tried against, as a blind index: neither a name nor an address stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Against {
    key: Id,
    limit: &'static Limit,
}

impl Against {
    /// A user name's password, whether or not there is such a person.
    pub fn password(keys: &Keyring, username: &str) -> Self {
        Against::of(keys, &throttle::PASSWORD, &format!("password/{username}"))
    }

    /// A person's factors.
    pub fn factors(keys: &Keyring, person: &Id) -> Self {
        Against::of(keys, &throttle::FACTOR, &format!("factor/{}", hex::encode(person)))
    }

    /// What comes from one place.
    pub fn address(keys: &Keyring, source: &Source) -> Self {
        Against::of(keys, &throttle::ADDRESS, &format!("address/{}", source.place()))
    }

    /// A signed-in person's own password.
    pub fn own_password(keys: &Keyring, person: &Id) -> Self {
        Against::of(keys, &throttle::PASSWORD, &format!("own password/{}", hex::encode(person)))
    }

    /// Recoveries begun for a user name, whether or not there is such a person.
    pub fn recovering(keys: &Keyring, username: &str) -> Self {
        Against::of(keys, &throttle::SEND, &format!("recover/{username}"))
    }

    /// Proofs given to recoveries of a user name, whether or not there is such a person: apart from the factors'
    /// own count, so that nobody holds up a sign-in by it, or wins tries.
    pub fn proving(keys: &Keyring, username: &str) -> Self {
        Against::of(keys, &throttle::FACTOR, &format!("prove/{username}"))
    }

    /// Codes that prove an address of a person.
    pub fn address_proofs(keys: &Keyring, person: &Id) -> Self {
        Against::of(keys, &throttle::FACTOR, &format!("address proof/{}", hex::encode(person)))
    }

    /// Names asked for from one place.
    pub fn taken(keys: &Keyring, source: &Source) -> Self {
        Against::of(keys, &throttle::TAKEN, &format!("taken/{}", source.place()))
    }

    /// Codes sent to a person.
    pub fn sending(keys: &Keyring, person: &Id) -> Self {
        Against::of(keys, &throttle::SEND, &format!("send/{}", hex::encode(person)))
    }

    fn of(keys: &Keyring, limit: &'static Limit, what: &str) -> Self {
        Against { key: keys.indexes().index(Field::Tries, what), limit }
    }
}

impl Tx<'_> {
    /// Counts a try against each of these, or against none if one of them must wait.
    pub fn reserve(&mut self, all: &[Against]) -> Result<()> {
        let mut reserved = Vec::with_capacity(all.len());
        for against in all {
            let before = tries::of(self.connection, &against.key)?.map(|(count, last_us)| Tries { count, last_us });
            let wait = |retry_after_s| Error::TooMany { retry_after_s };
            reserved.push((against.key, throttle::reserve(against.limit, before, self.now_us).map_err(wait)?));
        }
        for (key, tries) in reserved {
            tries::set(self.connection, &key, tries.count, tries.last_us)?;
        }
        Ok(())
    }

    /// A try that was right is taken back.
    pub fn take_back(&mut self, against: Against) -> Result<()> {
        Ok(tries::take_back(self.connection, &against.key)?)
    }

    /// Forgets what was tried so long ago that it counts no more.
    pub fn forget_old_tries(&mut self) -> Result<()> {
        Ok(tries::forget_before(self.connection, self.now_us - 24 * 3600 * 1_000_000)?)
    }

    /// Forgets all wrong tries: their owner has come.
    pub fn forget_tries(&mut self, against: Against) -> Result<()> {
        Ok(tries::forget(self.connection, &against.key)?)
    }
}
