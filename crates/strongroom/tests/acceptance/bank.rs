//! A demo bank of a test's own: the built program in a temporary folder.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use strongroom_client::Client;
use strongroom_sql::{Connection, Role, Tls, Url};
use strongroom_testkit::MariaDb;
use tempfile::TempDir;

/// Where a bank keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    MariaDb,
}

/// A bank; dropped, it is stopped and its ledger verified.
pub struct TestBank {
    pub folder: TempDir,
    pub database: Url,
    password: Option<String>,
    server: Option<Child>,
    /// What `serve --json` said.
    pub ready: Value,
    /// The test breaks the ledger on purpose, so its end proves nothing.
    pub is_damaged: bool,
}

/// A server's clock, ahead of the machine's.
pub struct Clock(PathBuf);

impl Clock {
    /// Sets it this many seconds ahead.
    pub fn set(&self, ahead_s: i64) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("+{ahead_s}")).expect("the clock can be written");
        std::fs::rename(&new, &self.0).expect("the clock can be set");
    }
}

/// The program under test: the release build when `cargo xtask test` made one.
pub fn program() -> PathBuf {
    std::env::var_os("STRONGROOM_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_strongroom").into(), PathBuf::from)
}

impl TestBank {
    /// Opens a new demo bank; its MariaDB is shared by the tests of this process.
    pub fn open(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::open_on(engine, None, false),
            Engine::MariaDb => Self::open_on(engine, Some(MariaDb::shared()), false),
        }
    }

    /// Opens one whose clock the test sets.
    pub fn open_with_clock() -> (Self, Clock) {
        let mut bank = Self::open(Engine::Sqlite);
        bank.stop();
        let clock = Clock(bank.folder.path().join("clock"));
        clock.set(0);
        bank.start_with_clock(&clock);
        (bank, clock)
    }

    /// Starts the server with a clock that the test sets.
    pub fn start_with_clock(&mut self, clock: &Clock) {
        let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
            .iter()
            .map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"))
            .find(|path| Path::new(path).exists());
        let library = library.expect("libfaketime is installed: `cargo xtask test` does it");
        let file = clock.0.to_str().expect("a path is text");
        self.start(&[
            ("LD_PRELOAD", &library),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]);
    }

    /// Opens one on a MariaDB server of the test's own, over TLS whose certificate it verifies.
    pub fn open_over_tls(server: &MariaDb) -> Self {
        Self::open_on(Engine::MariaDb, Some(server), true)
    }

    fn open_on(engine: Engine, server: Option<&MariaDb>, is_tls: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = TempDir::with_prefix("strongroom-test-").expect("a temporary folder can be made");
        let (database, password) = match (engine, server) {
            (Engine::MariaDb, Some(server)) => {
                let name = format!("bank_{}", COUNT.fetch_add(1, Ordering::Relaxed));
                let mut url = server.create_database(&name);
                if let (Url::MariaDb(url), true) = (&mut url, is_tls) {
                    url.tls = Tls::Verified(server.ca_file());
                }
                (url, Some(server.password().to_owned()))
            }
            _ => (Url::Sqlite(folder.path().join("home/bank.db")), None),
        };
        let mut bank = TestBank { folder, database, password, server: None, ready: Value::Null, is_damaged: false };
        bank.start(&[]);
        bank
    }

    /// Starts the server, with further variables in its environment.
    pub fn start(&mut self, variables: &[(&str, &str)]) {
        assert!(self.server.is_none(), "the bank runs already");
        let mut command = self.command(&["serve", "--demo", "--json", "--listen", "127.0.0.1:0"]);
        if !self.home().join("strongroom.toml").exists() && matches!(self.database, Url::MariaDb(_)) {
            command.args(["--database", &self.database.to_string()]);
        }
        let log = File::options().create(true).append(true).open(self.log_file()).expect("the log can be written");
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(log);
        let mut server = command.spawn().expect("the program can be run");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("its output is piped")).read_line(&mut line).expect("it speaks");
        self.server = Some(server);
        self.ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start:\n{}", self.log()));
    }

    /// Asks the server to end, and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run").success());
        let status = server.wait().expect("the server can be waited for");
        assert!(status.success(), "SIGTERM ends the server with 0, not {status}:\n{}", self.log());
    }

    /// The server's process.
    pub fn process_id(&self) -> u32 {
        self.server.as_ref().expect("the bank runs").id()
    }

    /// Waits for a server that kills itself at its fault point.
    pub fn await_kill(&mut self) {
        let status = self.server.take().expect("the bank runs").wait().expect("the server can be waited for");
        assert_eq!(status.signal(), Some(9), "the fault point was not reached:\n{}", self.log());
    }

    /// The program with this bank's home and surroundings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).stdin(Stdio::null());
        command.env("STRONGROOM_HOME", self.home()).env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        command.env("STRONGROOM_CLIENT_HOME", self.folder.path().join("client")).env("RUST_LOG", "debug");
        if let Some(password) = &self.password {
            command.env("STRONGROOM_DATABASE_PASSWORD", password);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program can be run")
    }

    /// Runs a command as on another machine: with an empty home, and none of the bank's secrets.
    pub fn run_elsewhere(&self, args: &[&str]) -> Output {
        let elsewhere = self.folder.path().join("elsewhere");
        let mut command = Command::new(program());
        command.args(args).stdin(Stdio::null()).env("STRONGROOM_HOME", &elsewhere);
        command.env("XDG_CONFIG_HOME", &elsewhere).env("STRONGROOM_CLIENT_HOME", &elsewhere);
        command.output().expect("the program can be run")
    }

    /// `ledger verify` says that everything holds. Answers its report.
    pub fn verify(&self) -> Value {
        let output = self.run(&["ledger", "verify", "--json"]);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ledger verify: {}{words}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice(&output.stdout).expect("ledger verify --json prints JSON")
    }

    /// A connection to its database, as an attacker or auditor has one.
    pub fn sql(&self) -> Box<dyn Connection> {
        strongroom_sql::open(&self.database, self.password.as_deref(), Role::Writer).expect("the database opens")
    }

    /// A client of it, signed in as nobody.
    pub fn client(&self) -> Client {
        let ca = std::fs::read_to_string(self.ca_file()).expect("the authority's file is there");
        Client::connect(&self.address().parse().expect("it says where it listens"), &ca).expect("its authority is one")
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        self.ready["listening"].as_str().expect("it says where it listens")
    }

    /// The certificate that clients trust.
    pub fn ca_file(&self) -> &Path {
        Path::new(self.ready["ca"].as_str().expect("it names its authority"))
    }

    /// The log's key.
    pub fn log_key(&self) -> &str {
        self.ready["log_key"].as_str().expect("it names its log key")
    }

    /// The first of its people in a role.
    pub fn person(&self, role: &str) -> &Value {
        let mut people = self.ready["people"].as_array().expect("a demo has people").iter();
        people.find(|p| p["role"] == role).expect("the role is there")
    }

    /// Its home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Everything it logged, at level debug.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }
}

impl Drop for TestBank {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(server) = &mut self.server {
                let _ = server.kill();
                let _ = server.wait();
            }
            return eprintln!("{}", last_lines(&self.log()));
        }
        self.stop();
        if !self.is_damaged {
            self.verify();
        }
    }
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts").block_on(future)
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("DEBUG")).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
