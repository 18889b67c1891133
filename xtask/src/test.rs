//! `cargo xtask test`: requirements, the release binary that the tests drive, then all tests.

use crate::requirements;
use crate::run::{Outcome, cargo, root, run, shown};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;

/// Builds and tests everything. Some tests drive the program as users do, so it is built first.
pub fn test(args: &[String]) -> Outcome {
    requirements::ensure()?;
    run(cargo().args(["build", "--release", "-p", "strongroom"]))?;
    let mut command = cargo();
    command.args(["test", "--workspace"]).args(args).stdout(Stdio::piped());
    command.env("STRONGROOM_TEST_PROGRAM", released_program());
    if let Some(python) = requirements::python() {
        command.env("STRONGROOM_TEST_SCHEMATHESIS", requirements::schemathesis(&python, &target_dir())?);
        command.env("STRONGROOM_TEST_PYTHON", python);
    }
    let shown = shown(&command);
    eprintln!("$ {shown}");
    let mut child = command.spawn().map_err(|error| format!("`{shown}` could not be run: {error}"))?;
    let mut totals = Totals::default();
    if let Some(stdout) = child.stdout.take() {
        totals.pass_on(BufReader::new(stdout)).map_err(|error| format!("the tests' output broke off: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("`{shown}` could not be waited for: {error}"))?;
    println!("{totals}");
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

/// Where cargo puts the release build.
fn released_program() -> PathBuf {
    target_dir().join("release/strongroom")
}

/// Where cargo builds.
fn target_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(target)
}

/// The sum of the closing lines of all test binaries.
#[derive(Default)]
struct Totals {
    binaries: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// Prints every line as it comes and counts the closing ones.
    fn pass_on(&mut self, lines: impl BufRead) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        for line in lines.split(b'\n') {
            let line = line?;
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            out.flush()?;
            self.count(&String::from_utf8_lossy(&line));
        }
        Ok(())
    }

    fn count(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        self.binaries += 1;
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals { binaries, passed, failed, ignored } = self;
        write!(f, "all tests: {passed} passed; {failed} failed; {ignored} ignored; in {binaries} test binaries")
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn closing_lines_add_up() {
        let mut totals = Totals::default();
        totals.count("test result: ok. 9 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        totals
            .count("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        totals.count("test some::thing ... ok");
        assert_eq!(totals.to_string(), "all tests: 12 passed; 2 failed; 1 ignored; in 2 test binaries");
    }
}
