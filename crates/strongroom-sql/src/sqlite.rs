//! SQLite through rusqlite: write-ahead log, full synchronisation, cached prepared statements.

use crate::connection::check_widths;
use crate::row::RowBuilder;
use crate::{
    Checkpoint, Connection, Dialect, Error, Insert, Kind, Result, Role, Row, SelectKeys, Upsert, Value, WalProgress,
    batch,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, OpenFlags, ToSql, ffi};
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

/// More statements than the bank has; each is compiled once per connection.
const STATEMENTS_MAX: usize = 512;

/// Most rows are a few ids and hashes.
const ROW_BYTES: usize = 128;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// A connection to a SQLite file.
pub(crate) struct Sqlite {
    inner: rusqlite::Connection,
    role: Role,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, role: Role) -> Result<Self> {
        if role == Role::Writer {
            create_private(path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = match rusqlite::Connection::open_with_flags(path, flags) {
            Ok(inner) => inner,
            Err(error) => {
                let error = translate(error);
                return Err(Error::new(error.kind, format!("cannot open {}: {}", path.display(), error.message)));
            }
        };
        inner.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        inner.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(translate)?;
        inner.execute_batch(settings(role)).map_err(translate)?;
        Ok(Sqlite { inner, role })
    }

    fn prepare(&self, sql: &str, params: usize) -> Result<CachedStatement<'_>> {
        let statement = self.inner.prepare_cached(sql).map_err(translate)?;
        if statement.parameter_count() != params {
            return Err(Error::other(format!(
                "a statement has {} placeholders and was given {params} values",
                statement.parameter_count()
            )));
        }
        Ok(statement)
    }

    /// Runs one statement once per row.
    fn run_each(&self, sql: &str, columns: usize, rows: &[&[Value<'_>]]) -> Result<()> {
        let mut statement = self.prepare(sql, columns)?;
        for row in rows {
            bind(&mut statement, row)?;
            statement.raw_execute().map_err(translate)?;
        }
        Ok(())
    }

    fn simple(&mut self, sql: &str) -> Result<()> {
        self.prepare(sql, 0)?.raw_execute().map(drop).map_err(translate)
    }
}

fn settings(role: Role) -> &'static str {
    match role {
        // wal_autocheckpoint=0: a checkpoint in the writer would make one batch wait for all pages
        Role::Writer => {
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; \
             PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-32768;"
        }
        Role::Reader => {
            "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; \
             PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-8192; PRAGMA query_only=ON;"
        }
    }
}

/// Makes the file, readable by its owner only, if it is not there; SQLite gives its companions
/// (`-wal`, `-shm`) the same permissions.
fn create_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => Kind::NotFound,
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
                std::io::ErrorKind::StorageFull => Kind::Full,
                _ => Kind::Other,
            };
            Err(Error::new(kind, format!("cannot create {}: {error}", path.display())))
        }
    }
}

