//! What goes in comes out, and nothing that was bound comes out in an error.

use crate::engine::{count, id, on_every_engine, portable};
use strongroom_sql::{Kind, Value, quote};

on_every_engine! {
    fn every_kind_of_value_survives(engine) {
        let mut db = engine.writer();
        let sql = portable("CREATE TABLE v (k {int} NOT NULL PRIMARY KEY, n {int}, s {text}, b {blob}, i {id})", db.dialect());
        db.execute(&sql, &[]).unwrap();
        let long = vec![0xfe; 1_000_000];
        let all: Vec<u8> = (0..=255).collect();
        let rows: [(i64, &str, &[u8]); 4] =
            [(i64::MIN, "", &[]), (i64::MAX, "ñ 'quoted\" `x` \\ ? :name 🏦", &all), (0, "a", &long), (-1, "A", &[0; 32])];
        for (k, (n, s, b)) in rows.iter().enumerate() {
            let sql = "INSERT INTO v (k, n, s, b, i) VALUES (?, ?, ?, ?, ?)";
            let id = id(k as u64);
            let params = [(k as i64).into(), (*n).into(), (*s).into(), (*b).into(), (&id).into()];
            assert_eq!(db.execute(sql, &params).unwrap(), 1);
        }
        for (k, (n, s, b)) in rows.iter().enumerate() {
            let found = db.query("SELECT n, s, b, i, NULL FROM v WHERE k = ?", &[Value::Int(k as i64)]).unwrap();
            assert_eq!(found[0].int(0).unwrap(), *n);
            assert_eq!(found[0].text(1).unwrap(), *s);
            assert_eq!(found[0].bytes(2).unwrap(), *b);
            assert_eq!(found[0].array::<16>(3).unwrap(), id(k as u64));
            assert!(found[0].is_null(4));
        }
        let found = db.query("SELECT k FROM v WHERE s = ?", &[Value::Text("A")]).unwrap();
        assert_eq!(found.len(), 1, "text is compared byte by byte");
    }

    fn null_is_told_from_a_value(engine) {
        let mut db = engine.with_table();
        let key = id(1);
        let name: Option<&str> = None;
        db.execute("INSERT INTO t (id, n, name) VALUES (?, ?, ?)", &[(&key).into(), Value::Null, name.into()]).unwrap();
        let row = &db.query("SELECT n, name, id FROM t", &[]).unwrap()[0];
        assert_eq!(row.opt_int(0).unwrap(), None);
        assert_eq!(row.opt_text(1).unwrap(), None);
        assert!(row.int(0).is_err());
        assert!(row.text(2).is_err(), "bytes are not text");
        assert!(row.array::<32>(2).is_err(), "16 bytes are not 32");
        assert!(row.int(9).is_err(), "there is no such column");
    }

    fn sums_and_counts_are_integers(engine) {
        let mut db = engine.with_table();
        let rows = [(id(1), i64::MAX - 5), (id(2), -7)];
        for (key, n) in &rows {
            db.execute("INSERT INTO t (id, n) VALUES (?, ?)", &[key.into(), (*n).into()]).unwrap();
        }
        let row = &db.query("SELECT SUM(n), COUNT(*), MIN(n) FROM t", &[]).unwrap()[0];
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap()), (i64::MAX - 12, 2, -7));
    }

    fn an_update_counts_the_rows_it_matched(engine) {
        let mut db = engine.with_table();
        db.execute("INSERT INTO t (id, n) VALUES (?, ?)", &[(&id(1)).into(), 5.into()]).unwrap();
        let sql = "UPDATE t SET n = ? WHERE id = ?";
        assert_eq!(db.execute(sql, &[5.into(), (&id(1)).into()]).unwrap(), 1, "matched, though unchanged");
        assert_eq!(db.execute(sql, &[6.into(), (&id(2)).into()]).unwrap(), 0);
        assert_eq!(db.execute("DELETE FROM t WHERE id = ?", &[(&id(1)).into()]).unwrap(), 1);
    }

    fn a_taken_key_is_unique_and_names_no_value(engine) {
        let mut db = engine.writer();
        let sql = portable("CREATE TABLE u (id {id} NOT NULL PRIMARY KEY, name {text} NOT NULL UNIQUE)", db.dialect());
        db.execute(&sql, &[]).unwrap();
        db.begin().unwrap();
        let sql = "INSERT INTO u (id, name) VALUES (?, ?)";
        db.execute(sql, &[(&id(1)).into(), "s3cret'value".into()]).unwrap();
        let error = db.execute(sql, &[(&id(2)).into(), "s3cret'value".into()]).unwrap_err();
        assert_eq!(error.kind, Kind::Unique);
        assert!(!error.message.contains("s3cret") && !error.message.contains("value"), "{}", error.message);
        assert_eq!(db.execute(sql, &[(&id(1)).into(), "other".into()]).unwrap_err().kind, Kind::Unique);
        db.execute(sql, &[(&id(2)).into(), "other".into()]).unwrap();
        db.commit().unwrap();
        assert_eq!(count(&mut *db, "u"), 2);
    }

    fn mistakes_in_statements_are_errors(engine) {
        let mut db = engine.with_table();
        assert_eq!(db.query("SELECT 1 FROM missing", &[]).unwrap_err().kind, Kind::NotFound);
        assert!(db.query("SELECT n FROM t WHERE id = ?", &[]).is_err(), "a value is missing");
        assert!(db.query("SELECT n FROM t", &[Value::Int(1)]).is_err(), "a value too many");
        assert!(db.execute("DELETE FROM t; DELETE FROM t", &[]).is_err(), "one statement at a time");
        assert!(db.check("SELECT n FROM t WHERE id = ?").is_ok());
        assert!(db.check("SELECT missing FROM t").is_err());
        assert_eq!(count(&mut *db, "t"), 0, "the connection goes on");
    }

    fn odd_names_can_be_quoted(engine) {
        let mut db = engine.writer();
        let dialect = db.dialect();
        let (table, column) = (quote("odd `\"' table", dialect), quote("select", dialect));
        db.execute(&format!("CREATE TABLE {table} ({column} {})", dialect.int()), &[]).unwrap();
        db.execute(&format!("INSERT INTO {table} ({column}) VALUES (?)"), &[7.into()]).unwrap();
        assert_eq!(db.query(&format!("SELECT {column} FROM {table}"), &[]).unwrap()[0].int(0).unwrap(), 7);
    }

    fn nothing_printed_for_debugging_shows_values(engine) {
        let mut db = engine.with_table();
        db.execute("INSERT INTO t (id, n, name) VALUES (?, ?, ?)", &[(&id(1)).into(), 77.into(), "hidden".into()]).unwrap();
        let printed = format!("{:?} {:?}", db.query("SELECT * FROM t", &[]).unwrap(), [Value::Text("hidden"), Value::Int(77)]);
        assert!(!printed.contains("hidden") && !printed.contains("77"), "{printed}");
    }
}
