//! Authenticating anew: after the key of MACs was followed, every row gets its MAC under the new
//! version, beside the bank's work. A row that does not carry a right one stays as it is.

use strongroom_store::macs::{self, Table};
use strongroom_store::{Connection, Id, accounts, approvals, factors, holds, identity, money, roles};

use crate::keyring::SINGLE;
use crate::reseal::readable;
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::{Bank, Result, fault};

const PAGE: i64 = 200;

impl Bank {
    /// One walk over all tables. Answers how many rows were authenticated anew.
    pub(crate) fn remac(&self) -> Result<u64> {
        let active = self.keys.macs().active();
        let mut count = 0;
        for table in Table::ALL {
            let mut after: Id = SINGLE;
            loop {
                let page = self.readers.read(|c| Ok(macs::outdated(c, table, &active, &after, PAGE)?))?;
                let Some(last) = page.last() else { break };
                after = *last;
                let replaced = self.change_blocking(move |tx| remac(tx, table, &page))?;
                tracing::debug!(target: "strongroom::keys", rows = replaced, "a batch of rows was authenticated anew");
                fault::point("reseal");
                count += replaced;
            }
        }
        Ok(count)
    }
}

fn remac(tx: &mut Tx<'_>, table: Table, ids: &[Id]) -> Result<u64> {
    let c = &mut *tx.connection;
    match table {
        Table::People => replace(identity::people(c, ids)?, tx, table),
        Table::Factors => replace(each(c, ids, factors::by_id)?, tx, table),
        Table::Enrolments => replace(each(c, ids, identity::enrolment)?, tx, table),
        Table::Challenges => replace(each(c, ids, identity::challenge)?, tx, table),
        Table::Sessions => replace(identity::sessions(c, ids)?, tx, table),
        Table::Devices => replace(identity::devices(c, ids)?, tx, table),
        Table::Accounts => replace(accounts::by_ids(c, ids, true)?, tx, table),
        Table::Balances => replace(accounts::balances(c, ids, true)?, tx, table),
        Table::Transfers => replace(money::by_ids(c, ids)?, tx, table),
        Table::Holds => replace(holds::by_ids(c, ids, true)?, tx, table),
        Table::Roles => replace(each(c, ids, roles::by_id)?, tx, table),
        Table::Approvals => replace(each(c, ids, approvals::by_id)?, tx, table),
    }
}

fn each<R>(
    connection: &mut dyn Connection,
    ids: &[Id],
    one: impl Fn(&mut dyn Connection, &Id) -> strongroom_store::Result<Option<R>>,
) -> Result<Vec<R>> {
    let rows = ids.iter().filter_map(|id| one(connection, id).transpose());
    Ok(rows.collect::<strongroom_store::Result<_>>()?)
}

fn replace(rows: Vec<impl Authenticated>, tx: &mut Tx<'_>, table: Table) -> Result<u64> {
    let mut count = 0;
    for row in rows {
        let new = row.expected(tx.keys);
        if *row.mac() != new && readable("row", row.id(), row.check(tx.keys))?.is_some() {
            count += u64::from(macs::replace(tx.connection, table, row.id(), row.mac(), &new)?);
        }
    }
    Ok(count)
}
