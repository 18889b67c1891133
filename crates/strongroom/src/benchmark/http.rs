//! `strongroom benchmark http`: signed transfers over HTTPS, against requests that do nothing over
//! the same connections. Orders are signed by the client as it goes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_client::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::bank::{Database, OwnBank, Restarted, failed};
use super::lane::{Customer, Lane, Teller};
use super::load::{self, Tally};
use super::moment;
use crate::Global;
use crate::failure::{Exit, Failure, Outcome};

/// How to measure.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Connections, each a customer of its own
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// How long to measure
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Orders a second on a fixed schedule (open loop) [default: as fast as answers come]
    #[arg(long, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    #[command(flatten)]
    database: Database,
}

const WARM_UP: Duration = Duration::from_secs(1);
const NOOP_MAX: Duration = Duration::from_secs(5);
/// Passwords are slow to hash on purpose; more at once would only wait.
const SIGN_UPS_AT_ONCE: usize = 4;

/// Measures, and removes the bank however it ends.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let mut bank = OwnBank::start(&args.database)?;
    let stop = async {
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    };
    tokio::select! {
        measured = measure(global, &args, &mut bank) => measured,
        () = stop => Err(Failure::new(Exit::Failed, "the measurement was stopped")),
    }
}

async fn measure(global: &Global, args: &Args, bank: &mut OwnBank) -> Outcome {
    let length = Duration::from_secs(args.seconds.into());
    let lanes = sign_up_all(bank, args.connections.into()).await?;
    eprintln!("Measuring: requests without work, a second of warm-up, then orders that this program signs as it goes.");
    let noop_length = length.min(NOOP_MAX);
    let (lanes, noops) = load::noops(lanes, noop_length).await;
    let (lanes, _) = load::closed(lanes, WARM_UP.min(length)).await;
    let (_, tally) = match args.rate {
        None => load::closed(lanes, length).await,
        Some(rate) => load::open(lanes, length, rate).await,
    };
    let noop_rate = noops.accepted as f64 / noop_length.as_secs_f64();
    let log_size = log_size(bank).await?;
    let restarted = bank.restart(&args.database)?;
    report(global, args, &Measured { tally, noop_rate, log_size, restarted })
}

/// What was found.
struct Measured {
    tally: Tally,
    noop_rate: f64,
    log_size: u64,
    restarted: Restarted,
}

/// The log's size, by its newest checkpoint.
async fn log_size(bank: &OwnBank) -> Outcome<u64> {
    let checkpoint = Client::connect(&bank.ready.listening.parse()?, &bank.ca_pem()?)?.checkpoint().await?;
    let size = checkpoint.lines().nth(1).and_then(|size| size.parse().ok());
    size.ok_or_else(|| failed("the bank's checkpoint has no size"))
}

async fn sign_up_all(bank: &OwnBank, count: usize) -> Outcome<Vec<Lane>> {
    let since = moment();
    let anonymous = Client::connect(&bank.ready.listening.parse()?, &bank.ca_pem()?)?;
    let teller = Arc::new(Teller::sign_in(bank, &anonymous).await?);
    let room = Arc::new(Semaphore::new(SIGN_UPS_AT_ONCE));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (anonymous, teller, room) = (anonymous.clone(), teller.clone(), room.clone());
            tokio::spawn(async move {
                let _turn = room.acquire().await;
                Customer::sign_up(&anonymous, &teller).await
            })
        })
        .collect();
    let mut customers = Vec::with_capacity(count);
    for task in tasks {
        customers.push(task.await.map_err(failed)??);
    }
    eprintln!("{count} customers with two accounts each are ready after {:.1} s.", (moment() - since).as_secs_f64());
    Ok(Customer::lanes(customers, teller.currency()))
}

fn report(global: &Global, args: &Args, measured: &Measured) -> Outcome {
    let Measured { tally, noop_rate, log_size, restarted } = measured;
    let rate = tally.accepted as f64 / f64::from(args.seconds);
    let ms = |share: f64| tally.latencies.percentile_us(share) as f64 / 1000.0;
    let (p50, p99) = (ms(0.5), ms(0.99));
    let round = |value: f64| (value * 10.0).round() / 10.0;
    let data = json!({
        "database": args.database.kind(),
        "connections": args.connections,
        "rate_per_s": round(rate),
        "p50_ms": p50,
        "p99_ms": p99,
        "refused": tally.refused,
        "noop_rate_per_s": round(*noop_rate),
        "log_size": log_size,
        "start_ms": round(restarted.start_ms),
        "idle_memory_mib": restarted.idle_memory_mib.map(round),
    });
    if let Some(reason) = &tally.reason {
        eprintln!("{} orders were not accepted; the first one: {reason}", tally.refused);
    }
    global.print(&data, || {
        let memory = restarted.idle_memory_mib.map_or("unknown".into(), |mib| format!("{mib:.0} MiB"));
        [
            format!("database          {}", args.database.kind()),
            format!("connections       {}", args.connections),
            format!("transfers         {rate:.0} a second"),
            format!("latency           {p50:.2} ms median, {p99:.2} ms at the 99th percentile"),
            format!("refused           {}", tally.refused),
            format!("without work      {noop_rate:.0} a second"),
            format!("log               {log_size} entries"),
            format!("start on it       {:.0} ms", restarted.start_ms),
            format!("memory at rest    {memory}"),
        ]
        .join("\n")
    });
    if tally.accepted == 0 { Err(failed("no order was accepted")) } else { Ok(()) }
}
