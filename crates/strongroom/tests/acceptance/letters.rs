//! The demo's mail, which lies in a folder.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::bank::TestBank;

/// The letters of a bank.
pub struct Letters {
    folder: PathBuf,
    seen: BTreeSet<PathBuf>,
}

impl Letters {
    /// Those that are still to come.
    pub fn of(bank: &TestBank) -> Self {
        let mut letters = Letters { folder: bank.home().join("outbox"), seen: BTreeSet::new() };
        std::thread::sleep(Duration::from_millis(600));
        letters.seen = letters.all();
        letters
    }

    /// All of them.
    fn all(&self) -> BTreeSet<PathBuf> {
        let files = std::fs::read_dir(&self.folder).expect("the outbox is there");
        let files = files.filter_map(|file| Some(file.ok()?.path()));
        files.filter(|path| path.extension().is_some_and(|e| e == "eml")).collect()
    }

    /// The next one, that comes within seconds.
    pub fn next(&mut self) -> String {
        self.next_within(10).expect("a mail comes")
    }

    /// The next one, if one comes within so many seconds.
    pub fn next_within(&mut self, seconds: u64) -> Option<String> {
        for _ in 0..seconds * 10 {
            if let Some(new) = self.all().difference(&self.seen).next().cloned() {
                let text = std::fs::read_to_string(&new).expect("it can be read");
                self.seen.insert(new);
                return Some(text);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    /// The code in the next one.
    pub fn code(&mut self) -> String {
        // What else is told stands in letters between.
        let letter = (0..6).map(|_| self.next()).find(|letter| letter.contains("Your code to")).expect("a code comes");
        let line = letter.lines().find(|line| line.contains("Your code to")).unwrap_or_else(|| panic!("{letter}"));
        line.chars().filter(char::is_ascii_digit).collect()
    }
}
