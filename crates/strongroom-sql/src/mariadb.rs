//! MariaDB and MySQL through the `mysql` driver: prepared statements only, rows in sets.

use crate::connection::check_widths;
use crate::mariadb_error::translate;
use crate::row::RowBuilder;
use crate::{
    Checkpoint, Connection, Dialect, Error, Insert, Kind, MariaDbUrl, Result, Role, Row, SelectKeys, Tls, Upsert,
    Value, WalProgress, batch,
};
use mysql::consts::{CapabilityFlags, ColumnType};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Params, SslOpts};
use std::time::Duration;

/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 512;

/// Well below the server's usual `max_allowed_packet` of 16 MiB.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

const CONNECT_TIMEOUT_S: u64 = 10;

/// After this long without an acknowledgement the server counts as gone.
const UNACKNOWLEDGED_MS_MAX: u32 = 30_000;

/// The character set number that marks bytes.
const BINARY: u16 = 63;

/// A connection to a MariaDB or MySQL server.
pub(crate) struct MariaDb {
    inner: Conn,
    role: Role,
    in_transaction: bool,
}

impl MariaDb {
    pub(crate) fn open(url: &MariaDbUrl, password: Option<&str>, role: Role) -> Result<Self> {
        let tls = match &url.tls {
            Tls::Off => None,
            Tls::Verified(file) => {
                readable(file)?;
                Some(SslOpts::default().with_root_cert_path(Some(file.clone())))
            }
        };
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(url.host.as_str()))
            .tcp_port(url.port)
            .user(Some(url.user.as_str()))
            .pass(password)
            .db_name(Some(url.database.as_str()))
            .prefer_socket(false)
            .ssl_opts(tls)
            .stmt_cache_size(STATEMENTS_MAX)
            .tcp_connect_timeout(Some(Duration::from_secs(CONNECT_TIMEOUT_S)))
            .tcp_keepalive_time_ms(Some(UNACKNOWLEDGED_MS_MAX))
            .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
            .init(settings(role));
        #[cfg(target_os = "linux")]
        let options = options.tcp_user_timeout_ms(Some(UNACKNOWLEDGED_MS_MAX));
        match Conn::new(options) {
            Ok(inner) => Ok(MariaDb { inner, role, in_transaction: false }),
            Err(error) => {
                let error = translate(error);
                Err(Error::new(
                    error.kind,
                    format!("cannot use the database at {}:{}: {}", url.host, url.port, error.message),
                ))
            }
        }
    }

    /// Runs a batch as few multi-row statements.
    fn run_chunks(&mut self, columns: usize, rows: &[&[Value<'_>]], sql: impl Fn(usize) -> String) -> Result<()> {
        check_widths(rows, columns)?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(batch::chunk_size(fitting(rest), columns));
            let values = chunk.iter().flat_map(|row| row.iter().map(owned)).collect();
            self.inner.exec_drop(sql(chunk.len()), Params::Positional(values)).map_err(translate)?;
            rest = after;
        }
        Ok(())
    }
}

