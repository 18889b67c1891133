//! The bounded pool for slow hashes: one thread for each core, which takes the next hash the moment it has made one.
//! Two on one core would only take each other's place in its cache. Who would wait too long is told to come back.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::{Error, Result};

/// A hash takes some 45 ms, so nobody waits much longer than two seconds.
const WAITING_PER_CORE: usize = 32;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that hash, and the queue before them.
pub(crate) struct Hashing(SyncSender<Job>);

impl Hashing {
    /// As many threads as the machine has cores. They end with the pool.
    pub(crate) fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let (sender, jobs) = sync_channel::<Job>(cores * WAITING_PER_CORE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..cores {
            let jobs = jobs.clone();
            std::thread::Builder::new().name("hashing".into()).spawn(move || {
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = next else { return };
                    job();
                }
            })?;
        }
        Ok(Hashing(sender))
    }

    /// Runs a job in its turn. A panic in it ends neither the thread nor the server.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            // Who asked may be gone.
            let _ = answer.send(done);
        };
        self.0.try_send(Box::new(job)).map_err(|_| Error::Busy)?;
        let ended = || Error::Internal("a hash could not be made".into());
        answered.await.map_err(|_| ended())?.map_err(|_| ended())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn jobs_are_answered_refused_when_too_many_wait_and_survive_a_panic() {
        let pool = Arc::new(Hashing::start().expect("threads can be started"));
        assert_eq!(pool.run(|| 2 + 2).await.expect("it is free"), 4);
        for _ in 0..64 {
            let quiet = || std::panic::resume_unwind(Box::new("a fault"));
            assert!(matches!(pool.run(quiet).await, Err::<(), _>(Error::Internal(_))));
        }
        assert_eq!(pool.run(|| 5).await.expect("its threads are still there"), 5);
        let places = std::thread::available_parallelism().map_or(2, usize::from) * WAITING_PER_CORE;
        let is_open = Arc::new(AtomicBool::new(false));
        let waiting: Vec<_> = (0..2 * places)
            .map(|_| {
                let (pool, is_open) = (pool.clone(), is_open.clone());
                let wait = move || {
                    while !is_open.load(Ordering::Acquire) {
                        std::thread::yield_now()
                    }
                };
                tokio::spawn(async move { pool.run(wait).await })
            })
            .collect();
        tokio::task::yield_now().await;
        is_open.store(true, Ordering::Release);
        let mut refused = 0;
        for answer in waiting {
            refused += usize::from(matches!(answer.await.expect("it ends"), Err(Error::Busy)));
        }
        assert!(refused > 0 && refused <= places, "{refused} of {}", 2 * places);
    }
}
