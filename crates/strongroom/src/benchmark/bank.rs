//! A demo bank of its own for a measurement: this program again, as a child, with everything it
//! writes in a directory that goes away with it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use strongroom_crypto::{random, totp};

use super::moment;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::now_s;

/// Where the measured bank keeps its rows.
#[derive(clap::Args, Clone, Debug)]
pub struct Database {
    /// sqlite:PATH or mysql://user@host:port/database, empty [default: a temporary SQLite file]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// A file with the database password (0600); else STRONGROOM_DATABASE_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A running bank; dropped, it is stopped and removed.
pub struct OwnBank {
    child: Child,
    dir: PathBuf,
    /// What it said when it was ready.
    pub ready: Ready,
}

/// What `serve --json` says when it is ready.
#[derive(Deserialize)]
pub struct Ready {
    /// Its address.
    pub listening: String,
    /// The file of its authority.
    ca: PathBuf,
    people: Vec<Person>,
}

/// Someone of the demo.
#[derive(Deserialize)]
pub struct Person {
    role: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    totp_secret: String,
}

/// What a start on an existing log costs.
pub struct Restarted {
    /// From the program's start until it listens.
    pub start_ms: f64,
    /// Resident memory while nothing happens, where the system tells it.
    pub idle_memory_mib: Option<f64>,
}

const REST: Duration = Duration::from_secs(2);

impl Database {
    /// Its kind, for the report.
    pub fn kind(&self) -> &'static str {
        match &self.database {
            Some(url) if url.starts_with("mysql:") => "mariadb",
            _ => "sqlite",
        }
    }
}

impl OwnBank {
    /// Starts one and waits until it is ready.
    pub fn start(database: &Database) -> Outcome<Self> {
        let name: String = random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect();
        let dir = std::env::temp_dir().join(format!("strongroom-benchmark-{name}"));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|e| failed(format!("cannot make {}: {e}", dir.display())))?;
        let child = spawn(&dir, database).inspect_err(|_| drop(std::fs::remove_dir_all(&dir)))?;
        let mut bank =
            OwnBank { child, dir, ready: Ready { listening: String::new(), ca: PathBuf::new(), people: Vec::new() } };
        bank.ready = bank.await_ready()?;
        Ok(bank)
    }

    /// The authority's certificate, in PEM.
    pub fn ca_pem(&self) -> Outcome<String> {
        std::fs::read_to_string(&self.ready.ca)
            .map_err(|e| failed(format!("cannot read {}: {e}", self.ready.ca.display())))
    }

    /// The demo's teller.
    pub fn teller(&self) -> Outcome<&Person> {
        self.ready.people.iter().find(|p| p.role == "teller").ok_or_else(|| failed("the demo bank has no teller"))
    }

    /// Resident memory now, where the system tells it.
    pub fn memory_mib(&self) -> Option<f64> {
        resident_mib(self.child.id())
    }

    /// Where its files are.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// Stops it and opens its home in this process.
    pub fn opened_here(&mut self) -> Outcome<std::sync::Arc<strongroom_bank::Bank>> {
        self.stop();
        Ok(strongroom_bank::Bank::open(&strongroom_bank::Home::at(self.dir.join("home")))?)
    }

    /// Stops it, starts it again on what it wrote, and lets it rest for a moment.
    pub fn restart(&mut self, database: &Database) -> Outcome<Restarted> {
        self.stop();
        let since = moment();
        self.child = spawn(&self.dir, database)?;
        self.ready = self.await_ready()?;
        let start_ms = (moment() - since).as_secs_f64() * 1000.0;
        std::thread::sleep(REST);
        Ok(Restarted { start_ms, idle_memory_mib: resident_mib(self.child.id()) })
    }

    fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }

    fn await_ready(&mut self) -> Outcome<Ready> {
        let mut line = String::new();
        if let Some(out) = self.child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|e| failed(format!("the bank cannot be heard: {e}")))?;
        }
        serde_json::from_str(&line)
            .map_err(|_| failed("the bank for the measurement did not start: its own words are above"))
    }
}

impl Drop for OwnBank {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Person {
    /// The code that their authenticator app shows now.
    pub fn code(&self) -> Outcome<String> {
        code_now(&self.totp_secret)
    }
}

/// The present code of a secret in base32.
pub fn code_now(secret: &str) -> Outcome<String> {
    let secret = totp::from_base32(secret).map_err(failed)?;
    Ok(totp::code(&secret, now_s().unsigned_abs()))
}

/// A process's resident memory, from Linux's proc file system.
fn resident_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}

/// A measurement's failure.
pub fn failed(error: impl ToString) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

fn spawn(dir: &Path, database: &Database) -> Outcome<Child> {
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["serve", "--demo", "--json", "--listen", "127.0.0.1:0", "--home"]).arg(dir.join("home"));
    if let Some(url) = &database.database {
        command.args(["--database", url]);
    }
    if let Some(file) = &database.password_file {
        command.arg("--password-file").arg(file);
    }
    command.env("XDG_CONFIG_HOME", dir.join("config")).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().map_err(|e| failed(format!("cannot start the bank: {e}")))
}
