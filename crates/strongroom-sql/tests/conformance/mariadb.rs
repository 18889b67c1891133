//! What only a server has: TLS, users, lost connections, deadlocks, settings of others.

use crate::engine::{Engine, count, id};
use strongroom_sql::{Connection, Error, Kind, MariaDbUrl, Role, Tls, Url, Value, open};
use strongroom_testkit::{Authority, MariaDb};

fn changed(change: impl FnOnce(&mut MariaDbUrl)) -> Url {
    let Url::MariaDb(mut url) = MariaDb::shared().url() else { unreachable!("the testkit's URL is a server's") };
    change(&mut url);
    Url::MariaDb(url)
}

fn refused(url: &Url, password: &str) -> Error {
    open(url, Some(password), Role::Reader).err().expect("the connection is refused")
}

#[test]
fn tls_is_on_and_verified() {
    let server = MariaDb::shared();
    for host in ["127.0.0.1", "localhost"] {
        let url = changed(|url| {
            url.host = host.to_owned();
            url.tls = Tls::Verified(server.ca_file());
        });
        let mut db = open(&url, Some(server.password()), Role::Reader).unwrap();
        let rows = db.query("SHOW SESSION STATUS LIKE 'Ssl_version'", &[]).unwrap();
        assert_eq!(rows[0].text(1).unwrap(), "TLSv1.3");
    }
    let mut plain = open(&server.url(), Some(server.password()), Role::Reader).unwrap();
    assert_eq!(plain.query("SHOW SESSION STATUS LIKE 'Ssl_version'", &[]).unwrap()[0].text(1).unwrap(), "");
}

#[test]
fn a_strangers_certificate_is_refused() {
    let server = MariaDb::shared();
    let folder = tempfile::tempdir().unwrap();
    let strangers = folder.path().join("ca.pem");
    Authority::new("Somebody else").write(&strangers);
    let error = refused(&changed(|url| url.tls = Tls::Verified(strangers)), server.password());
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(error.message.contains("ssl-ca"), "{error}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let server = MariaDb::shared();
    let url = changed(|url| {
        url.host = "127.0.0.2".to_owned();
        url.tls = Tls::Verified(server.ca_file());
    });
    // the shared server listens on 127.0.0.1 only, so a second one listens on all of loopback
    let other = MariaDb::start_with(&["--bind-address=0.0.0.0"]);
    let (Url::MariaDb(mut url), Url::MariaDb(there)) = (url, other.tls_url()) else { unreachable!("both are servers") };
    (url.port, url.tls) = (there.port, there.tls);
    let error = refused(&Url::MariaDb(url), other.password());
    assert_eq!(error.kind, Kind::Denied, "{error}");
}

#[test]
fn a_server_without_tls_gets_nothing() {
    let server = MariaDb::start_with(&["--skip-ssl"]);
    let error = refused(&server.tls_url(), server.password());
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(error.message.contains("does not offer TLS"), "{error}");
}

#[test]
fn an_authority_that_cannot_be_read_is_named() {
    let error = refused(&changed(|url| url.tls = Tls::Verified("/no/such/ca.pem".into())), "x");
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.message.contains("/no/such/ca.pem"), "{error}");
}

#[test]
fn a_wrong_password_is_denied_and_not_repeated() {
    let error = refused(&MariaDb::shared().url(), "hunter2");
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(!error.message.contains("hunter2"));
}

#[test]
fn a_missing_database_or_server_is_told() {
    let server = MariaDb::shared();
    let missing = changed(|url| url.database = "no_such_database".to_owned());
    assert_eq!(refused(&missing, server.password()).kind, Kind::NotFound);
    let silent = changed(|url| url.port = 1);
    assert_eq!(refused(&silent, server.password()).kind, Kind::ConnectionLost);
}

/// Kills the session of one connection through another.
fn kill(victim: &mut dyn Connection, other: &mut dyn Connection) {
    let number = victim.query("SELECT CONNECTION_ID()", &[]).unwrap()[0].int(0).unwrap();
    other.execute(&format!("KILL {number}"), &[]).unwrap();
}

