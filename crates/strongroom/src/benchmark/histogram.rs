//! Latencies in buckets that grow with them: 64 to each doubling, so a percentile is at most 1.6 %
//! too high, whatever its size.

const STEP_BITS: u32 = 6;
const STEPS: u64 = 1 << STEP_BITS;
const BUCKETS: usize = ((64 - STEP_BITS as usize) + 1) * STEPS as usize;

/// Counts of latencies in microseconds.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, latency_us: u64) {
        self.counts[bucket(latency_us)] += 1;
        self.total += 1;
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The latency that this share (0 to 1) of them does not exceed, in microseconds.
    pub fn percentile_us(&self, share: f64) -> u64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(bucket);
            }
        }
        0
    }
}

/// Below 64 each value has its own bucket; above, the leading 7 bits tell the bucket.
fn bucket(value: u64) -> usize {
    let shift = value.max(1).ilog2().saturating_sub(STEP_BITS);
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    ((u128::from(bucket - shift * STEPS + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(highest(BUCKETS - 1), u64::MAX);
        for value in (0..5000).chain([1 << 20, (1 << 20) + 12_345, 1 << 40]) {
            let top = highest(bucket(value));
            assert!(value <= top && top - value <= value / 64, "{value} {top}");
            assert_eq!(bucket(top) + 1, bucket(top + 1));
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.record(value));
        let mut both = histogram.clone();
        both.merge(&histogram);
        assert_eq!((both.percentile_us(0.5), both.percentile_us(0.99)), (50, 99));
        assert_eq!(Histogram::default().percentile_us(0.99), 0);
    }
}
