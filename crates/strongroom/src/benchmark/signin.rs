//! `strongroom benchmark signin`: passwords checked a second, against what the cores could hash, with
//! balance inquiries on a fixed schedule beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use strongroom_api::NewUser;
use strongroom_client::Client;
use strongroom_crypto::password::{Checked, Hasher, Scheme};
use strongroom_crypto::secret::Secret;
use strongroom_crypto::{base64url, random, token};

use super::bank::{Database, OwnBank, failed};
use super::histogram::Histogram;
use super::lane::{Customer, Teller};
use super::moment;
use crate::Global;
use crate::failure::Outcome;

/// How to measure.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many rounds to measure: two seconds of sign-ins, one of hashes alone
    #[arg(long, default_value_t = 8, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    #[command(flatten)]
    database: Database,
}

/// Who signs in at the same time, for each core: enough that none is idle.
const PEOPLE_PER_CORE: usize = 4;
const INQUIRY_EVERY: Duration = Duration::from_millis(20);
/// What is measured of a round, after everyone is at it.
const ROUND: Duration = Duration::from_secs(2);
const PASSWORD: &str = "a password to be checked";
const WARM_UP: Duration = Duration::from_millis(500);
/// How long hashes alone are timed in a round.
const HASHING: Duration = Duration::from_secs(1);

/// Measures, and removes the bank however it ends.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut bank = OwnBank::start(&args.database)?;
    let anonymous = Client::connect(&bank.ready.listening.parse()?, &bank.ca_pem()?)?;
    let teller = Teller::sign_in(&bank, &anonymous).await?;
    let inquirer = Customer::sign_up(&anonymous, &teller).await?;
    let mut people = Vec::new();
    for _ in 0..cores * PEOPLE_PER_CORE {
        people.push(sign_up(&anonymous).await?);
    }
    eprintln!("{} people sign in again and again, in turns with hashes alone on every core.", people.len());
    // By turns: the speed of a shared machine changes from second to second.
    let hasher = Hasher::new(vec![(1, Secret::random())]);
    let stored = hasher.hash(Scheme::Argon2id, PASSWORD);
    // Its memory is taken from the system once, as the bank's is.
    hash_time(&hasher, &stored, cores)?;
    let (mut hash, mut signed_in, mut latencies) = (Duration::ZERO, 0.0, Histogram::default());
    for _ in 0..args.rounds {
        hash += hash_time(&hasher, &stored, cores)?;
        signed_in += round(&anonymous, &people, &inquirer, &mut latencies).await?;
    }
    let (hash, rate) = (hash / args.rounds, signed_in / (f64::from(args.rounds) * ROUND.as_secs_f64()));
    let memory_mib = bank.memory_mib();
    let token = anonymous.refresh(inquirer.refresh_token()).await?.access_token;
    let checks = token_checks(&mut bank, &token)?;
    report(global, &args, &Figures { cores, hash, rate, memory_mib, checks }, &latencies);
    Ok(())
}

/// One round: everyone signs in again and again, and somebody asks for a balance on a schedule. Answers the sign-ins.
async fn round(
    anonymous: &Client,
    people: &[(String, String)],
    inquirer: &Customer,
    latencies: &mut Histogram,
) -> Outcome<f64> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signed_in = Arc::new(AtomicU64::new(0));
    let lanes: Vec<_> = people
        .iter()
        .map(|(username, password)| {
            let (username, password) = (username.clone(), password.clone());
            let (client, is_over, signed_in) = (anonymous.apart(), is_over.clone(), signed_in.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    client.sign_in(&username, &password).await?;
                    signed_in.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, strongroom_client::Error>(())
            })
        })
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let (before, since) = (signed_in.load(Ordering::Relaxed), moment());
    inquire(inquirer, ROUND, latencies).await?;
    let in_round = (signed_in.load(Ordering::Relaxed) - before) as f64;
    let length = moment() - since;
    is_over.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.await.map_err(failed)??;
    }
    Ok(in_round * ROUND.as_secs_f64() / length.as_secs_f64())
}

/// What was measured beside the inquiries.
struct Figures {
    cores: usize,
    hash: Duration,
    rate: f64,
    memory_mib: Option<f64>,
    checks: TokenChecks,
}

/// How long an access token takes to check, and what that is made of.
struct TokenChecks {
    /// One signature.
    signature: Duration,
    /// A token that is new to the bank.
    uncached: Duration,
    /// One that it has seen.
    cached: Duration,
}

