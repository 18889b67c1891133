//! `strongroom ledger`: check the whole ledger, or read its newest checkpoint.

use serde_json::json;
use strongroom_bank::verify::{self, Report};

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::verify_receipt;

/// What to do with the ledger.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Rebuild balances, blocks and the log's root from the rows alone
    Verify,
    /// Print the newest signed checkpoint: keep it elsewhere, and history cannot be rewritten unnoticed
    Checkpoint,
    /// Check a receipt with nothing but the bank's log key
    VerifyReceipt(verify_receipt::Args),
}

/// Runs a verb.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    match verb {
        Verb::VerifyReceipt(args) => verify_receipt::run(global, &args),
        Verb::Verify => verify(global, &verify::verify_home(&global.home())?),
        Verb::Checkpoint => {
            let report = verify::verify_home(&global.home())?;
            global.print(&json!({"checkpoint": report.checkpoint}), || report.checkpoint.clone());
            Ok(())
        }
    }
}

fn verify(global: &Global, report: &Report) -> Outcome {
    let data = json!({
        "ok": report.broken.is_none(),
        "leaves": report.leaves,
        "transfers": report.transfers,
        "blocks": report.blocks,
        "accounts": report.accounts,
        "orders": report.orders,
        "totals": report.totals,
        "checkpoint": report.checkpoint,
        "broken": report.broken,
    });
    global.print(&data, || match &report.broken {
        None => format!(
            "The ledger is intact: {} leaves, {} transfers, {} blocks, {} accounts; every currency sums to zero.\n\n{}",
            report.leaves, report.transfers, report.blocks, report.accounts, report.checkpoint
        ),
        Some(what) => format!("The ledger is broken: {what}"),
    });
    match &report.broken {
        None => Ok(()),
        Some(what) => Err(Failure::new(
            Exit::NotVerified,
            format!(
                "the ledger does not verify: {what}; keep the database as evidence, and compare it with a backup and a saved checkpoint"
            ),
        )),
    }
}
