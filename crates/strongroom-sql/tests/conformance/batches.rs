//! Whole batches: inserted, upserted and found by key in few statements.

use crate::engine::{count, id, on_every_engine, portable};
use strongroom_sql::{Connection, Error, Insert, Kind, Row, SelectKeys, Upsert, Value};

const INSERT: Insert<'static> = Insert { table: "t", columns: &["id", "n", "name"] };
const UPSERT: Upsert<'static> = Upsert { table: "t", key: &["id"], columns: &["id", "n", "name"] };

/// Inserts ids `0..count`, each with its number.
fn fill(db: &mut dyn Connection, count: u64) {
    let ids: Vec<[u8; 16]> = (0..count).map(id).collect();
    let rows: Vec<_> = ids.iter().enumerate().map(|(n, id)| [id.into(), (n as i64).into(), Value::Text("x")]).collect();
    let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| row.as_slice()).collect();
    db.begin().unwrap();
    db.insert_rows(&INSERT, &rows).unwrap();
    db.commit().unwrap();
}

fn numbers(rows: &[Row]) -> Vec<i64> {
    let mut numbers: Vec<i64> = rows.iter().map(|row| row.int(0).unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

on_every_engine! {
    fn a_large_batch_arrives_whole(engine) {
        let mut db = engine.with_table();
        db.insert_rows(&INSERT, &[]).unwrap();
        fill(&mut *db, 2_345);
        let rows = db.query("SELECT n FROM t ORDER BY id", &[]).unwrap();
        assert!(rows.iter().enumerate().all(|(n, row)| row.int(0).unwrap() == n as i64));
        assert_eq!(rows.len(), 2_345);
    }

    fn keys_find_their_rows_once(engine) {
        let mut db = engine.with_table();
        fill(&mut *db, 1_500);
        let select = SelectKeys { columns: &["n"], table: "t", key: &["id"], lock: false };
        assert!(db.select_keys(&select, &[]).unwrap().is_empty());
        let wanted: Vec<[u8; 16]> = (1_000..2_000).chain(1_000..1_010).map(id).collect();
        let keys: Vec<[Value<'_>; 1]> = wanted.iter().map(|id| [id.into()]).collect();
        let keys: Vec<&[Value<'_>]> = keys.iter().map(|key| key.as_slice()).collect();
        let found = numbers(&db.select_keys(&select, &keys).unwrap());
        assert_eq!(found, (1_000..1_500).collect::<Vec<i64>>());
        for few in 1..20 {
            let found = numbers(&db.select_keys(&select, &keys[..few]).unwrap());
            assert_eq!(found, (1_000..1_000 + few as i64).collect::<Vec<i64>>());
        }
    }

    fn keys_of_two_columns_find_their_rows(engine) {
        let mut db = engine.writer();
        let sql = portable("CREATE TABLE o (person {id} NOT NULL, name {text} NOT NULL, n {int}, PRIMARY KEY (person, name))", db.dialect());
        db.execute(&sql, &[]).unwrap();
        let people: Vec<[u8; 16]> = (0..30).map(id).collect();
        let rows: Vec<_> = people.iter().flat_map(|p| [[p.into(), Value::Text("a"), 1.into()], [p.into(), Value::Text("b"), 2.into()]]).collect();
        let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| row.as_slice()).collect();
        db.insert_rows(&Insert { table: "o", columns: &["person", "name", "n"] }, &rows).unwrap();
        let keys: Vec<[Value<'_>; 2]> = people.iter().map(|p| [p.into(), Value::Text("b")]).collect();
        let mut keys: Vec<&[Value<'_>]> = keys.iter().map(|key| key.as_slice()).collect();
        let missing = [(&people[0]).into(), Value::Text("c")];
        keys.push(&missing);
        let select = SelectKeys { columns: &["n"], table: "o", key: &["person", "name"], lock: true };
        assert_eq!(numbers(&db.select_keys(&select, &keys).unwrap()), vec![2; 30]);
    }

    fn an_upsert_inserts_and_updates(engine) {
        let mut db = engine.with_table();
        fill(&mut *db, 100);
        let ids: Vec<[u8; 16]> = (50..250).map(id).collect();
        let rows: Vec<_> = ids.iter().map(|id| [id.into(), Value::Int(-1), Value::Null]).collect();
        let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| row.as_slice()).collect();
        db.upsert_rows(&UPSERT, &rows).unwrap();
        db.upsert_rows(&UPSERT, &rows).unwrap();
        assert_eq!(count(&mut *db, "t"), 250);
        assert_eq!(count(&mut *db, "t WHERE n = -1 AND name IS NULL"), 200);
        let only_keys = Upsert { table: "t", key: &["id"], columns: &["id"] };
        let row: [Value<'_>; 1] = [(&ids[0]).into()];
        db.upsert_rows(&only_keys, &[&row]).unwrap();
        assert_eq!(count(&mut *db, "t"), 250);
    }

    fn a_duplicate_in_a_batch_is_unique(engine) {
        let mut db = engine.with_table();
        fill(&mut *db, 10);
        let (fresh, taken) = (id(10), id(3));
        let rows = [[(&fresh).into(), 1.into(), Value::Null], [(&taken).into(), 1.into(), Value::Null]];
        db.begin().unwrap();
        let error = db.insert_rows(&INSERT, &[&rows[0], &rows[1]]).unwrap_err();
        assert_eq!(error.kind, Kind::Unique);
        db.rollback().unwrap();
        assert_eq!(count(&mut *db, "t"), 10);
    }

    fn a_batch_larger_than_a_packet_arrives_whole(engine) {
        let mut db = engine.writer();
        db.execute(&portable("CREATE TABLE big (id {id} NOT NULL PRIMARY KEY, b {blob})", db.dialect()), &[]).unwrap();
        let long = vec![7; 1_000_000];
        let ids: Vec<[u8; 16]> = (0..24).map(id).collect();
        let rows: Vec<_> = ids.iter().map(|id| [id.into(), Value::Bytes(&long)]).collect();
        let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| row.as_slice()).collect();
        db.insert_rows(&Insert { table: "big", columns: &["id", "b"] }, &rows).unwrap();
        assert_eq!(count(&mut *db, "big WHERE LENGTH(b) = 1000000"), 24);
    }

    fn rows_of_another_width_are_refused(engine) {
        let mut db = engine.with_table();
        let key = id(1);
        let narrow = [Value::Bytes(&key)];
        assert!(db.insert_rows(&INSERT, &[&narrow]).is_err());
        assert!(db.upsert_rows(&UPSERT, &[&narrow]).is_err());
        let select = SelectKeys { columns: &["n"], table: "t", key: &["id", "n"], lock: false };
        assert!(db.select_keys(&select, &[&narrow]).is_err());
    }

    fn rows_stream_one_at_a_time(engine) {
        let mut db = engine.with_table();
        fill(&mut *db, 5_000);
        let mut sum = 0;
        db.query_each("SELECT n FROM t", &[], &mut |row| {
            sum += row.int(0)?;
            Ok(())
        })
        .unwrap();
        assert_eq!(sum, 4_999 * 5_000 / 2);
        let mut seen = 0;
        let stopped = db.query_each("SELECT n FROM t ORDER BY id", &[], &mut |_| {
            seen += 1;
            if seen == 7 { Err(Error::other("enough")) } else { Ok(()) }
        });
        assert_eq!((stopped.unwrap_err().message.as_str(), seen), ("enough", 7));
        assert_eq!(count(&mut *db, "t"), 5_000, "the connection goes on");
    }
}
