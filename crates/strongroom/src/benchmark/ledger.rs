//! `strongroom benchmark ledger`: what the engine posts a second when orders come in bulks of ten thousand under one
//! signature each, to many accounts and to one; with a signature for each; against the same rows written into the same
//! tables with no rules; and what verifying them takes.

mod raw;
mod series;

use std::time::Duration;

use serde_json::{Map, Value, json};
use strongroom_bank::Home;
use strongroom_bank::verify::{self, Signatures};
use strongroom_client::Client;

use super::bank::{Database, OwnBank, failed};
use super::lane::{Customer, Teller};
use super::moment;
use crate::Global;
use crate::failure::Outcome;
use series::Engine;

/// How to measure.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many bulks of ten thousand orders, of each sort
    #[arg(long, default_value_t = 20, value_name = "BULKS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    bulks: u32,
    /// Post until the ledger holds so many transfers, measure again, and start a server on it
    #[arg(long, value_name = "TRANSFERS", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    until: Option<u64>,
    #[command(flatten)]
    database: Database,
}

/// Orders in a bulk.
const BULK: usize = 10_000;
const CUSTOMERS: usize = 8;
/// Bulks of one sort that are carried out between those of the other, so that the machine's moods fall on both.
const TURN: u32 = 10;
/// Orders with a signature each.
const SIGNED: usize = 60_000;

/// Measures, and removes the bank however it ends.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let mut own = OwnBank::start(&args.database)?;
    let anonymous = Client::connect(&own.ready.listening.parse()?, &own.ca_pem()?)?;
    let teller = Teller::sign_in(&own, &anonymous).await?;
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        customers.push(Customer::sign_up(&anonymous, &teller).await?);
    }
    let mut tokens = Vec::new();
    for customer in &customers {
        tokens.push(anonymous.refresh(customer.refresh_token()).await?.access_token);
    }
    let engine = Engine::new(own.opened_here()?, customers, &tokens, teller.currency())?;
    let mut found = Map::new();
    found.insert("database".into(), args.database.kind().into());
    bulks(&engine, args.bulks, &mut found).await?;
    let (signed, ceiling) = (engine.signed(SIGNED).await?, series::signature_ceiling());
    found.insert("signed_rate_per_s".into(), signed.round().into());
    found.insert("signature_ceiling_per_s".into(), ceiling.round().into());
    if let Some(until) = args.until {
        grow(&engine, until, args.bulks, &mut found).await?;
    }
    engine.close();
    if args.until.is_some() {
        let restarted = own.restart(&args.database)?;
        found.insert("start_ms".into(), restarted.start_ms.round().into());
        found.insert("idle_memory_mib".into(), json!(restarted.idle_memory_mib.map(f64::round)));
        own.opened_here()?.close();
    }
    verified(&Home::at(own.home()), &mut found)?;
    if args.until.is_none() {
        let (rows, time) = raw::raw_time(&own.home())?;
        let raw = per_s(rows as f64, time);
        found.insert("raw_insert_rate_per_s".into(), raw.into());
        let bulk = found.get("bulk_rate_per_s").and_then(Value::as_f64).unwrap_or_default();
        found.insert("of_raw".into(), share(bulk, raw).into());
    }
    report(global, found);
    Ok(())
}

/// Bulks to many accounts and bulks to one, in turns.
async fn bulks(engine: &Engine, bulks: u32, found: &mut Map<String, Value>) -> Outcome {
    let (mut left, mut many, mut hot) = (bulks, Duration::ZERO, Duration::ZERO);
    while left > 0 {
        let turn = left.min(TURN);
        many += engine.bulks(turn, false).await?;
        hot += engine.bulks(turn, true).await?;
        left -= turn;
    }
    let count = f64::from(bulks) * BULK as f64;
    let (many, hot) = (per_s(count, many), per_s(count, hot));
    found.insert("bulk_rate_per_s".into(), many.into());
    found.insert("hot_rate_per_s".into(), hot.into());
    found.insert("hot_of_bulk".into(), share(hot, many).into());
    Ok(())
}

/// Posts on, and measures again when the ledger is large.
async fn grow(engine: &Engine, until: u64, bulks: u32, found: &mut Map<String, Value>) -> Outcome {
    eprintln!("Posting until the ledger holds {until} transfers.");
    while engine.log_size() < until {
        engine.bulks(TURN, false).await?;
    }
    let took = engine.bulks(bulks, false).await?;
    found.insert("bulk_rate_then_per_s".into(), per_s(f64::from(bulks) * BULK as f64, took).into());
    Ok(())
}

/// What verification takes, for postings alone, and for postings that each have a signature of their own: those of this
/// ledger that came in bulks share theirs.
fn verified(home: &Home, found: &mut Map<String, Value>) -> Outcome {
    let timed = |signatures| {
        let since = moment();
        let report = verify::verify_home(home, signatures)?;
        let time = (moment() - since).as_secs_f64();
        match report.broken {
            Some(broken) => Err(failed(format!("the ledger that was measured does not hold: {broken}"))),
            None => Ok((report, time)),
        }
    };
    let (_, trusted) = timed(Signatures::Trusted)?;
    let (report, checked) = timed(Signatures::Checked)?;
    let posting = trusted / report.transfers as f64;
    let signature = (checked - trusted).max(0.0) / report.signatures.max(1) as f64;
    found.insert("transfers".into(), report.transfers.into());
    found.insert("verify_per_s".into(), (1.0 / posting).round().into());
    found.insert("verify_signed_per_s".into(), (1.0 / (posting + signature)).round().into());
    Ok(())
}

fn per_s(count: f64, time: Duration) -> f64 {
    (count / time.as_secs_f64()).round()
}

fn share(part: f64, whole: f64) -> f64 {
    (part / whole * 1000.0).round() / 1000.0
}

fn report(global: &Global, found: Map<String, Value>) {
    let data = Value::Object(found);
    global.print(&data, || {
        let rows = [
            ("bulk_rate_per_s", "transfers in bulk, a second"),
            ("raw_insert_rate_per_s", "the same rows with no rules"),
            ("of_raw", "share of that"),
            ("hot_rate_per_s", "in bulk, all to one account"),
            ("bulk_rate_then_per_s", "in bulk, when the ledger is large"),
            ("signed_rate_per_s", "with a signature for each order"),
            ("signature_ceiling_per_s", "signatures that all cores check"),
            ("verify_per_s", "verified on one core"),
            ("verify_signed_per_s", "the same with a signature for each"),
            ("start_ms", "start of a server on it, ms"),
            ("idle_memory_mib", "its memory, MiB"),
            ("transfers", "transfers in the ledger"),
        ];
        let line = |(name, words): (&str, &str)| Some(format!("{words:36} {}", data.get(name)?));
        rows.into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
    });
}
