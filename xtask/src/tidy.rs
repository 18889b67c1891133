//! `cargo xtask tidy`: the rules of CONTRIBUTING.md that a program can check.

mod exceptions;
mod floors;
mod sources;

use crate::run::{Outcome, output, program};
use std::path::PathBuf;

/// What is wrong, one line each.
type Faults = Vec<String>;

/// Checks everything and reports all faults at once.
pub fn tidy() -> Outcome {
    let files = files()?;
    let mut faults = Faults::new();
    sources::check(&files, &mut faults)?;
    floors::check(&mut faults)?;
    lock_file_committed(&mut faults);
    exceptions::check_still_needed(&files, &mut faults);
    if faults.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    Err(format!("{} faults; CONTRIBUTING.md has the rules, xtask/src/tidy/exceptions.rs the exceptions", faults.len()))
}

/// All files of the repository, also those that are about to be committed.
fn files() -> Result<Vec<PathBuf>, String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = output(program("git").args(list))?;
    let mut files: Vec<PathBuf> = listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    files.retain(|file| crate::run::root().join(file).is_file());
    files.sort();
    Ok(files)
}

fn lock_file_committed(faults: &mut Faults) {
    if !crate::run::succeeds(program("git").args(["ls-files", "--error-unmatch", "Cargo.lock"])) {
        faults.push("Cargo.lock: is not committed, so two builds of one commit could differ".to_owned());
    }
}
