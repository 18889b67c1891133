//! The one place where the bank reads the clock. Everything else is told the time.

use std::time::{Instant, UNIX_EPOCH};

/// A moment, to measure how long something takes.
#[allow(clippy::disallowed_methods)] // this is the edge
pub fn moment() -> Instant {
    Instant::now()
}

/// Now, in microseconds since 1970 UTC.
#[allow(clippy::disallowed_methods)] // this is the edge
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
