//! The whole core against a dumb shadow: commands, a clock that jumps both ways, storage that fails, commits whose
//! reply is lost, crashes at any call. The real writer works on a real SQLite database; everything that happens to it
//! follows from one seed, so that the same seed gives the same run.
//!
//! `cargo test -p strongroom-bank simulator` runs 2,000 seeds; `STRONGROOM_SIMULATOR_SEEDS=100000` more,
//! `STRONGROOM_SIMULATOR_FROM=1234` from that one on.

mod faults;
mod load;
mod scene;
mod shadow;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use scene::Template;

/// Pseudo-random numbers of a seed (SplitMix64).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn id(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        id
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }
}

/// What the runs together went through: proof that they meet what they are for.
#[derive(Default)]
struct Met {
    commands: AtomicU64,
    crashes: AtomicU64,
    lost_commits: AtomicU64,
    other_faults: AtomicU64,
    postings: AtomicU64,
    refusals: AtomicU64,
    replays: AtomicU64,
}

impl Met {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
#[allow(clippy::disallowed_methods)] // how long it took is told to people
fn the_core_does_what_a_dumb_shadow_does_under_faults() {
    let (from, seeds) = (number("STRONGROOM_SIMULATOR_FROM", 1), number("STRONGROOM_SIMULATOR_SEEDS", 2_000));
    let (template, met, next) = (Template::make(), Met::default(), AtomicU64::new(from));
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    load::run(&template, &met, seed);
                }
            });
        }
    });
    let took: Duration = began.elapsed();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    eprintln!(
        "{seeds} seeds from {from} in {:.0} s: {} commands, {} postings, {} refusals, {} replays; {} crashes, {} commits whose reply was lost, {} other faults",
        took.as_secs_f64(),
        count(&met.commands),
        count(&met.postings),
        count(&met.refusals),
        count(&met.replays),
        count(&met.crashes),
        count(&met.lost_commits),
        count(&met.other_faults)
    );
    if seeds >= 500 {
        for counter in [&met.crashes, &met.lost_commits, &met.other_faults, &met.replays, &met.refusals] {
            assert!(count(counter) > seeds / 4, "the runs meet too little of what they are for");
        }
    }
}

#[test]
fn one_seed_replays_exactly() {
    let (template, met) = (Template::make(), Met::default());
    for seed in [7, 77, 777] {
        assert_eq!(load::run(&template, &met, seed), load::run(&template, &met, seed), "seed {seed}");
    }
}