#[test]
fn a_killed_connection_is_lost_and_its_commit_unknown() {
    let engine = Engine::mariadb("killed");
    let mut db = engine.with_table();
    let mut other = engine.writer();
    db.begin().unwrap();
    db.execute("INSERT INTO t (id) VALUES (?)", &[(&id(1)).into()]).unwrap();
    kill(&mut *db, &mut *other);
    assert_eq!(db.commit().unwrap_err().kind, Kind::CommitUnknown);
    let mut db = engine.writer();
    kill(&mut *db, &mut *other);
    assert_eq!(db.query("SELECT 1", &[]).unwrap_err().kind, Kind::ConnectionLost);
    assert_eq!(count(&mut *other, "t"), 0);
}

#[test]
fn a_deadlock_is_told_apart() {
    let engine = Engine::mariadb("deadlock");
    let mut first = engine.with_table();
    for n in [1, 2] {
        first.execute("INSERT INTO t (id, n) VALUES (?, 0)", &[(&id(n)).into()]).unwrap();
    }
    let mut second = engine.writer();
    let update = "UPDATE t SET n = n + 1 WHERE id = ?";
    first.begin().unwrap();
    second.begin().unwrap();
    first.execute(update, &[(&id(1)).into()]).unwrap();
    second.execute(update, &[(&id(2)).into()]).unwrap();
    let waiting = std::thread::spawn(move || {
        let outcome = first.execute(update, &[(&id(2)).into()]);
        first.rollback().unwrap();
        outcome
    });
    let crossing = second.execute(update, &[(&id(1)).into()]);
    second.rollback().unwrap();
    let outcomes = [waiting.join().unwrap(), crossing];
    let kinds: Vec<Kind> = outcomes.into_iter().filter_map(Result::err).map(|error| error.kind).collect();
    assert_eq!(kinds, [Kind::Deadlock], "one of the two gives way");
}

#[test]
fn what_does_not_fit_is_refused_not_cut() {
    let engine = Engine::mariadb("strict");
    let mut db = engine.with_table();
    let long = "x".repeat(65);
    assert!(db.execute("INSERT INTO t (id, name) VALUES (?, ?)", &[(&id(1)).into(), Value::Text(&long)]).is_err());
    assert!(db.execute("INSERT INTO t (id) VALUES (?)", &[Value::Bytes(&[7; 17])]).is_err());
    let error = db.execute("INSERT INTO t (id, n) VALUES (?, ?)", &[(&id(1)).into(), "s3cret".into()]).unwrap_err();
    assert!(!error.message.contains("s3cret"), "{error}");
    assert_eq!(count(&mut *db, "t"), 0);
}

#[test]
fn risky_settings_of_the_server_are_named() {
    let engine = Engine::mariadb("durability");
    let mut db = engine.writer();
    assert_eq!(db.durability_warnings().unwrap(), Vec::<String>::new());
    db.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2", &[]).unwrap();
    let warnings = db.durability_warnings().unwrap();
    db.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1", &[]).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("innodb_flush_log_at_trx_commit is 2"), "{}", warnings[0]);
}

#[test]
fn keys_of_two_columns_use_their_index() {
    let engine = Engine::mariadb("index_use");
    let mut db = engine.writer();
    db.execute("CREATE TABLE o (a BINARY(16) NOT NULL, b VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, n BIGINT, PRIMARY KEY (a, b))", &[]).unwrap();
    for n in 0..500 {
        db.execute("INSERT INTO o (a, b, n) VALUES (?, ?, 1)", &[(&id(n)).into(), "order".into()]).unwrap();
    }
    db.query("ANALYZE TABLE o", &[]).unwrap();
    let sql = "EXPLAIN SELECT n FROM o WHERE (a = ? AND b = ?) OR (a = ? AND b = ?)";
    let (one, two) = (id(1), id(2));
    let rows = db.query(sql, &[(&one).into(), "order".into(), (&two).into(), "order".into()]).unwrap();
    assert_eq!(rows[0].text(3).unwrap(), "range");
}
