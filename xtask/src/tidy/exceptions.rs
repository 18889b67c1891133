//! Where a rule may be broken, and why. An exception that is no longer needed is a fault.

use super::Faults;
use std::path::{Path, PathBuf};

/// A file and the reason why a tripwire does not hold there.
pub struct Exception {
    pub file: &'static str,
    pub reason: &'static str,
}

/// Files of more than 800 lines.
pub const LONG_FILES: &[Exception] = &[];

/// Files with functions of more than 100 lines.
pub const LONG_FUNCTIONS: &[Exception] = &[];

/// Files with words that are banned elsewhere.
pub const WORDS: &[Exception] = &[];

/// Is this file excepted?
pub fn excepted(table: &[Exception], file: &Path) -> bool {
    table.iter().any(|exception| Path::new(exception.file) == file)
}

/// Every exception names a file that is there and gives a reason.
pub fn check_still_needed(files: &[PathBuf], faults: &mut Faults) {
    for exception in [LONG_FILES, LONG_FUNCTIONS, WORDS].into_iter().flatten() {
        if !files.iter().any(|file| file == Path::new(exception.file)) {
            faults.push(format!("{}: is excepted from a rule but is not there any more", exception.file));
        }
        if exception.reason.len() < 20 {
            faults.push(format!("{}: its exception gives no reason", exception.file));
        }
    }
}
