//! `strongroom ledger export | verify-export | trial-balance`: the ledger for auditors and other programs.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use serde_json::json;
use strongroom_bank::{Opened, account, export};
use strongroom_ledger::export::Auditor;
use strongroom_ledger::money::Currency;
use strongroom_sql::Role;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::verify_receipt::{log_key, unreadable};

/// What to write, and where to.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How it is written: every leaf of the log as JSON lines, or a journal
    #[arg(long, value_enum, default_value_t = Format::Audit)]
    format: Format,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How an export is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Format {
    /// JSON lines for `ledger verify-export`
    Audit,
    /// A journal for hledger
    Hledger,
}

/// Which export, and which key.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The export
    file: PathBuf,
    /// The bank's log key, or a file that holds it [default: the pinned one]
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
}

/// Writes an export.
pub fn export(global: &Global, args: &Args) -> Outcome {
    let opened = Opened::at(&global.home())?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(
            File::create(path)
                .map_err(|e| Failure::new(Exit::Failed, format!("cannot write {}: {e}", path.display())))?,
        )),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let (what, count) = match args.format {
        Format::Audit => ("leaves", export::leaves(&opened, out.as_mut())?),
        Format::Hledger => ("postings", export::journal(&opened, out.as_mut())?),
    };
    out.flush().map_err(|e| Failure::new(Exit::Failed, format!("the export cannot be written: {e}")))?;
    drop(out);
    match &args.output {
        Some(path) => {
            global.print(&json!({"file": path, what: count}), || format!("{count} {what} in {}", path.display()))
        }
        None => eprintln!("{count} {what}"),
    }
    Ok(())
}

/// Checks an export against the log's key, and tells what every account holds.
pub fn verify(global: &Global, args: &VerifyArgs) -> Outcome {
    let key = log_key(global, args.log_key.as_deref())?;
    let file = File::open(&args.file).map_err(|e| unreadable(&args.file, &e))?;
    let mut auditor = Auditor::default();
    let broken = |e: strongroom_ledger::export::Broken| {
        let advice = "do not rely on it; fetch it again from the bank, and check that the log key is the bank's";
        Failure::new(Exit::NotVerified, format!("{} does not verify: {e}; {advice}", args.file.display()))
    };
    for line in BufReader::new(file).lines() {
        auditor.take(&line.map_err(|e| unreadable(&args.file, &e))?, &key).map_err(broken)?;
    }
    let audited = auditor.finish().map_err(broken)?;
    let money = |currency: &str, minor: i64| {
        currency.parse::<Currency>().map_or_else(|_| minor.to_string(), |c| c.format_amount(minor))
    };
    let balances: Vec<_> = audited
        .balances
        .iter()
        .map(|((currency, account), minor)| {
            json!({"account": account, "balance": {"amount": money(currency, *minor), "currency": currency}})
        })
        .collect();
    let root: String = audited.root.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = json!({
        "ok": true, "leaves": audited.leaves, "transfers": audited.transfers, "root": root, "balances": balances,
    });
    global.print(&data, || {
        let lines = audited
            .balances
            .iter()
            .map(|((currency, account), minor)| format!("{account}  {:>20} {currency}", money(currency, *minor)));
        let head =
            format!("The export holds: {} leaves, {} transfers, root {root}.", audited.leaves, audited.transfers);
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Debits and credits of all accounts, by kind; both sums are the same.
pub fn trial_balance(global: &Global) -> Outcome {
    let opened = Opened::at(&global.home())?;
    let mut connection = opened.database.connect(Role::Reader).map_err(strongroom_bank::Error::from)?;
    let totals = account::totals(connection.as_mut())?;
    let items: Vec<_> = totals
        .iter()
        .map(|total| {
            let amount = |minor: i64| json!({"amount": total.currency.format_amount(minor), "currency": total.currency.to_string()});
            json!({"kind": total.kind.name(), "accounts": total.accounts, "debit": amount(total.debit), "credit": amount(total.credit)})
        })
        .collect();
    global.print(&json!({"items": items}), || {
        let line = |kind: &str, accounts: u64, debit: String, credit: String| {
            format!("{kind:10} {accounts:>8} {debit:>22} {credit:>22}")
        };
        let mut lines = vec![format!("{:10} {:>8} {:>22} {:>22}", "kind", "accounts", "debit", "credit")];
        lines.extend(totals.iter().map(|t| {
            let money = |minor: i64| format!("{} {}", t.currency.format_amount(minor), t.currency);
            line(t.kind.name(), t.accounts, money(t.debit), money(t.credit))
        }));
        lines.join("\n")
    });
    Ok(())
}
