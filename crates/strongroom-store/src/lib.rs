//! The bank's own schema: its migrations and every statement that touches it.
//!
//! Functions take a connection and typed rows, in batches where the writer works in batches; they
//! decide nothing. **Absence:** no other crate knows a table or column of the bank, and nothing
//! here reads a clock, draws randomness or opens a sealed field.

pub mod accounts;
pub mod approvals;
pub mod audit;
pub mod bulks;
pub mod cells;
pub mod cosignatures;
pub mod factors;
pub mod holds;
pub mod identity;
pub mod keys;
pub mod log;
pub mod macs;
pub mod meta;
pub mod money;
pub mod outbox;
pub mod roles;
pub mod schema;
pub mod tries;

pub use strongroom_sql::{Connection, Error, Result};

/// A 16-byte identifier as the tables keep it.
pub type Id = [u8; 16];

/// A row's MAC: the version of its key, 4 bytes big-endian, and the tag of 32 bytes.
pub type Mac = [u8; 36];
