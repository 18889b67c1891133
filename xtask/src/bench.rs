//! `cargo xtask bench`: the program's own benchmark verbs, one after the other.

use crate::run::{Outcome, cargo, program, root, run};

/// What runs when no verb is named.
const VERBS: &[&str] = &["http", "fields"];

/// Runs `strongroom benchmark VERB --json` for each verb; what follows `--` goes to each.
pub fn bench(args: &[String]) -> Outcome {
    let mut halves = args.splitn(2, |arg| arg == "--");
    let chosen = halves.next().unwrap_or_default();
    let passed_on = halves.next().unwrap_or_default();
    let verbs: Vec<&str> = if chosen.is_empty() { VERBS.to_vec() } else { chosen.iter().map(String::as_str).collect() };
    run(cargo().args(["build", "--release", "-p", "strongroom"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let strongroom = target.join("release").join("strongroom");
    for verb in verbs {
        run(program(&strongroom).args(["benchmark", verb, "--json"]).args(passed_on))?;
    }
    Ok(())
}
