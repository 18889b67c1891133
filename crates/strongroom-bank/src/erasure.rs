//! Erasing a person: their keys are destroyed, so that everything sealed under them is unreadable at
//! once, wherever a copy of the database lies. What the ledger needs stays: amounts, accounts by id,
//! the log. A leaf says when it was done.
//!
//! The rows change first and the keys go last. A stop in between is made good at the next opening.

use strongroom_crypto::random;
use strongroom_identity::person::Standing;
use strongroom_ledger::decide::AccountStatus;
use strongroom_ledger::id::PersonId;
use strongroom_ledger::leaf::{self, ErasureCore};
use strongroom_store::accounts;
use strongroom_store::identity::{self, PersonRow};

use crate::audit::Event;
use crate::factor::write_person;
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, device};

const ERASED: i64 = Standing::Erased as i64;
/// Who erases at the bank's own console.
const OPERATOR: PersonId = PersonId([0; 16]);

/// What was found of an erased person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Accounts that were closed.
    pub accounts: u64,
    /// Of those, how many still hold money.
    pub funded: u64,
    /// Devices that were revoked.
    pub devices: u64,
}

impl Bank {
    /// Erases a person. Refused while a legal hold is on them; done again, it changes nothing.
    pub fn erase(&self, person: PersonId) -> Result<Erased> {
        let erased = self.change_blocking(move |tx| erase(tx, person))?;
        self.keys.destroy_person(&person.0, clock::now_us())?;
        self.known_numbers.forget();
        tracing::info!(target: "strongroom::keys", %person, "a person was erased");
        Ok(erased)
    }

    /// Keeps a person from being erased until a time, or no longer.
    pub fn hold(&self, person: PersonId, until_us: Option<i64>) -> Result<()> {
        self.change_blocking(move |tx| {
            let mut row = present(tx, &person)?;
            row.legal_hold_us = until_us;
            write_person(tx, row)?;
            tx.audit(Event::new("person.held").on(person.0))
        })
    }

    /// Finishes erasures that a stop interrupted.
    pub(crate) fn finish_erasures(&self) -> Result<()> {
        for person in self.readers.read(|c| Ok(identity::with_status(c, ERASED)?))? {
            let row = self.readers.read(|c| Ok(identity::people(c, &[person])?.pop()))?;
            // A status that was written by SQL destroys nothing.
            if row.is_some_and(|row| row.check(&self.keys).is_ok()) {
                self.keys.destroy_person(&person, clock::now_us())?;
            }
        }
        Ok(())
    }
}

fn present(tx: &mut Tx<'_>, person: &PersonId) -> Result<PersonRow> {
    let row = identity::people(tx.connection, &[person.0])?.pop().ok_or(Error::NotFound)?;
    row.check(tx.keys)?;
    Ok(row)
}

fn erase(tx: &mut Tx<'_>, person: PersonId) -> Result<Erased> {
    let mut row = present(tx, &person)?;
    if row.status == ERASED {
        return Ok(Erased::default());
    }
    if let Some(until) = row.legal_hold_us.filter(|until| *until > tx.now_us) {
        let until = strongroom_ledger::time::to_text(until);
        let detail = format!(
            "A legal hold keeps this person's data until {until}. Lift it with `keys hold`, if that is allowed."
        );
        return Err(Error::Conflict { code: "legal_hold", detail });
    }
    let ids = accounts::ids_of(tx.connection, &person.0)?;
    let accounts = accounts::by_ids(tx.connection, &ids, true)?;
    accounts.iter().try_for_each(|account| account.check(tx.keys))?;
    let balances = accounts::balances(tx.connection, &ids, true)?;
    let devices = identity::live_devices_of(tx.connection, &person.0)?;
    // Nothing below this line may fail.
    let core = ErasureCore { person, time_us: tx.now_us, by: OPERATOR };
    tx.append_fact(leaf::Kind::Erasure, person.0, random::bytes(), core.encode());
    row.status = ERASED;
    row.has_factor = false;
    write_person(tx, row)?;
    identity::blank_person(tx.connection, &person.0, &random::bytes())?;
    let mut erased =
        Erased { funded: balances.iter().filter(|row| row.balance != 0).count() as u64, ..Erased::default() };
    for device in devices {
        device::revoke(tx, device, OPERATOR, random::bytes())?;
        erased.devices += 1;
    }
    for mut account in accounts {
        account.status = AccountStatus::Closed as i64;
        account.number_index = random::bytes();
        account.mac = account.expected(tx.keys);
        accounts::update(tx.connection, &account)?;
        erased.accounts += 1;
    }
    tx.audit(Event::new("person.erased").on(person.0))?;
    Ok(erased)
}
