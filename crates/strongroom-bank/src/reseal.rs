//! Sealing anew: after a key was followed by its next version, every field that the older ones
//! sealed is opened and sealed again under the new one, beside the bank's work.
//!
//! Nothing is remembered but that a series waits. A walk looks at every field of the series and
//! replaces those of older versions, each only where nobody has changed it since; so a walk can be
//! broken off at any point and begun again. What was sealed just before the new version came, and
//! written just after a walk had passed, is found by the next one: a series is settled by a walk
//! that finds nothing, a while after the change.

use std::time::Duration;

use strongroom_crypto::sealed::{self, ColumnId};
use strongroom_store::Id;
use strongroom_store::accounts;
use strongroom_store::cells::{self, Cell, Column};
use zeroize::Zeroizing;

use crate::keyring::series::Series;
use crate::keyring::{Keyring, Purpose, SINGLE, column};
use crate::{Bank, Connection, Error, Result, clock, fault, hex};

/// How long after a change something sealed before it may still be on its way to the database.
const ON_THE_WAY: Duration = Duration::from_secs(5);
/// Fields sealed anew in one of the writer's batches, and rows read at once.
const CELLS_AT_ONCE: usize = 200;
const PAGE: i64 = 500;
/// Each may be hundreds of kilobytes.
const BULKS_AT_ONCE: i64 = 16;
const SERIES_AT_ONCE: i64 = 1_000;

/// What a round of walks came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Series that waited.
    pub series: u64,
    /// Fields sealed anew.
    pub fields: u64,
    /// Series that are settled now.
    pub settled: u64,
}

impl Bank {
    /// One walk over each series that waits.
    pub(crate) fn reseal_round(&self) -> Result<Round> {
        let mut round = Round::default();
        for purpose in [Purpose::Mac, Purpose::Credential, Purpose::Bank, Purpose::Index, Purpose::Person] {
            for series in self.keys.pending(purpose, SERIES_AT_ONCE)? {
                round.series += 1;
                match self.reseal_series(purpose, &series) {
                    Ok((fields, settled)) => {
                        round.fields += fields;
                        round.settled += u64::from(settled);
                    }
                    // One series that cannot be walked keeps no other waiting.
                    Err(e) => {
                        tracing::error!(target: "strongroom::keys", purpose = purpose.name(), series = hex::encode(&series), error = %e, "what waits under an old key could not be walked; trying again");
                    }
                }
            }
        }
        if round.fields > 0 || round.settled > 0 {
            tracing::info!(target: "strongroom::keys", series = round.series, fields = round.fields, settled = round.settled, "fields were sealed anew");
        }
        Ok(round)
    }

    /// One walk over a series that waits. Answers how many fields were sealed anew, and whether it is settled.
    fn reseal_series(&self, purpose: Purpose, series: &Id) -> Result<(u64, bool)> {
        let began_us = clock::now_us();
        let protecting = self.keys.protecting(purpose, series)?;
        let versions = self.keys.versions(purpose, series)?;
        let last_change_us = versions.iter().map(|key| key.changed_us).max().unwrap_or_default();
        let fields = self.walk(purpose, series)?;
        let is_over = fields == 0 && began_us - last_change_us > ON_THE_WAY.as_micros() as i64;
        Ok((fields, is_over && self.keys.settle(purpose, series, protecting)?))
    }

    /// Looks at everything that a series protects, and protects anew what older versions do. Answers how much.
    pub(crate) fn walk(&self, purpose: Purpose, series: &Id) -> Result<u64> {
        match purpose {
            Purpose::Credential => self.walk_credentials(),
            Purpose::Bank => self.walk_bank(),
            Purpose::Index => self.reindex(),
            Purpose::Mac => self.remac(),
            Purpose::Person => self.walk_person(series),
            Purpose::Token | Purpose::Log | Purpose::Pepper => Ok(0),
        }
    }

