//! SQLite's write-ahead log, copied into the database beside the writer: a checkpoint inside the writer would make one
//! batch wait for all pages.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strongroom_sql::{Checkpoint, Role, WalProgress};

use crate::Database;

/// How often the write-ahead log is copied into the database; once it is large, again and again until little is left
/// for the writer, who begins it anew and copies the rest meanwhile.
const WAL_TENDED_EVERY: Duration = Duration::from_secs(1);
const WAL_HURRIED_EVERY: Duration = Duration::from_millis(5);
/// In pages of 4 KiB.
const WAL_IS_LARGE: u64 = 32_768;
const WAL_IS_HUGE: u64 = 4 * WAL_IS_LARGE;
const WAL_LEFT_MAX: u64 = 4_096;

/// Copies the log for as long as the bank is open, and says when it has grown large.
pub(crate) fn tend(database: Database, is_large: Weak<AtomicBool>) {
    if database.kind() != "sqlite" {
        return;
    }
    let tend = move || {
        let mut connection = match database.connect(Role::Writer) {
            Ok(connection) => connection,
            Err(e) => return tracing::error!(error = %e, "the write-ahead log is not tended: restart the bank"),
        };
        let (mut pause, mut copied) = (WAL_TENDED_EVERY, 0);
        loop {
            std::thread::sleep(pause);
            let Some(is_large) = is_large.upgrade() else { return };
            match connection.checkpoint(Checkpoint::Passive) {
                Ok(WalProgress { pages, moved, .. }) => {
                    let left = pages.saturating_sub(moved);
                    let is_due = pages > WAL_IS_LARGE && (left < WAL_LEFT_MAX || pages > WAL_IS_HUGE);
                    is_large.store(is_due, Ordering::Relaxed);
                    // A reader with an old view keeps the rest from being copied: there is no hurry then.
                    let is_hurried = pages > WAL_IS_LARGE && !is_due && moved > copied;
                    pause = if is_hurried { WAL_HURRIED_EVERY } else { WAL_TENDED_EVERY };
                    copied = moved;
                }
                Err(e) => {
                    tracing::warn!(error = %e, "the write-ahead log could not be copied into the database; trying again")
                }
            }
        }
    };
    if let Err(e) = std::thread::Builder::new().name("wal".into()).spawn(tend) {
        tracing::error!(error = %e, "the write-ahead log is not tended");
    }
}
