//! The writer's bounded queue: two lanes, so that a storm of sign-ins cannot turn transfers into
//! refusals. Whatever waits is taken as one batch; nothing waits on purpose.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;

use crate::clock;
use crate::writer::Task;

/// Which lane a task waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Transfers and cash.
    Money,
    /// Everything else.
    Other,
}

/// The queue.
pub struct Queue {
    state: Mutex<State>,
    waited: Histogram,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    money: VecDeque<(Instant, Task)>,
    other: VecDeque<(Instant, Task)>,
    closed: bool,
}

const MONEY_WAITING_MAX: usize = 16_384;
const OTHER_WAITING_MAX: usize = 4_096;
const MONEY_BATCH_MAX: usize = 1_024;
const OTHER_BATCH_MAX: usize = 64;
/// After so many batches everything that waited has been taken.
pub const BATCHES_WAITING_MAX: usize = MONEY_WAITING_MAX / MONEY_BATCH_MAX + 1;

impl Queue {
    /// An empty queue, and where it notes how long tasks have waited in it.
    pub fn new(waited: Histogram) -> Self {
        Queue { state: Mutex::new(State::default()), waited, arrived: Condvar::new() }
    }

    /// How many tasks wait in each lane: money, and everything else.
    pub fn waiting(&self) -> [usize; 2] {
        let state = self.locked();
        [state.money.len(), state.other.len()]
    }

    /// Adds a task, or gives it back when its lane is full or the bank is closing.
    pub fn push(&self, lane: Lane, task: Task) -> Result<(), Task> {
        let mut state = self.locked();
        let (waiting, most) = match lane {
            Lane::Money => (&state.money, MONEY_WAITING_MAX),
            Lane::Other => (&state.other, OTHER_WAITING_MAX),
        };
        if state.closed || waiting.len() >= most {
            return Err(task);
        }
        match lane {
            Lane::Money => state.money.push_back((clock::moment(), task)),
            Lane::Other => state.other.push_back((clock::moment(), task)),
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for work and takes a batch; none once the queue is closed and empty.
    pub fn take(&self) -> Option<Vec<Task>> {
        let mut state = self.locked();
        while state.money.is_empty() && state.other.is_empty() {
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let others = state.other.len().min(OTHER_BATCH_MAX);
        let money = state.money.len().min(MONEY_BATCH_MAX);
        let mut batch: Vec<(Instant, Task)> = state.other.drain(..others).collect();
        batch.extend(state.money.drain(..money));
        drop(state);
        let now = clock::moment();
        let noted = batch.into_iter().map(|(arrived, task)| {
            self.waited.observe(now.saturating_duration_since(arrived).as_secs_f64());
            task
        });
        Some(noted.collect())
    }

    /// Lets the writer finish what was accepted and stop.
    pub fn close(&self) {
        self.locked().closed = true;
        self.arrived.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
