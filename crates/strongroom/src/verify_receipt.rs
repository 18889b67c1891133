//! `strongroom ledger verify-receipt`: needs the file and the log key, and nothing else.

use std::path::{Path, PathBuf};

use serde_json::json;
use strongroom_ledger::cosignature::{Proof, WitnessKey};
use strongroom_ledger::leaf::Authority;
use strongroom_ledger::note::LogKey;
use strongroom_ledger::receipt::{self, Verified, View};
use strongroom_ledger::time;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote;

/// Which receipt, and which key.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The receipt
    file: PathBuf,
    /// The bank's log key, or a file that holds it [default: the pinned one]
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// A proof of the same entry, from the bank's /log/proof, with the cosignatures of witnesses
    #[arg(long, value_name = "FILE", requires = "witness")]
    proof: Option<PathBuf>,
    /// The key of a witness who has to have cosigned it; may be given again
    #[arg(long, value_name = "KEY", requires = "proof")]
    witness: Vec<WitnessKey>,
}

/// Checks a receipt.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let key = log_key(global, args.log_key.as_deref())?;
    let bytes = std::fs::read(&args.file).map_err(|e| unreadable(&args.file, &e))?;
    match receipt::verify(&bytes, &key) {
        Ok(verified) => {
            let cosigned = witnessed(args, &key, &verified)?;
            global.print(&data(&verified, &cosigned), || words(&verified, &cosigned));
            Ok(())
        }
        Err(error) => {
            if global.json {
                global.print(&json!({"ok": false, "problem": error.to_string()}), String::new);
            }
            let advice = "do not rely on it; fetch it again from the bank, and check that the log key is the bank's";
            Err(Failure::new(Exit::NotVerified, format!("{} does not verify: {error}; {advice}", args.file.display())))
        }
    }
}

/// Who of the witnesses has cosigned a checkpoint that holds the receipt's entry, and when. All must have.
fn witnessed(args: &Args, key: &LogKey, verified: &Verified) -> Outcome<Vec<(String, String)>> {
    let Some(file) = &args.proof else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file).map_err(|e| unreadable(file, &e))?;
    let broken = |why: String| Failure::new(Exit::NotVerified, format!("{}: {why}", file.display()));
    let proof = Proof::parse(&text).ok_or_else(|| broken("it is not a proof (C2SP tlog-proof)".into()))?;
    let (_, times) = proof.verify(&verified.entry, key, &args.witness).map_err(|e| broken(e.to_string()))?;
    if proof.index != verified.sequence {
        return Err(broken("it is of another entry than the receipt's".into()));
    }
    let named =
        args.witness.iter().zip(times).map(|(witness, time_s)| match time_s.and_then(|s| i64::try_from(s).ok()) {
            Some(time_s) => Ok((witness.name().to_owned(), time::to_text(time_s.saturating_mul(1_000_000)))),
            None => Err(broken(format!("{} has not cosigned it", witness.name()))),
        });
    named.collect()
}

pub fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
    Failure::new(exit, format!("cannot read {}: {error}", file.display()))
}

/// The key that was given, or the pinned one.
pub fn log_key(global: &Global, given: Option<&str>) -> Outcome<LogKey> {
    let text = match given {
        Some(given) if Path::new(given).is_file() => std::fs::read_to_string(given)
            .map_err(|e| Failure::new(Exit::Usage, format!("cannot read the log key: {e}")))?,
        Some(given) => given.to_owned(),
        None => remote::pinned_log_key(global)?.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "no log key: give the bank's with --log-key KEY (a key or a file), or pin the bank by signing in there",
            )
        })?,
    };
    text.trim().parse().map_err(|e| Failure::new(Exit::Usage, format!("--log-key: {e}")))
}

fn data(v: &Verified, cosigned: &[(String, String)]) -> serde_json::Value {
    json!({
        "ok": true,
        "view": view(v),
        "transfer": v.transfer,
        "sequence": v.sequence,
        "kind": v.kind.name(),
        "from": v.from,
        "to": v.to,
        "amount": {"amount": v.currency.format_amount(v.amount), "currency": v.currency.to_string()},
        "time": v.time_text(),
        "authority": authority(v),
        "refers": v.refers,
        "order_id": v.order_id,
        "description": v.description,
        "signer": v.signer,
        "log": {"origin": v.checkpoint.origin, "size": v.checkpoint.size},
        "cosigned": cosigned.iter().map(|(by, at)| json!({"witness": by, "time": at})).collect::<Vec<_>>(),
        "not_proven": v.not_proven,
    })
}

fn words(v: &Verified, cosigned: &[(String, String)]) -> String {
    let mut words = format!(
        "The receipt holds.\nview       {}\ntransfer   {}\nkind       {}\namount     {}\nfrom       {}\nto         {}\ntime       {}\nordered by {}\nin log     {} of {} in {}",
        view(v),
        v.transfer,
        v.kind.name(),
        v.amount_text(),
        v.from,
        v.to,
        v.time_text(),
        authority(v),
        v.sequence,
        v.checkpoint.size,
        v.checkpoint.origin
    );
    let more = [
        ("order", v.order_id.clone()),
        ("for", v.description.clone()),
        ("signer", v.signer.map(|s| s.to_string())),
        ("refers to", v.refers.map(|t| t.to_string())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            words.push_str(&format!("\n{name:10} {}", plain(&value)));
        }
    }
    for (by, at) in cosigned {
        words.push_str(&format!("\ncosigned   {by}, {at}"));
    }
    for open in &v.not_proven {
        words.push_str(&format!("\nnot proven: {open}"));
    }
    words
}

/// What somebody else wrote must not command the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn view(v: &Verified) -> &'static str {
    match v.view {
        View::Payer => "payer",
        View::Payee => "payee",
    }
}

fn authority(v: &Verified) -> String {
    match v.authority {
        Authority::CustomerDevice(device) => format!("customer device {device}"),
        Authority::StaffDevice(device) => format!("staff device {device}"),
        Authority::Rule(rule) => format!("rule {rule}"),
    }
}
