//! The same rows written with no rules: what the database itself takes.

use std::path::Path;
use std::time::Duration;

use strongroom_bank::{Database, Home};
use strongroom_sql::{Connection, Role, Url};
use strongroom_store::accounts::{self, BalanceRow};
use strongroom_store::log::{self, BlockRow, LeafRow, TileRow};
use strongroom_store::money::{self as store, EntryRow, OrderRow, TransferRow};
use strongroom_store::schema;

use super::BULK;
use crate::benchmark::bank::failed;
use crate::benchmark::moment;
use crate::failure::Outcome;

/// What one batch has written.
struct Batch {
    orders: Vec<OrderRow>,
    transfers: Vec<TransferRow>,
    entries: Vec<EntryRow>,
    balances: Vec<BalanceRow>,
    leaves: Vec<LeafRow>,
    tiles: Vec<TileRow>,
    block: BlockRow,
}

/// The rows of the bulks, written again into empty tables of the same schema, batch by batch. The bank of the
/// measurement has ended: on MariaDB its tables make room.
pub fn raw_time(home: &Path) -> Outcome<(usize, Duration)> {
    let database = Database::of(&Home::at(home), &Home::at(home).config()?)?;
    let batches = batches(database.connect(Role::Reader).map_err(failed)?.as_mut()).map_err(failed)?;
    let mut raw = match database.kind() {
        "sqlite" => strongroom_sql::open(&Url::Sqlite(home.join("raw.db")), None, Role::Writer).map_err(failed)?,
        _ => {
            let mut emptied = database.connect(Role::Writer).map_err(failed)?;
            for table in schema::bank_tables().chain(["migrations"]) {
                emptied.execute(&format!("DROP TABLE {table}"), &[]).map_err(failed)?;
            }
            emptied
        }
    };
    schema::migrate_bank(raw.as_mut(), 0).map_err(failed)?;
    let rows = batches.iter().map(|batch| batch.transfers.len()).sum();
    let since = moment();
    for batch in &batches {
        write(raw.as_mut(), batch).map_err(failed)?;
    }
    Ok((rows, moment() - since))
}

fn write(c: &mut dyn Connection, batch: &Batch) -> strongroom_sql::Result<()> {
    c.begin()?;
    store::insert_orders(c, &batch.orders)?;
    store::insert_transfers(c, &batch.transfers)?;
    store::insert_entries(c, &batch.entries)?;
    accounts::set_balances(c, &batch.balances)?;
    log::append(c, &batch.leaves, &[], &batch.tiles, &batch.block)?;
    c.commit()
}

fn batches(c: &mut dyn Connection) -> strongroom_sql::Result<Vec<Batch>> {
    let (mut orders, mut entries, mut balances) = (Vec::new(), Vec::new(), Vec::new());
    store::each_order(c, &mut |row| {
        orders.push(row);
        Ok(())
    })?;
    store::each_entry(c, &mut |row| {
        entries.push(row);
        Ok(())
    })?;
    accounts::each_balance(c, &mut |row| {
        balances.push(row);
        Ok(())
    })?;
    orders.sort_by_key(|row: &OrderRow| row.sequence);
    entries.sort_by_key(|row: &EntryRow| row.sequence);
    let mut blocks = Vec::new();
    log::each_block(c, &mut |row| {
        blocks.push(row);
        Ok(())
    })?;
    let (mut batches, mut from) = (Vec::new(), 0);
    for block in blocks {
        let until = block.size;
        let transfers = store::between(c, from, until)?;
        if transfers.len() >= BULK {
            let within = |sequence: i64| (from..until).contains(&sequence);
            let touched = |row: &&BalanceRow| {
                transfers.iter().any(|transfer| transfer.from == row.account || transfer.to == row.account)
            };
            let mut tiles = Vec::new();
            for level in 1..4 {
                let width = 256_i64.pow(level);
                for (at, hash) in log::tiles(c, level.into(), from / width, until / width)?.into_iter().enumerate() {
                    tiles.push(TileRow { level: level.into(), position: from / width + at as i64, hash });
                }
            }
            batches.push(Batch {
                orders: orders.iter().filter(|row| within(row.sequence)).cloned().collect(),
                entries: entries.iter().filter(|row| within(row.sequence)).cloned().collect(),
                balances: balances.iter().filter(touched).cloned().collect(),
                leaves: log::leaves(c, from, until)?,
                tiles,
                transfers,
                block,
            });
        }
        from = until;
    }
    Ok(batches)
}
