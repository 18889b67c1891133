//! What only SQLite has: its file, its settings, its write-ahead log.

use crate::engine::{Engine, id};
use std::os::unix::fs::PermissionsExt;
use strongroom_sql::{Checkpoint, Kind, Role, Url, WalProgress, open};

#[test]
fn the_files_are_their_owners_alone() {
    let engine = Engine::sqlite();
    let mut db = engine.with_table();
    db.execute("INSERT INTO t (id) VALUES (?)", &[(&id(1)).into()]).unwrap();
    let files: Vec<_> = std::fs::read_dir(engine.folder.as_ref().unwrap()).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 3, "the database, its write-ahead log and the log's index");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn the_settings_hold() {
    let engine = Engine::sqlite();
    for mut db in [engine.writer(), engine.reader()] {
        let mut pragma = |name: &str| {
            let row = &db.query(&format!("PRAGMA {name}"), &[]).unwrap()[0];
            row.int(0).map(|n| n.to_string()).or_else(|_| row.text(0).map(str::to_owned)).unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2", "FULL");
        assert_eq!(pragma("foreign_keys"), "1");
        assert_eq!(pragma("temp_store"), "2", "memory");
        assert_eq!(pragma("wal_autocheckpoint"), "0");
        assert_eq!(pragma("trusted_schema"), "0");
    }
    assert_eq!(engine.writer().query("PRAGMA secure_delete", &[]).unwrap()[0].int(0).unwrap(), 1);
}

#[test]
fn a_reader_of_nothing_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Url::Sqlite(folder.path().join("missing.db"));
    assert_eq!(open(&missing, None, Role::Reader).err().unwrap().kind, Kind::NotFound);
    let nowhere = Url::Sqlite(folder.path().join("no/such/folder.db"));
    let error = open(&nowhere, None, Role::Writer).err().unwrap();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.message.contains("folder.db"), "{}", error.message);
}

#[test]
fn another_connection_empties_the_write_ahead_log() {
    let engine = Engine::sqlite();
    let mut writer = engine.with_table();
    for n in 0..200 {
        writer.execute("INSERT INTO t (id, name) VALUES (?, ?)", &[(&id(n)).into(), "x".into()]).unwrap();
    }
    let mut other = engine.writer();
    let passive = other.checkpoint(Checkpoint::Passive).unwrap();
    assert!(!passive.busy && passive.pages >= 200 && passive.moved == passive.pages, "{passive:?}");
    let wal = engine.folder.as_ref().unwrap().path().join("test.db-wal");
    let length = || std::fs::metadata(&wal).unwrap().len();
    let grown = length();
    other.checkpoint(Checkpoint::Restart).unwrap();
    writer.execute("INSERT INTO t (id, name) VALUES (?, ?)", &[(&id(200)).into(), "x".into()]).unwrap();
    assert_eq!(length(), grown, "the log is written over from its beginning");
    let after = other.checkpoint(Checkpoint::Passive).unwrap();
    assert!(after.pages < 10, "{after:?}");
    assert_eq!(other.checkpoint(Checkpoint::Truncate).unwrap(), WalProgress::default());
    assert_eq!(length(), 0);
    assert_eq!(crate::engine::count(&mut *writer, "t"), 201);
}

#[test]
fn a_readers_old_view_stops_the_checkpoint_but_not_the_writer() {
    let engine = Engine::sqlite();
    let mut writer = engine.with_table();
    let mut reader = engine.reader();
    reader.begin().unwrap();
    assert_eq!(crate::engine::count(&mut *reader, "t"), 0);
    for n in 0..20 {
        writer.execute("INSERT INTO t (id) VALUES (?)", &[(&id(n)).into()]).unwrap();
    }
    let progress = engine.writer().checkpoint(Checkpoint::Passive).unwrap();
    assert!(progress.moved < progress.pages, "{progress:?}");
    assert_eq!(crate::engine::count(&mut *reader, "t"), 0);
}

#[test]
#[allow(clippy::disallowed_methods)] // how long it takes is the question
fn a_readers_old_view_does_not_make_a_restart_wait() {
    let engine = Engine::sqlite();
    let mut writer = engine.with_table();
    writer.execute("INSERT INTO t (id) VALUES (?)", &[(&id(1)).into()]).unwrap();
    let mut reader = engine.reader();
    reader.begin().unwrap();
    assert_eq!(crate::engine::count(&mut *reader, "t"), 1);
    writer.execute("INSERT INTO t (id) VALUES (?)", &[(&id(2)).into()]).unwrap();
    let began = std::time::Instant::now();
    assert!(writer.checkpoint(Checkpoint::Restart).unwrap().busy);
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "it gives up at once");
}

#[test]
fn the_version_says_that_somebody_else_has_written() {
    let engine = Engine::sqlite();
    let mut writer = engine.with_table();
    let before = writer.data_version().unwrap();
    writer.execute("INSERT INTO t (id) VALUES (?)", &[(&id(1)).into()]).unwrap();
    assert_eq!(writer.data_version().unwrap(), before, "one's own commits do not count");
    engine.writer().execute("INSERT INTO t (id) VALUES (?)", &[(&id(2)).into()]).unwrap();
    writer.begin().unwrap();
    assert_ne!(writer.data_version().unwrap(), before);
    writer.rollback().unwrap();
}