/// By the bank's own code, in this process: the server would only add the network.
fn token_checks(bank: &mut OwnBank, token: &str) -> Outcome<TokenChecks> {
    let bank = bank.opened_here()?;
    let keys = bank.token_keys();
    let key = |kid: &str| keys.iter().find(|key| key.kid == kid).map(|key| key.key.clone());
    let now_s = crate::remote::now_s();
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| failed("the bank gave no token"))?;
    let signature = base64url::decode(signature).ok_or_else(|| failed("the token has no signature"))?;
    let public = keys.iter().find(|key| key.until_us.is_none()).ok_or_else(|| failed("the bank has no token key"))?;
    let checks = TokenChecks {
        signature: each(|| public.key.verify(signed.as_bytes(), &signature)),
        uncached: each(|| token::verify(token, key, bank.origin(), bank.origin(), now_s).is_ok()),
        cached: each(|| bank.authenticate(token).is_ok()),
    };
    bank.close();
    match (token::verify(token, key, bank.origin(), bank.origin(), now_s), bank.authenticate(token)) {
        (Ok(_), Ok(_)) => Ok(checks),
        _ => Err(failed("the token does not check")),
    }
}

/// The time of one call, of many.
fn each(mut call: impl FnMut() -> bool) -> Duration {
    const CALLS: u32 = 4_000;
    for _ in 0..CALLS / 10 {
        std::hint::black_box(call());
    }
    let since = moment();
    for _ in 0..CALLS {
        std::hint::black_box(call());
    }
    (moment() - since) / CALLS
}

/// How long one hash takes while every core hashes and does nothing else: they share the memory's bandwidth, so
/// that a hash alone would be faster than any core can keep up beside the others.
fn hash_time(hasher: &Hasher, hash: &str, cores: usize) -> Outcome<Duration> {
    // For the same time on every core, so that none ends with the memory to itself.
    let checks = || {
        let (since, mut count) = (moment(), 0);
        while moment() - since < HASHING {
            if hasher.check(Scheme::Argon2id, PASSWORD, hash) != Checked::Right {
                return None;
            }
            count += 1;
        }
        Some((moment() - since) / count)
    };
    let times: Option<Vec<Duration>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(checks)).collect();
        threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
    });
    let times = times.ok_or_else(|| failed("a hash does not check"))?;
    Ok(times.iter().sum::<Duration>() / times.len() as u32)
}

async fn sign_up(anonymous: &Client) -> Outcome<(String, String)> {
    let name: String = random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect();
    let other: String = random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect();
    let (username, password) = (format!("lane-{name}"), format!("{other} at the gate"));
    let user = NewUser {
        username: username.clone(),
        password: password.clone(),
        full_name: None,
        email: Some(format!("{name}@example.com")),
        phone: None,
        national_id: None,
        date_of_birth: None,
        address: None,
    };
    anonymous.sign_up(&user).await?;
    Ok((username, password))
}

/// Asks for a balance on a schedule; a late answer does not hold up the next question.
async fn inquire(customer: &Customer, length: Duration, latencies: &mut Histogram) -> Outcome {
    let begin = tokio::time::Instant::now();
    let mut tasks = Vec::new();
    let mut due = begin;
    while due - begin < length {
        tokio::time::sleep_until(due).await;
        let (client, account) = customer.inquiry();
        tasks.push(tokio::spawn(async move {
            client.account(&account).await?;
            Ok::<_, strongroom_client::Error>(due.elapsed())
        }));
        due += INQUIRY_EVERY;
    }
    for task in tasks {
        latencies.record(task.await.map_err(failed)??.as_micros() as u64);
    }
    Ok(())
}

fn report(global: &Global, args: &Args, figures: &Figures, latencies: &Histogram) {
    let Figures { cores, hash, rate, memory_mib, checks } = figures;
    let (cores, hash, rate) = (*cores, *hash, *rate);
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let efficiency = rate * hash.as_secs_f64() / cores as f64;
    let p99_ms = latencies.percentile_us(0.99) as f64 / 1000.0;
    let round = |value: f64, digits: f64| (value * digits).round() / digits;
    let data = json!({
        "database": args.database.kind(),
        "rate_per_s": round(rate, 10.0),
        "hash_ms": round(ms(hash), 100.0),
        "cores": cores,
        "efficiency": round(efficiency, 1000.0),
        "inquiry_p99_ms": p99_ms,
        "memory_mib": memory_mib,
        "signature_us": round(us(checks.signature), 100.0),
        "token_check_us": round(us(checks.uncached), 100.0),
        "token_check_cached_us": round(us(checks.cached), 100.0),
    });
    global.print(&data, || {
        [
            format!("sign-ins          {rate:.1} a second"),
            format!("one hash          {:.1} ms; {cores} cores", ms(hash)),
            format!("efficiency        {:.1} % of what the cores could hash", efficiency * 100.0),
            format!("memory            {:.0} MiB while they sign in", memory_mib.unwrap_or_default()),
            format!(
                "token check       {:.1} µs, {:.2} µs once known; a signature takes {:.1} µs",
                us(checks.uncached),
                us(checks.cached),
                us(checks.signature)
            ),
            format!("balance inquiry   {p99_ms:.2} ms at the 99th percentile, 50 a second beside it"),
        ]
        .join("\n")
    });
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
