//! `strongroom keys`: what the keyring holds, and what happens to its keys. Beside a running server
//! the orders go through it; without one the bank is opened for them.

use std::path::PathBuf;

use serde_json::{Value, json};
use strongroom_bank::key_order::{self, KeyName, KeyOrder};
use strongroom_bank::keyring::backup;
use strongroom_bank::{Bank, custody};
use strongroom_crypto::lifecycle::State;
use strongroom_ledger::time;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Outcome};
use crate::{Global, ask, control};

/// What to do with the keys.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// What the keyring holds, by purpose and state
    Status,
    /// Follow keys by their next versions; what the old ones sealed is sealed anew
    Rotate {
        /// credential, bank, token, mac, index or person [default: all of these]; pepper, which each password follows when its owner signs in; or log, whose key others have pinned
        purpose: Option<String>,
        /// Only this person's key
        #[arg(long, value_name = "USR", conflicts_with = "purpose")]
        person: Option<String>,
        /// Do not wait until everything is sealed anew
        #[arg(long)]
        no_wait: bool,
    },
    /// Mark a version as known to someone else; what it sealed is sealed anew
    Compromised {
        #[command(flatten)]
        key: Name,
    },
    /// End a version that protects nothing any more
    Destroy {
        #[command(flatten)]
        key: Name,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Wrap all keys anew; no sealed field changes
    Rewrap,
    /// Erase a person: destroy their keys, so that nothing sealed about them can be read again
    Erase {
        /// usr_…
        person: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Keep the root key in another place; no sealed field changes
    Move {
        /// file:PATH, env:NAME or pkcs11:token=…;object=…?module-path=…
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// Shut the new file with the passphrase in this file (- for standard input)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Shares of the root key, for the day when its place is lost
    #[command(subcommand)]
    Escrow(Escrow),
    /// Write a copy of the keyring; keep it apart from the database's backups, and not for long
    Backup {
        /// Where to
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Put a copy of the keyring back; the server must not run
    Restore {
        /// The copy
        file: PathBuf,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Keep a person from being erased
    Hold {
        /// usr_…
        person: String,
        /// Until the end of this day, as YYYY-MM-DD [default: lift the hold]
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
    },
}

/// What to do with shares.
#[derive(clap::Subcommand, Debug)]
pub enum Escrow {
    /// Split the root key; give each share to somebody else
    Split {
        /// How many shares are needed to put it together
        #[arg(long)]
        threshold: u8,
        /// How many shares to make
        #[arg(long)]
        shares: u8,
        /// The directory for the files
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Put the root key together from shares, and keep it in a new place
    Restore {
        /// file:PATH
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// Shut the new file with the passphrase in this file (- for standard input)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The shares
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// A version of a key.
#[derive(clap::Args, Debug)]
pub struct Name {
    /// The purpose, as `keys status` lists it
    purpose: String,
    /// The version
    #[arg(id = "key_version", value_name = "VERSION")]
    version: i64,
    /// Whose, for a person's key
    #[arg(long, value_name = "USR")]
    person: Option<String>,
}

/// Runs a verb.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    match verb {
        Verb::Status => status(global),
        Verb::Rotate { purpose, person, no_wait } => order(global, &KeyOrder::Rotate { purpose, person }, !no_wait),
        Verb::Compromised { key } => order(global, &KeyOrder::Compromise { key: key.into() }, true),
        Verb::Destroy { key, yes } => {
            consent(global, yes, "Destroy this version? It cannot be brought back.")?;
            order(global, &KeyOrder::Destroy { key: key.into() }, false)
        }
        Verb::Rewrap => order(global, &KeyOrder::Rewrap {}, false),
        Verb::Erase { person, yes } => {
            consent(global, yes, &format!("Erase {person}? Nothing sealed about them can ever be read again."))?;
            order(global, &KeyOrder::Erase { person }, false)
        }
        Verb::Move { to, passphrase_file } => {
            let passphrase = passphrase(global, passphrase_file)?;
            let old = custody::move_root(&global.home(), &to, passphrase.as_deref().map(String::as_str))?;
            global.print(&json!({"ok": true, "root": to, "old": old}), || {
                format!("The root key is in {to}. It is in {old} too, and opens the bank from there: destroy it there.")
            });
            Ok(())
        }
        Verb::Escrow(verb) => escrow(global, verb),
        Verb::Backup { output } => {
            backup::write(&global.home(), &output)?;
            let words =
                || format!("The keyring was copied to {}. Without the root key it opens nothing.", output.display());
            global.print(&json!({"ok": true, "output": output}), words);
            Ok(())
        }
        Verb::Restore { file, yes } => {
            consent(global, yes, "Put this copy in the keyring's place? Keys made since are lost.")?;
            let restored = backup::restore(&global.home(), &file)?;
            global.print(&json!({"ok": true, "without_key": restored.without_key}), || match restored.without_key {
                0 => "The keyring is back, and has a key for everyone.".to_owned(),
                n => format!("The keyring is back, but {n} people signed up since it was copied: nothing sealed about them can be read."),
            });
            Ok(())
        }
        Verb::Hold { person, until } => {
            let until_us = until.as_deref().map(end_of_day_us).transpose()?;
            order(global, &KeyOrder::Hold { person, until_us }, false)
        }
    }
}

fn escrow(global: &Global, verb: Escrow) -> Outcome {
    match verb {
        Escrow::Split { threshold, shares, output } => {
            let files = custody::split(&global.home(), threshold, shares, &output)?;
            global.print(&json!({"ok": true, "threshold": threshold, "files": files}), || {
                let listed: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                let words = "Give each file to somebody else, and destroy it here.";
                format!("{}\nAny {threshold} of them give the root key back. {words}", listed.join("\n"))
            });
        }
        Escrow::Restore { to, passphrase_file, files } => {
            let passphrase = passphrase(global, passphrase_file)?;
            custody::restore(&global.home(), &files, &to, passphrase.as_deref().map(String::as_str))?;
            let words =
                || format!("The root key was put together and is in {to}. Split it anew: these shares have met.");
            global.print(&json!({"ok": true, "root": to}), words);
        }
    }
    Ok(())
}

/// A new passphrase, if one is to be set.
fn passphrase(global: &Global, file: Option<PathBuf>) -> Outcome<Option<Zeroizing<String>>> {
    file.map(|file| ask::secret(global, Some(&file), "--passphrase-file", "Passphrase")).transpose()
}

fn status(global: &Global) -> Outcome {
    let tally = key_order::tally(&global.home())?;
    let state = |number| State::from_number(number).map_or("unknown", State::name);
    let rows: Vec<Value> = tally
        .iter()
        .map(|row| {
            json!({
                "purpose": row.purpose,
                "state": state(row.state),
                "keys": row.keys,
                "pending": row.pending,
                "oldest": time::to_text(row.oldest_us),
                "uses": row.uses,
            })
        })
        .collect();
    let pending: i64 = tally.iter().map(|row| row.pending).sum();
    global.print(&json!({"pending": pending, "keys": rows}), || {
        let mut words =
            format!("{:12} {:12} {:>9} {:>9} {:>12}  oldest\n", "purpose", "state", "keys", "pending", "uses");
        for row in &tally {
            let (state, oldest) = (state(row.state), time::to_text(row.oldest_us));
            words.push_str(&format!(
                "{:12} {state:12} {:>9} {:>9} {:>12}  {oldest}\n",
                row.purpose, row.keys, row.pending, row.uses
            ));
        }
        words.push_str(&match pending {
            0 => "Nothing waits to be sealed anew.".to_owned(),
            n => format!("What {n} old versions sealed waits to be sealed anew; a running server does it by itself."),
        });
        words
    });
    Ok(())
}

/// Carries an order out, by the running server or here, and waits for what follows from it.
fn order(global: &Global, order: &KeyOrder, waits: bool) -> Outcome {
    let home = global.home();
    // The bank, opened here where no server runs, seals anew for as long as it is open.
    let (done, bank) = match control::ask(&home, order)? {
        Some(done) => (done, None),
        None => {
            let bank = Bank::open(&home)?;
            (bank.carry_out(order.clone())?, Some(bank))
        }
    };
    if waits {
        await_sealing(global, bank.as_deref())?;
    }
    if let Some(bank) = bank {
        bank.close();
    }
    global.print(&done, || plain(&done));
    Ok(())
}

/// Waits until everything is sealed anew, by the running server or by the bank opened here.
fn await_sealing(global: &Global, bank: Option<&Bank>) -> Outcome {
    let home = global.home();
    let mut before = None;
    loop {
        let tally = key_order::tally(&home)?;
        let pending: i64 = tally.iter().map(|row| row.pending).sum();
        if pending == 0 {
            return Ok(());
        }
        let stopped = match bank {
            Some(bank) => bank.read_only(),
            None => (!control::is_running(&home)).then(|| "the server has stopped".to_owned()),
        };
        if let Some(why) = stopped {
            let what = format!(
                "the key was followed, and {pending} old versions wait until what they sealed is sealed anew: {why}; a server that runs goes on with it"
            );
            return Err(Failure::new(Exit::TryAgain, what));
        }
        if before != Some(pending) {
            eprintln!("{pending} old versions wait until what they sealed is sealed anew");
            before = Some(pending);
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

fn consent(global: &Global, yes: bool, question: &str) -> Outcome {
    if yes || (!global.no_input && ask::confirm(question)?) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "nothing was done; give --yes to go on without being asked"))
}

/// The last microsecond of a day, UTC.
fn end_of_day_us(date: &str) -> Outcome<i64> {
    let wrong = || Failure::new(Exit::Usage, format!("`{date}` is not a date; write it as 2031-12-31"));
    let date: jiff::civil::Date = date.parse().map_err(|_| wrong())?;
    let end = date.at(23, 59, 59, 999_999_000).to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    Ok(end.timestamp().as_microsecond())
}

/// An answer's members as lines.
fn plain(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.map(|(name, value)| format!("{name:12} {}", shown(value))).collect::<Vec<_>>().join("\n")
}

impl From<Name> for KeyName {
    fn from(name: Name) -> Self {
        KeyName { purpose: name.purpose, person: name.person, version: name.version }
    }
}
