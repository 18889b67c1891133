//! What batches of orders are decided on, and the next ones again: who gives them, by which device, in which session,
//! and the accounts with their balances. Nobody but the writer changes these rows, so it keeps what it has seen while
//! no other connection has touched the database and no other work was done in between.

use std::collections::HashMap;
use std::sync::Arc;

use strongroom_identity::role::Permissions;
use strongroom_ledger::decide::{AccountKind, AccountStatus, AccountView};
use strongroom_ledger::id::{AccountId, PersonId};
use strongroom_ledger::money::Currency;
use strongroom_store::accounts::{self, BalanceRow};
use strongroom_store::identity::{self, DeviceRow, PersonRow, SessionRow};
use strongroom_store::{Connection, Id};

use super::Command;
use crate::keyring::Keyring;
use crate::keyring::macs::Macs;
use crate::rows::Authenticated;
use crate::{Error, roles};

/// When a batch finds more rows of a kind than these, all are read anew.
const KEPT_MAX: usize = 50_000;

/// Rows that carry our MAC, as they stand in the database or will when the batch is written.
#[derive(Default)]
pub struct Seen {
    pub(super) people: HashMap<Id, PersonRow>,
    pub(super) permissions: HashMap<Id, Permissions>,
    pub(super) sessions: HashMap<Id, SessionRow>,
    pub(super) devices: HashMap<Id, DeviceRow>,
    pub(super) accounts: HashMap<Id, AccountView>,
}

/// What was seen, and as of when.
#[derive(Default)]
pub struct Kept {
    /// The database's version, where it has one.
    pub version: Option<i64>,
    /// The keys by which the rows were believed.
    pub macs: Option<Arc<Macs>>,
    /// The rows.
    pub seen: Seen,
}

impl Kept {
    /// Whether it is still what the database says: nobody else has written, and the same keys are believed.
    pub fn holds(&self, version: Option<i64>, macs: &Arc<Macs>) -> bool {
        let is_same = self.macs.as_ref().is_some_and(|before| Arc::ptr_eq(before, macs));
        version.is_some() && version == self.version && is_same
    }
}

impl Seen {
    /// Reads what these orders need and was not seen yet. Answers the accounts whose rows do not carry our MAC.
    pub(super) fn read(
        &mut self,
        connection: &mut dyn Connection,
        keys: &Keyring,
        commands: &[&Command],
    ) -> strongroom_sql::Result<Vec<Id>> {
        let kept = [self.people.len(), self.sessions.len(), self.devices.len(), self.accounts.len()];
        if kept.into_iter().any(|count| count > KEPT_MAX) {
            *self = Self::default();
        }
        let unseen = missing(&self.people, commands.iter().map(|c| c.person));
        let people = keep_true(identity::people(connection, &unseen)?, keys);
        self.permissions.extend(see_permissions(connection, keys, people.values())?);
        self.people.extend(people);
        let unseen = missing(&self.sessions, commands.iter().map(|c| c.session));
        self.sessions.extend(keep_true(identity::sessions(connection, &unseen)?, keys));
        let unseen = missing(&self.devices, commands.iter().map(|c| c.device));
        self.devices.extend(keep_true(identity::devices(connection, &unseen)?, keys));
        let accounts = commands.iter().filter_map(|c| c.posting.as_ref().ok()).flat_map(|p| [p.from.0, p.to.0]);
        let (accounts, broken) = see_accounts(connection, keys, &missing(&self.accounts, accounts))?;
        self.accounts.extend(accounts);
        Ok(broken)
    }
}

/// The ids that stand in no row of these, each once.
fn missing<R>(rows: &HashMap<Id, R>, ids: impl Iterator<Item = Id>) -> Vec<Id> {
    distinct(ids.filter(|id| !rows.contains_key(id)))
}

/// What each person's roles allow now.
fn see_permissions<'a>(
    connection: &mut dyn Connection,
    keys: &Keyring,
    people: impl Iterator<Item = &'a PersonRow>,
) -> strongroom_sql::Result<HashMap<Id, Permissions>> {
    let mut seen = HashMap::new();
    for person in people {
        match roles::permissions(connection, keys, &person.roles) {
            Ok(permissions) => drop(seen.insert(person.id, permissions)),
            Err(Error::Database(e)) => return Err(e),
            // A role that was written by SQL allows nothing.
            Err(_) => {}
        }
    }
    Ok(seen)
}

/// Accounts with their balances, and those whose rows do not carry our MAC.
pub fn see_accounts(
    connection: &mut dyn Connection,
    keys: &Keyring,
    ids: &[Id],
) -> strongroom_sql::Result<(HashMap<Id, AccountView>, Vec<Id>)> {
    let rows = accounts::by_ids(connection, ids, true)?;
    let balances: HashMap<Id, BalanceRow> =
        accounts::balances(connection, ids, true)?.into_iter().map(|b| (b.account, b)).collect();
    let mut views = HashMap::with_capacity(rows.len());
    let mut broken = Vec::new();
    for row in rows {
        let balance = balances.get(&row.id).filter(|b| b.check(keys).is_ok());
        let currency = row.currency.parse::<Currency>();
        match (row.check(keys), balance, currency) {
            (Ok(()), Some(balance), Ok(currency)) => {
                let view = AccountView {
                    id: AccountId(row.id),
                    owner: row.owner.map(PersonId),
                    kind: AccountKind::from_number(row.kind).unwrap_or(AccountKind::Suspense),
                    currency,
                    status: AccountStatus::from_number(row.status).unwrap_or(AccountStatus::Frozen),
                    balance: balance.balance,
                    held: balance.held,
                    floor: row.floor,
                    order_limit: row.order_limit,
                    last_sequence: balance.last_sequence,
                };
                views.insert(row.id, view);
            }
            _ => broken.push(row.id),
        }
    }
    Ok((views, broken))
}

pub(super) fn distinct(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    let mut ids: Vec<Id> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Rows that carry our MAC, by id; the others are logged and treated as absent.
pub(super) fn keep_true<R: Authenticated>(rows: Vec<R>, keys: &Keyring) -> HashMap<Id, R> {
    rows.into_iter().filter(|row| row.check(keys).is_ok()).map(|row| (*row.id(), row)).collect()
}
