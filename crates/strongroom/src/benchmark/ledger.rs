//! `strongroom benchmark ledger`: what the engine posts a second when orders come in bulks of ten thousand under one
//! signature each, against the same rows written into the same tables with no rules; and what verifying them takes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_bank::{Bank, Caller, Home, verify};
use strongroom_client::Client;
use strongroom_sql::{Connection, Role, Url};
use strongroom_store::accounts::{self, BalanceRow};
use strongroom_store::log::{self, BlockRow, LeafRow, TileRow};
use strongroom_store::money::{self as store, EntryRow, OrderRow, TransferRow};
use strongroom_store::schema;

use super::bank::{Database, OwnBank, failed};
use super::lane::{Bulk, Customer, Teller};
use super::moment;
use crate::Global;
use crate::failure::Outcome;

/// How to measure.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many bulks of ten thousand orders
    #[arg(long, default_value_t = 20, value_name = "BULKS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    bulks: u32,
    #[command(flatten)]
    database: Database,
}

const ORDERS: usize = 10_000;
const CUSTOMERS: usize = 8;
/// Bulks under way at the same time.
const AT_ONCE: usize = 2;

/// Measures, and removes the bank however it ends.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let mut own = OwnBank::start(&args.database)?;
    let anonymous = Client::connect(&own.ready.listening.parse()?, &own.ca_pem()?)?;
    let teller = Teller::sign_in(&own, &anonymous).await?;
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        customers.push(Customer::sign_up(&anonymous, &teller).await?);
    }
    let accounts: Vec<String> = customers.iter().map(Customer::account).collect();
    eprintln!("{} bulks of {ORDERS} transfers are signed, then carried out.", args.bulks);
    let mut bulks: Vec<Bulk> = Vec::new();
    for at in 0..args.bulks as usize {
        bulks.push(customers[at % CUSTOMERS].bulk(&accounts, teller.currency(), ORDERS));
    }
    let mut tokens = Vec::new();
    for customer in &customers {
        tokens.push(anonymous.refresh(customer.refresh_token()).await?.access_token);
    }
    let bank = own.opened_here()?;
    let callers = tokens.iter().map(|token| bank.authenticate(token)).collect::<Result<Vec<Caller>, _>>()?;
    let took = carry_out(&bank, &callers, bulks).await?;
    bank.close();
    drop(bank);
    let count = f64::from(args.bulks) * ORDERS as f64;
    let home = own.home();
    let raw = match args.database.kind() {
        "sqlite" => Some(raw_time(&home)?),
        _ => None,
    };
    let since = moment();
    let report = verify::verify_home(&Home::at(&home))?;
    let verified = moment() - since;
    if let Some(broken) = report.broken {
        return Err(failed(format!("the ledger that was measured does not hold: {broken}")));
    }
    let per_s = |count: f64, time: Duration| (count / time.as_secs_f64()).round();
    let bulk = per_s(count, took);
    let raw = raw.map(|(rows, time)| per_s(rows as f64, time));
    let verify = per_s(report.transfers as f64, verified);
    let data = json!({
        "database": args.database.kind(),
        "bulk_rate_per_s": bulk,
        "raw_insert_rate_per_s": raw,
        "of_raw": raw.map(|raw| (bulk / raw * 1000.0).round() / 1000.0),
        "verify_per_s": verify,
        "transfers": count,
    });
    global.print(&data, || {
        let raw = raw.map_or("not measured on this database".to_owned(), |raw| {
            format!("{raw} a second with no rules; the bank does {:.1} % of it", bulk / raw * 100.0)
        });
        format!("transfers in bulk  {bulk} a second\nthe same rows      {raw}\nverified           {verify} a second")
    });
    Ok(())
}

async fn carry_out(bank: &Arc<Bank>, callers: &[Caller], bulks: Vec<Bulk>) -> Outcome<Duration> {
    let since = moment();
    let mut under_way = tokio::task::JoinSet::new();
    for (at, bulk) in bulks.into_iter().enumerate() {
        if under_way.len() >= AT_ONCE {
            finish(under_way.join_next().await)?;
        }
        let (bank, caller) = (bank.clone(), callers[at % callers.len()].clone());
        let turn = bank.turn_for_bulk()?;
        under_way.spawn(async move { bank.bulk(&caller, Some(&bulk.signature), &bulk.body, turn).await });
    }
    while let Some(done) = under_way.join_next().await {
        finish(Some(done))?;
    }
    Ok(moment() - since)
}

type Done = Result<strongroom_bank::Result<Vec<strongroom_bank::bulk::BulkResult>>, tokio::task::JoinError>;

fn finish(done: Option<Done>) -> Outcome {
    let Some(done) = done else { return Ok(()) };
    let results = done.map_err(failed)??;
    match results.iter().all(|result| result.placed.as_ref().is_ok_and(|placed| placed.outcome.is_ok())) {
        true => Ok(()),
        false => Err(failed("a transfer of the measurement was refused")),
    }
}

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

/// The rows of the bulks, written again into an empty database of the same schema, batch by batch.
fn raw_time(home: &Path) -> Outcome<(usize, Duration)> {
    let open = |name: &str, role| strongroom_sql::open(&Url::Sqlite(home.join(name)), None, role).map_err(failed);
    let batches = batches(open("bank.db", Role::Reader)?.as_mut()).map_err(failed)?;
    let mut raw = open("raw.db", Role::Writer)?;
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
        if transfers.len() >= ORDERS {
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
