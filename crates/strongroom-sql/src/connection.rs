//! The trait that both engines implement, and what opens a connection.

use crate::mariadb::MariaDb;
use crate::sqlite::Sqlite;
use crate::{Dialect, Error, Result, Row, Url, Value};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that changes data. Creates a SQLite file that is not there yet.
    Writer,
    /// Reads only; a transaction of its sees one unchanging state of the database.
    Reader,
}

/// Opens a connection.
///
/// The password never stands in the URL; it comes from a prompt, a file or the environment.
pub fn open(url: &Url, password: Option<&str>, role: Role) -> Result<Box<dyn Connection>> {
    match url {
        Url::Sqlite(path) => Ok(Box::new(Sqlite::open(path, role)?)),
        Url::MariaDb(url) => Ok(Box::new(MariaDb::open(url, password, role)?)),
    }
}

/// One connection to one database. Dropping it rolls back what was not committed.
///
/// After any error inside a transaction, roll back: engines differ in how much they undid by themselves.
/// After [`crate::Kind::ConnectionLost`] or [`crate::Kind::CommitUnknown`] a connection is of no more use: drop it
/// and open another.
pub trait Connection: Send {
    /// Which engine this is.
    fn dialect(&self) -> Dialect;

    /// Begins a transaction. A writer takes the write lock now; a reader fixes what it sees.
    fn begin(&mut self) -> Result<()>;

    /// Commits durably. [`crate::Kind::CommitUnknown`]: it may have happened or not; read back.
    fn commit(&mut self) -> Result<()>;

    /// Rolls back. Does nothing outside a transaction.
    fn rollback(&mut self) -> Result<()>;

    /// Runs one statement. Answers how many rows it matched (means nothing for DDL).
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64>;

    /// All rows of one query.
    fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>>;

    /// The rows of one query, one at a time, in constant memory. An error of `each` ends it.
    fn query_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()>;

    /// Inserts rows. The caller holds the transaction that makes it all or nothing.
    fn insert_rows(&mut self, insert: &Insert<'_>, rows: &[&[Value<'_>]]) -> Result<()>;

    /// Inserts rows, or updates those whose key is there.
    fn upsert_rows(&mut self, upsert: &Upsert<'_>, rows: &[&[Value<'_>]]) -> Result<()>;

    /// The rows with these keys, each once, in no order; missing ones are left out.
    fn select_keys(&mut self, select: &SelectKeys<'_>, keys: &[&[Value<'_>]]) -> Result<Vec<Row>>;

    /// Compiles a statement without running it: is it valid on this engine and schema?
    fn check(&mut self, sql: &str) -> Result<()>;

    /// SQLite: a number that another connection's commits change and this one's own do not, for as long as this one is
    /// open. Other engines: none.
    fn data_version(&mut self) -> Result<Option<i64>>;

    /// SQLite: copies the write-ahead log into the database. The writer never does this by itself. Other engines:
    /// nothing.
    fn checkpoint(&mut self, how: Checkpoint) -> Result<WalProgress>;

    /// Settings of the server that put committed data at risk, each with its cure.
    fn durability_warnings(&mut self) -> Result<Vec<String>>;
}

/// What `insert_rows` inserts into.
#[derive(Clone, Copy, Debug)]
pub struct Insert<'a> {
    /// The table.
    pub table: &'a str,
    /// The columns, in the order of the rows' values.
    pub columns: &'a [&'a str],
}

/// What `upsert_rows` writes to.
#[derive(Clone, Copy, Debug)]
pub struct Upsert<'a> {
    /// The table. Beside the key it may have no other unique index (MariaDB would match that too).
    pub table: &'a str,
    /// The columns of the primary key.
    pub key: &'a [&'a str],
    /// All columns written, key included, in the order of the rows' values.
    pub columns: &'a [&'a str],
}

/// What `select_keys` reads.
#[derive(Clone, Copy, Debug)]
pub struct SelectKeys<'a> {
    /// The columns wanted.
    pub columns: &'a [&'a str],
    /// The table.
    pub table: &'a str,
    /// The columns the keys are values of, in their order.
    pub key: &'a [&'a str],
    /// Hold the rows until the transaction ends (`FOR UPDATE`; SQLite's writer holds all anyway).
    pub lock: bool,
}

/// What a checkpoint of SQLite's write-ahead log does beside copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// It copies as far as readers allow, without blocking anyone.
    Passive,
    /// Where no reader is in the way, the next commit writes over the log from its beginning: a file that does not grow
    /// is synced faster.
    Restart,
    /// It waits for readers and cuts the log to nothing.
    Truncate,
}

/// How far a checkpoint of SQLite's write-ahead log came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalProgress {
    /// Pages in the write-ahead log.
    pub pages: u64,
    /// Of these, pages that are in the database file too.
    pub moved: u64,
    /// Someone was in the way; try again later.
    pub busy: bool,
}

/// Refuses rows whose width is not that of the columns, before anything reaches the engine.
pub(crate) fn check_widths(rows: &[&[Value<'_>]], columns: usize) -> Result<()> {
    if columns == 0 || rows.iter().any(|row| row.len() != columns) {
        return Err(Error::other(format!("a batch has a row that does not have {columns} values")));
    }
    Ok(())
}
