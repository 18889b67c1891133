//! What each source file must look like: a header, plain names, short files and functions.

use super::Faults;
use super::exceptions::{LONG_FILES, LONG_FUNCTIONS, WORDS, excepted};
use crate::run::root;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const FILE_LINES_MEDIAN_MAX: usize = 250;
const FUNCTION_LINES_MAX: usize = 100;
const FUNCTION_LINES_USUAL_MAX: usize = 70;
const FUNCTION_LINES_MEDIAN_MAX: usize = 15;

/// At least this share of functions, in percent, is of the usual length.
const FUNCTIONS_USUAL_PERCENT: usize = 97;

/// Names that say nothing about what is inside.
const MODULE_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "managers", "service", "services", "misc"];

/// Words that mark unfinished work; written in halves so that this file passes.
const BANNED: &[&str] =
    &[concat!("to", "do!("), concat!("un", "implemented!("), concat!("FIX", "ME"), concat!("db", "g!(")];

/// Folders of people's machines; written in halves so that this file passes.
const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Checks every file.
pub fn check(files: &[PathBuf], faults: &mut Faults) -> Result<(), String> {
    let mut lengths = Vec::new();
    let mut functions = Vec::new();
    for file in files {
        let bytes = std::fs::read(root().join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        machine_paths(file, text, faults);
        if file.extension().is_some_and(|extension| extension == "rs") {
            header(file, text, faults);
            name(file, faults);
            words(file, text, faults);
            lengths.push(file_length(file, text, faults));
            functions.extend(function_lengths(file, text, faults));
        }
    }
    medians(&mut lengths, &mut functions, faults);
    Ok(())
}

/// A module opens by saying what it is for.
fn header(file: &Path, text: &str, faults: &mut Faults) {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with("//! ") || first.contains("(header") || first.len() < 20 {
        faults.push(format!("{}:1: begins without a `//!` line that says what the module is for", file.display()));
    }
}

fn name(file: &Path, faults: &mut Faults) {
    let parts = file.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
    for part in parts {
        if MODULE_NAMES.iter().any(|name| part == *name || part.ends_with(&format!("_{name}"))) {
            faults.push(format!("{}: `{part}` says nothing about what is inside; name it after that", file.display()));
        }
    }
}

fn words(file: &Path, text: &str, faults: &mut Faults) {
    if excepted(WORDS, file) {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = BANNED.iter().find(|word| line.contains(**word)) {
            faults.push(format!("{}:{}: has `{word}`; finish it or leave it out", file.display(), number + 1));
        }
    }
}

/// No path of anyone's machine, and not the place of this checkout.
fn machine_paths(file: &Path, text: &str, faults: &mut Faults) {
    if excepted(WORDS, file) {
        return;
    }
    let here = root().to_string_lossy();
    for (number, line) in text.lines().enumerate() {
        let own = here.len() > 5 && line.contains(&*here);
        if own || MACHINE_PATHS.iter().any(|path| line.contains(path)) {
            faults.push(format!("{}:{}: has a path of somebody's machine", file.display(), number + 1));
        }
    }
}

fn file_length(file: &Path, text: &str, faults: &mut Faults) -> usize {
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX && !excepted(LONG_FILES, file) {
        faults.push(format!("{}: {lines} lines, where {FILE_LINES_MAX} are the most; split it", file.display()));
    }
    lines
}

/// The lengths of a formatted file's functions: each ends at a brace as deep as it began.
fn function_lengths(file: &Path, text: &str, faults: &mut Faults) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = line.len() - line.trim_start().len();
        let end = lines[start..].iter().position(|line| ends_function(line, indent));
        let length = end.unwrap_or(0) + 1;
        if length > FUNCTION_LINES_MAX && !excepted(LONG_FUNCTIONS, file) {
            let place = format!("{}:{}", file.display(), start + 1);
            faults.push(format!("{place}: a function of {length} lines, where {FUNCTION_LINES_MAX} are the most"));
        }
        lengths.push(length);
    }
    lengths
}

fn begins_function(line: &str) -> bool {
    let mut words = line.trim_start().split(' ').peekable();
    while let Some(word) = words.next() {
        match word {
            "fn" => return words.peek().is_some_and(|name| name.contains(['(', '<'])),
            "pub" | "const" | "async" | "unsafe" | "extern" => {}
            word if word.starts_with("pub(") || word.starts_with('"') => {}
            _ => return false,
        }
    }
    false
}

/// The closing brace of a body, the end of a one-line body, or of a declaration without a body.
fn ends_function(line: &str, indent: usize) -> bool {
    let at_indent = line.len() - line.trim_start().len() == indent;
    at_indent
        && (line.trim_start() == "}"
            || line.ends_with(';')
            || (line.ends_with('}') && line.contains("{ "))
            || line.ends_with("{}"))
}

fn medians(lengths: &mut [usize], functions: &mut [usize], faults: &mut Faults) {
    let (file, function) = (median(lengths), median(functions));
    println!("tidy: file median {file} lines; function median {function} lines, {} functions", functions.len());
    if file > FILE_LINES_MEDIAN_MAX {
        faults.push(format!("half of all files have more than {FILE_LINES_MEDIAN_MAX} lines"));
    }
    if function > FUNCTION_LINES_MEDIAN_MAX {
        faults.push(format!("half of all functions have more than {FUNCTION_LINES_MEDIAN_MAX} lines"));
    }
    let usual = functions.iter().filter(|length| **length <= FUNCTION_LINES_USUAL_MAX).count();
    if usual * 100 < functions.len() * FUNCTIONS_USUAL_PERCENT {
        let share = 100 - FUNCTIONS_USUAL_PERCENT;
        faults.push(format!("more than {share} % of all functions have more than {FUNCTION_LINES_USUAL_MAX} lines"));
    }
}

fn median(lengths: &mut [usize]) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_first_line_to_brace() {
        let text = "fn a() {}\npub(crate) const fn b(\n    x: u8,\n) -> u8 {\n    if x {\n    }\n}\n\
                    trait T {\n    fn c(&self);\n    fn d(\n        &self,\n    );\n}\nlet f: fn (u8) = g;\n";
        assert_eq!(function_lengths(Path::new("x.rs"), text, &mut Vec::new()), [1, 6, 1, 3]);
    }

    #[test]
    fn a_missing_header_an_empty_name_and_unfinished_work_are_faults() {
        let mut faults = Vec::new();
        header(Path::new("a.rs"), "use std::io;\n", &mut faults);
        name(Path::new("src/string_helpers.rs"), &mut faults);
        words(Path::new("a.rs"), &format!("{})", BANNED[0]), &mut faults);
        machine_paths(Path::new("a.md"), &format!("see {}me/x", MACHINE_PATHS[1]), &mut faults);
        assert_eq!(faults.len(), 4, "{faults:?}");
        faults.clear();
        header(Path::new("a.rs"), "//! Reads and writes ledgers.\n", &mut faults);
        name(Path::new("src/commonwealth.rs"), &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
    }
}
