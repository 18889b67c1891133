//! Fault points: places where a durability drill kills the process, counted by how often they
//! are reached. `STRONGROOM_FAULT=commit-after:57` ends it with SIGKILL the 57th time that point
//! is passed; without the variable a point costs one load. docs/reliability.md lists them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static PLAN: OnceLock<Option<(String, u64)>> = OnceLock::new();
static REACHED: AtomicU64 = AtomicU64::new(0);

/// Passes a fault point.
pub fn point(name: &str) {
    let Some((planned, at)) = PLAN.get_or_init(plan) else { return };
    if planned == name && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *at {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

fn plan() -> Option<(String, u64)> {
    let text = std::env::var("STRONGROOM_FAULT").ok()?;
    let (name, count) = text.split_once(':')?;
    Some((name.to_owned(), count.parse().ok()?))
}
