//! `strongroom ledger`: check the whole ledger, or read its newest checkpoint.

use serde_json::json;
use strongroom_bank::verify::{self, Report, Signatures};
use strongroom_bank::{Opened, era, witnesses};
use strongroom_sql::Role;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::{ask, ledger_export, verify_receipt};

/// What to do with the ledger.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Rebuild balances, blocks and the log's root from the rows alone
    Verify {
        /// Check every order's signature, too: some twenty thousand a second
        #[arg(long)]
        signatures: bool,
    },
    /// Print the newest signed checkpoint: keep it elsewhere, and history cannot be rewritten unnoticed
    Checkpoint,
    /// Prove that an entry stands in the log, or that the log extends what it was
    Proof(ProofArgs),
    /// Go on from an older copy of the database, when the newer one is lost: under a new log name
    Reopen {
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Write the whole ledger for an auditor, or as a journal for hledger; nothing personal is in it
    Export(ledger_export::Args),
    /// Check an auditor's export with nothing but the bank's log key
    VerifyExport(ledger_export::VerifyArgs),
    /// What all accounts hold, by kind: debits and credits
    TrialBalance,
    /// Check a receipt with nothing but the bank's log key
    VerifyReceipt(verify_receipt::Args),
}

/// What to prove.
#[derive(clap::Args, Debug)]
#[group(required = true)]
pub struct ProofArgs {
    /// The entry at this place, from 0: a receipt's sequence (C2SP tlog-proof, with the witnesses' cosignatures)
    #[arg(long, value_name = "N")]
    entry: Option<u64>,
    /// That the log extends its first entries (C2SP tlog-witness)
    #[arg(long, value_name = "SIZE")]
    from: Option<u64>,
}

/// Runs a verb.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    match verb {
        Verb::VerifyReceipt(args) => verify_receipt::run(global, &args),
        Verb::Export(args) => ledger_export::export(global, &args),
        Verb::VerifyExport(args) => ledger_export::verify(global, &args),
        Verb::TrialBalance => ledger_export::trial_balance(global),
        Verb::Verify { signatures } => {
            let signatures = if signatures { Signatures::Checked } else { Signatures::Trusted };
            verify(global, &verify::verify_home(&global.home(), signatures)?)
        }
        Verb::Checkpoint => {
            let (_, checkpoint) = Opened::at(&global.home())?.newest()?;
            global.print(&json!({"checkpoint": checkpoint}), || checkpoint.clone());
            Ok(())
        }
        Verb::Proof(args) => proof(global, &args),
        Verb::Reopen { yes } => reopen(global, yes),
    }
}

fn proof(global: &Global, args: &ProofArgs) -> Outcome {
    let opened = Opened::at(&global.home())?;
    let (_, newest) = opened.newest()?;
    let mut connection =
        opened.database.connect(Role::Reader).map_err(|e| Failure::new(Exit::Failed, e.to_string()))?;
    let text = match (args.entry, args.from) {
        (Some(entry), _) => witnesses::proof(connection.as_mut(), &opened.eras, newest, entry)?,
        (None, from) => witnesses::extension(connection.as_mut(), &opened.eras, &newest, from.unwrap_or_default())?,
    };
    global.print(&json!({"proof": text}), || text.trim_end().to_owned());
    Ok(())
}

fn reopen(global: &Global, yes: bool) -> Outcome {
    let home = global.home();
    let Some(why) = Opened::at(&home)?.behind_head(&home)? else {
        let words = "the database is not behind the checkpoint kept outside it: there is nothing to recover";
        return Err(Failure::new(Exit::Failed, words));
    };
    eprintln!("{why}");
    let question = "Reopen the log under a new name? Everything since this copy was made stays lost, revocations too.";
    if !yes && (global.no_input || !ask::confirm(question)?) {
        return Err(Failure::new(Exit::Usage, "nothing was done; give --yes to reopen the log"));
    }
    let reopened = era::reopen(&home)?;
    let data = json!({"log_key": reopened.log_key.to_string(), "lost": reopened.lost});
    global.print(&data, || {
        format!(
            "The log was reopened; {} entries of the old one are lost.\nlog key {}\nGive the new key to everyone who checks \
             receipts. Old receipts hold with the old key. Then start the server.",
            reopened.lost, reopened.log_key
        )
    });
    Ok(())
}

fn verify(global: &Global, report: &Report) -> Outcome {
    let data = json!({
        "ok": report.broken.is_none(),
        "leaves": report.leaves,
        "transfers": report.transfers,
        "blocks": report.blocks,
        "accounts": report.accounts,
        "orders": report.orders,
        "signatures": report.signatures,
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
