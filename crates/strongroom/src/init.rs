//! `strongroom init`: an empty home becomes a bank.

use std::path::PathBuf;

use serde_json::json;
use strongroom_bank::init::{Options, initialise};

use crate::Global;
use crate::failure::Outcome;

/// What the new bank is to be.
#[derive(clap::Args, Debug, Default)]
#[group(id = "bank")]
pub struct Args {
    /// Where its rows live: sqlite:PATH or mysql://user@host:port/database
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// A file with the database password (0600); else STRONGROOM_DATABASE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Where its root key lives: file[:PATH] or env:NAME
    #[arg(long, value_name = "PROVIDER")]
    pub key: Option<String>,
    /// The currency of its accounts, by ISO 4217 code
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Its account numbers: clabe or iban
    #[arg(long, value_name = "SCHEME")]
    pub numbers: Option<String>,
    /// Its name, shown to people
    #[arg(long)]
    pub name: Option<String>,
}

impl Args {
    /// As the bank takes them.
    pub fn options(self, demo: bool) -> Options {
        let Args { database, password_file, key, currency, numbers, name } = self;
        Options { database, password_file, key, currency, numbers, name, demo }
    }
}

/// Makes the bank and prints, once, the code with which the first administrator enrols.
pub fn run(global: &Global, args: Args) -> Outcome {
    let home = global.home();
    let made = initialise(&home, &args.options(false))?;
    eprintln!("The bank is ready in {}.", home.dir().display());
    eprintln!("Its root key is in {}; keep a copy apart from the home: without it nothing opens.", made.root_key);
    global.print(&json!({"enrolment_code": made.enrolment_code}), || {
        format!("Enrolment code of the first administrator (shown once, good for seven days): {}", made.enrolment_code)
    });
    Ok(())
}
