//! A fresh database of either engine, and the macro that runs a test on both.

use strongroom_sql::{Connection, Dialect, Role, Url, open};
use strongroom_testkit::MariaDb;
use tempfile::TempDir;

/// A database of its own for one test.
pub struct Engine {
    pub url: Url,
    pub password: Option<&'static str>,
    pub folder: Option<TempDir>,
}

impl Engine {
    pub fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = Url::Sqlite(folder.path().join("test.db"));
        let engine = Engine { url, password: None, folder: Some(folder) };
        engine.writer(); // a reader does not create the file
        engine
    }

    pub fn mariadb(name: &str) -> Self {
        let server = MariaDb::shared();
        Engine { url: server.create_database(name), password: Some(server.password()), folder: None }
    }

    pub fn writer(&self) -> Box<dyn Connection> {
        open(&self.url, self.password, Role::Writer).unwrap()
    }

    pub fn reader(&self) -> Box<dyn Connection> {
        open(&self.url, self.password, Role::Reader).unwrap()
    }

    /// A writer, and a table `t` of an id, an integer and a text.
    pub fn with_table(&self) -> Box<dyn Connection> {
        let mut writer = self.writer();
        let sql = portable("CREATE TABLE t (id {id} NOT NULL PRIMARY KEY, n {int}, name {text})", writer.dialect());
        writer.execute(&sql, &[]).unwrap();
        writer
    }
}

/// Fills in the portable types.
pub fn portable(sql: &str, dialect: Dialect) -> String {
    sql.replace("{id}", &dialect.id())
        .replace("{int}", &dialect.int())
        .replace("{text}", &dialect.text(64))
        .replace("{hash}", &dialect.bytes(32))
        .replace("{blob}", &dialect.blob())
}

/// An id that is easy to tell from others.
pub fn id(n: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

/// The number of rows in a table.
pub fn count(connection: &mut dyn Connection, table: &str) -> i64 {
    connection.query(&format!("SELECT COUNT(*) FROM {table}"), &[]).unwrap()[0].int(0).unwrap()
}

/// Makes two tests of a function that takes an [`Engine`].
macro_rules! on_every_engine {
    ($($(#[$doc:meta])* fn $name:ident($engine:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn run($engine: &crate::engine::Engine) $body

            #[test]
            fn sqlite() {
                run(&crate::engine::Engine::sqlite());
            }

            #[test]
            fn mariadb() {
                run(&crate::engine::Engine::mariadb(stringify!($name)));
            }
        }
    )*};
}
pub(crate) use on_every_engine;
