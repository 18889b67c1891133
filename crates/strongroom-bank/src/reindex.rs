//! Indexing anew: after the index key was followed, every blind index is computed again from the
//! sealed value behind it, beside the bank's work. As with sealing anew a walk may break off anywhere.

use strongroom_crypto::blind;
use strongroom_identity::person::Standing;
use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::accounts::{self, AccountRow};
use strongroom_store::identity::{self, Indexed, PersonIndexes};

use crate::keyring::indexes::Field;
use crate::keyring::{Keyring, SINGLE, column};
use crate::reseal::readable;
use crate::rows::Authenticated;
use crate::{Bank, Error, Result};

const PAGE: i64 = 200;

impl Bank {
    /// One walk over everyone and every account. Answers how many were indexed anew.
    pub(crate) fn reindex(&self) -> Result<u64> {
        Ok(self.reindex_people()? + self.reindex_accounts()?)
    }

    fn reindex_people(&self) -> Result<u64> {
        let (mut after, mut count): (Id, u64) = (SINGLE, 0);
        loop {
            let page = self.readers.read(|c| Ok(identity::indexed(c, &after, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.id;
            count += self.change_blocking(move |tx| {
                let mut changed = 0;
                for person in &page {
                    let Some(indexes) = readable("people", &person.id, of_person(tx.keys, person))?.flatten() else {
                        continue;
                    };
                    if indexes != person.indexes {
                        changed += u64::from(identity::set_indexes(tx.connection, person, &indexes)?);
                    }
                }
                Ok(changed)
            })?;
        }
    }

    fn reindex_accounts(&self) -> Result<u64> {
        let (mut after, mut count): (Id, u64) = (SINGLE, 0);
        loop {
            let page = self.readers.read(|c| Ok(accounts::ids(c, &after, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(count) };
            after = *last;
            count += self.change_blocking(move |tx| {
                let mut changed = 0;
                for mut row in accounts::by_ids(tx.connection, &page, true)? {
                    let outcome = reindex_account(tx.connection, tx.keys, &mut row);
                    changed += u64::from(readable("accounts", &row.id, outcome)?.unwrap_or(false));
                }
                Ok(changed)
            })?;
        }
    }
}

/// The present indexes of a person; none for who has been erased.
fn of_person(keys: &Keyring, person: &Indexed) -> Result<Option<PersonIndexes>> {
    let id = &person.id;
    if person.username.is_empty() {
        return Ok(None);
    }
    let indexes = keys.indexes();
    let normal = |form: std::result::Result<String, blind::NotNormal>| {
        form.map_err(|_| Error::Integrity("a sealed value has no normal form".into()))
    };
    let username = blind::normal_username(&keys.unseal_text(Some(id), column::USERNAME, id, &person.username)?);
    let optional = |column, sealed: &Option<Vec<u8>>| {
        sealed.as_deref().map(|sealed| keys.unseal_text(Some(id), column, id, sealed)).transpose()
    };
    let email = optional(column::EMAIL, &person.email)?.map(|text| normal(blind::normal_email(&text))).transpose()?;
    let phone = optional(column::PHONE, &person.phone)?.map(|text| normal(blind::normal_phone(&text))).transpose()?;
    let national_id = optional(column::NATIONAL_ID, &person.national_id)?
        .map(|text| normal(blind::normal_national_id(&text)))
        .transpose()?;
    Ok(Some(PersonIndexes {
        username: indexes.index(Field::Username, &normal(username)?),
        email: email.map(|normal| indexes.index(Field::Email, &normal)),
        phone: phone.map(|normal| indexes.index(Field::Phone, &normal)),
        national_id: national_id.map(|normal| indexes.index(Field::NationalId, &normal)),
    }))
}

/// Whether an account's owner has been erased: its index is gone, even while the owner's key still opens.
fn is_erased(connection: &mut dyn Connection, keys: &Keyring, owner: Option<&Id>) -> Result<bool> {
    let Some(owner) = owner else { return Ok(false) };
    let Some(person) = identity::people(connection, &[*owner])?.pop() else { return Ok(false) };
    person.check(keys)?;
    Ok(Standing::from_number(person.status) == Standing::Erased)
}

fn reindex_account(connection: &mut dyn Connection, keys: &Keyring, row: &mut AccountRow) -> Result<bool> {
    row.check(keys)?;
    let number = match keys.unseal_text(row.owner.as_ref(), column::ACCOUNT_NUMBER, &row.id, &row.number) {
        Err(Error::Erased(_)) => return Ok(false),
        number => number?,
    };
    let index = keys.indexes().index(Field::Number, &number);
    if index == row.number_index || is_erased(connection, keys, row.owner.as_ref())? {
        return Ok(false);
    }
    row.number_index = index;
    row.mac = row.expected(keys);
    accounts::update(connection, row)?;
    Ok(true)
}