/// How many of the next rows one packet can carry; at least one.
fn fitting(rows: &[&[Value<'_>]]) -> usize {
    let mut size = 0;
    let fits = |row: &&&[Value<'_>]| {
        size += row.iter().map(Value::size).sum::<usize>();
        size <= STATEMENT_BYTES_MAX
    };
    rows.iter().take(batch::ROWS_MAX).take_while(fits).count().max(1)
}

fn settings(role: Role) -> Vec<&'static str> {
    let mut settings = vec![
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        "SET SESSION time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1, autocommit = 1",
        "SET SESSION innodb_lock_wait_timeout = 10, wait_timeout = 2147483",
    ];
    settings.extend_from_slice(match role {
        Role::Writer => &["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"][..],
        Role::Reader => &["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"][..],
    });
    settings
}

fn readable(ca: &std::path::Path) -> Result<()> {
    std::fs::File::open(ca).map(drop).map_err(|error| {
        Error::new(Kind::NotFound, format!("cannot read the certificate authority's file {}: {error}", ca.display()))
    })
}

impl Connection for MariaDb {
    fn dialect(&self) -> Dialect {
        Dialect::MariaDb
    }

    fn begin(&mut self) -> Result<()> {
        if self.in_transaction {
            return Err(Error::other("a transaction was begun inside another"));
        }
        let sql = match self.role {
            Role::Writer => "START TRANSACTION",
            Role::Reader => "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        };
        self.inner.query_drop(sql).map_err(translate)?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if !self.in_transaction {
            return Err(Error::other("a commit came without a transaction"));
        }
        self.in_transaction = false;
        self.inner.query_drop("COMMIT").map_err(|error| {
            let mut error = translate(error);
            if error.kind == Kind::ConnectionLost {
                error.kind = Kind::CommitUnknown;
            }
            error
        })
    }

    fn rollback(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.in_transaction) {
            return Ok(());
        }
        self.inner.query_drop("ROLLBACK").map_err(translate)
    }

    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let statement = self.inner.prep(sql).map_err(translate)?;
        self.inner.exec_drop(&statement, positional(params)).map_err(translate)?;
        let rows = self.inner.affected_rows();
        if params.is_empty() {
            // DDL and the like runs once; it need not push others out of the cache
            self.inner.close(statement).map_err(translate)?;
        }
        Ok(rows)
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
        for row in self.inner.exec_iter(sql, positional(params)).map_err(translate)? {
            each(&mut converted(row.map_err(translate)?)?)?;
        }
        Ok(())
    }

    fn insert_rows(&mut self, insert: &Insert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        self.run_chunks(insert.columns.len(), rows, |count| batch::insert(insert, count, Dialect::MariaDb))
    }

    fn upsert_rows(&mut self, upsert: &Upsert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        self.run_chunks(upsert.columns.len(), rows, |count| batch::upsert(upsert, count, Dialect::MariaDb))
    }

    fn select_keys(&mut self, select: &SelectKeys<'_>, keys: &[&[Value<'_>]]) -> Result<Vec<Row>> {
        check_widths(keys, select.key.len())?;
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        let keys: Vec<&[Value<'_>]> = keys.iter().copied().filter(|key| seen.insert(*key)).collect();
        let mut found = Vec::with_capacity(keys.len());
        let mut rest = keys.as_slice();
        while let Some(last) = rest.last() {
            let size = batch::covering_size(rest.len(), select.key.len());
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            let filling = std::iter::repeat_n(last, size - chunk.len());
            let values = chunk.iter().chain(filling).flat_map(|key| key.iter().map(owned)).collect();
            let sql = batch::select(select, size, Dialect::MariaDb);
            for row in self.inner.exec_iter(sql, Params::Positional(values)).map_err(translate)? {
                found.push(converted(row.map_err(translate)?)?);
            }
            rest = after;
        }
        Ok(found)
    }

    fn check(&mut self, sql: &str) -> Result<()> {
        let statement = self.inner.prep(sql).map_err(translate)?;
        self.inner.close(statement).map_err(translate)
    }

    fn data_version(&mut self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn checkpoint(&mut self, _how: Checkpoint) -> Result<WalProgress> {
        Ok(WalProgress::default())
    }

    fn durability_warnings(&mut self) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let sql = "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog, @@innodb_doublewrite";
        let row: Option<(i64, i64, i64, mysql::Value)> = self.inner.exec_first(sql, ()).map_err(translate)?;
        let Some((flush, log_bin, sync_binlog, doublewrite)) = row else { return Ok(warnings) };
        if flush != 1 {
            warnings.push(format!(
                "innodb_flush_log_at_trx_commit is {flush}: a power cut loses transfers that were confirmed; \
                 set it to 1 in the server's configuration"
            ));
        }
        if log_bin != 0 && sync_binlog != 1 {
            warnings.push(format!(
                "sync_binlog is {sync_binlog}: after a power cut replicas and point-in-time recovery may miss \
                 transfers that were confirmed; set it to 1 in the server's configuration"
            ));
        }
        let off = matches!(&doublewrite, mysql::Value::Int(0) | mysql::Value::UInt(0))
            || matches!(&doublewrite, mysql::Value::Bytes(text) if text.eq_ignore_ascii_case(b"off"));
        if off {
            warnings.push(
                "innodb_doublewrite is off: a power cut can tear pages and make the database unreadable; turn it on \
                 unless the file system writes whole pages"
                    .to_owned(),
            );
        }
        Ok(warnings)
    }
}

fn positional(params: &[Value<'_>]) -> Params {
    if params.is_empty() { Params::Empty } else { Params::Positional(params.iter().map(owned).collect()) }
}

fn owned(value: &Value<'_>) -> mysql::Value {
    match value {
        Value::Null => mysql::Value::NULL,
        Value::Int(value) => mysql::Value::Int(*value),
        Value::Text(text) => mysql::Value::Bytes(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => mysql::Value::Bytes(bytes.to_vec()),
    }
}

/// Most rows are a few ids and hashes.
const ROW_BYTES: usize = 128;

fn converted(row: mysql::Row) -> Result<Row> {
    let mut built = RowBuilder::instead_of(Row::default(), row.len(), ROW_BYTES);
    let columns = row.columns();
    for (column, value) in columns.iter().zip(row.unwrap_raw()) {
        match value {
            None | Some(mysql::Value::NULL) => built.null(),
            Some(mysql::Value::Int(value)) => built.int(value),
            Some(mysql::Value::UInt(value)) => match i64::try_from(value) {
                Ok(value) => built.int(value),
                Err(_) => return Err(Error::other("an unsigned integer is larger than 63 bits")),
            },
            Some(mysql::Value::Bytes(bytes)) => match whole_number(column.column_type(), &bytes) {
                Some(value) => built.int(value),
                None if column.character_set() == BINARY && !is_decimal(column.column_type()) => built.bytes(&bytes),
                None => built.text(&bytes),
            },
            Some(other) => built.text(other.as_sql(true).trim_matches('\'').as_bytes()),
        }
    }
    Ok(built.done())
}

/// A sum of integers arrives as a decimal number without a fraction.
fn whole_number(column: ColumnType, bytes: &[u8]) -> Option<i64> {
    if !is_decimal(column) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn is_decimal(column: ColumnType) -> bool {
    matches!(column, ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL)
}
