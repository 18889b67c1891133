//! All or nothing, and who sees what when.

use crate::engine::{count, id, on_every_engine};
use strongroom_sql::{Connection, Kind, SelectKeys, Value};

fn add(db: &mut dyn Connection, n: u64) {
    db.execute("INSERT INTO t (id, n) VALUES (?, ?)", &[(&id(n)).into(), (n as i64).into()]).unwrap();
}

on_every_engine! {
    fn what_is_rolled_back_never_was(engine) {
        let mut db = engine.with_table();
        db.begin().unwrap();
        add(&mut *db, 1);
        db.rollback().unwrap();
        db.rollback().unwrap();
        assert_eq!(count(&mut *db, "t"), 0);
        db.begin().unwrap();
        add(&mut *db, 2);
        db.commit().unwrap();
        assert_eq!(count(&mut *db, "t"), 1);
        assert!(db.commit().is_err(), "nothing to commit");
    }

    fn a_dropped_connection_commits_nothing(engine) {
        let mut db = engine.with_table();
        db.begin().unwrap();
        add(&mut *db, 1);
        drop(db);
        assert_eq!(count(&mut *engine.reader(), "t"), 0);
    }

    fn a_second_begin_is_refused(engine) {
        let mut db = engine.with_table();
        db.begin().unwrap();
        add(&mut *db, 1);
        assert!(db.begin().is_err(), "and the first transaction is not committed by it");
        db.rollback().unwrap();
        assert_eq!(count(&mut *db, "t"), 0);
    }

    fn a_readers_transaction_sees_one_state(engine) {
        let mut writer = engine.with_table();
        add(&mut *writer, 1);
        let mut reader = engine.reader();
        reader.begin().unwrap();
        assert_eq!(count(&mut *reader, "t"), 1);
        add(&mut *writer, 2);
        assert_eq!(count(&mut *reader, "t"), 1);
        reader.commit().unwrap();
        assert_eq!(count(&mut *reader, "t"), 2);
    }

    fn a_reader_cannot_write(engine) {
        let mut writer = engine.with_table();
        let mut reader = engine.reader();
        let sql = "INSERT INTO t (id) VALUES (?)";
        assert_eq!(reader.execute(sql, &[(&id(1)).into()]).unwrap_err().kind, Kind::Denied);
        reader.begin().unwrap();
        assert_eq!(reader.execute(sql, &[(&id(1)).into()]).unwrap_err().kind, Kind::Denied);
        reader.rollback().unwrap();
        assert_eq!(count(&mut *writer, "t"), 0);
    }

    fn a_lock_that_does_not_come_free_is_busy(engine) {
        let mut first = engine.with_table();
        add(&mut *first, 1);
        let mut second = engine.writer();
        let select = SelectKeys { columns: &["n"], table: "t", key: &["id"], lock: true };
        let key = id(1);
        let key: [Value<'_>; 1] = [(&key).into()];
        first.begin().unwrap();
        first.select_keys(&select, &[&key]).unwrap();
        let refused = second.begin().and_then(|()| second.select_keys(&select, &[&key]).map(drop));
        assert_eq!(refused.unwrap_err().kind, Kind::Busy);
        first.commit().unwrap();
        second.rollback().unwrap();
        second.begin().unwrap();
        assert_eq!(second.select_keys(&select, &[&key]).unwrap().len(), 1);
        second.commit().unwrap();
    }
}
