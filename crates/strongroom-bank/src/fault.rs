//! Fault points: places where a durability drill kills the process, counted by how often they
//! are reached. `STRONGROOM_FAULT=commit-after:57` ends it with SIGKILL the 57th time that point
//! is passed, `commit-inside:57:300` the 57th time or later while a commit is under way, 300 microseconds after it
//! began or sooner; without the variable a point costs one load. docs/reliability.md lists them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
static REACHED: AtomicU64 = AtomicU64::new(0);

struct Plan {
    point: String,
    at: u64,
    after_us: u64,
}

/// Passes a fault point.
pub fn point(name: &str) {
    let Some(plan) = PLAN.get_or_init(plan) else { return };
    if plan.point == name && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == plan.at {
        kill();
    }
}

/// Does what can be killed in the middle.
pub fn inside<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let Some(plan) = PLAN.get_or_init(plan).as_ref().filter(|plan| plan.point == name) else { return work() };
    let times = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
    let Some(late) = times.checked_sub(plan.at) else { return work() };
    // Work that was over before is met sooner the next time.
    let after = Duration::from_micros(plan.after_us >> late.min(63));
    let is_under_way = Arc::new(AtomicBool::new(true));
    let seen = is_under_way.clone();
    std::thread::spawn(move || {
        std::thread::sleep(after);
        if seen.load(Ordering::SeqCst) {
            kill();
        }
    });
    let done = work();
    is_under_way.store(false, Ordering::SeqCst);
    done
}

fn kill() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn plan() -> Option<Plan> {
    let text = std::env::var("STRONGROOM_FAULT").ok()?;
    let mut parts = text.split(':');
    let (point, at) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
    Some(Plan { point, at, after_us: parts.next().and_then(|text| text.parse().ok()).unwrap_or(0) })
}
