//! The built program, driven as its users drive it: over TLS, on SQLite and on MariaDB, with the
//! process killed and its database tampered with. Nothing here reaches into the program.
//!
//! A module is one promise; `bank` starts a bank for a test and, at its end, asks the program
//! itself whether the ledger is still intact.

mod bank;
mod curl;
mod customer;
mod letters;
mod webdriver;

mod approvals;
mod auditors;
mod benchmarks;
mod browser;
mod checklist;
mod command_line;
mod custody;
mod holds;
mod identity;
mod intrusions;
mod key_lives;
mod kill;
mod local_commands;
mod mail;
mod memory;
mod older_copy;
mod once;
mod passkeys;
mod passwords;
mod path;
mod receipts;
mod recovery;
mod refusals;
mod routes;
mod schema;
mod sms;
mod staff;
mod sweep;
mod tamper;
mod watch;
mod web_attacks;
mod witnesses;

/// Runs each test on both databases.
macro_rules! on_both_databases {
    ($($(#[$doc:meta])* $test:ident),* $(,)?) => {
        mod sqlite {
            $($(#[$doc])* #[test] fn $test() { super::$test(crate::bank::Engine::Sqlite); })*
        }
        mod mariadb {
            $($(#[$doc])* #[test] fn $test() { super::$test(crate::bank::Engine::MariaDb); })*
        }
    };
}
use on_both_databases;
