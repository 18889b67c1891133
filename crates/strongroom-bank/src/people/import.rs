//! Bringing people over from another system, with the password hashes that it made: they sign in with the
//! passwords they have, and get a hash of ours when they do.

use strongroom_crypto::blind;
use strongroom_crypto::password::{self, Imported};
use strongroom_crypto::random;
use strongroom_identity::credential::FieldError;
use strongroom_identity::role;
use strongroom_ledger::id::PersonId;
use strongroom_store::identity;

use super::{NewPerson, SignUp, add, check_fields, prepare, username_taken};
use crate::audit::{Event, Source};
use crate::keyring::indexes::Field;
use crate::{Bank, Error, Keyring, Result, clock};

/// A person of another system. The form's password stays empty.
pub struct Coming {
    /// What is known of them.
    pub form: SignUp,
    /// Their password's hash, as the other system kept it.
    pub password_hash: String,
}

/// What is wrong with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which of them, counted from 1.
    pub number: usize,
    /// What is wrong with which field.
    pub field: FieldError,
}

/// People looked for in one query.
const LOOKED_FOR_AT_ONCE: usize = 500;

/// The versions that protect what an import writes, beside people's own new keys.
fn versions(keys: &Keyring) -> (u32, [u8; 4], u32) {
    (keys.credentials().active(), keys.macs().active(), keys.indexes().active())
}

impl Bank {
    /// What keeps these people from being imported; nothing, when all can be.
    pub fn check_import(&self, people: &[Coming]) -> Result<Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut names = std::collections::HashMap::new();
        for (number, person) in (1..).zip(people) {
            let mut refuse = |field: FieldError| refusals.push(Refusal { number, field });
            check_fields(&person.form).into_iter().for_each(&mut refuse);
            if let Err(why) = Imported::parse(&person.password_hash) {
                refuse(FieldError { field: "password_hash", code: "malformed", detail: why.to_string() });
            }
            let Ok(normal) = blind::normal_username(&person.form.username) else { continue };
            let taken = |detail: String| FieldError { field: "username", code: "username_taken", detail };
            if let Some(first) = names.insert(normal.clone(), number) {
                refuse(taken(format!("Number {first} has the same user name.")));
            }
            let indexes = self.keys.indexes().all(Field::Username, &normal);
            if self.readers.read(|c| Ok(identity::person_by_username(c, &indexes)?.is_some()))? {
                refuse(taken("Somebody of the bank has this user name.".into()));
            }
        }
        Ok(refusals)
    }

    /// Imports people under a role, all of them or nobody.
    pub fn import(&self, people: &[Coming], role: &str) -> Result<u64> {
        if !role::exists(role) {
            return Err(Error::Malformed(format!("there is no role `{role}`")));
        }
        if !self.check_import(people)?.is_empty() {
            return Err(Error::Malformed("some of these people cannot be imported; nobody was".into()));
        }
        let versions = versions(&self.keys);
        let mut new = Vec::with_capacity(people.len());
        let made = people.iter().try_for_each(|person| {
            new.push(self.prepare_import(person, role)?);
            Ok(())
        });
        let ids: Vec<_> = new.iter().map(|person: &NewPerson| person.row.id).collect();
        let added = made.and_then(|()| {
            self.change_blocking(move |tx| {
                // Sealing many takes long enough for a key to be followed, and its old version to be ended.
                if versions != self::versions(tx.keys) {
                    let detail = "A key was followed while these people were prepared; nobody was imported. Give the order again.";
                    return Err(Error::Conflict { code: "key_followed", detail: detail.into() });
                }
                // All are looked at before anyone is added.
                for person in &new {
                    let indexes = tx.keys.indexes().all(Field::Username, &person.username);
                    if identity::person_by_username(tx.connection, &indexes)?.is_some() {
                        return Err(username_taken());
                    }
                }
                for person in &new {
                    add(tx, person, None, &Source::default())?;
                }
                tx.audit(Event::new("people.imported").noting(&new.len().to_string()))?;
                Ok(new.len() as u64)
            })
        });
        if added.is_err() {
            for some in ids.chunks(LOOKED_FOR_AT_ONCE) {
                let looked_for = some.to_vec();
                let written = self.change_blocking(move |tx| Ok(identity::people(tx.connection, &looked_for)?));
                self.take_back_keys(some, written);
            }
        }
        added
    }

    fn prepare_import(&self, person: &Coming, role: &str) -> Result<NewPerson> {
        let now_us = clock::now_us();
        let id = PersonId::from_time(now_us, random::bytes());
        let hash = Imported::parse(&person.password_hash).map_err(|e| Error::Malformed(e.to_string()))?;
        self.keys.create_person(id.0, now_us)?;
        prepare(&self.keys, id.0, &person.form, &password::stored_import(&hash), role, now_us)
    }
}
