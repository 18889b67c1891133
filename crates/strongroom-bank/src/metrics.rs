//! What the bank counts of itself: the writer's batches, how long tasks wait for it, how long its commits take. The text
//! is OpenMetrics 1.0.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::money::Placed;
use crate::{Error, Result};

type Labels = [(&'static str, &'static str); 1];

/// The counters.
pub struct Metrics {
    registry: Registry,
    /// Tasks in a batch.
    pub batch: Histogram,
    /// Seconds that a task waited for the writer.
    pub waited: Histogram,
    /// Seconds that a commit took, until it was durable.
    pub committed: Histogram,
    /// Batches that were rolled back and seen again.
    pub retries: Counter,
    orders: Family<Labels, Counter>,
    waiting: Family<Labels, Gauge>,
    log_size: Gauge,
    read_only: Gauge,
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Self {
        let from_100_us = || Histogram::new(exponential_buckets(0.000_1, 2.0, 16));
        let mut metrics = Metrics {
            registry: Registry::with_prefix("strongroom"),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            waited: from_100_us(),
            committed: from_100_us(),
            retries: Counter::default(),
            orders: Family::default(),
            waiting: Family::default(),
            log_size: Gauge::default(),
            read_only: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("batch_tasks", "Tasks in a batch of the writer", metrics.batch.clone());
        let help = "Time that a task waited for the writer";
        registry.register_with_unit("queue_wait", help, Unit::Seconds, metrics.waited.clone());
        let help = "Time until a commit was durable";
        registry.register_with_unit("commit", help, Unit::Seconds, metrics.committed.clone());
        registry.register("batch_retries", "Batches rolled back and seen again", metrics.retries.clone());
        registry.register("orders", "Orders that were decided, by outcome", metrics.orders.clone());
        registry.register("queue_tasks", "Tasks that wait for the writer, by lane", metrics.waiting.clone());
        registry.register("log_entries", "Entries of the log", metrics.log_size.clone());
        registry.register("read_only", "1 while the bank may not write", metrics.read_only.clone());
        metrics
    }

    /// Counts what an order was answered.
    pub fn count(&self, placed: &Result<Placed>) {
        let outcome = match placed {
            Ok(Placed { replay: true, .. }) => "replayed",
            Ok(Placed { outcome: Ok(_), .. }) => "carried_out",
            Ok(Placed { outcome: Err(_), .. }) | Err(Error::Forbidden { .. } | Error::Conflict { .. }) => "refused",
            Err(_) => "failed",
        };
        self.orders.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// The text, with how things stand now.
    pub fn text(&self, log_size: u64, [money, other]: [usize; 2], is_read_only: bool) -> String {
        self.log_size.set(log_size as i64);
        self.read_only.set(i64::from(is_read_only));
        self.waiting.get_or_create(&[("lane", "money")]).set(money as i64);
        self.waiting.get_or_create(&[("lane", "other")]).set(other as i64);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
