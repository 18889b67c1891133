//! `strongroom benchmark`: what this bank does on this machine, measured from outside.

mod bank;
mod fields;
mod histogram;
mod http;
mod lane;
mod ledger;
mod load;
mod signin;

use std::time::Instant;

use crate::Global;
use crate::failure::Outcome;
use crate::remote::block_on;
use crate::serve;

/// What to measure.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Signed transfers over HTTPS, each on stable storage before its answer
    Http(http::Args),
    /// Transfers in bulk, against the same rows written with no rules
    Ledger(ledger::Args),
    /// Passwords checked a second, with balance inquiries beside it
    Signin(signin::Args),
    /// Sealing, opening and indexing fields on one core, against bare AES-256-GCM
    Fields(fields::Args),
}

/// Runs a measurement.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    match verb {
        Verb::Http(args) => block_on(http::run(global, args)),
        Verb::Signin(args) => block_on(signin::run(global, args)),
        Verb::Ledger(args) => serve::block_on(ledger::run(global, args)),
        Verb::Fields(args) => fields::run(global, &args),
    }
}

/// The moment, for measuring.
#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn moment() -> Instant {
    Instant::now()
}