    /// How many passwords are hashed with a version of the pepper. They change only when their people sign in.
    pub(crate) fn passwords_with_pepper(&self, version: i64) -> Result<u64> {
        let begins = format!("{version}$");
        let (mut after, mut count): (Id, u64) = (SINGLE, 0);
        loop {
            let page = self.look(|c| Ok(cells::page(c, Column::Password, &after, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.id;
            for cell in &page {
                let hash = self.keys.unseal_credential(column::PASSWORD, &cell.id, &cell.sealed);
                let hash = readable("password", &cell.id, hash)?.map(Zeroizing::new);
                count += u64::from(hash.is_some_and(|hash| hash.starts_with(begins.as_bytes())));
            }
        }
    }

    fn walk_credentials(&self) -> Result<u64> {
        let mut count = 0;
        for column in [Column::Password, Column::FactorSecret, Column::ChallengeData, Column::SessionSuccessor] {
            let mut after: Id = SINGLE;
            loop {
                let page = self.look(|c| Ok(cells::page(c, column, &after, PAGE)?))?;
                let Some(last) = page.last() else { break };
                after = last.id;
                count += self.replace(page, &self.keys.credentials(), None)?;
            }
        }
        Ok(count)
    }

    fn walk_bank(&self) -> Result<u64> {
        let series = self.keys.owners(None)?;
        let mut count = self.replace(self.look(|c| Ok(cells::of_bank(c)?))?, &series, None)?;
        // Ids of entries begin at zero: from before the first.
        let mut after: Option<Id> = None;
        loop {
            let page = self.look(|c| Ok(cells::of_nobody(c, after.as_ref(), PAGE)?))?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.id);
            count += self.replace(page, &series, None)?;
        }
    }

    fn walk_person(&self, person: &Id) -> Result<u64> {
        let series = self.keys.owners(Some(person))?;
        let cells = self.look(|c| Ok(cells::of_person(c, person)?))?;
        let mut count = self.replace(cells, &series, Some(*person))?;
        let mut after = [0; 16];
        loop {
            let page = self.look(|c| Ok(cells::of_bulks(c, person, &after, BULKS_AT_ONCE)?))?;
            let Some(last) = page.last() else { break };
            after = last.id;
            count += self.replace(page, &series, Some(*person))?;
        }
        for account in self.look(|c| Ok(accounts::ids_of(c, person)?))? {
            for page_of in [cells::of_postings, cells::of_holds] {
                let mut after = -1;
                loop {
                    let page = self.look(|c| Ok(page_of(c, &account, after, PAGE)?))?;
                    let Some(last) = page.last() else { break };
                    after = last.sequence;
                    let theirs = page.into_iter().flat_map(|posting| cells_of(posting, *person));
                    count += self.replace(theirs.collect(), &series, Some(*person))?;
                }
            }
        }
        Ok(count)
    }

    /// Seals those of the fields anew that an older version sealed. Answers how many.
    fn replace(&self, cells: Vec<Cell>, series: &Series, owner: Option<Id>) -> Result<u64> {
        let active = series.active();
        let old: Vec<Cell> = cells
            .into_iter()
            .filter(|cell| sealed::header(&cell.sealed).is_some_and(|header| header.version != active))
            .collect();
        let mut count = 0;
        for some in old.chunks(CELLS_AT_ONCE) {
            let some = some.to_vec();
            let replaced = self.change_blocking(move |tx| {
                let mut replaced = 0;
                for cell in &some {
                    let Some(anew) = seal_anew(tx.connection, tx.keys, owner.as_ref(), cell)? else { continue };
                    replaced += u64::from(cells::replace(tx.connection, cell, &anew)?);
                }
                Ok(replaced)
            })?;
            tracing::debug!(target: "strongroom::keys", fields = replaced, "a batch of fields was sealed anew");
            fault::point("reseal");
            count += replaced;
        }
        Ok(count)
    }

    fn look<A>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<A>) -> Result<A> {
        self.readers.read(work)
    }
}

/// The parts of a posting or reservation that are sealed under a person's key.
fn cells_of(posting: cells::PostingCells, person: Id) -> impl Iterator<Item = Cell> {
    let (payer, payee) = (posting.payer.or(posting.payee), posting.payee.or(posting.payer));
    posting.cells.into_iter().filter(move |cell| {
        let is_payers = matches!(cell.column, Column::PayerPart | Column::HeldPayerPart);
        (if is_payers { payer } else { payee }) == Some(person)
    })
}

/// The same value under the active version; none for a field that does not open, which stays as it
/// is for someone to look at.
fn seal_anew(
    connection: &mut dyn Connection,
    keys: &Keyring,
    owner: Option<&Id>,
    cell: &Cell,
) -> Result<Option<Vec<u8>>> {
    let column = column_of(cell.column);
    let credential = |row: &[u8]| {
        let opened = keys.unseal_credential(column, row, &cell.sealed);
        opened.map(|value| keys.seal_credential(column, row, &value))
    };
    let anew = match cell.column {
        Column::Password | Column::ChallengeData | Column::SessionSuccessor => credential(&cell.id),
        Column::FactorSecret => {
            let Some(person) = cells::person_of_factor(connection, &cell.id)? else { return Ok(None) };
            credential(&[cell.id, person].concat())
        }
        _ => keys.unseal(owner, column, &cell.id, &cell.sealed).and_then(|v| keys.seal(owner, column, &cell.id, &v)),
    };
    readable(&format!("{:?}", cell.column), &cell.id, anew)
}

/// What does not open stays as it is, for someone to look at; it keeps nothing else waiting.
pub(crate) fn readable<T>(what: &str, id: &Id, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(Error::Database(e)) => Err(e.into()),
        Err(e) => {
            tracing::error!(target: "strongroom::integrity", what, id = crate::hex::encode(id), error = %e, "this could not be sealed anew");
            Ok(None)
        }
    }
}

/// The constant under which a column's fields are sealed.
fn column_of(column: Column) -> ColumnId {
    match column {
        Column::Password => column::PASSWORD,
        Column::Username => column::USERNAME,
        Column::FullName => column::FULL_NAME,
        Column::Email => column::EMAIL,
        Column::Phone => column::PHONE,
        Column::NationalId => column::NATIONAL_ID,
        Column::DateOfBirth => column::DATE_OF_BIRTH,
        Column::Address => column::ADDRESS,
        Column::FactorSecret => column::FACTOR_SECRET,
        Column::ChallengeData => column::CHALLENGE_DATA,
        Column::SessionSuccessor => column::SESSION_SUCCESSOR,
        Column::DeviceName => column::DEVICE_NAME,
        Column::FactorName => column::FACTOR_NAME,
        Column::AuditDetail => column::AUDIT_DETAIL,
        Column::OutboxMessage => column::OUTBOX_MESSAGE,
        Column::AccountNumber => column::ACCOUNT_NUMBER,
        Column::AccountName => column::ACCOUNT_NAME,
        Column::SignedBulk => column::SIGNED_BULK,
        Column::PayerPart | Column::HeldPayerPart => column::PAYER_PART,
        Column::PayeePart | Column::HeldPayeePart => column::PAYEE_PART,
    }
}
