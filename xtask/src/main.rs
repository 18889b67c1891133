//! What contributors run: `cargo xtask test | tidy | bench | audit`.

mod audit;
mod bench;
mod requirements;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test  [ARGS…]          installs what the tests need (as root on Debian), builds, runs all tests;
                                   ARGS go to `cargo test --workspace`
cargo xtask tidy                   checks the rules of CONTRIBUTING.md that a program can check
cargo xtask bench [VERB…] [-- ARGS…]  runs `strongroom benchmark VERB` for each verb
cargo xtask audit [ARGS…]          runs cargo-deny: licences, banned crates, sources, advisories";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let outcome = match task.as_str() {
        "test" => test::test(&args),
        "tidy" => tidy::tidy(),
        "bench" => bench::bench(&args),
        "audit" => audit::audit(&args),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {task}: {why}");
            ExitCode::FAILURE
        }
    }
}
