//! The keeper: a thread that follows keys that are due, seals anew what waits, and writes down how
//! often keys were used, for as long as the bank is open.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::keyring::Purpose;
use crate::money::hold;
use crate::{Bank, Result, clock, hex};

const TICK: Duration = Duration::from_millis(500);
/// Ticks between two counts of uses, and between two looks at which keys are due; the first is at once.
const TICKS_PER_COUNT: u64 = 20;
/// Between two looks at reservations whose time is over.
const TICKS_PER_EXPIRY: u64 = 6;
const TICKS_PER_LOOK: u64 = 7_200;
/// Keys followed at one look.
const DUE_AT_ONCE: i64 = 1_000;

/// Starts it. It ends when the bank is gone or closing.
pub fn start(bank: &Arc<Bank>) -> std::io::Result<()> {
    let bank = Arc::downgrade(bank);
    std::thread::Builder::new().name("keeper".into()).spawn(move || keep(&bank)).map(drop)
}

fn keep(bank: &Weak<Bank>) {
    for tick in 0u64.. {
        std::thread::sleep(TICK);
        let Some(bank) = bank.upgrade() else { return };
        if let Err(e) = bank.tend_keys(tick) {
            tracing::error!(target: "strongroom::keys", error = %e, "the keys could not be tended; trying again");
            std::thread::sleep(TICK * 10);
        }
    }
}

impl Bank {
    fn tend_keys(&self, tick: u64) -> Result<()> {
        if self.stopped.why().is_some() || self.is_closing() {
            return Ok(());
        }
        if tick.is_multiple_of(TICKS_PER_COUNT) {
            self.keys.count_uses()?;
            self.keys.tidy()?;
        }
        if tick.is_multiple_of(TICKS_PER_LOOK) {
            self.follow_due_keys()?;
            self.change_blocking(|tx| tx.forget_old_tries())?;
        }
        if tick.is_multiple_of(TICKS_PER_EXPIRY) && self.readers.read(|c| hold::is_any_due(c, clock::now_us()))? {
            let ended = self.change_blocking(hold::expire)?;
            tracing::info!(ended, "reservations whose time was over are free");
        }
        self.reseal_round().map(drop)
    }

    fn follow_due_keys(&self) -> Result<()> {
        let now_us = clock::now_us();
        let limits = &self.config.key;
        for purpose in Purpose::ALL {
            let Some(policy) = purpose.policy() else { continue };
            let age_us_max = limits.rotate_after_days.map_or(policy.age_us_max, |days| i64::from(days) * DAY_US);
            let uses_max = limits.rotate_after_uses.unwrap_or(policy.uses_max).min(policy.uses_max);
            for series in self.keys.due(purpose, age_us_max, uses_max, now_us, DUE_AT_ONCE)? {
                if let Err(e) = self.keys.rotate(purpose, &series, now_us) {
                    tracing::error!(target: "strongroom::keys", purpose = purpose.name(), series = hex::encode(&series), error = %e, "a key that is due could not be followed");
                }
            }
        }
        Ok(())
    }
}

const DAY_US: i64 = 24 * 3600 * 1_000_000;
