//! The load itself. Closed loop: each connection sends its next order when it has the answer.
//! Open loop: orders fall due on a fixed schedule, whatever the answers, and a latency counts from
//! the moment the order fell due, so that a slow bank cannot hide behind a waiting client.

use std::time::{Duration, Instant};

use strongroom_client::Error;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::histogram::Histogram;
use super::lane::Lane;
use super::moment;

/// What came of a load.
#[derive(Default)]
pub struct Tally {
    /// Orders that were posted within the time.
    pub accepted: u64,
    /// Orders that were not, or got no answer.
    pub refused: u64,
    /// Of those that were posted, and of those that never got their turn.
    pub latencies: Histogram,
    /// The first reason why one was not.
    pub reason: Option<String>,
}

impl Tally {
    fn merge(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.latencies.merge(&other.latencies);
        self.reason = self.reason.take().or(other.reason);
    }

    fn count(&mut self, outcome: Result<u16, Error>, since: Instant, end: Instant) {
        let now = moment();
        match outcome {
            Ok(200..=299) => {
                self.latencies.record((now - since).as_micros() as u64);
                self.accepted += u64::from(now <= end);
            }
            Ok(status) => self.refuse(|| format!("status {status}")),
            Err(error) => self.refuse(|| error.to_string()),
        }
    }

    fn refuse(&mut self, reason: impl FnOnce() -> String) {
        self.refused += 1;
        self.reason.get_or_insert_with(reason);
    }
}

/// Requests without work on every lane, for their rate a second.
pub async fn noops(lanes: Vec<Lane>, length: Duration) -> (Vec<Lane>, Tally) {
    let end = moment() + length;
    all(lanes, |lane| async move {
        let mut tally = Tally::default();
        loop {
            let since = moment();
            if since >= end {
                return (lane, tally);
            }
            let outcome = lane.noop().await;
            tally.count(outcome, since, end);
        }
    })
    .await
}

/// Closed loop; a latency counts from the moment the signed order is handed over.
pub async fn closed(lanes: Vec<Lane>, length: Duration) -> (Vec<Lane>, Tally) {
    let end = moment() + length;
    all(lanes, |mut lane| async move {
        let mut tally = Tally::default();
        while moment() < end {
            let (since, outcome) = next(&mut lane).await;
            tally.count(outcome, since, end);
        }
        (lane, tally)
    })
    .await
}

/// Open loop at this rate. What is still waiting when the time is over twice counts as waiting
/// until then.
pub async fn open(lanes: Vec<Lane>, length: Duration, rate: u32) -> (Vec<Lane>, Tally) {
    let start = moment();
    let (end, patience) = (start + length, start + 2 * length);
    let (senders, receivers): (Vec<_>, Vec<_>) = lanes.iter().map(|_| unbounded_channel()).unzip();
    let pacer = std::thread::spawn(move || pace(&senders, start, length, rate));
    let paced: Vec<_> = lanes.into_iter().zip(receivers).collect();
    let done = all(paced, |(mut lane, mut due): (Lane, UnboundedReceiver<Instant>)| async move {
        let mut tally = Tally::default();
        while let Some(since) = due.recv().await {
            if moment() >= patience {
                tally.refuse(|| "it never got its turn".into());
                tally.latencies.record((patience - since).as_micros() as u64);
                continue;
            }
            let (_, outcome) = next(&mut lane).await;
            tally.count(outcome, since, end);
        }
        (lane, tally)
    })
    .await;
    let _ = pacer.join();
    done
}

/// Hands out what falls due, from a thread of its own: the runtime's timers know only milliseconds.
fn pace(lanes: &[UnboundedSender<Instant>], start: Instant, length: Duration, rate: u32) {
    let count = (length.as_secs_f64() * f64::from(rate)) as u64;
    for order in 0..count {
        let due = start + Duration::from_secs_f64(order as f64 / f64::from(rate));
        let wait = due.saturating_duration_since(moment());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        if lanes[order as usize % lanes.len()].send(due).is_err() {
            return;
        }
    }
}

async fn next(lane: &mut Lane) -> (Instant, Result<u16, Error>) {
    let order = match lane.stay_signed_in().await {
        Ok(()) => lane.order(),
        Err(error) => Err(error),
    };
    let since = moment();
    match order {
        Ok(order) => (since, lane.place(order).await),
        Err(error) => (since, Err(error)),
    }
}

/// One task to each lane; their tallies together.
async fn all<L, F>(lanes: Vec<L>, run: impl Fn(L) -> F) -> (Vec<Lane>, Tally)
where
    F: Future<Output = (Lane, Tally)> + Send + 'static,
{
    let tasks: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(run(lane))).collect();
    let (mut lanes, mut total) = (Vec::new(), Tally::default());
    for task in tasks {
        // A task ends otherwise only by a panic, which has told its own story.
        if let Ok((lane, tally)) = task.await {
            lanes.push(lane);
            total.merge(tally);
        }
    }
    (lanes, total)
}
