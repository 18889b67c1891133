//! The program: one file per group of verbs. Data goes to standard output, words to standard error.

mod account;
mod approval;
mod ask;
mod audit;
mod benchmark;
mod cash;
mod control;
mod device;
mod factor;
mod failure;
mod init;
mod keys;
mod ledger;
mod ledger_export;
mod login;
mod password;
mod remote;
mod serve;
mod session;
mod shell_words;
mod signup;
mod status;
mod tls;
mod transfer;
mod user;
mod verify_receipt;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use failure::Outcome;
use remote::block_on;
use strongroom_bank::Home;

/// A secure system of record for money and personal data.
#[derive(Parser)]
#[command(name = "strongroom", version, propagate_version = true, arg_required_else_help = true)]
struct Program {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every verb takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The bank's home (default: the platform's data directory)
    #[arg(long, global = true, env = "STRONGROOM_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Answer data as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Never ask
    #[arg(long, global = true)]
    no_input: bool,
    #[command(flatten)]
    server: remote::Server,
}

#[derive(Subcommand)]
enum Command {
    /// Make a bank in an empty home
    Init(init::Args),
    /// Run the bank
    Serve(serve::Args),
    /// What the home holds and whether it is in order
    Status,
    /// Look for what could go wrong, and say the cure
    Doctor,
    /// Check and read the ledger
    #[command(subcommand)]
    Ledger(ledger::Verb),
    /// The bank's keys: their state, their next versions, their end
    #[command(subcommand)]
    Keys(keys::Verb),
    /// People of the bank
    #[command(subcommand)]
    User(user::Verb),
    /// Roles and what they allow
    #[command(subcommand)]
    Role(approval::RoleVerb),
    /// Accounts of programs, and their keys
    #[command(subcommand)]
    Service(approval::ServiceVerb),
    /// What waits for a second person
    #[command(subcommand)]
    Approval(approval::Verb),
    /// Read and check the log of what happened that matters for security
    #[command(subcommand)]
    Audit(audit::Verb),
    /// The server's certificate
    #[command(subcommand)]
    Tls(tls::Verb),
    /// Become a customer, or accept an invitation
    Signup(signup::Args),
    /// Sign in
    Login(login::Args),
    /// Sign out
    Logout,
    /// Who is signed in
    Whoami,
    /// Where you are signed in
    #[command(subcommand)]
    Session(session::Verb),
    /// Change your password
    Password(password::Args),
    /// Get back in after you have lost your password, factor or device
    #[command(subcommand)]
    Recover(password::Recover),
    /// Your second factors
    #[command(subcommand)]
    Factor(factor::Verb),
    /// The keys that sign your orders
    #[command(subcommand)]
    Device(device::Verb),
    /// Your accounts
    #[command(subcommand)]
    Account(account::Verb),
    /// Move money
    Transfer(transfer::Args),
    /// Money over the counter, for tellers
    #[command(subcommand)]
    Cash(cash::Verb),
    /// Measure what this bank does on this machine
    #[command(subcommand)]
    Benchmark(benchmark::Verb),
    /// Print a completion script
    Completion {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print the manual
    Man {
        /// Write one page per verb here instead
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

impl Global {
    /// The home that was named, or the default one.
    fn home(&self) -> Home {
        Home::at(self.home.clone().unwrap_or_else(Home::default_dir))
    }

    /// Prints data: as JSON, or as the words that a person reads.
    fn print(&self, data: &serde_json::Value, words: impl FnOnce() -> String) {
        // What somebody else wrote must not command the terminal.
        let plain = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
        let text = if self.json { data.to_string() } else { words().chars().map(plain).collect() };
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    }
}

fn main() -> ExitCode {
    let program = Program::parse();
    harden();
    log_to_stderr();
    match run(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(program: Program) -> Outcome {
    let Program { global, command } = program;
    match command {
        Command::Init(args) => init::run(&global, args),
        Command::Serve(args) => serve::run(&global, args),
        Command::Status => status::run(&global),
        Command::Doctor => status::doctor(&global),
        Command::Ledger(verb) => ledger::run(&global, verb),
        Command::Keys(verb) => keys::run(&global, verb),
        Command::User(verb) => user::run(&global, verb),
        Command::Role(verb) => block_on(approval::roles(&global, verb)),
        Command::Service(verb) => block_on(approval::services(&global, verb)),
        Command::Approval(verb) => block_on(approval::run(&global, verb)),
        Command::Audit(verb) => audit::run(&global, verb),
        Command::Tls(verb) => tls::run(&global, verb),
        Command::Signup(args) => block_on(signup::run(&global, args)),
        Command::Login(args) => block_on(login::run(&global, args)),
        Command::Logout => block_on(login::logout(&global)),
        Command::Whoami => block_on(login::whoami(&global)),
        Command::Session(verb) => block_on(session::run(&global, verb)),
        Command::Password(args) => block_on(password::run(&global, args)),
        Command::Recover(step) => block_on(password::recover(&global, step)),
        Command::Factor(verb) => block_on(factor::run(&global, verb)),
        Command::Device(verb) => block_on(device::run(&global, verb)),
        Command::Account(verb) => block_on(account::run(&global, verb)),
        Command::Transfer(args) => block_on(transfer::run(&global, args)),
        Command::Cash(verb) => block_on(cash::run(&global, verb)),
        Command::Benchmark(verb) => benchmark::run(&global, verb),
        Command::Completion { shell } => shell_words::completion(shell),
        Command::Man { output } => shell_words::man(output.as_deref()),
    }
}

/// No core dumps: they would hold keys.
fn harden() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,strongroom=info"));
    let is_plain = std::env::var_os("NO_COLOR").is_some() || !std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(!is_plain)
        .with_target(true)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_verbs_do_not_contradict_each_other() {
        super::Program::command().debug_assert();
    }
}