impl Connection for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn begin(&mut self) -> Result<()> {
        match self.role {
            Role::Writer => self.simple("BEGIN IMMEDIATE"),
            // SQLite fixes what a reader sees at its first read
            Role::Reader => self.simple("BEGIN"),
        }
    }

    fn commit(&mut self) -> Result<()> {
        self.simple("COMMIT").map_err(|mut error| {
            // the log may have reached the disk although the sync reported a failure
            if error.kind == Kind::ConnectionLost {
                error.kind = Kind::CommitUnknown;
            }
            error
        })
    }

    fn rollback(&mut self) -> Result<()> {
        if self.inner.is_autocommit() { Ok(()) } else { self.simple("ROLLBACK") }
    }

    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.prepare(sql, params.len())?;
        bind(&mut statement, params)?;
        statement.raw_execute().map(|rows| rows as u64).map_err(translate)
    }

    fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.query_each(sql, params, &mut |row| {
            rows.push(std::mem::take(row));
            Ok(())
        })?;
        Ok(rows)
    }

    fn query_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql, params.len())?;
        bind(&mut statement, params)?;
        read(&mut statement, each)
    }

    fn insert_rows(&mut self, insert: &Insert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        check_widths(rows, insert.columns.len())?;
        self.run_each(&batch::insert(insert, 1, Dialect::Sqlite), insert.columns.len(), rows)
    }

    fn upsert_rows(&mut self, upsert: &Upsert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        check_widths(rows, upsert.columns.len())?;
        self.run_each(&batch::upsert(upsert, 1, Dialect::Sqlite), upsert.columns.len(), rows)
    }

    fn select_keys(&mut self, select: &SelectKeys<'_>, keys: &[&[Value<'_>]]) -> Result<Vec<Row>> {
        let mut rows = Vec::with_capacity(keys.len());
        if keys.is_empty() {
            return Ok(rows);
        }
        check_widths(keys, select.key.len())?;
        let mut statement = self.prepare(&batch::select(select, 1, Dialect::Sqlite), select.key.len())?;
        let mut seen = HashSet::with_capacity(keys.len());
        for key in keys.iter().filter(|key| seen.insert(**key)) {
            bind(&mut statement, key)?;
            read(&mut statement, &mut |row| {
                rows.push(std::mem::take(row));
                Ok(())
            })?;
        }
        Ok(rows)
    }

    fn check(&mut self, sql: &str) -> Result<()> {
        self.inner.prepare(sql).map(drop).map_err(translate)
    }

    fn data_version(&mut self) -> Result<Option<i64>> {
        self.query("PRAGMA data_version", &[])?.first().map(|row| row.int(0)).transpose()
    }

    fn checkpoint(&mut self, how: Checkpoint) -> Result<WalProgress> {
        let sql = match how {
            Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Restart => "PRAGMA wal_checkpoint(RESTART)",
            Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        // A reader with an old view may keep its view for long: whoever serves others does not wait for it.
        let patience_ms = if how == Checkpoint::Truncate { BUSY_TIMEOUT_MS } else { 0 };
        self.inner.busy_timeout(Duration::from_millis(patience_ms)).map_err(translate)?;
        let rows = self.query(sql, &[]);
        self.inner.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(translate)?;
        let rows = rows?;
        let Some(row) = rows.first() else { return Ok(WalProgress::default()) };
        let pages = |column| row.int(column).map(|n| u64::try_from(n).unwrap_or(0));
        Ok(WalProgress { busy: row.int(0)? != 0, pages: pages(1)?, moved: pages(2)? })
    }

    fn durability_warnings(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new()) // the settings that matter are this connection's own
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn bind(statement: &mut CachedStatement<'_>, params: &[Value<'_>]) -> Result<()> {
    for (i, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(i + 1, value).map_err(translate)?;
    }
    Ok(())
}

fn read(statement: &mut CachedStatement<'_>, each: &mut dyn FnMut(&mut Row) -> Result<()>) -> Result<()> {
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let (mut read, mut size) = (Row::default(), ROW_BYTES);
    while let Some(row) = rows.next().map_err(translate)? {
        let mut built = RowBuilder::instead_of(std::mem::take(&mut read), columns, size);
        for column in 0..columns {
            match row.get_ref(column).map_err(translate)? {
                ValueRef::Null => built.null(),
                ValueRef::Integer(value) => built.int(value),
                ValueRef::Text(text) => built.text(text),
                ValueRef::Blob(bytes) => built.bytes(bytes),
                ValueRef::Real(value) => built.text(value.to_string().as_bytes()),
            }
        }
        read = built.done();
        size = read.size();
        each(&mut read)?;
    }
    Ok(())
}

/// SQLite's messages name tables and columns; the SQL text that some errors carry is left out.
fn translate(error: rusqlite::Error) -> Error {
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(code, message) => (code, message.unwrap_or_else(|| code.to_string())),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, msg),
        rusqlite::Error::ExecuteReturnedResults => {
            return Error::other("a statement that was to answer no rows answered some");
        }
        other => return Error::other(format!("SQLite: {other}")),
    };
    let kind = kind(&code, &message);
    let cure = match kind {
        Kind::Busy => " (another process holds the database; try again)",
        Kind::Full => " (free some disk space; what was committed is safe)",
        Kind::NotFound if message.starts_with("no such table") => {
            " (the file is empty or another program's: put the bank's own file back, from its backup)"
        }
        Kind::NotFound => " (the file is not there or cannot be opened: check its path, owner and permissions)",
        Kind::Other if code.code == ffi::ErrorCode::NotADatabase => " (put the bank's own file back, from its backup)",
        Kind::Denied => " (check the owner and permissions of the database file and its folder)",
        _ => "",
    };
    Error::new(kind, format!("SQLite: {message}{cure}"))
}

fn kind(error: &ffi::Error, message: &str) -> Kind {
    match error.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return Kind::Unique;
        }
        _ => {}
    }
    match error.code {
        ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked => Kind::Busy,
        ffi::ErrorCode::PermissionDenied
        | ffi::ErrorCode::ReadOnly
        | ffi::ErrorCode::AuthorizationForStatementDenied => Kind::Denied,
        ffi::ErrorCode::CannotOpen => Kind::NotFound,
        ffi::ErrorCode::DiskFull => Kind::Full,
        ffi::ErrorCode::SystemIoFailure => Kind::ConnectionLost,
        ffi::ErrorCode::Unknown if message.starts_with("no such table") => Kind::NotFound,
        _ => Kind::Other,
    }
}
