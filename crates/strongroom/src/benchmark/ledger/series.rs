//! Series of orders, prepared first and then handed to the bank in this process.

use std::sync::Arc;
use std::time::Duration;

use strongroom_bank::{Bank, Caller};
use strongroom_crypto::sign::{PublicKey, SigningKey};
use strongroom_ledger::order::TransferOrder;
use tokio::task::JoinSet;

use super::{BULK, per_s};
use crate::benchmark::bank::failed;
use crate::benchmark::lane::{Customer, SignedOrder};
use crate::benchmark::moment;
use crate::failure::Outcome;

/// Bulks under way at the same time.
const BULKS_AT_ONCE: usize = 2;
/// Orders of their own under way at the same time.
const ORDERS_AT_ONCE: usize = 8_192;

/// A bank in this process, and its customers.
pub struct Engine {
    bank: Arc<Bank>,
    customers: Vec<Customer>,
    callers: Vec<Caller>,
    accounts: Vec<String>,
    currency: String,
}

impl Engine {
    /// The customers, signed in with these tokens.
    pub fn new(bank: Arc<Bank>, customers: Vec<Customer>, tokens: &[String], currency: &str) -> Outcome<Self> {
        let callers = tokens.iter().map(|token| bank.authenticate(token)).collect::<Result<_, _>>()?;
        let accounts = customers.iter().map(Customer::account).collect();
        Ok(Engine { bank, customers, callers, accounts, currency: currency.to_owned() })
    }

    /// Entries of the log.
    pub fn log_size(&self) -> u64 {
        self.bank.log_size().unwrap_or_default()
    }

    /// Finishes what was accepted.
    pub fn close(self) {
        self.bank.close();
    }

    /// Carries out so many bulks, to all accounts or all to the last one. Answers how long it took.
    pub async fn bulks(&self, count: u32, is_hot: bool) -> Outcome<Duration> {
        let hot = self.accounts.len() - 1;
        let (to, payers) = if is_hot { (&self.accounts[hot..], hot) } else { (&self.accounts[..], hot + 1) };
        let prepared: Vec<_> = (0..count as usize)
            .map(|at| (at % payers, self.customers[at % payers].bulk(to, &self.currency, BULK)))
            .collect();
        let since = moment();
        let mut under_way = JoinSet::new();
        for (payer, bulk) in prepared {
            if under_way.len() >= BULKS_AT_ONCE {
                finish(under_way.join_next().await)?;
            }
            let (bank, caller) = (self.bank.clone(), self.callers[payer].clone());
            let turn = bank.turn_for_bulk()?;
            under_way.spawn(async move {
                let results = bank.bulk(&caller, Some(&bulk.signature), &bulk.body, turn).await?;
                let is_done = |placed: &strongroom_bank::Placed| placed.outcome.is_ok();
                Ok(results.iter().all(|result| result.placed.as_ref().is_ok_and(is_done)))
            });
        }
        while let Some(done) = under_way.join_next().await {
            finish(Some(done))?;
        }
        Ok(moment() - since)
    }

    /// Carries out orders with a signature each. Answers how many a second.
    pub async fn signed(&self, count: usize) -> Outcome<f64> {
        let one = |at: usize| {
            let payer = at % self.customers.len();
            (payer, self.customers[payer].signed_order(&self.accounts, &self.currency, at))
        };
        let mut orders: Vec<(usize, SignedOrder)> = (0..count).map(one).collect();
        let share = count.div_ceil(ORDERS_AT_ONCE);
        let since = moment();
        let mut under_way = JoinSet::new();
        while !orders.is_empty() {
            let some = orders.split_off(orders.len().saturating_sub(share));
            let (bank, callers) = (self.bank.clone(), self.callers.clone());
            under_way.spawn(async move {
                for (payer, order) in some {
                    let caller = &callers[payer];
                    let verified = bank
                        .verify_order::<TransferOrder>(caller, Some(&order.signature), order.body.as_bytes())
                        .await?;
                    if bank.transfer(verified).await?.outcome.is_err() {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
        }
        while let Some(done) = under_way.join_next().await {
            finish(Some(done))?;
        }
        Ok(per_s(count as f64, moment() - since))
    }
}

type Done = Result<strongroom_bank::Result<bool>, tokio::task::JoinError>;

fn finish(done: Option<Done>) -> Outcome {
    match done.map(|done| done.map_err(failed)).transpose()?.transpose()? {
        None | Some(true) => Ok(()),
        Some(false) => Err(failed("a transfer of the measurement was refused")),
    }
}

/// How many signatures of an order's length all cores check a second.
pub fn signature_ceiling() -> f64 {
    const ROUNDS: usize = 20_000;
    let key = SigningKey::generate_ed25519();
    let message = [7; 400];
    let signature = key.sign(&message);
    let public = key.public().to_bytes();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let since = moment();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let key = PublicKey::from_bytes(&public);
                (0..ROUNDS).filter(|_| key.as_ref().is_ok_and(|key| key.verify(&message, &signature))).count()
            });
        }
    });
    per_s((ROUNDS * cores) as f64, moment() - since)
}
