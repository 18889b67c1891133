//! SQLite, MariaDB and MySQL under one small synchronous trait.
//!
//! A caller writes portable statements with `?` placeholders and the column types of [`Dialect`],
//! and hands rows over in batches: SQLite runs them as one cached prepared statement in a loop,
//! MariaDB as multi-row statements, because a round trip is what costs there.
//!
//! **Absence:** no table, column or rule of the bank is known here, nothing reads a clock, and a
//! value that was bound never appears in an error message.

mod batch;
mod connection;
mod dialect;
mod error;
mod mariadb;
mod mariadb_error;
mod row;
mod sqlite;
mod url;
mod value;

pub use connection::{Checkpoint, Connection, Insert, Role, SelectKeys, Upsert, WalProgress, open};
pub use dialect::{Dialect, quote};
pub use error::{Error, Kind, Result};
pub use row::Row;
pub use url::{MariaDbUrl, Tls, Url};
pub use value::Value;
