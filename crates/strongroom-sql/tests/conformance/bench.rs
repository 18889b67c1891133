//! How fast a batch of the bank's shape goes: run by hand with
//! `cargo test --release -p strongroom-sql --test conformance -- --ignored --nocapture bench`.

use crate::engine::{Engine, id, portable};
use strongroom_sql::{Connection, Insert, SelectKeys, Upsert, Value};

const BATCHES: u64 = 100;
const BATCH: u64 = 256;

/// Six lookups and five inserts per transfer, in batches of 256.
fn run(name: &str, db: &mut dyn Connection) {
    let dialect = db.dialect();
    let columns = "(id {id} NOT NULL PRIMARY KEY, n {int}, a {hash}, b {hash}, c {blob})";
    for table in 0..6 {
        db.execute(&portable(&format!("CREATE TABLE t{table} {columns}"), dialect), &[]).unwrap();
    }
    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let start = std::time::Instant::now();
    for batch in 0..BATCHES {
        one_batch(db, batch);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {:.0} transfers/s", (BATCHES * BATCH) as f64 / seconds);
}

fn one_batch(db: &mut dyn Connection, batch: u64) {
    let ids: Vec<[u8; 16]> = (batch * BATCH..(batch + 1) * BATCH).map(id).collect();
    let keys: Vec<[Value<'_>; 1]> = ids.iter().map(|id| [id.into()]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|key| key.as_slice()).collect();
    let rows: Vec<_> = ids
        .iter()
        .map(|id| [id.into(), 1.into(), Value::Bytes(&[1; 32]), Value::Bytes(&[2; 32]), Value::Bytes(&[3; 120])])
        .collect();
    let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| row.as_slice()).collect();
    let columns = &["id", "n", "a", "b", "c"];
    db.begin().unwrap();
    for table in ["t0", "t1", "t2", "t3", "t4", "t5"] {
        db.select_keys(&SelectKeys { columns, table, key: &["id"], lock: table == "t0" }, &keys).unwrap();
    }
    for table in ["t1", "t2", "t3", "t4", "t5"] {
        db.insert_rows(&Insert { table, columns }, &rows).unwrap();
    }
    db.upsert_rows(&Upsert { table: "t0", key: &["id"], columns }, &rows).unwrap();
    db.commit().unwrap();
}

#[test]
#[ignore = "a measurement, not a check"]
fn bench() {
    run("sqlite", &mut *Engine::sqlite().writer());
    run("mariadb", &mut *Engine::mariadb("bench").writer());
}
