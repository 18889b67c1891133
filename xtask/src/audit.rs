//! `cargo xtask audit`: what we depend on, checked by cargo-deny against deny.toml.

use crate::run::{Outcome, cargo, run, succeeds};

/// Runs the checks of deny.toml, or those that are named.
pub fn audit(args: &[String]) -> Outcome {
    if !succeeds(cargo().args(["deny", "--version"])) {
        return Err("cargo-deny is not installed; run `cargo install --locked cargo-deny` and run again".to_owned());
    }
    let checks: Vec<&str> = match args {
        [] => vec!["bans", "licenses", "sources", "advisories"],
        some => some.iter().map(String::as_str).collect(),
    };
    run(cargo().args(["deny", "--workspace", "check"]).args(checks))
}
