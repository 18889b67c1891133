//! `strongroom benchmark fields`: what sealing, opening and indexing a value costs on one core,
//! against bare AES-256-GCM in the same run.

use std::hint::black_box;
use std::time::Duration;

use serde_json::json;
use strongroom_crypto::blind::IndexKey;
use strongroom_crypto::measure::BareAead;
use strongroom_crypto::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use strongroom_crypto::secret::Secret;

use super::moment;
use crate::Global;
use crate::failure::Outcome;

/// How to measure.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How long to measure, over all four parts
    #[arg(long, default_value_t = 8, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Nothing here touches a database; taken because every measurement takes it
    #[arg(long, value_name = "URL", hide = true)]
    database: Option<String>,
}

/// One turn of one part. The parts take turns, so that whatever else the machine does slows each of
/// them alike.
const TURN: Duration = Duration::from_millis(20);
/// Calls between two looks at the clock.
const CALLS: usize = 512;
const VALUE_LEN: usize = 16;

/// Measures.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let mut bench = Bench::new();
    let sealed_len = bench.seal(0).len();
    let turns = (Duration::from_secs(args.seconds.into()).as_millis() / TURN.as_millis() / 4).max(1);
    let mut parts = [Part::default(), Part::default(), Part::default(), Part::default()];
    for turn in 0..=turns {
        // The first turn only warms up.
        let is_counted = turn > 0;
        parts[0].take_turn(is_counted, |i| _ = black_box(bench.seal(i)));
        parts[1].take_turn(is_counted, |i| _ = black_box(bench.open(i)));
        parts[2].take_turn(is_counted, |_| _ = black_box(bench.seal_bare()));
        parts[3].take_turn(is_counted, |i| _ = black_box(bench.index(i)));
    }
    let [seal, open, ceiling, index] = parts.map(|part| part.rate_per_s());
    let data = json!({
        "seal_per_s": seal.round() as u64,
        "open_per_s": open.round() as u64,
        "aead_ceiling_per_s": ceiling.round() as u64,
        "blind_index_per_s": index.round() as u64,
        "sealed_len_16": sealed_len,
    });
    global.print(&data, || {
        [
            format!("seal          {seal:.0} a second (suite 1, {VALUE_LEN} bytes, one core)"),
            format!("open          {open:.0} a second"),
            format!("bare AEAD     {ceiling:.0} a second (AES-256-GCM, one key, no header or context)"),
            format!("seal, share   {:.0} % of bare", 100.0 * seal / ceiling),
            format!("blind index   {index:.0} a second"),
            format!("sealed        {sealed_len} bytes for {VALUE_LEN}"),
        ]
        .join("\n")
    });
    Ok(())
}

/// What one part has done so far.
#[derive(Default)]
struct Part {
    calls: usize,
    spent: Duration,
}

impl Part {
    fn take_turn(&mut self, is_counted: bool, mut call: impl FnMut(usize)) {
        let since = moment();
        let (mut calls, mut spent) = (0, Duration::ZERO);
        while spent < TURN {
            (0..CALLS).for_each(&mut call);
            calls += CALLS;
            spent = moment() - since;
        }
        if is_counted {
            self.calls += calls;
            self.spent += spent;
        }
    }

    fn rate_per_s(&self) -> f64 {
        self.calls as f64 / self.spent.as_secs_f64()
    }
}

/// Keys, and cells of one column: each has its own row, value and sealed field.
struct Bench {
    key: FieldKey,
    bare: BareAead,
    index_key: IndexKey,
    cells: Vec<Cell>,
    buffer: [u8; VALUE_LEN],
}

struct Cell {
    row: [u8; 16],
    value: String,
    sealed: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let key = FieldKey::new(&Secret::random(), Suite::Xaes256Gcm, 1);
        let cells = (0..CALLS as u128).map(|i| {
            let (row, value) = (i.to_be_bytes(), format!("{i:0VALUE_LEN$}"));
            let sealed = sealed::seal(&key, &context(&row), value.as_bytes());
            Cell { row, value, sealed }
        });
        let cells = cells.collect();
        let (bare, index_key) = (BareAead::new(&Secret::random()), IndexKey::new(&Secret::random(), [2; 16]));
        Bench { key, bare, index_key, cells, buffer: [0; VALUE_LEN] }
    }

    fn seal(&self, i: usize) -> Vec<u8> {
        let cell = &self.cells[i];
        sealed::seal(&self.key, &context(&cell.row), cell.value.as_bytes())
    }

    fn open(&self, i: usize) -> Option<Vec<u8>> {
        let cell = &self.cells[i];
        sealed::open(&self.key, &context(&cell.row), &cell.sealed).ok()
    }

    fn seal_bare(&mut self) -> [u8; 16] {
        self.bare.seal_in_place(&mut self.buffer)
    }

    fn index(&self, i: usize) -> [u8; 16] {
        self.index_key.index(&self.cells[i].value)
    }
}

fn context(row: &[u8]) -> Context<'_> {
    Context { store: [1; 16], column: ColumnId([2; 16]), row, kind: LogicalType::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_does_its_work() {
        let mut bench = Bench::new();
        assert_eq!(bench.seal(7).len(), VALUE_LEN + 48);
        assert_eq!(bench.open(7).unwrap(), b"0000000000000007");
        assert_ne!(bench.seal_bare(), bench.seal_bare());
        assert_ne!(bench.index(7), bench.index(8));
    }
}
