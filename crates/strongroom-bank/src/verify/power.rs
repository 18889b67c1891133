//! Rows that grant power beside devices: people with their roles, and sessions. Each carries our MAC.

use strongroom_sql::Connection;
use strongroom_store::identity::{self, PersonRow, SessionRow};

use super::{integrity, stream};
use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::{Result, hex};

/// Checks all of them.
pub fn power(connection: &mut dyn Connection, keys: &Keyring) -> Result<()> {
    stream(|each| identity::each_person(connection, each), |row: PersonRow| carries(&row, keys))?;
    stream(|each| identity::each_session(connection, each), |row: SessionRow| carries(&row, keys))
}

fn carries<R: Authenticated>(row: &R, keys: &Keyring) -> Result<()> {
    row.check(keys).map_err(|_| integrity(format!("{} {}: its row was changed (MAC)", R::TABLE, hex::encode(row.id()))))
}
