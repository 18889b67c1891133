//! `strongroom audit`: what happened that matters for security, read and checked at the bank's own console.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use strongroom_bank::Opened;
use strongroom_bank::audit::Entry;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum Verb {
    /// Show the newest entries, the newest last
    Tail {
        /// How many
        #[arg(long, default_value_t = 20)]
        count: u32,
    },
    /// Check every entry, and that none is missing at the end
    Verify,
    /// Write all entries to a file, one JSON object in each line, the oldest first
    Export {
        /// A new file; only its owner can read it
        #[arg(long)]
        output: PathBuf,
    },
}

/// Entries read at a time.
const PAGE: i64 = 1_000;

/// Runs it.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    let home = global.home();
    let opened = Opened::at(&home)?;
    match verb {
        Verb::Tail { count } => {
            let mut entries = opened.audit_below(i64::MAX, count.into())?;
            entries.reverse();
            global.print(&json!({"items": entries}), || entries.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Verb::Verify => {
            let checked = opened.check_audit(&home)?;
            let data = json!({"ok": checked.broken.is_none(), "entries": checked.entries, "broken": checked.broken});
            global.print(&data, || match &checked.broken {
                None => format!("The audit log is whole: {} entries.", checked.entries),
                Some(what) => {
                    format!("The audit log is not whole: {what}. {} entries before it hold.", checked.entries)
                }
            });
            if checked.broken.is_some() {
                return Err(Failure::new(
                    Exit::NotVerified,
                    "compare with a backup, and find who can write the database",
                ));
            }
        }
        Verb::Export { output } => {
            let count = export(&opened, &output)?;
            global.print(&json!({"ok": true, "entries": count}), || format!("{count} entries were written."));
        }
    }
    Ok(())
}

fn line(entry: &Entry) -> String {
    let who = entry.person.as_deref().or(entry.subject.as_deref()).unwrap_or("-");
    let detail = entry.detail.as_ref().map_or(String::new(), |detail| format!("  {detail}"));
    format!("{:>8}  {}  {:22}  {who}{detail}", entry.position, entry.time, entry.event)
}

fn export(opened: &Opened, output: &PathBuf) -> Outcome<u64> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |e: std::io::Error| Failure::new(Exit::Failed, format!("cannot write {}: {e}", output.display()));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(output).map_err(failed)?;
    let mut file = std::io::BufWriter::new(file);
    let newest = opened.audit_below(i64::MAX, 1)?.first().map_or(-1, |entry| entry.position);
    let (mut from, mut count) = (0, 0);
    while from <= newest {
        let mut page = opened.audit_below(from + PAGE, PAGE)?;
        page.retain(|entry| entry.position >= from);
        page.reverse();
        for entry in &page {
            let text = serde_json::to_string(entry).unwrap_or_default();
            writeln!(file, "{text}").map_err(failed)?;
            count += 1;
        }
        from += PAGE;
    }
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
    Ok(count)
}
